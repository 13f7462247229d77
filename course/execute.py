"""Execute one notebook with papermill, in a kernel of its own, and say how it went."""

import time
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import papermill
from jupyter_client.manager import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError

from course import notebook

CELL_TIMEOUT = 600  # seconds


@dataclass
class Run:
    """One notebook's run, as it stands."""

    source: Path
    output: Path
    parameters: dict
    state: str = "waiting"
    cells: int = 0
    done: int = 0
    started: float = 0.0
    seconds: float = 0.0
    failure: str = ""
    kernels: list = field(default_factory=list)

    def line(self):
        """The run in one line: name, state, cells done, seconds."""
        now = time.monotonic() - self.started if self.state == "running" else self.seconds
        cells = f"{self.done:>3}/{self.cells} cells"
        return f"{self.source.stem:<26} {self.state:<12} {cells} {now:6.1f} s"


def execute(run):
    """Execute one notebook into `run.output`, its kernel starting in the notebook's own folder.

    Leaves the outcome in `run`: state "ok" or "failed", and then `failure`, which names the cell,
    shows its source and the error. Raises nothing that the notebook is to blame for.
    """

    class RecordedKernelManager(AsyncKernelManager):
        transport_encryption = "auto"

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            run.kernels.append(self)

        def format_kernel_cmd(self, extra_arguments=None):
            # ipykernel logs to the terminal that it was asked to stop; errors reach us as messages.
            quiet = ["--log-level=50"] if self.ipykernel else []
            return super().format_kernel_cmd([*(extra_arguments or []), *quiet])

    current = {}

    def entered(cell, cell_index):
        current.update(cell=cell, number=cell_index + 1)

    def left(cell, cell_index, execute_reply):
        run.done += execute_reply["content"]["status"] == "ok"

    run.state, run.started = "running", time.monotonic()
    try:
        cells = nbformat.read(run.source, as_version=4).cells
        run.cells = sum(cell.cell_type == "code" for cell in cells) + bool(run.parameters)
        nb = papermill.execute_notebook(
            str(run.source),
            str(run.output),
            parameters=run.parameters,
            progress_bar=False,
            request_save_on_cell_execute=False,
            resources={"metadata": {"path": str(run.source.parent.resolve())}},
            kernel_manager_class=RecordedKernelManager,
            coalesce_streams=True,
            record_timing=False,
            shutdown_kernel="immediate",  # tearing TensorFlow down politely takes 2 s
            execution_timeout=CELL_TIMEOUT,
            on_cell_execute=entered,
            on_cell_executed=left,
        )
        notebook.write(notebook.clean(nb), run.output)
    except PapermillExecutionError as error:
        run.failure = _report(current, f"{error.ename}: {error.evalue}")
    except Exception as error:
        run.failure = _report(current, f"{type(error).__name__}: {error}")
    run.seconds = time.monotonic() - run.started
    run.state = "failed" if run.failure else "ok"


def _report(current, error):
    if not current:
        return f"before its first cell: {error}"
    source = "\n".join(f"    | {line}" for line in current["cell"].source.splitlines())
    return f"in cell {current['number']}:\n{source}\n    {error}"
