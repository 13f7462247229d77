"""Nothing of a machine or of a person's settings reaches an output: kernels, cache, noise audit."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import portable
import pytest
from support import add, main, texts

from runner.execute import environment

SHOW = "import os\n\nprint(*(f'{k}={v}' for k, v in sorted(os.environ.items())), sep='\\n')"
# What a front end or IPython itself sets in its kernel.
KERNELS_OWN = {"JPY_PARENT_PID", "JPY_SESSION_NAME", "CLICOLOR", "CLICOLOR_FORCE", "FORCE_COLOR"}
KERNELS_OWN |= {"RUNNER_KERNEL", "RUNNER_PROGRESS"}
KERNELS_OWN |= {"PAGER", "GIT_PAGER", "MPLBACKEND", "TERM", "PYDEVD_USE_FRAME_EVAL"}


def test_a_kernel_gets_the_made_environment_and_no_other(folder, monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Kathmandu")
    monkeypatch.setenv("MARK", "of this shell")
    before = dict(os.environ)
    add(folder, "01-shows", f"# NBVAL_IGNORE_OUTPUT\n{SHOW}")
    assert main(folder, "--env", "OWN=mine", "--env", "LANG=") == 0
    (printed,) = texts(folder / "build" / "01-shows.ipynb")
    seen = dict(line.split("=", 1) for line in printed.splitlines())
    wanted = environment.made((folder / "build" / ".home").resolve(), {"OWN": "mine", "LANG": ""})
    assert {k: v for k, v in seen.items() if k not in KERNELS_OWN} == wanted
    assert (seen["TZ"], seen["OWN"]) == ("UTC", "mine")
    assert not {"MARK", "LANG"} & set(seen)
    assert dict(os.environ) == before


@pytest.mark.slow
def test_a_persons_own_settings_do_not_reach_a_kernel(folder, monkeypatch):
    startup = folder / "person" / ".ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "mine.py").write_text("x = 1\n", encoding="utf-8")
    style = folder / "person" / ".config" / "matplotlib"
    style.mkdir(parents=True)
    (style / "matplotlibrc").write_text("lines.linewidth: 77\n", encoding="utf-8")
    monkeypatch.setenv("HOME", str(folder / "person"))
    monkeypatch.setenv("PYTHONWARNINGS", "error")
    add(
        folder,
        "01-looks",
        "print('x' in globals())",
        "import matplotlib\n\nprint(matplotlib.rcParams['lines.linewidth'])",
    )
    assert main(folder) == 0
    assert texts(folder / "notebooks" / "01-looks.ipynb") == ["False\n", "1.5\n"]


def test_what_is_pinned_on_which_machine(monkeypatch):
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    for able, pinned in [({"avx2", "fma", "sse2"}, environment.AVX2), ({"avx", "sse2"}, {})]:
        monkeypatch.setattr(environment, "features", lambda able=able: frozenset(able))
        assert environment.pins() == pinned
    monkeypatch.setattr("platform.machine", lambda: "arm64")
    assert environment.pins() == environment.ARM64


@pytest.mark.slow
@pytest.mark.skipif(environment.pins() != environment.AVX2, reason="a processor without AVX2")
def test_the_libraries_take_the_pinned_paths(folder):
    path = add(
        folder,
        "01-paths",
        "import numpy, scipy.linalg\nfrom threadpoolctl import threadpool_info\n\n"
        "print({i['architecture'] for i in threadpool_info() if i['internal_api'] == 'openblas'})",
        "from numpy._core._multiarray_umath import __cpu_features__ as able\n\n"
        "print(able['X86_V3'], able['X86_V4'])",
        "import torch\n\nprint(torch.backends.cpu.get_cpu_capability())",
        "print(torch.get_num_threads())",
    )
    assert main(folder) == 0
    assert texts(path) == ["{'Haswell'}\n", "True False\n", "AVX2\n", "1\n"]


NOISE = "noise = len(os.environ.get('OPENBLAS_CORETYPE', '')) == len('Prescott')"


@pytest.mark.slow
@pytest.mark.skipif("pni" not in environment.features(), reason="for x86-64 on Linux")
@pytest.mark.parametrize(
    ("shown", "status", "line"),
    [
        ("0.3", 0, ""),
        ("2e-16 * (1 + noise)", 0, "digit 10.0%"),
        ("0.3 + 1.1e-5 * noise", 0, "warn 73.3%"),
        ("f'{0.3 + 6e-17 * noise:.17f}'", 0, "digit 0.0%"),
        ("342 - noise", 1, "RED inf%"),
        ("'red' if noise else 'green'", 1, "RED inf%"),
        ("1 / (1 - noise)", 1, "01-noisy.ipynb failed (cell error)"),
    ],
)
def test_the_audit_finds_what_hangs_on_a_code_path(folder, capsys, shown, status, line):
    add(folder, "01-noisy", "import os", NOISE, f"print({shown})")
    (folder / "pyproject.toml").write_text("[tool.runner]\natol = 2e-15\n", encoding="utf-8")
    assert main(folder) == 0
    assert portable.main(["--sets", "unpinned", "prescott"]) == status
    printed = capsys.readouterr()
    assert "2 sets of code paths (unpinned, prescott), 2 executions, " in printed.out
    assert line in " ".join((printed.out + printed.err).split())
    moves = line.split(" ")[0] in ("RED", "warn", "digit")
    assert ("01-noisy, cell-2 [prescott]" in " ".join(printed.out.split())) == moves
    assert main(folder, "--keep", "--explain") == 0
    assert "unchanged since the last run" in capsys.readouterr().out  # its own build/


def test_a_command_in_the_kernels_settings():
    code = "import os; print(os.environ['TZ'], os.environ['HOME'])"
    command = [sys.executable, "-m", "runner.execute.environment", sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == f"UTC {Path.home()}\n"


ROOT = Path(__file__).resolve().parents[1]


@pytest.mark.slow
@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the files are listed by git")
@pytest.mark.skipif(os.name == "nt", reason="a home and a mask as Unix has them")
def test_a_copy_without_git_in_an_odd_folder_of_an_odd_shell(tmp_path):
    """A zip, unpacked by somebody else: it comes out as committed, to the byte."""
    listed = [
        "git",
        "ls-files",
        "-z",
        "notebooks",
        "helpers",
        "runner",
        "experiments",
        "data",
        "*.toml",
        "*.lock",
    ]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, text=True).stdout.split("\0")
    copy = tmp_path / "a földer, odd"
    for name in filter(None, names):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy / name)
    before = {path: path.read_bytes() for path in (copy / "notebooks").iterdir()}
    shell = {"HOME": "/proc/nobody", "LANG": "C", "LC_ALL": "C", "TZ": "America/Caracas"}
    shell |= {"PATH": os.environ["PATH"], "ATEN_CPU_CAPABILITY": "default", "OMP_NUM_THREADS": "2"}
    command = [sys.executable, "-m", "runner.run", "--only", "04"]
    done = subprocess.run(command, cwd=copy, env=shell, umask=0o077, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "04-maximum-likelihood      ok" in done.stdout
    assert {path: path.read_bytes() for path in (copy / "notebooks").iterdir()} == before


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="a clone of what is committed")
def test_a_checkout_with_crlf_has_none(tmp_path):
    clone = ["git", "-c", "core.autocrlf=true", "clone", "-q", str(ROOT), str(tmp_path / "clone")]
    subprocess.run(clone, check=True)
    files = [path for path in (tmp_path / "clone").rglob("*") if path.is_file()]
    text = [path for path in files if ".git" not in path.parts and path.suffix != ".png"]
    assert len(text) > 50
    assert [path for path in text if b"\r" in path.read_bytes()] == []
