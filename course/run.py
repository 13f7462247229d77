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
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

from course import cache, notebook
from course.execute import Job, Limits, Outcome, execute, kill_kernels


@dataclass
class Pool:
    """Where jobs are executed, `slots` at a time: threads here, or the workers of a cluster.

    `kill` kills every kernel that it has; `trouble` says in a sentence why it is gone, or "".
    """

    executor: Executor
    slots: int
    kill: Callable[[], None] = kill_kernels
    trouble: Callable[[], str] = str


@dataclass
class Run:
    """A job, the file that its artefact goes to, why it is executed, and how it stands."""

    job: Job
    output: Path
    name: str
    why: str = ""
    started: float = 0.0
    outcome: Outcome = field(default_factory=lambda: Outcome("waiting"))

    @property
    def good(self) -> bool:
        return self.outcome.state in ("ok", "cached")

    def line(self) -> str:
        """The run in one line: name, state, cells done, seconds."""
        now = self.outcome
        seconds = time.monotonic() - self.started if now.state == "running" else now.seconds
        cells = f"{now.done:>3}/{now.cells} cells" if now.cells else ""
        return f"{self.name:<26} {now.state:<16} {cells:<12} {seconds:6.1f} s"

    def record(self) -> dict[str, object]:
        """What build/report.json says of it."""
        return {
            "notebook": self.job.source.name,
            "state": self.outcome.state,
            "seconds": round(self.outcome.seconds, 2),
            "cells": self.outcome.cells,
            "cells done": self.outcome.done,
            "parameters": notebook.shown(self.job.parameters),
            "why": self.why,
            "failure": self.outcome.failure,
        }


def execute_all(runs: list[Run], pool: Pool, build: Path) -> None:
    """Execute the runs that wait, in the order given; show, write and report what becomes of them.

    An artefact is replaced, whole, by a good one only; a bad one goes to the folder failed/ beside
    it. On an interrupt no kernel is left: each is killed, then KeyboardInterrupt goes on up.
    """
    waiting = [run for run in runs if run.outcome.state == "waiting"]
    at_work: dict[Future, Run] = {}
    with _display(runs) as refresh:
        try:
            while waiting or at_work:
                while waiting and len(at_work) < pool.slots:
                    run = waiting.pop(0)
                    run.started, run.outcome = time.monotonic(), Outcome("running")
                    at_work[pool.executor.submit(execute, run.job)] = run
                refresh()
                done, _ = wait(at_work, timeout=0.2, return_when=FIRST_COMPLETED)
                if trouble := pool.trouble():
                    for run in [*waiting, *at_work.values()]:
                        run.outcome = Outcome("never run", trouble)
                    return
                for future in done:
                    _finish(at_work.pop(future), future)
                if done:
                    report(runs, build)
        except BaseException:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            while not all(future.done() for future in at_work):
                pool.kill()
                time.sleep(0.1)
            for future, run in at_work.items():
                _finish(run, future)
                if run.outcome.state != "ok":
                    run.outcome = replace(
                        run.outcome, state="interrupted", failure="was interrupted"
                    )
            for run in waiting:
                run.outcome = Outcome("never run", "was not begun before the interrupt")
            raise
        finally:
            refresh()


def _finish(run: Run, future: Future) -> None:
    try:
        run.outcome = future.result()
    except Exception as error:  # execute raises nothing itself: its worker was lost
        run.outcome = Outcome("kernel died", f"with its worker: {type(error).__name__}: {error}")
        return
    path = run.output
    if run.outcome.state != "ok":
        path = path.parent / "failed" / path.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if run.outcome.text:
            notebook.write(run.outcome.text, path)
    except OSError as problem:
        unwritten = f"{path} was not written: {problem.strerror}"
        run.outcome = replace(run.outcome, state="never run", failure=unwritten)


def report(runs: list[Run], build: Path) -> None:
    """Write build/report.json, and report.xml (JUnit) beside it: how each run stands.

    Where they cannot be written, that is said, and the runs go on.
    """
    suite = ElementTree.Element("testsuite", name="notebooks", tests=str(len(runs)))
    suite.set("failures", str(sum(not run.good for run in runs)))
    for run in runs:
        case = ElementTree.SubElement(suite, "testcase", classname="notebooks", name=run.name)
        case.set("time", f"{run.outcome.seconds:.2f}")
        if not run.good:
            failure = ElementTree.SubElement(case, "failure", message=run.outcome.state)
            failure.text = run.outcome.failure
    records = json.dumps([run.record() for run in runs], indent=1)
    try:
        notebook.write(records + "\n", build / "report.json")
        notebook.write(ElementTree.tostring(suite, "unicode") + "\n", build / "report.xml")
    except OSError as error:
        print(f"{build}/report.json was not written: {error.strerror}.", file=sys.stderr)


@contextlib.contextmanager
def _display(runs: list[Run]) -> Iterator[Callable[[], None]]:
    """A line a notebook that is rewritten on a terminal, or printed at each change elsewhere."""
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    console = Console()
    if console.is_terminal:
        calm = {"ok": "green", "cached": "green", "running": "", "waiting": "dim"}
        with Live(console=console, auto_refresh=False) as live:

            def refresh():
                rows = [(run.line() + "\n", calm.get(run.outcome.state, "red")) for run in runs]
                live.update(Text.assemble(*rows), refresh=True)

            yield refresh
    else:
        shown = {}

        def refresh():
            for index, run in enumerate(runs):
                if shown.get(index, "waiting") != run.outcome.state:
                    print(run.line(), flush=True)
                    shown[index] = run.outcome.state

        yield refresh


