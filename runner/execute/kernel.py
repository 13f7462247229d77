"""Execute one notebook with papermill, in a kernel of its own, and say how it went."""

import queue
import re
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
import zmq
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.manager import AsyncKernelManager

from runner import notebook
from runner.execute import environment
from runner.execute.processes import MARK, Watch
from runner.job import Job, Outcome
from runner.quote import sentences
from runner.report import printable

KILLED = "Usually memory was short: run fewer notebooks side by side (WORKERS=1)."
CRASHED = (
    "A library crashed. If it does so again with WORKERS=1, report it with this line; a broken "
    "installation is made anew by make clean and the same command (0.8 GB to download)."
)
# What libraries say under a limit on memory, instead of a MemoryError.
SHORT = re.compile("MemoryError|failed to map segment|annot allocate memory|bad_alloc")
MEMORY_ERRORS = {"MemoryError", "_ArrayMemoryError", "OutOfMemoryError"}
STARVED = {-6, -11}  # how a process ends that gets no more memory: SIGABRT, SIGSEGV
# Kernels race with everything else on the machine for free ports; who loses says one of these.
LOST_RACE = re.compile("Kernel didn't respond in|Kernel died before replying")
PROGRESS = "RUNNER_PROGRESS"  # the variable that names the file in which a cell says how far it is
ASK_EXIT = "ask_exit"  # what the reply of a kernel carries whose cell called exit() or quit()


class Exited(Exception):
    """A cell called exit() or quit()."""


class Channel(AsyncZMQSocketChannel):
    """Looks after each message whether a reply has come, because zmq says so only once.

    jupyter_client sends past zmq.asyncio. If nbclient answers an Output widget just as the cell's
    reply comes in, nobody would ever see that reply.
    """

    def send(self, msg):
        super().send(msg)
        self.socket.get(zmq.EVENTS)


class KernelManager(AsyncKernelManager):
    """Starts a kernel in the environment of the attempt that a subclass names."""

    attempt: "Attempt"
    transport_encryption = "auto"

    async def shutdown_kernel(self, *arguments, **options):
        # What a kernel has started may have another environment, and no parent once this has ended.
        with suppress(psutil.Error):
            for child in psutil.Process(self.provisioner.pid).children(recursive=True):
                child.kill()
        await super().shutdown_kernel(*arguments, **options)

    async def start_kernel(self, **options):
        attempt = self.attempt
        variables = attempt.variables | {MARK: str(attempt.folder), PROGRESS: str(attempt.progress)}
        if "ipykernel" in " ".join(self.kernel_spec.argv):  # imports make mostly what stays
            own = "--IPKernelApp.exec_lines=__import__('gc').set_threshold(50_000, 20, 20)"
            options["extra_arguments"] = [*options.get("extra_arguments", []), own]
        with open(attempt.folder / "said", "ab") as said:
            await super().start_kernel(**options, env=variables, stdout=said, stderr=said)
        attempt.processes.append(self.provisioner.process)
        if memory := attempt.job.limits.memory * 2**20:
            process = psutil.Process(self.provisioner.process.pid)
            process.rlimit(psutil.RLIMIT_AS, (memory, memory))

    def client(self, **options):
        self.attempt.client = super().client(**options)
        self.attempt.client.shell_channel_class = Channel
        return self.attempt.client


def execute(job: Job) -> Outcome:
    """What became of the job: one kernel, in the notebook's own folder.

    Writes no file, raises nothing that the notebook is to blame for, and leaves no process behind,
    so any concurrent.futures.Executor can call it.
    """
    for _ in range(3):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            outcome = Attempt(job, Path(folder)).outcome()
        if outcome.state != "never run" or not LOST_RACE.search(outcome.failure):
            break
    return outcome


