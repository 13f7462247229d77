"""The runner, with real kernels: what fails, what stays, what is refused, what is left behind."""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import psutil
import pytest

from runner import cache, execute, notebook, run
from runner.job import Job, Outcome

BROKEN = Path(__file__).resolve().parent / "broken"


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "notebooks").mkdir()
    return tmp_path


def add(folder, name, *sources, parameters=None):
    """Write a notebook that was never executed to the folder; its path."""
    cells = [nbformat.v4.new_code_cell(source) for source in sources]
    if parameters:
        first = nbformat.v4.new_code_cell(parameters)
        first.metadata["tags"] = ["parameters"]
        cells.insert(0, first)
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    spec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    path = folder / "notebooks" / f"{name}.ipynb"
    nb = nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": spec})
    path.write_text(notebook.clean(nb), encoding="utf-8")
    return path


def main(folder, *arguments):
    where = ["--notebooks", str(folder / "notebooks"), "--build", str(folder / "build")]
    return run.main([*where, *arguments])


def texts(path):
    return [
        "".join(output.get("text", "") for output in cell.get("outputs", []))
        for cell in nbformat.read(path, as_version=4).cells
    ]


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


def test_failures_are_reported_and_the_others_finish(folder, capsys):
    fine = add(folder, "01-fine", "print(1)")
    for name in ["raises", "dies"]:
        shutil.copy(BROKEN / f"{name}.ipynb", folder / "notebooks" / f"02-{name}.ipynb")
    before = {path: path.read_bytes() for path in (folder / "notebooks").iterdir()}
    assert main(folder) == 1
    printed = capsys.readouterr()
    assert "02-raises.ipynb failed (cell error) in cell 3:" in printed.err
    assert '    | raise ValueError("on purpose")\n    ValueError: on purpose' in printed.err
    assert (
        "02-dies.ipynb failed (kernel died) in cell 3:\n    | os._exit(1)\n    DeadKernelError"
        in printed.err
    )
    assert "01-fine                    ok" in printed.out
    assert texts(folder / "build" / "01-fine.ipynb") == ["1\n"]
    assert {path: path.read_bytes() for path in before} == before, fine


def test_a_notebook_that_cannot_start_is_a_failure_with_a_reason(folder, capsys):
    path = add(folder, "01-strange", "print(1)")
    path.write_text("not a notebook", encoding="utf-8")
    assert main(folder) == 1
    assert (
        "01-strange.ipynb failed (never run) before its first cell: NotJSONError"
        in capsys.readouterr().err
    )


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
    assert "stay in" in capsys.readouterr().out


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


def test_a_parameter_whose_default_is_computed_takes_any_value(folder):
    add(folder, "01-fine", "print(total)", parameters="total = 2 * 3")
    assert main(folder, "--params", "total=7.5") == 0
    assert texts(folder / "build" / "01-fine.ipynb")[-1] == "7.5\n"


def test_values_are_what_papermill_can_write():
    own = {"layers": [1], "pair": [1, 2], "free": None}
    wanted = {"layers": "(32, 16)", "pair": "[3, 4]", "free": "{{1}}", "other": "1"}
    values = {name: notebook.literal(text) for name, text in wanted.items()}
    given = notebook.parameters(values, own)
    assert given == {"layers": [32, 16], "pair": [3, 4], "free": "{{1}}"}


def test_text_stays_on_its_side_of_a_figure():
    parts = [("stdout", "a"), ("stderr", "!"), ("stdout", "b\n"), None, ("stdout", "c\n")]
    outputs = [
        nbformat.v4.new_output("stream", name=part[0], text=part[1])
        if part
        else nbformat.v4.new_output("display_data", data={"image/png": ""})
        for part in parts
    ]
    joined = [output.get("text") for output in notebook.joined(outputs)]
    assert joined == ["ab\n", "!", None, "c\n"]


def test_a_notebook_that_cannot_be_accepted_is_a_sentence_and_the_others_are(folder, capsys):
    bad, fine = add(folder, "01-bad", "print(1)"), add(folder, "02-fine", "print(2)")
    nb = nbformat.read(bad, as_version=4)
    nb.cells[0].metadata["tags"] = ["rtol=5%"]
    bad.write_text(notebook.clean(nb), encoding="utf-8")
    assert main(folder) == 1
    said = "A tolerance of cell 'cell-0': could not convert string to float: '5%'."
    assert capsys.readouterr().err == f"01-bad.ipynb stays as it is: {said}\n"
    assert texts(fine) == ["2\n"]


def test_only_takes_the_notebooks_that_begin_so(folder):
    add(folder, "01-fine", "print(1)")
    other = add(folder, "02-other", "print(2)")
    assert main(folder, "--only", "01") == 0
    assert texts(other) == [""]


