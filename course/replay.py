"""A pytest plugin for nbval: compare strictly, and with what has been executed already.

`pytest -p course.replay --nbval notebooks` compares as nbval does not: numbers within a tolerance,
pictures as pictures, and no cell that was never executed. With `--nbval-artefacts build` nothing is
executed: each notebook's outputs are those of the file of the same name in build/.
"""

from collections import deque
from pathlib import Path
from queue import Empty

import nbformat
from nbval import plugin as nbval

from course import compare, notebook


def pytest_addoption(parser):
    group = parser.getgroup("nbval")
    group.addoption("--nbval-artefacts", help="a folder of executed notebooks to compare with")
    for name, default in vars(compare.Tolerance()).items():
        parser.addini(f"course_{name}", f"tolerance of the comparison: {name}", default=default)


def pytest_configure(config):
    """Take the place of nbval's start of a kernel, and of its comparison."""
    config.course_tolerance = compare.Tolerance(
        **{name: float(config.getini(f"course_{name}")) for name in vars(compare.Tolerance())}
    )
    nbval.IPyNbFile.setup = _setup
    nbval.IPyNbCell.runtest = _runtest
    nbval.IPyNbCell.compare_outputs = _compare_outputs


class Replay:
    """What nbval needs of a kernel, from the cells of an executed notebook."""

    def __init__(self, cells):
        self._cells = deque(cells)
        self._messages = deque()
        self._number = 0

    def execute_cell_input(self, source, allow_stdin=None):
        while self._cells[0].source != source:  # nbval skips cells that are marked so
            self._cells.popleft()
        self._number += 1
        for output in self._cells.popleft().outputs:
            content = {k: v for k, v in output.items() if k != "output_type"}
            self._add(output.output_type, content)
        self._add("status", {"execution_state": "idle"})
        return self._number

    def _add(self, kind, content):
        header = {"msg_id": self._number}
        self._messages.append({"msg_type": kind, "content": content, "parent_header": header})

    def get_message(self, stream, timeout=None):
        if not self._messages:
            raise Empty
        return self._messages.popleft()

    def await_reply(self, msg_id, timeout=None):
        """The reply is there."""

    def await_idle(self, msg_id, timeout=None):
        """It is idle."""

    def is_alive(self):
        return True

    def interrupt(self):
        """There is nothing to interrupt."""

    def stop(self):
        """There is nothing to stop."""


_nbval_setup = nbval.IPyNbFile.setup
_nbval_runtest = nbval.IPyNbCell.runtest


def _setup(self):
    folder = self.config.option.nbval_artefacts
    if folder is None:
        _nbval_setup(self)
        return
    path = Path(folder) / self.path.name
    if not path.exists():
        raise self.CollectError(f"{path} is not there: {self.path.name} was not executed")
    executed = nbformat.read(path, as_version=4)
    try:
        compare.same_source(self.nb, executed)
    except ValueError as error:
        raise self.CollectError(f"{path}: {error}") from None
    self.kernel = Replay(notebook.code_cells(executed))
    self.setup_sanitize_files()


def _runtest(self):
    count = self.cell.execution_count
    if count is None:
        self.raise_cell_error("The committed cell was never executed")
    if count != self.cell_num + 1:
        self.raise_cell_error(
            f"The committed cell was executed out of order: [{count}] stands in place "
            f"{self.cell_num + 1}"
        )
    _nbval_runtest(self)


def _compare_outputs(self, test, ref, skip_compare=None):
    tolerance = self.config.course_tolerance.tagged(self.cell.metadata.get("tags", []))
    reference, executed = (
        self.sanitize_outputs(outputs, skip_sanitize=("metadata", "traceback"))
        for outputs in (ref, test)
    )
    found, deviation = compare.differences(reference, executed, tolerance)
    if deviation:
        self.user_properties.append(("largest deviation", deviation))
    self.comparison_traceback = [difference.sentence for difference in found]
    for number, difference in enumerate(d for d in found if d.pictures):
        folder = Path(self.config.option.nbval_artefacts or "build") / "pictures"
        stem = folder / f"{self.path.stem}-{self.cell.get('id', self.cell_num)}-{number}"
        names = compare.write_pictures(difference.pictures, stem)
        self.comparison_traceback.append("  see " + ", ".join(map(str, names)))
    return not found
