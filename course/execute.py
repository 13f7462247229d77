"""Execute one notebook with papermill, in a kernel of its own, and say how it went."""

import contextlib
import os
import re
import signal
import tempfile
import threading
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from course import environment, notebook

TRACE = Path(__file__).with_name("trace.py")
LOST_RACE = re.compile("Kernel didn't respond|Kernel died before replying")
HINT = (
    "Its process ended. Usually memory was short (fewer side by side: WORKERS=1), or a library "
    "crashed (make it anew: make clean, and again)."
)
MANAGERS: list = []  # of all kernels that this process has started and not yet left


@dataclass
class Job:
    """A notebook, the file that its artefact goes to, how it is executed, and how it stands.

    `root` is the project's folder, `home` the kernel's own (None: one that is deleted with it),
    `variables` go before those that course.environment makes. Limits: seconds for a cell and for
    the whole notebook, megabytes for its kernel (0: no limit). `state` is waiting, running, ok,
    cached, cell error, kernel died, out of memory, cell timeout, notebook timeout, never run or
    interrupted. `text` is the executed notebook's file (clean where the state is ok), `opened` are
    the project's files that it read (None: a kernel that cannot say), `place` says in which
    environment and on which processor it ran.
    """

    source: Path
    output: Path
    parameters: dict[str, object] = field(default_factory=dict)
    root: Path = field(default_factory=Path.cwd)
    home: Path | None = None
    variables: dict[str, str] = field(default_factory=dict)
    cell_limit: float = 600
    whole_limit: float = 3600
    memory_limit: int = 0
    why: str = ""
    state: str = "waiting"
    failure: str = ""
    cells: int = 0
    done: int = 0
    seconds: float = 0.0
    began: float = 0.0
    text: str = ""
    opened: list[str] | None = None
    place: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.state in ("ok", "cached")


def execute(job: Job) -> Job:
    """A copy of the job that says what became of it: one kernel, in the notebook's own folder.

    Where the state is not ok, `failure` names the cell, shows its source and the error. Writes no
    file, raises nothing that the notebook is to blame for; any concurrent.futures.Executor will do.
    """
    for _ in range(3):
        result = _attempt(replace(job, state="ok"))
        # Kernels pick free ports in a race with all others of the machine, and some lose it.
        if result.state != "never run" or not LOST_RACE.search(result.failure):
            break
    return result


def _attempt(job: Job) -> Job:
    import papermill
    from nbclient.exceptions import CellExecutionError

    managers, current, started = [], [], time.monotonic()

    def entered(cell, cell_index):
        source = "\n".join(f"    | {line}" for line in cell.source.splitlines())
        current[:] = [f"in cell {cell_index + 1}:\n{source}\n    "]

    def left(cell, cell_index, execute_reply):
        job.done += execute_reply["content"]["status"] == "ok"

    timer = threading.Timer(job.whole_limit, kill_kernels, [managers])
    timer.daemon = True
    timer.start()
    with tempfile.TemporaryDirectory() as folder:
        output, log = Path(folder, "executed.ipynb"), Path(folder, "opened")
        call = (str(log), str(job.root.resolve()), job.memory_limit)
        code = f"__import__('runpy').run_path({str(TRACE)!r})['start'](*{call!r})"
        # ipykernel logs to the terminal that it was asked to stop; errors reach us as messages.
        own = ["--log-level=50", f"--IPKernelApp.code_to_run={code}"]
        try:
            home = job.home or Path(folder, "home")
            home.mkdir(parents=True, exist_ok=True)
            variables = environment.made(home, job.variables)
            job.place = environment.described(variables)
            cells = notebook.code_cells(notebook.read(job.source))
            job.cells = len(cells) + bool(job.parameters)
            nb = papermill.execute_notebook(
                str(job.source),
                str(output),
                parameters=job.parameters,
                progress_bar=False,
                request_save_on_cell_execute=False,
                resources={"metadata": {"path": str(job.source.parent.resolve())}},
                kernel_manager_class=_manager(managers, own, variables),
                record_timing=False,
                shutdown_kernel="immediate",  # tearing TensorFlow down politely takes 2 s
                execution_timeout=job.cell_limit,
                start_timeout=30,
                on_cell_execute=entered,
                on_cell_executed=left,
            )
            for shown in (o for cell in notebook.code_cells(nb) for o in cell.outputs):
                if shown.output_type == "error":  # papermill lets a SystemExit pass
                    raise CellExecutionError("", shown.ename, shown.evalue)
            job.text = notebook.clean(nb)
            if log.exists():
                job.opened = sorted(set(log.read_text("utf-8").splitlines()))
        except Exception as error:
            kind = type(error).__name__
            name = getattr(error, "ename", kind)  # of what the cell raised
            said = f"{name}: {getattr(error, 'evalue', error)}"
            job.state = "cell error" if current else "never run"
            if time.monotonic() - started >= job.whole_limit:
                job.state = "notebook timeout"
                said = f"the limit of {job.whole_limit:g} s for a whole notebook was reached"
            elif kind == "CellTimeoutError":
                job.state = "cell timeout"
                said = f"{name}: the limit of {job.cell_limit:g} s for a cell was reached"
            elif kind == "DeadKernelError":
                job.state, said = "kernel died", f"{said}\n    {HINT}"
            elif name.endswith("MemoryError"):
                job.state = "out of memory"
            job.failure = (current or ["before its first cell: "])[0] + said
            if output.exists():
                job.text = output.read_text(encoding="utf-8")
    timer.cancel()
    for manager in managers:
        MANAGERS.remove(manager)
    job.seconds = time.monotonic() - started
    return job


def _manager(managers: list, own: list[str], variables: dict[str, str]) -> type:
    """A class of kernel managers that are noted, and start kernels in the environment `variables`.

    An IPython kernel is started with the words `own`.
    """
    from jupyter_client.manager import AsyncKernelManager

    class RecordedKernelManager(AsyncKernelManager):
        transport_encryption = "auto"

        async def start_kernel(self, **options):
            await super().start_kernel(**options, env=variables)

        def format_kernel_cmd(self, extra_arguments=None):
            for kept in (managers, MANAGERS):
                kept.append(self)
            python = any("ipykernel" in word for word in self.kernel_spec.argv)
            return super().format_kernel_cmd([*(extra_arguments or []), *own * python])

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
