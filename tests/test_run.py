"""The runner, with real kernels: what fails, what stays, what is refused, what is left behind."""

import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from support import ROOT, add, main, texts

from runner import notebook
from runner.execute import kernel
from runner.job import Job, Outcome


def test_outputs_are_written_back_clean_and_only_once(folder):
    path = add(folder, "01-fine", "import os\n\nprint(os.path.basename(os.getcwd()))")
    assert main(folder) == 0
    assert texts(path) == ["notebooks\n"]
    nb = nbformat.read(path, as_version=4)
    assert path.read_text(encoding="utf-8") == notebook.clean(nb)
    assert "papermill" not in nb.metadata
    before = path.stat().st_mtime_ns
    assert main(folder) == 0
    assert path.stat().st_mtime_ns == before


@pytest.mark.slow
def test_failures_are_reported_and_the_others_finish(folder, capsys):
    fine = add(folder, "01-fine", "print(1)")
    for name in ["raises", "dies"]:
        shutil.copy(
            ROOT / "tests" / "broken" / f"{name}.ipynb", folder / "notebooks" / f"02-{name}.ipynb"
        )
    before = {path: path.read_bytes() for path in (folder / "notebooks").iterdir()}
    assert main(folder) == 1
    printed = capsys.readouterr()
    assert "02-raises.ipynb failed (cell error) in cell 3:" in printed.err
    assert '    | raise ValueError("on purpose")\n    ValueError: on purpose' in printed.err
    died = "02-dies.ipynb failed (kernel died) in cell 3:\n    | os._exit(1)\n    Its process ended"
    assert died in printed.err
    assert "01-fine                    ok" in printed.out
    assert texts(folder / "build" / "01-fine.ipynb") == ["1\n"]
    assert {path: path.read_bytes() for path in before} == before, fine


@pytest.mark.slow
def test_parameters_are_set_and_the_committed_notebook_is_left(folder, capsys):
    path = add(
        folder,
        "01-fine",
        "print(seed, rate, data, unlabelled)",
        parameters="seed = 1\nrate = 0.5\ndata = None\nunlabelled = None",
    )
    before = path.read_bytes()
    table, rows = folder / "my table.csv", folder / "rows.csv"
    for file in (table, rows):
        file.write_text("x", encoding="utf-8")
    given = ["--data", str(table), "--unlabelled", str(rows)]
    assert main(folder, "--params", "seed=7 rate=2", *given) == 0
    assert texts(folder / "build" / "01-fine.ipynb")[-1] == f"7 2 {table} {rows}\n"
    assert path.read_bytes() == before
    assert main(folder, "--unlabelled", str(rows)) == 0
    assert texts(folder / "build" / "01-fine.ipynb")[-1] == f"1 0.5 None {rows}\n"
    assert path.read_bytes() == before
    assert "your notebooks are unchanged" in capsys.readouterr().out


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--only", "07"], "There is no notebook '07'; the known ones are: 01-fine, 02-other."),
        (
            ["--params", "sead=7"],
            "There is no parameter 'sead' here; the known ones are: rate, seed.",
        ),
        (["--params", "seed=x"], "The parameter 'seed' takes a value of type int, not 'x'."),
        (["--params", "seed=1.5"], "The parameter 'seed' takes a value of type int, not '1.5'."),
        (["--params", "seed=True"], "The parameter 'seed' takes a value of type int, not 'True'."),
        (["--params", "seed"], "A parameter is written name=value, not 'seed'."),
        (
            ["--params", "seed=it's"],
            "The parameters seed=it's cannot be read: No closing quotation.",
        ),
        (["--data", "no.csv"], "There is no file 'no.csv' to take the data from."),
        (["--unlabelled", "no.csv"], "There is no file 'no.csv' to take the data from."),
    ],
)
def test_a_wrong_request_is_refused_in_one_sentence(folder, capsys, arguments, sentence):
    add(folder, "01-fine", "print(seed)", parameters="seed = 1")
    add(folder, "02-other", "print(rate)", parameters="rate = 1.0")
    assert main(folder, *arguments) == 2
    assert capsys.readouterr().err == sentence + "\n"
    assert not (folder / "build").exists()


