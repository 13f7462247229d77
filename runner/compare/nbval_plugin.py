"""A pytest plugin for nbval: compare strictly, and with what has been executed already.

`pytest -p runner.compare.nbval_plugin --nbval notebooks` compares as nbval does not: numbers within
a tolerance, pictures as pictures, and no cell that was never executed. With `--nbval-artefacts
build` nothing is executed: the outputs are those of the file of the same name in build/.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
import pytest
from nbval import plugin as nbval

from runner import notebook
from runner.compare import accepted, outputs
from runner.quote import sentences

SHARE = "share of the tolerance"
NOT_COMPARED = "it has no outputs that could be compared"
MEANING = (
    "If you changed nothing that these cells use, the fault is the project's and not yours: please "
    "report it, with what `make portable` prints. If you changed it on purpose: `make accept`."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("nbval")
    group.addoption("--nbval-artefacts", help="a folder of executed notebooks to compare with")


def pytest_configure(config: pytest.Config) -> None:
    """Take the place of nbval's start of a kernel, and of its comparison."""
    if config.option.nbval_artefacts:
        nbval.IPyNbFile.setup = _setup
        if not hasattr(config, "workerinput"):  # xdist's workers are part of this run
            _hold(config, Path(config.option.nbval_artefacts))
    nbval.IPyNbFile.collect = _collect
    nbval.IPyNbCell.runtest = _runtest
    nbval.IPyNbCell.compare_outputs = _compare_outputs


