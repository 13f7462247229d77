"""A pytest plugin for nbval: compare strictly, and with what has been executed already.

`pytest -p runner.nbval_plugin --nbval notebooks` compares as nbval does not: numbers within a
tolerance, pictures as pictures, and no cell that was never executed. With `--nbval-artefacts build`
nothing is executed: each notebook's outputs are those of the file of the same name in build/.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import nbformat
import pytest
from nbval import plugin as nbval
from nbval.kernel import RunningKernel

from runner import compare, internals, notebook, prose, quotations

SHARE, AWAY = "share of the tolerance", "size of the difference"
ROUNDING = 0.05  # relative, or the RMS of a picture: more than that no rounding explains


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("nbval")
    group.addoption("--nbval-artefacts", help="a folder of executed notebooks to compare with")


def pytest_configure(config: pytest.Config) -> None:
    """Take the place of nbval's start of a kernel, and of its comparison."""
    if gone := internals.gone(["nbval.plugin"]):  # the others are not needed to compare
        raise pytest.UsageError(" ".join(gone))
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
    """Say what came the nearest to its tolerance, or which cells differ and what that may mean."""
    stats = terminalreporter.stats
    shares = _noted(stats.get("passed", []), SHARE)
    if shares:
        where = max(shares, key=shares.get)
        used = f"{shares[where]:.0%} of its tolerance, in {where}"
        terminalreporter.line(f"The largest difference that is let takes {used}.")
    red = _noted(stats.get("failed", []), AWAY)
    if red:
        terminalreporter.line(_what_it_may_mean(red))


def _noted(reports: Sequence[pytest.TestReport], what: str) -> dict[str, float]:
    """{test: the number noted as `what`} of those of the reports that have one."""
    return {each.nodeid: n for each in reports for name, n in each.user_properties if name == what}


def _what_it_may_mean(red: dict[str, float]) -> str:
    rounding = max(red.values()) <= ROUNDING
    size = (
        "by little, as another machine's rounding may do" if rounding else "by more than rounding"
    )
    return (
        f"Outputs differ from the committed ones, {size}: {', '.join(red)}. If nothing that these "
        "cells use was changed, the fault is the course's and not yours: please report it, with "
        "what `make portable` prints. If it was changed on purpose: `make accept`."
    )


class Replay:
    """What nbval needs of a kernel, from the cells of an executed notebook."""

    def __init__(self, cells: Sequence[nbformat.NotebookNode]):
        self.cells, self.place = cells, 1

    def execute_cell_input(self, source: str, allow_stdin: bool | None = None) -> int:
        status = {"output_type": "status", "execution_state": "idle"}
        self.messages = iter([*self.cells[self.place - 1].outputs, status])
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
    path = notebook.artefact(self.path, build, self.config.rootpath)
    if not path.exists():
        raise self.CollectError(f"{path} is not there: {self.path.name} was not executed")
    executed = nbformat.read(path, as_version=4)
    try:
        compare.same_source(self.nb, executed)
    except notebook.UsageError as error:
        raise self.CollectError(f"{path}: {error}") from None
    self.kernel = Replay(notebook.code_cells(executed))
    self.answers = quotations.values(executed)
    self.setup_sanitize_files()


def _places(file: nbval.IPyNbFile) -> dict[int, int]:
    """{id of a cell: its place in the order of execution}, counted once for a file."""
    if not hasattr(file, "places"):
        cells = notebook.code_cells(file.nb)
        file.places = {id(cell): place for place, cell in enumerate(cells, start=1)}
    return file.places


_nbval_collect = nbval.IPyNbFile.collect


def _collect(self: nbval.IPyNbFile) -> Iterator[pytest.Item]:
    """The cells, and behind each the sentences whose quotations are evaluated there."""
    cells = list(_nbval_collect(self))
    places = _places(self)
    quoted = quotations.plan(self.nb)
    yield from _sentences(self, quoted, 0)
    for item in cells:
        yield item
        if place := places.get(id(item.cell)):
            yield from _sentences(self, quoted, place)
    yield from _others(self)


def _sentences(file: nbval.IPyNbFile, quoted: list, place: int) -> Iterator[pytest.Item]:
    for placed in quoted:
        if placed.after == place:
            quoted_text = placed.quotation.expression[:40]
            name = f"{placed.cell.get('id')}, “{placed.quotation.words}” ({quoted_text})"
            yield Sentence.from_parent(file, name=name, placed=placed)


