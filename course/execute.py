"""Execute one notebook with papermill, in a kernel of its own, and say how it went."""

import contextlib
import os
import signal
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from course import notebook

TRACE = Path(__file__).with_name("trace.py")
START = 30  # seconds for a kernel to answer
STATES = (  # every way that a run can stand or have ended
    "waiting",
    "running",
    "ok",
    "cached",
    "cell error",
    "kernel died",
    "out of memory",
    "cell timeout",
    "notebook timeout",
    "never run",
    "interrupted",
)


@dataclass
class Limits:
    """Seconds for a cell and for a whole notebook, megabytes for a kernel (0: no limit)."""

    cell: float = 600
    whole: float = 3600
    memory: int = 0


@dataclass
class Run:
    """One notebook's run, as it stands; `state` is one of STATES."""

    source: Path
    output: Path
    parameters: dict
    limits: Limits = field(default_factory=Limits)
    state: str = "waiting"
    cells: int = 0
    done: int = 0
    started: float = 0.0
    seconds: float = 0.0
    failure: str = ""
    why: str = ""
    kernels: list = field(default_factory=list)
    opened: list = field(default_factory=list)

    @property
    def good(self):
        return self.state in ("ok", "cached")

    def line(self):
        """The run in one line: name, state, cells done, seconds."""
        now = time.monotonic() - self.started if self.state == "running" else self.seconds
        cells = f"{self.done:>3}/{self.cells} cells"
        return f"{self.source.stem:<26} {self.state:<16} {cells} {now:6.1f} s"

    def shown_parameters(self):
        """The parameters as text, {name: repr}."""
        return {name: repr(value) for name, value in self.parameters.items()}

    def record(self):
        """What build/report.json says of it."""
        return {
            "notebook": self.source.name,
            "state": self.state,
            "seconds": round(self.seconds, 2),
            "cells": self.cells,
            "cells done": self.done,
            "parameters": self.shown_parameters(),
            "why": self.why,
            "failure": self.failure,
        }


def execute(run):
    """Execute one notebook, its kernel starting in the notebook's own folder.

    Leaves the outcome in `run`; where the state is not "ok", `failure` names the cell, shows its
    source and the error. `run.output` is replaced, whole, by a good result only; a bad one goes to
    the folder failed/ beside it. Raises nothing that the notebook is to blame for.
    """
    _attempt(run)
    if "Kernel didn't respond" in run.failure:
        # Kernels pick free ports in a race with all others of the machine, and some lose it.
        _attempt(run)


def _attempt(run):
    import nbformat
    import papermill
    from jupyter_client.manager import AsyncKernelManager
    from papermill.exceptions import PapermillExecutionError

    log = run.output.with_name(f".{run.output.stem}.opened")
    bad = run.output.parent / "failed" / run.output.name

    class RecordedKernelManager(AsyncKernelManager):
        transport_encryption = "auto"

        def __init__(self, **kwargs):
            super().__init__(**kwargs)
            run.kernels.append(self)

        def format_kernel_cmd(self, extra_arguments=None):
            # ipykernel logs to the terminal that it was asked to stop; errors reach us as messages.
            own = []
            if self.ipykernel:
                call = (str(log.resolve()), str(Path.cwd()), run.limits.memory)
                code = f"__import__('runpy').run_path({str(TRACE)!r})['start'](*{call!r})"
                own = ["--log-level=50", f"--IPKernelApp.code_to_run={code}"]
            return super().format_kernel_cmd([*(extra_arguments or []), *own])

    current, late = {}, threading.Event()

    def entered(cell, cell_index):
        current.update(cell=cell, number=cell_index + 1)

    def left(cell, cell_index, execute_reply):
        run.done += execute_reply["content"]["status"] == "ok"

    def too_late():
        late.set()
        kill_kernels(run.kernels)

    run.started, run.failure, run.done = time.monotonic(), "", 0
    run.state = "running"
    timer = threading.Timer(run.limits.whole, too_late)
    timer.daemon = True
    timer.start()
    state = "ok"
    try:
        bad.parent.mkdir(parents=True, exist_ok=True)
        log.unlink(missing_ok=True)
        cells = notebook.code_cells(nbformat.read(run.source, as_version=4))
        run.cells = len(cells) + bool(run.parameters)
        nb = papermill.execute_notebook(
            str(run.source),
            str(bad),
            parameters=run.parameters,
            progress_bar=False,
            request_save_on_cell_execute=False,
            resources={"metadata": {"path": str(run.source.parent.resolve())}},
            kernel_manager_class=RecordedKernelManager,
            record_timing=False,
            shutdown_kernel="immediate",  # tearing TensorFlow down politely takes 2 s
            execution_timeout=run.limits.cell,
            start_timeout=START,
            on_cell_execute=entered,
            on_cell_executed=left,
        )
        notebook.write(notebook.clean(nb), run.output)
        bad.unlink()
        run.opened = sorted(set(log.read_text("utf-8").split("\n")[:-1])) if log.exists() else []
    except PapermillExecutionError as error:
        state = "out of memory" if error.ename.endswith("MemoryError") else "cell error"
        run.failure = _report(current, f"{error.ename}: {error.evalue}")
    except Exception as error:
        name = type(error).__name__
        state = {"DeadKernelError": "kernel died", "CellTimeoutError": "cell timeout"}.get(name)
        if late.is_set():
            state = "notebook timeout"
            error = f"the limit of {run.limits.whole:g} s for a whole notebook was reached"
        elif state == "cell timeout":
            error = f"the limit of {run.limits.cell:g} s for a cell was reached"
        elif state is None:
            state = "cell error" if current else "never run"
        run.failure = _report(current, f"{name}: {error}" if state != "notebook timeout" else error)
    timer.cancel()
    log.unlink(missing_ok=True)
    run.seconds = time.monotonic() - run.started
    run.state = state


def kill_kernels(managers):
    """Kill the kernels, with whatever they have started, that these managers still have."""
    for manager in managers:
        process = getattr(manager.provisioner, "process", None)
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()


def _report(current, error):
    if not current:
        return f"before its first cell: {error}"
    source = "\n".join(f"    | {line}" for line in current["cell"].source.splitlines())
    return f"in cell {current['number']}:\n{source}\n    {error}"