@pytest.mark.skipif(os.name == "nt", reason="sends POSIX signals")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_no_kernel_and_no_change(folder, sent):
    path = add(folder, "01-slow", "import time\n\ntime.sleep(60)")
    before = path.read_bytes()
    where = ["--notebooks", folder / "notebooks", "--build", folder / "build"]
    process = subprocess.Popen(
        [sys.executable, "-m", "runner.run", *map(str, where)], stdout=subprocess.PIPE, text=True
    )
    assert "running" in process.stdout.readline()
    deadline = time.monotonic() + 30
    while not (kernels := psutil.Process(process.pid).children()) and time.monotonic() < deadline:
        time.sleep(0.05)
    time.sleep(1)
    process.send_signal(sent)
    printed, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Interrupted" in printed
    assert kernels
    assert not any(kernel.is_running() for kernel in kernels)
    assert path.read_bytes() == before


def test_an_error_that_is_called_like_a_dead_kernel_is_a_cell_error(folder, capsys):
    add(folder, "01-odd", "class DeadKernelError(Exception):\n    pass\n\nraise DeadKernelError")
    assert main(folder) == 1
    assert "01-odd.ipynb failed (cell error) in cell 1:" in capsys.readouterr().err


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
    monkeypatch.setattr(execute._Attempt, "outcome", lambda self: results.pop(0))
    assert execute.execute(Job(Path("a"), Path("b"))).state == state
    assert len(results) == 3 - attempts
    results[:] = [lost] * 9  # and not for ever
    assert execute.execute(Job(Path("a"), Path("b"))).state == "never run"
    assert len(results) == 9 - (3 if attempts == 2 else 1)


def test_longest_first_by_the_last_run_and_what_is_unknown_by_its_code(folder):
    names = ["01-a", "02-b", "03-c", "04-d"]
    paths = [add(folder, name, "1" * (10 - number)) for number, name in enumerate(names)]
    nb = nbformat.read(paths[3], as_version=4)
    nb.cells.append(nbformat.v4.new_markdown_cell("Prose is no work. " * 99, id="prose"))
    paths[3].write_text(notebook.clean(nb), encoding="utf-8")
    jobs = [Job(path, Path(path.name)) for path in paths]

    def order(known):
        return [job.output.stem for job in cache.longest_first(jobs, known)]

    assert order({}) == names
    known = {"01-a.ipynb": {"seconds": 3}, "03-c.ipynb": {"seconds": 5}}
    assert order(known) == ["02-b", "04-d", "03-c", "01-a"]


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
    check = [sys.executable, "-m", "pytest", "-p", "runner.nbval_plugin", "-p", "no:cacheprovider"]
    check += ["--nbval", "--nbval-artefacts", "build", "notebooks"]
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    assert "3 passed, 2 skipped" in done.stdout
    path.write_text(path.read_text("utf-8").replace("3.14159", "3.15159"), encoding="utf-8")
    done = subprocess.run(check, cwd=tmp_path, capture_output=True, text=True)
    assert "1 failed, 2 passed, 2 skipped" in done.stdout


def test_a_write_that_fails_leaves_the_file(tmp_path, monkeypatch):
    path = tmp_path / "a.ipynb"
    path.write_text("good", encoding="utf-8")
    monkeypatch.setattr(os, "replace", lambda *_: (_ for _ in ()).throw(OSError("disk full")))
    with pytest.raises(OSError, match="disk full"):
        notebook.write("bad", path)
    assert path.read_text(encoding="utf-8") == "good"
    assert list(tmp_path.iterdir()) == [path]


def test_nbval_goes_red_on_a_stale_output(tmp_path):
    shutil.copy(BROKEN / "stale.ipynb", tmp_path)
    command = [sys.executable, "-m", "pytest", "--nbval", "-p", "no:cacheprovider", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 1
    assert "1 failed" in done.stdout


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


def test_what_is_replaced_is_named(folder, capsys):
    add(folder, "01-fine", "x = 1", "print(1)")
    assert main(folder) == 0
    assert "replaced" not in capsys.readouterr().out  # there was nothing before
    path = add(folder, "01-fine", "x = 1", "print(1 + x)")
    nb = nbformat.read(path, as_version=4)
    for number, cell in enumerate(nb.cells, start=1):
        cell.execution_count = number
    path.write_text(notebook.clean(nb), encoding="utf-8")
    assert main(folder) == 0
    assert "01-fine.ipynb: the outputs of cell-1 were replaced by others." in (
        capsys.readouterr().out
    )


def test_a_new_alt_text_is_taken_over(folder):
    show = "from IPython.display import display\n\ndisplay({'text/plain': 'x'}, raw=True, metadata="
    path = add(folder, "01-fine", show + "{'alt': 'old'})")
    assert main(folder) == 0
    path.write_text(path.read_text("utf-8").replace("'old'", "'new'"), encoding="utf-8")
    assert main(folder) == 0
    cell = nbformat.read(path, as_version=4).cells[0]
    assert cell.outputs[0].metadata == {"alt": "new"}