def _others(file: nbval.IPyNbFile) -> Iterator[pytest.Item]:
    """The test for all other numbers of what is finished."""
    if file.path in notebook.pages(file.config.rootpath, "finished"):
        yield Numbers.from_parent(file, name="numbers without an expression")


class Sentence(pytest.Item):
    """A sentence that quotes a value: red where it does not say what its expression yields."""

    def __init__(self, name: str, parent: nbval.IPyNbFile, placed: quotations.Placed):
        super().__init__(name, parent)
        self.placed = placed

    def runtest(self) -> None:
        quotation, found = self.placed.quotation, None
        if hasattr(self.parent, "answers"):
            found = self.parent.answers.get(self.placed.key)
        elif self.placed.after and not quotations.unfit(quotation):
            found = _asked(self.parent.kernel, quotation.expression)
        if said := quotations.fault(quotation, found):
            where = f"{notebook.called(self.path)}, cell {self.placed.cell.get('id')}"
            pytest.fail(f"{where}: {said}", False)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


def _asked(kernel: RunningKernel, expression: str) -> dict:
    """What a kernel that nbval has started says of an expression."""
    own = {"quoted": quotations.request(expression)}
    asked = kernel.kc.execute("", silent=True, allow_stdin=False, user_expressions=own)
    while True:
        reply = kernel.get_message("shell", timeout=60)
        if reply["parent_header"].get("msg_id") == asked:
            return quotations.answer(reply["content"].get("user_expressions", {}).get("quoted", {}))


class Page(nbval.IPyNbFile):
    """A Markdown page whose prose quotes values; its hidden code has been executed already."""

    def collect(self) -> Iterator[pytest.Item]:
        self.nb = notebook.load(self.path)
        for placed in quotations.plan(self.nb):
            yield from _sentences(self, [placed], placed.after)
        yield from _others(self)

    def setup(self) -> None:
        if not self.config.option.nbval_artefacts:
            pytest.skip("a page is compared with its artefact: --nbval-artefacts")
        if not notebook.code_cells(self.nb):  # there is nothing to execute, and no artefact
            self.answers = {}
            return
        _setup(self)


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Page | None:
    root, option = parent.config.rootpath, parent.config.option
    if option.nbval and file_path.suffix == ".md" and file_path in notebook.pages(root):
        return Page.from_parent(parent, path=file_path)
    return None


class Numbers(pytest.Item):
    """Of a finished page or notebook: each number in its prose is computed, or of a known kind."""

    def runtest(self) -> None:
        if not hasattr(self.parent, "answers"):
            pytest.skip("what the prose quotes is in the artefact: --nbval-artefacts")
        left = prose.unquoted(self.parent.nb, self.path, self.config.rootpath, self.parent.answers)
        if left:
            pytest.fail("\n".join(left), False)

    def reportinfo(self) -> tuple[Path, int, str]:
        return self.path, 0, self.name


_nbval_runtest = nbval.IPyNbCell.runtest


def _runtest(self: nbval.IPyNbCell) -> None:
    place = _places(self.parent).get(id(self.cell))
    if self.options["skip"] or place is None:
        pytest.skip("not executed")
    count = self.cell.execution_count
    self.parent.kernel.place = place
    if count is None:
        self.raise_cell_error("The committed cell was never executed")
    if count != place:
        said = f"The committed cell was executed out of order: [{count}] stands in place {place}"
        self.raise_cell_error(said)
    _nbval_runtest(self)


def _compare_outputs(
    self: nbval.IPyNbCell, test: list, ref: list, skip_compare: object = None
) -> bool:
    tolerance = compare.tolerance(self.config.rootpath, self.cell)
    clean = [self.sanitize_outputs(o, skip_sanitize=("metadata", "traceback")) for o in (ref, test)]
    folder = Path(self.config.option.nbval_artefacts or "build") / "pictures"
    stem = folder / f"{self.path.stem}-{self.cell.get('id', self.cell_num)}"
    found = compare.differences(*clean, tolerance, stem)
    self.comparison_traceback = compare.refused(found)
    if found:
        self.user_properties.append((SHARE, max(each.share for each in found)))
        self.user_properties.append((AWAY, max(each.away for each in found)))
    return not self.comparison_traceback
