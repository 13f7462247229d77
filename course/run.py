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
from pathlib import Path

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from course import notebook, set_kernel_env
from course.execute import Run, execute


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


def _last_seconds(build):
    with contextlib.suppress(OSError, ValueError):
        return json.loads((build / "seconds.json").read_text(encoding="utf-8"))
    return {}


def order(notebooks, build):
    """The notebooks longest first by the last run's seconds, those without any before the rest.

    Without a record a later notebook of a course counts as longer.
    """
    seconds = _last_seconds(build)
    return sorted(notebooks[::-1], key=lambda p: -seconds.get(p.stem, float("inf")))


def record(runs, build):
    """Keep how long each notebook that succeeded took, for the next run's order."""
    new = {run.source.stem: round(run.seconds, 1) for run in runs if run.state == "ok"}
    text = json.dumps(_last_seconds(build) | new, indent=1, sort_keys=True) + "\n"
    (build / "seconds.json").write_text(text, encoding="utf-8")


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
