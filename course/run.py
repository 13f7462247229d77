"""Execute the notebooks side by side: `python -m course.run`, which `make run-all` calls."""

import argparse
import contextlib
import json
import logging
import os
import shlex
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import papermill
from jupyter_client.manager import AsyncKernelManager
from papermill.exceptions import PapermillExecutionError
from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from course import notebook, set_kernel_env

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
        run.state = "ok"
    except PapermillExecutionError as error:
        run.failure = _report(current, f"{error.ename}: {error.evalue}")
    except Exception as error:
        run.failure = _report(current, f"{type(error).__name__}: {error}")
    run.seconds = time.monotonic() - run.started
    run.state = run.state if run.state == "ok" else "failed"


def _report(current, error):
    if not current:
        return f"before its first cell: {error}"
    source = "\n".join(f"    | {line}" for line in current["cell"].source.splitlines())
    return f"in cell {current['number']}:\n{source}\n    {error}"


def execute_all(runs, workers, console):
    """Execute `runs`, at most `workers` at a time, in the order given, and show how they stand.

    On an interrupt no kernel is left: each is killed, then KeyboardInterrupt goes on up.
    """
    pool = ThreadPoolExecutor(workers)
    futures = [pool.submit(execute, run) for run in runs]
    try:
        with _display(runs, console) as refresh:
            while wait(futures, timeout=0.2).not_done:
                refresh()
            refresh()
    except BaseException:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        for future in futures:
            future.cancel()
        while not all(future.done() for future in futures):
            _kill_kernels(runs)
            time.sleep(0.1)
        _kill_kernels(runs)
        raise
    finally:
        pool.shutdown()
    for future in futures:
        future.result()


def _kill_kernels(runs):
    for manager in [manager for run in runs for manager in run.kernels]:
        process = getattr(manager.provisioner, "process", None)
        if process is not None and process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                if hasattr(os, "killpg"):
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()


@contextlib.contextmanager
def _display(runs, console):
    """A line a notebook that is rewritten on a terminal, or printed at each change elsewhere."""
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:

            def refresh():
                table = Table.grid()
                for run in runs:
                    style = {"ok": "green", "failed": "red", "waiting": "dim"}.get(run.state, "")
                    table.add_row(Text(run.line(), style=style))
                live.update(table, refresh=True)

            yield refresh
    else:
        shown = {}

        def refresh():
            for index, run in enumerate(runs):
                if shown.get(index, "waiting") != run.state:
                    print(run.line(), flush=True)
                    shown[index] = run.state

        yield refresh


def order(notebooks, build):
    """The notebooks longest first by the last run's seconds, those without any before the rest.

    Without a record a later notebook of a course counts as longer.
    """
    with contextlib.suppress(OSError, ValueError):
        seconds = json.loads((build / "seconds.json").read_text(encoding="utf-8"))
        return sorted(notebooks, key=lambda p: -seconds.get(p.stem, float("inf")))
    return notebooks[::-1]


def record(runs, build):
    """Keep how long each notebook that succeeded took, for the next run's order."""
    path, seconds = build / "seconds.json", {}
    with contextlib.suppress(OSError, ValueError):
        seconds = json.loads(path.read_text(encoding="utf-8"))
    seconds |= {run.source.stem: round(run.seconds, 1) for run in runs if run.state == "ok"}
    path.write_text(json.dumps(seconds, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def main(arguments=None):
    """Run from the command line; the exit status is 0, 1 (a notebook failed) or 2 (usage)."""
    parser = argparse.ArgumentParser(prog="course.run", description=__doc__)
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"))
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--only", default="", help="a notebook's number or the start of its name")
    parser.add_argument("--data", default="", help="a table of one's own: the parameter `data`")
    parser.add_argument("--params", default="", help='for example "seed=7 step_size=0.05"')
    options = parser.parse_args(arguments)
    try:
        notebooks = notebook.select(options.notebooks, options.only)
        parameters = notebook.parameters_for(notebooks, _wanted(options))
    except notebook.UsageError as error:
        print(error, file=sys.stderr)
        return 2
    return run_notebooks(notebooks, parameters, options.build)


def _wanted(options):
    wanted = {}
    for word in shlex.split(options.params):
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise notebook.UsageError(f"A parameter is written name=value, not {word!r}.")
        wanted[name] = text
    if options.data:
        path = Path(options.data).expanduser().resolve()
        if not path.is_file():
            raise notebook.UsageError(f"There is no file {options.data!r} to take the data from.")
        wanted["data"] = repr(str(path))
    return wanted


def run_notebooks(notebooks, parameters, build):
    """Execute into `build`; where all succeeded with default parameters, regenerate the outputs."""
    set_kernel_env()
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    build.mkdir(parents=True, exist_ok=True)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runs = [Run(path, build / path.name, parameters[path]) for path in order(notebooks, build)]
    try:
        execute_all(runs, min(len(runs), os.cpu_count() or 1), Console())
    except KeyboardInterrupt:
        print("Interrupted: every kernel is stopped, and no committed notebook was touched.")
        return 130
    record(runs, build)
    failed = [run for run in runs if run.state != "ok"]
    for run in failed:
        print(f"\n{run.source.name} failed {run.failure}", file=sys.stderr)
    if failed:
        return 1
    if any(run.parameters for run in runs):
        print(f"Parameters were given, so the results stay in {build}/.")
        return 0
    for run in runs:
        notebook.write(run.output.read_text(encoding="utf-8"), run.source)
    return 0


if __name__ == "__main__":
    sys.exit(main())