@dataclass
class Attempt:
    """One kernel, its scratch folder, and how far it is."""

    job: Job
    folder: Path
    cell: str = ""
    done: int = 0
    cells: int = 0
    ran: int = 0  # of the notebook's own cells, without the one that papermill adds
    processes: list[subprocess.Popen] = field(default_factory=list)
    answers: dict[tuple[int, str], dict] = field(default_factory=dict)
    seen: dict[str, nbformat.NotebookNode] = field(default_factory=dict)
    meant: dict[int, dict] = field(default_factory=dict)  # outputs of cells that are to raise
    raised: tuple[str, str] = "", ""

    def outcome(self) -> Outcome:
        job, found = self.job, {}
        with Watch(job.limits, self.folder, self._long) as self.watch:
            try:
                home = job.home or self.folder / "home"
                home.mkdir(parents=True, exist_ok=True)
                self.variables = environment.made(home, job.variables)
                nb = notebook.read(job.source)
                self.plan = sentences.plan(nb)
                self.cells = len(notebook.code_cells(nb)) + bool(job.parameters)
                found["cells"] = self.cells
                found |= {"state": "ok", "text": notebook.clean(self._executed())}
            except Exception as error:
                found |= self._failed(error)
        machine = environment.processor()
        return Outcome(done=self.done, seconds=self.watch.seconds, machine=machine, **found)

    @property
    def progress(self) -> Path:
        return self.folder / "progress"

    def _long(self) -> None:
        """Say how far a long cell is, on the screen and nowhere else."""
        said = self.progress.read_text("utf-8", "replace") if self.progress.exists() else ""
        said = f": {printable(said[:80])}" if said else ""
        name, seconds = printable(self.job.output.stem), f"{self.watch.cell:.0f} s"
        print(
            f"{name:<26} in code cell {self.done + 1} of {self.cells} for {seconds}{said}",
            file=sys.stderr,
            flush=True,
        )

    def _executed(self) -> notebook.NotebookNode:
        import papermill
        from nbclient.exceptions import CellExecutionError

        source = self.folder / "source.ipynb"  # papermill cannot write every name
        notebook.write(nbformat.writes(notebook.load(self.job.source)), source)
        nb = papermill.execute_notebook(
            str(source),
            str(self.folder / "executed.ipynb"),
            parameters=self.job.parameters,
            kernel_name=self.job.kernel or None,
            progress_bar=False,
            request_save_on_cell_execute=False,
            autosave_cell_every=0,
            resources={"metadata": {"path": str(self.job.source.parent.resolve())}},
            kernel_manager_class=type("Own", (KernelManager,), {"attempt": self}),
            record_timing=False,
            shutdown_kernel="immediate",  # tearing TensorFlow down politely takes 2 s
            iopub_timeout=10**6,  # a flood of outputs takes its time; the watch has the limits
            start_timeout=30,
            on_cell_execute=self._entered,
            on_cell_executed=self._left,
        )
        for index, cell in enumerate(nb.cells):
            cell.update(self.meant.get(index, {}))
            for shown in cell.get("outputs", []) if index not in self.meant else []:
                if shown.output_type == "error":  # papermill lets a SystemExit pass, for one
                    self._entered(cell, index)
                    raise CellExecutionError("", shown.ename, shown.evalue)
        return sentences.keep(nb, self.answers, self.job.parameters)

    def _entered(self, cell, cell_index) -> None:
        self.cell, self.seen[cell.id] = _words(cell_index, cell.source), cell
        self.watch.begin_cell()

    async def _left(self, cell, cell_index, execute_reply) -> None:
        content = execute_reply["content"]
        self.raised = content.get("ename", ""), content.get("evalue", "")
        if meant := "raises-exception" in cell.metadata.get("tags", []):
            # Papermill takes every error for a failure.
            self.meant[cell_index] = {"outputs": cell.outputs}
            cell.outputs = [each for each in cell.outputs if each.output_type != "error"]
        self.done += content["status"] == "ok" or meant
        if any(each.get("source") == ASK_EXIT for each in content.get("payload", [])):
            raise Exited("exit() or quit() ended its kernel; the cells below would not run")
        self.ran += not notebook.injected(cell)
        for located in self.plan if content["status"] == "ok" else []:
            quotation = located.quotation
            if located.after == self.ran and not sentences.unfit(quotation):
                self.cell = f"in “{quotation.words}”:\n    | {quotation.expression}\n    "
                self.watch.begin_cell()
                self.answers[located.key] = await self._answer(quotation.expression)

    async def _answer(self, expression: str) -> dict:
        """What the kernel says of an expression that prose quotes; no cell is executed for it."""
        from nbclient.exceptions import DeadKernelError

        own = {"quoted": sentences.request(expression)}
        asked = self.client.execute("", silent=True, allow_stdin=False, user_expressions=own)
        while True:
            try:
                reply = await self.client.get_shell_msg(timeout=1)
            except queue.Empty:
                if self.watch.verdict or self.processes[-1].poll() is not None:
                    raise DeadKernelError("Kernel died") from None
                continue
            if reply["parent_header"].get("msg_id") == asked:
                found = reply["content"].get("user_expressions", {})
                return sentences.answer(found.get("quoted", {}))

    def _failed(self, error: Exception) -> dict[str, str]:
        """{state, failure, text}: what an error means, and the notebook as far as it came."""
        kind, limits = type(error).__name__, self.job.limits
        name, value = getattr(error, "ename", kind), getattr(error, "evalue", error)
        if name == "CellExecutionError":  # what leaves no output of its own, such as a magic
            name, value = self.raised
        said = str(error) if kind == "UsageError" else f"{name}: {value}".rstrip(": ")
        executed = self.folder / "executed.ipynb"
        text = executed.read_text(encoding="utf-8") if executed.exists() else self._so_far()
        if getattr(error, "cell_index", None) is not None:  # found by papermill afterwards
            self.cell = _words(error.cell_index, error.source)
        state = self.watch.verdict or ("cell error" if self.cell else "never run")
        if self.watch.verdict:
            whole = f"{limits.whole:g} s for a whole notebook"
            cell = f"{limits.cell:g} s for a cell"
            option = "--cell-limit" if "cell" in state else "--whole-limit"
            said = (
                f"the limit of {cell if 'cell' in state else whole} was reached: allow more with "
                f'LIMITS="{option} …", or give it less to do with PARAMS="…" (its parameters: '
                f"{', '.join(notebook.defaults(self.job.source)) or 'none'})"
            )
        elif kind == "DeadKernelError":
            codes = [process.wait() for process in self.processes]
            short = limits.memory and STARVED & {*codes}
            state = "out of memory" if short else "kernel died"
            said = "Its process ended." if short else _ending(codes[-1] if codes else None)
            said += self._last_words()
        elif name in MEMORY_ERRORS or (limits.memory and SHORT.search(said + text)):
            state = "out of memory"
        if state in ("out of memory", "never run") and limits.memory:
            said += f"\n    the limit is {limits.memory} MB for each process"
        if kind == "NoSuchKernel":
            said += ": choose an installed one with --kernel (jupyter kernelspec list)"
        where = self.cell or "before its first cell: "
        return {"state": state, "failure": where + said, "text": text}

    def _so_far(self) -> str:
        """The notebook with the outputs of the cells that were begun."""
        nb = notebook.read(self.job.source)
        for cell in (cell for cell in notebook.code_cells(nb) if cell.id in self.seen):
            cell.outputs = self.seen[cell.id].outputs
        return notebook.clean(nb) if self.seen else ""

    def _last_words(self) -> str:
        """What the kernel's process itself wrote last, which no cell shows."""
        file = self.folder / "said"
        lines = file.read_text("utf-8", "replace").splitlines() if file.exists() else []
        return "".join(f"\n    it said: {line[:200]}" for line in lines[:3] if line.strip())


def _ending(code: int | None) -> str:
    """How a kernel's process ended by itself, and what to do about it."""
    if code is None or code >= 0:
        return f"Its process ended itself, with exit code {code}: os._exit, or a library that did."
    name = signal.Signals(-code).name
    return f"Its process was ended by {name}. {KILLED if name == 'SIGKILL' else CRASHED}"


def _words(index: int, source: str) -> str:
    """How a failure begins: the cell's number, as a reader counts, and its source."""
    lines = "\n".join(f"    | {line}" for line in source.splitlines())
    return f"in cell {index + 1}:\n{lines}\n    "