def longest_first(runs: list[Run], known: dict[str, dict], build: Path) -> list[Run]:
    """The runs by the seconds of their last run; before them those without any, largest first."""

    def key(run):
        record = known.get(str(run.output.relative_to(build)), {})
        size = run.job.source.stat().st_size
        return record.get("seconds", float("inf")), size

    return sorted(runs, key=key, reverse=True)


@contextlib.contextmanager
def pool_of(options: argparse.Namespace, jobs: list[Job]) -> Iterator[Pool]:
    """The threads of this machine, or the cluster that the options name."""
    if options.scheduler:
        from course import cluster

        with cluster.connected(options.scheduler, jobs, options.lock) as (client, trouble):
            slots = sum(client.nthreads().values())
            yield Pool(client.get_executor(), slots, lambda: client.run(kill_kernels), trouble)
    else:
        slots = options.workers or os.cpu_count() or 1
        with ThreadPoolExecutor(slots) as threads:
            yield Pool(threads, slots)


def parser(prog: str, text: str) -> argparse.ArgumentParser:
    """The options that run-all and sweep share."""
    result = argparse.ArgumentParser(prog=prog, description=text)
    result.add_argument("--notebooks", type=Path, default=Path("notebooks"))
    result.add_argument("--build", type=Path, default=Path("build"))
    result.add_argument("--lock", type=Path, default=Path("requirements.lock"))
    result.add_argument("--only", default="", help="a notebook's number or the start of its name")
    result.add_argument("--data", default="", help="a table of one's own: the parameter `data`")
    result.add_argument("--params", default="", help='for example "seed=7 step_size=0.05"')
    result.add_argument("--force", action="store_true", help="execute also what has not changed")
    result.add_argument("--explain", action="store_true", help="say why each is executed or not")
    result.add_argument("--scheduler", default="", help="tcp://… of a Dask cluster to run on")
    result.add_argument("--workers", type=int, default=0, help="threads (0: one a processor)")
    for name, value in vars(Limits()).items():
        unit = "MB for a kernel" if name == "memory" else f"seconds for a {name} notebook or cell"
        result.add_argument(f"--{name}-limit", type=type(value), default=value, help=unit)
    return result


def wanted(options: argparse.Namespace, words: list[str]) -> dict[str, str]:
    """{name: text} of the parameters that were typed; raises UsageError for what is none."""
    texts = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise notebook.UsageError(f"A parameter is written name=value, not {word!r}.")
        texts[name] = text
    if options.data:
        path = Path(options.data).expanduser().resolve()
        if not path.is_file():
            raise notebook.UsageError(f"There is no file {options.data!r} to take the data from.")
        texts["data"] = repr(str(path))
    return texts


def job(path: Path, parameters: dict[str, object], options: argparse.Namespace) -> Job:
    """One notebook's job, under the limits of the options; the project is the current folder."""
    limits = Limits(options.cell_limit, options.whole_limit, options.memory_limit)
    return Job(path.resolve(), Path.cwd(), parameters, limits)


def complete(runs: list[Run], options: argparse.Namespace) -> int:
    """Execute what has changed; the exit status: 0, 1 (a notebook failed) or 130 (interrupted)."""
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    build, known = options.build, cache.read(options.build)
    runs = longest_first(runs, known, build)
    for run in runs:
        entry = known.get(str(run.output.relative_to(build)))
        run.why = "asked for"
        if not options.force:
            run.why = cache.why_run(run.job, run.output, entry, options.lock)
        if not run.why:
            run.outcome = Outcome("cached", cells=entry["count"], done=entry["count"])
        if options.explain:
            print(f"{run.name}: " + (run.why or "nothing that it was made of has changed"))
    jobs = [run.job for run in runs if not run.good]
    try:
        if jobs:
            with pool_of(options, jobs) as pool:
                execute_all(runs, pool, build)
        else:
            print("\n".join(run.line() for run in runs))
    except KeyboardInterrupt:
        print("Interrupted: every kernel is stopped, and no committed notebook was touched.")
        return 130
    finally:
        for run in runs:
            if run.outcome.state == "ok":
                made = cache.made_of(run.job, run.outcome, run.output, options.lock)
                known[str(run.output.relative_to(build))] = made
        with contextlib.suppress(OSError):  # the report says so
            text = json.dumps(known, indent=1, sort_keys=True) + "\n"
            notebook.write(text, build / cache.NAME)
        report(runs, build)
    for run in runs:
        if not run.good:
            state, failure = run.outcome.state, run.outcome.failure
            print(f"\n{run.name}.ipynb failed ({state}) {failure}", file=sys.stderr)
    return int(not all(run.good for run in runs))


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit status is that of `complete`, or 2 (usage)."""
    own = parser("course.run", __doc__)
    own.add_argument("--keep", action="store_true", help="leave the committed notebooks as is")
    own.add_argument("--differences", action="store_true", help="show what is replaced")
    options = own.parse_args(arguments)
    try:
        paths = notebook.select(options.notebooks, options.only)
        texts = wanted(options, shlex.split(options.params))
        parameters = notebook.parameters_for(paths, texts)
        runs = [
            Run(job(path, parameters[path], options), options.build / path.name, path.stem)
            for path in paths
        ]
        with notebook.locked(options.build):
            status = complete(runs, options)
            if status == 0 and texts:
                print(f"Parameters were given, so the results stay in {options.build}/.")
            elif status == 0 and not options.keep:
                for path in paths:
                    notebook.accept(options.build / path.name, path, options.differences)
            return status
    except notebook.UsageError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
