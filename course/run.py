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
from xml.etree import ElementTree

from course import cache, notebook, set_kernel_env
from course.execute import Limits, Run, execute, kill_kernels


def execute_all(runs, workers, build):
    """Execute `runs`, at most `workers` at a time, in the order given, and show how they stand.

    On an interrupt no kernel is left: each is killed, then KeyboardInterrupt goes on up.
    """
    pool = ThreadPoolExecutor(workers)
    futures = [pool.submit(execute, run) for run in runs if run.state == "waiting"]
    try:
        with _display(runs) as refresh:
            while wait(futures, timeout=0.2).not_done:
                refresh()
                report(runs, build)
            refresh()
    except BaseException:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        for future in futures:
            future.cancel()
        stopped = [run for run in runs if run.state == "running"]
        while not all(future.done() for future in futures):
            kill_kernels(manager for run in runs for manager in run.kernels)
            time.sleep(0.1)
        for run in runs:
            if run in stopped and run.state != "ok":
                run.state, run.failure = "interrupted", "was interrupted"
            elif run.state == "waiting":
                run.state, run.failure = "never run", "was not begun before the interrupt"
        raise
    finally:
        pool.shutdown()
    for future in futures:
        future.result()


def report(runs, build):
    """Write build/report.json, and report.xml (JUnit) beside it: how each run stands.

    Where they cannot be written, that is said, and the runs go on.
    """
    try:
        _report(runs, build)
    except OSError as error:
        print(f"{build}/report.json was not written: {error.strerror}.", file=sys.stderr)


def _report(runs, build):
    records = [run.record() for run in runs]
    notebook.write(json.dumps(records, indent=1) + "\n", build / "report.json")
    suite = ElementTree.Element("testsuite", name="notebooks", tests=str(len(runs)))
    suite.set("failures", str(sum(not run.good for run in runs)))
    for run in runs:
        case = ElementTree.SubElement(suite, "testcase", classname="notebooks")
        case.set("name", run.source.stem)
        case.set("time", f"{run.seconds:.2f}")
        if not run.good:
            ElementTree.SubElement(case, "failure", message=run.state).text = run.failure
    notebook.write(ElementTree.tostring(suite, "unicode") + "\n", build / "report.xml")


@contextlib.contextmanager
def _display(runs):
    """A line a notebook that is rewritten on a terminal, or printed at each change elsewhere."""
    from rich.console import Console
    from rich.live import Live
    from rich.table import Table
    from rich.text import Text

    console = Console()
    if console.is_terminal:
        with Live(console=console, auto_refresh=False) as live:

            def refresh():
                table = Table.grid()
                for run in runs:
                    calm = {"ok": "green", "cached": "green", "running": "", "waiting": "dim"}
                    table.add_row(Text(run.line(), style=calm.get(run.state, "red")))
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
    known = cache.read(build)
    last = {path: known.get(path.name, {}).get("seconds", float("inf")) for path in notebooks}
    return sorted(notebooks[::-1], key=lambda path: -last[path])


def main(arguments=None):
    """Run from the command line; the exit status is 0, 1 (a notebook failed) or 2 (usage)."""
    parser = argparse.ArgumentParser(prog="course.run", description=__doc__)
    parser.add_argument("--notebooks", type=Path, default=Path("notebooks"))
    parser.add_argument("--build", type=Path, default=Path("build"))
    parser.add_argument("--lock", type=Path, default=Path("requirements.lock"))
    parser.add_argument("--only", default="", help="a notebook's number or the start of its name")
    parser.add_argument("--data", default="", help="a table of one's own: the parameter `data`")
    parser.add_argument("--params", default="", help='for example "seed=7 step_size=0.05"')
    parser.add_argument("--force", action="store_true", help="execute also what has not changed")
    parser.add_argument("--explain", action="store_true", help="say why each is executed or not")
    parser.add_argument(
        "--keep", action="store_true", help="leave the committed notebooks as they are"
    )
    parser.add_argument("--differences", action="store_true", help="show what is replaced")
    for name, value in vars(Limits()).items():
        unit = "MB for a kernel" if name == "memory" else f"seconds for a {name} notebook or cell"
        parser.add_argument(f"--{name}-limit", type=type(value), default=value, help=unit)
    options = parser.parse_args(arguments)
    try:
        notebooks = notebook.select(options.notebooks, options.only)
        parameters = notebook.parameters_for(notebooks, _wanted(options))
        with notebook.locked(options.build):
            return run_notebooks(notebooks, parameters, options)
    except notebook.UsageError as error:
        print(error, file=sys.stderr)
        return 2


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


def run_notebooks(notebooks, parameters, options):
    """Execute what has changed into `build`; where all is well, regenerate the outputs."""
    set_kernel_env()
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    build = options.build
    limits = Limits(options.cell_limit, options.whole_limit, options.memory_limit)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    runs = [
        Run(path, build / path.name, parameters[path], limits) for path in order(notebooks, build)
    ]
    known = cache.read(build)
    for run in runs:
        of_run = known.get(run.source.name)
        run.why = "asked for" if options.force else cache.why_run(run, of_run, options.lock)
        if not run.why:
            run.state = "cached"
            run.cells = run.done = of_run["count"]
        if options.explain:
            print(f"{run.source.stem}: " + (run.why or "nothing that it was made of has changed"))
    try:
        if any(run.state == "waiting" for run in runs):
            execute_all(runs, min(len(runs), os.cpu_count() or 1), build)
        else:
            print("\n".join(run.line() for run in runs))
    except KeyboardInterrupt:
        print("Interrupted: every kernel is stopped, and no committed notebook was touched.")
        return 130
    finally:
        with contextlib.suppress(OSError):  # the report says so
            cache.remember(runs, build, options.lock)
        report(runs, build)
    failed = [run for run in runs if not run.good]
    for run in failed:
        print(f"\n{run.source.name} failed ({run.state}) {run.failure}", file=sys.stderr)
    if failed:
        return 1
    if any(run.parameters for run in runs):
        print(f"Parameters were given, so the results stay in {build}/.")
    elif not options.keep:
        for run in runs:
            notebook.accept(run.output, run.source, options.differences)
    return 0


if __name__ == "__main__":
    sys.exit(main())