def test_a_notebook_that_cannot_be_accepted_is_a_sentence_and_the_others_are(folder, capsys):
    bad, fine = add(folder, "01-bad", "print(1)"), add(folder, "02-fine", "print(2)")
    nb = nbformat.read(bad, as_version=4)
    nb.cells[0].metadata["tags"] = ["rtol=5%"]
    bad.write_text(notebook.clean(nb), encoding="utf-8")
    assert main(folder) == 1
    said = "A tolerance of cell 'cell-0': could not convert string to float: '5%'."
    assert capsys.readouterr().err == f"01-bad.ipynb stays as it is: {said}\n"
    assert texts(fine) == ["2\n"]


@pytest.mark.parametrize(
    ("failure", "attempts", "state"),
    [
        ("Kernel didn't respond in 30 seconds", 2, "ok"),
        ("Kernel died before replying to kernel_info", 2, "ok"),
        ("NoSuchKernel: cobol", 1, "never run"),
    ],
)
def test_a_kernel_that_lost_the_race_for_a_port_is_started_again(
    monkeypatch, failure, attempts, state
):
    lost = Outcome("never run", failure)
    results = [lost, Outcome("ok"), None]
    monkeypatch.setattr(kernel.Attempt, "outcome", lambda self: results.pop(0))
    assert kernel.execute(Job(Path("a"), Path("b"))).state == state
    assert len(results) == 3 - attempts
    results[:] = [lost] * 9  # and not for ever
    assert kernel.execute(Job(Path("a"), Path("b"))).state == "never run"
    assert len(results) == 9 - (3 if attempts == 2 else 1)


@pytest.mark.slow
def test_a_folder_of_foreign_notebooks(tmp_path):
    """Two notebooks of another project, no lock, no helpers: executed, accepted, checked."""
    (tmp_path / "notebooks").mkdir()
    path = add(tmp_path, "Intro", "from math import pi\n\npi")
    old = add(tmp_path, "a second one", "n = 3\nprint(n)", " ", "1 / 0", "print(n + 1)")
    nb = nbformat.read(old, as_version=4)
    nb.nbformat_minor = 4  # cells had no ids
    nb.cells[2].metadata["tags"] = ["skip-execution"]
    for cell in nb.cells:
        del cell["id"]
    old.write_text(nbformat.writes(nb), encoding="utf-8")
    where = ["--notebooks", "notebooks", "--build", "build"]
    command = [sys.executable, "-m", "runner.run", *where]
    assert subprocess.run(command, cwd=tmp_path, capture_output=True).returncode == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == ["build", "notebooks"]
    check = [
        sys.executable,
        "-m",
        "pytest",
        "-p",
        "runner.compare.nbval_plugin",
        "-p",
        "no:cacheprovider",
    ]
    check += ["--nbval", "--nbval-artefacts", "build", "notebooks"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    assert "5 passed, 2 skipped" in done.stdout
    path.write_text(path.read_text("utf-8").replace("3.14159", "3.15159"), encoding="utf-8")
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    assert "1 failed, 4 passed, 2 skipped" in done.stdout


@pytest.mark.parametrize(
    ("source", "sentence"),
    [
        ("import warnings\n\nwarnings.warn('mind /home/me', stacklevel=1)", "'cell-0' warned ("),
        ("import sys\n\nprint('building …', file=sys.stderr)", "'cell-0' warned (building …)"),
        ("import os\n\nprint(os.path.join(os.getcwd(), 'x'))", "shows a path of this machine"),
        ("import sys\n\nsys.prefix + '/x'", "shows a path of this machine"),
    ],
)
def test_a_warning_or_a_path_is_never_committed(folder, source, sentence, capsys):
    fine, path = add(folder, "01-fine", "print(1)"), add(folder, "02-odd", source)
    before = path.read_bytes()
    assert main(folder) == 1
    printed = capsys.readouterr().err
    assert "02-odd.ipynb stays as it is: cell " in printed
    assert sentence in printed
    assert path.read_bytes() == before
    assert texts(fine) == ["1\n"]
    add(folder, "02-odd", f"# NBVAL_IGNORE_OUTPUT\n{source}")
    assert main(folder) == 0