def _hold(config: pytest.Config, build: Path) -> None:
    """Let no run write what is being compared."""
    try:
        held = notebook.locked(build)
    except notebook.UsageError as error:
        raise pytest.UsageError(str(error)) from None
    config.add_cleanup(held.lock.release)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what came the nearest to its tolerance, or what a difference may mean."""
    stats = terminalreporter.stats
    left = [each.nodeid for each in stats.get("skipped", []) if NOT_COMPARED in str(each.longrepr)]
    if left:
        terminalreporter.line(f"Cells whose outputs are ignored: {', '.join(left)}.")
    shares = {
        each.nodeid: share
        for each in stats.get("passed", []) + stats.get("failed", [])
        for name, share in each.user_properties
        if name == SHARE
    }
    if red := [name for name, share in shares.items() if share > 1]:
        terminalreporter.line(
            f"Outputs differ from the committed ones: {', '.join(red)}. {MEANING}"
        )
    elif shares:
        where = max(shares, key=shares.get)
        used = f"{shares[where]:.0%} of its tolerance, in {where}"
        terminalreporter.line(f"The largest allowed difference uses {used}.")


class Replay:
    """What nbval needs of a kernel, from the cells of an executed notebook."""

    def __init__(self, cells: Sequence[nbformat.NotebookNode]):
        self.cells, self.position = cells, 1

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> int:
        status = {"output_type": "status", "execution_state": "idle"}
        self.messages = iter([*self.cells[self.position - 1].outputs, status])
        return 1

    def get_message(self, stream: str, timeout: float | None = None) -> dict:
        content = dict(next(self.messages))
        kind = content.pop("output_type")
        return {"msg_type": kind, "content": content, "parent_header": {"msg_id": 1}}

    def fine(self, *arguments: object, **options: object) -> bool:
        return True  # it is always alive, idle, and has replied

    await_reply = await_idle = is_alive = interrupt = stop = fine


def _setup(self: nbval.IPyNbFile) -> None:
    build = Path(self.config.option.nbval_artefacts)
    path = build / self.path.name
    if not path.exists():
        raise self.CollectError(f"{path} is not there: {self.path.name} was not executed")
    executed = nbformat.read(path, as_version=4)
    try:
        outputs.same_source(self.nb, executed)
    except notebook.UsageError as error:
        raise self.CollectError(f"{path}: {error}") from None
    self.executed, self.kernel = executed, Replay(notebook.code_cells(executed))
    self.answers = sentences.values(executed)
    self.setup_sanitize_files()


def _positions(file: nbval.IPyNbFile) -> dict[int, int]:
    """{id of a cell: its position in the order of execution}, counted once for a file."""
    if not hasattr(file, "positions"):
        cells = notebook.code_cells(file.nb)
        file.positions = {id(cell): position for position, cell in enumerate(cells, start=1)}
    return file.positions


_nbval_collect = nbval.IPyNbFile.collect


def _collect(self: nbval.IPyNbFile) -> Iterator[pytest.Item]:
    """The cells, and behind each the sentences whose quotations are evaluated there."""
    cells = list(_nbval_collect(self))
    positions = _positions(self)
    quoted = sentences.plan(self.nb)
    yield Accepted.from_parent(self, name="its text, code and metadata")
    yield from _sentences(self, quoted, 0)
    for item in cells:
        yield item
        if position := positions.get(id(item.cell)):
            yield from _sentences(self, quoted, position)


def _sentences(file: nbval.IPyNbFile, quoted: list, position: int) -> Iterator[pytest.Item]:
    for located in quoted:
        if located.after == position:
            quoted_text = located.quotation.expression[:40]
            name = f"{located.cell.get('id')}, “{located.quotation.words}” ({quoted_text})"
            yield Sentence.from_parent(file, name=name, located=located)


class Accepted(pytest.Item):
    """All that no execution tells: red where it is not as `make accept` left it."""

    def runtest(self) -> None:
        if said := accepted.fault(self.parent.nb, getattr(self.parent, "executed", None)):
            pytest.fail(f"{self.path.name}: {said} {accepted.MEANT}", False)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


class Sentence(pytest.Item):
    """A sentence that quotes a value: red where it does not say what its expression yields."""

    def __init__(self, name: str, parent: nbval.IPyNbFile, located: sentences.Located):
        super().__init__(name, parent)
        self.located = located

    def runtest(self) -> None:
        if not hasattr(self.parent, "answers"):
            pytest.skip("the values that prose quotes are in the artefact: --nbval-artefacts")
        found = self.parent.answers.get(self.located.key)
        if said := sentences.fault(self.located.quotation, found):
            where = f"{self.path.name}, cell {self.located.cell.get('id')}"
            pytest.fail(f"{where}: {said}", False)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


_nbval_runtest = nbval.IPyNbCell.runtest


def _runtest(self: nbval.IPyNbCell) -> None:
    position = _positions(self.parent).get(id(self.cell))
    if outputs.ignored(self.cell) or position is None:
        if self.cell.outputs:
            self.raise_cell_error("It has outputs that are not compared: commit it without any")
        pytest.skip(NOT_COMPARED)
    count = self.cell.execution_count
    self.parent.kernel.position = position
    if count is None:
        self.raise_cell_error("The committed cell was never executed")
    if count != position:
        said = f"The committed cell was executed out of order: [{count}] stands in place {position}"
        self.raise_cell_error(said)
    if any("\r" in "".join(output.get("text", "")) for output in self.cell.outputs):
        self.raise_cell_error("The committed output has a carriage return, which hides text")
    _nbval_runtest(self)


def _compare_outputs(
    self: nbval.IPyNbCell, test: list, ref: list, skip_compare: object = None
) -> bool:
    tolerance = outputs.tolerance(self.config.rootpath, self.cell)
    clean = [self.sanitize_outputs(o, skip_sanitize=("metadata", "traceback")) for o in (ref, test)]
    folder = Path(self.config.option.nbval_artefacts or "build") / "pictures"
    stem = folder / f"{self.path.stem}-{self.cell.get('id', self.cell_num)}"
    found = outputs.differences(*clean, tolerance, stem)
    self.comparison_traceback = outputs.refused(found)
    if found:
        self.user_properties.append((SHARE, max(each.share for each in found)))
    return not self.comparison_traceback
