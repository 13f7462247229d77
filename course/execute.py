"""Execute one notebook with papermill, in a kernel of its own, and say how it went."""

import contextlib
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from course import KERNEL_ENV, notebook

TRACE = Path(__file__).with_name("trace.py")
MANAGERS: list = []  # of all kernels that this process has started and not yet left


@dataclass(frozen=True)
class Limits:
    """Seconds for a cell and for a whole notebook, megabytes for a kernel (0: no limit)."""

    cell: float = 600
    whole: float = 3600
    memory: int = 0


@dataclass(frozen=True)
class Job:
    """What is to be executed; `root` is the project's folder. It can be sent to another process."""

    source: Path
    root: Path
    parameters: dict[str, object] = field(default_factory=dict)
    limits: Limits = Limits()


@dataclass
class Outcome:
    """How a job stands or has ended.

    `state` is waiting, running, ok, cached, cell error, kernel died, out of memory, cell timeout,
    notebook timeout, never run or interrupted. `text` is the executed notebook's file (clean where
    the state is ok), `opened` are the project's files that it read.
    """

    state: str
    failure: str = ""
    cells: int = 0
    done: int = 0
    seconds: float = 0.0
    text: str = ""
    opened: list[str] = field(default_factory=list)


def execute(job: Job) -> Outcome:
    """Execute one notebook, its kernel starting in the notebook's own folder; writes no file.

    Where the state is not ok, `failure` names the cell, shows its source and the error. Raises
    nothing that the notebook is to blame for. Any concurrent.futures.Executor can run it.
    """
    os.environ.update(KERNEL_ENV)
    outcome = _attempt(job)
    if "Kernel didn't respond" in outcome.failure:
        # Kernels pick free ports in a race with all others of the machine, and some lose it.
        outcome = _attempt(job)
    return outcome


def _attempt(job: Job) -> Outcome:
    import nbformat
    import papermill

    outcome, managers, current, late = Outcome("ok"), [], [], threading.Event()

    def entered(cell, cell_index):
        source = "\n".join(f"    | {line}" for line in cell.source.splitlines())
        current[:] = [f"in cell {cell_index + 1}:\n{source}\n    "]

    def left(cell, cell_index, execute_reply):
        outcome.done += execute_reply["content"]["status"] == "ok"

    def too_late():
        late.set()
        kill_kernels(managers)

    started = time.monotonic()
    timer = threading.Timer(job.limits.whole, too_late)
    timer.daemon = True
    timer.start()
    with tempfile.TemporaryDirectory() as folder:
        output, log = Path(folder, "executed.ipynb"), Path(folder, "opened")
        try:
            cells = notebook.code_cells(nbformat.read(job.source, as_version=4))
            outcome.cells = len(cells) + bool(job.parameters)
            nb = papermill.execute_notebook(
                str(job.source),
                str(output),
                parameters=job.parameters,
                progress_bar=False,
                request_save_on_cell_execute=False,
                resources={"metadata": {"path": str(job.source.parent.resolve())}},
                kernel_manager_class=_manager(job, log, managers),
                record_timing=False,
                shutdown_kernel="immediate",  # tearing TensorFlow down politely takes 2 s
                execution_timeout=job.limits.cell,
                start_timeout=30,
                on_cell_execute=entered,
                on_cell_executed=left,
            )
            outcome.text = notebook.clean(nb)
            if log.exists():
                outcome.opened = sorted(set(log.read_text("utf-8").split("\n")[:-1]))
        except Exception as error:
            kind = type(error).__name__
            name = getattr(error, "ename", kind)  # of what the cell raised
            said = f"{name}: {getattr(error, 'evalue', error)}"
            if late.is_set():
                outcome.state = "notebook timeout"
                said = f"the limit of {job.limits.whole:g} s for a whole notebook was reached"
            elif kind == "CellTimeoutError":
                outcome.state = "cell timeout"
                said = f"{name}: the limit of {job.limits.cell:g} s for a cell was reached"
            elif kind == "DeadKernelError":
                outcome.state = "kernel died"
            elif name.endswith("MemoryError"):
                outcome.state = "out of memory"
            else:
                outcome.state = "cell error" if current else "never run"
            outcome.failure = (current or ["before its first cell: "])[0] + said
            if output.exists():
                outcome.text = output.read_text(encoding="utf-8")
        timer.cancel()
        for manager in managers:
            MANAGERS.remove(manager)
    outcome.seconds = time.monotonic() - started
    return outcome


def _manager(job: Job, log: Path, managers: list) -> type:
    """A class of kernel managers that notes its kernels, and has each kernel start the trace."""
    from jupyter_client.manager import AsyncKernelManager

    class RecordedKernelManager(AsyncKernelManager):
        transport_encryption = "auto"

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            managers.append(self)
            MANAGERS.append(self)

        def format_kernel_cmd(self, extra_arguments=None):
            # ipykernel logs to the terminal that it was asked to stop; errors reach us as messages.
            call = (str(log), str(job.root.resolve()), job.limits.memory)
            code = f"__import__('runpy').run_path({str(TRACE)!r})['start'](*{call!r})"
            own = ["--log-level=50", f"--IPKernelApp.code_to_run={code}"] if self.ipykernel else []
            return super().format_kernel_cmd([*(extra_arguments or []), *own])

    return RecordedKernelManager


def kill_kernels(managers: list = MANAGERS) -> None:
    """Kill the kernels, with whatever they have started, that these managers still have."""
    for manager in list(managers):
        process = getattr(manager.provisioner, "process", None)
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()


class Pool(NamedTuple):
    """Where jobs are executed, `slots` at a time: threads here, or the workers of a cluster.

    `kill` kills every kernel that it has; `trouble` says in a sentence why it is gone, or "".
    """

    executor: Executor
    slots: int
    kill: Callable[[], object] = kill_kernels
    trouble: Callable[[], str] = str
