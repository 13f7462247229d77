"""Execute notebooks side by side: `python -m course.run`, which `make run-all` calls."""

import argparse
import contextlib
import json
import logging
import os
import re
import shlex
import signal
import sys
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from pathlib import Path
from xml.etree import ElementTree

from course import cache, compare, notebook, sweep
from course.execute import Job, Limits, Outcome, Pool, execute
from course.notebook import UsageError


@dataclass
class Run:
    """A job, the file that its artefact goes to, why it is executed, and how it stands."""

    job: Job
    output: Path
    name: str
    why: str = ""
    outcome: Outcome = field(default_factory=lambda: Outcome("waiting"))

    @property
    def good(self) -> bool:
        return self.outcome.state in ("ok", "cached")

    def key(self, build: Path) -> str:
        """What the cache calls its artefact."""
        return str(self.output.relative_to(build))

    def become(self, outcome: Outcome) -> None:
        """Take on how it stands now, and say so in a line."""
        self.outcome = outcome
        cells = f"{outcome.done:>3}/{outcome.cells} cells" if outcome.cells else ""
        print(
            f"{self.name:<26} {outcome.state:<16} {cells:<12} {outcome.seconds:6.1f} s", flush=True
        )


def execute_all(runs: list[Run], pool: Pool, build: Path) -> None:
    """Execute the runs that wait, in the order given; show, write and report what becomes of them.

    An artefact is replaced, whole, by a good one only; a bad one goes to the folder failed/ beside
    it. On an interrupt no kernel is left: each is killed, then KeyboardInterrupt goes on up.
    """
    waiting = [run for run in runs if run.outcome.state == "waiting"]
    at_work: dict[Future, Run] = {}
    try:
        while waiting or at_work:
            while waiting and len(at_work) < pool.slots:
                run = waiting[0]
                at_work[pool.executor.submit(execute, run.job)] = run
                del waiting[0]
                run.become(Outcome("running"))
            done, _ = wait(at_work, timeout=0.2, return_when=FIRST_COMPLETED)
            if trouble := pool.trouble():
                for run in [*waiting, *at_work.values()]:
                    run.become(Outcome("never run", trouble))
                return
            for future in done:
                at_work[future].become(_ended(at_work[future].output, future))
                del at_work[future]  # only now: an interrupt must find it
            if done:
                report(runs, build)
    except BaseException:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while not all(future.done() for future in at_work):
            pool.kill()
            time.sleep(0.1)
        for future, run in at_work.items():
            ended = _ended(run.output, future)
            cut = replace(ended, state="interrupted", failure="was interrupted")
            run.become(ended if ended.state == "ok" else cut)
        for run in waiting:
            run.become(Outcome("never run", "was not begun before the interrupt"))
        raise


def _ended(path: Path, future: Future) -> Outcome:
    """How a job has ended, once its artefact is written."""
    try:
        outcome = future.result()
    except Exception as error:  # execute raises nothing itself: its worker was lost
        return Outcome("kernel died", f"with its worker: {type(error).__name__}: {error}")
    if outcome.state != "ok":
        path = path.parent / "failed" / path.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if outcome.text:
            notebook.write(outcome.text, path)
    except OSError as problem:
        unwritten = f"{path} was not written: {problem.strerror}"
        return replace(outcome, state="never run", failure=unwritten)
    return outcome


def report(runs: list[Run], build: Path) -> None:
    """Write build/report.json, and report.xml (JUnit) beside it: how each run stands.

    Where they cannot be written, that is said, and the runs go on.
    """
    suite = ElementTree.Element("testsuite", name="notebooks", tests=str(len(runs)))
    suite.set("failures", str(sum(not run.good for run in runs)))
    records = []
    for run in runs:
        now, seconds = run.outcome, f"{run.outcome.seconds:.2f}"
        case = ElementTree.SubElement(suite, "testcase", classname="notebooks", name=run.name)
        case.set("time", seconds)
        if not run.good:
            ElementTree.SubElement(case, "failure", message=now.state).text = now.failure
        record = {"notebook": run.job.source.name, "state": now.state, "seconds": float(seconds)}
        record |= {"cells": now.cells, "cells done": now.done, "why": run.why}
        record["parameters"] = {name: repr(value) for name, value in run.job.parameters.items()}
        records.append({**record, "failure": now.failure})
    try:
        notebook.write(json.dumps(records, indent=1) + "\n", build / "report.json")
        notebook.write(ElementTree.tostring(suite, "unicode") + "\n", build / "report.xml")
    except OSError as error:
        print(f"{build}/report.json was not written: {error.strerror}.", file=sys.stderr)


def longest_first(runs: list[Run], known: dict[str, dict], build: Path) -> list[Run]:
    """The runs by the seconds of their last run; before them those without any, largest first."""

    def length(run: Run) -> tuple[float, int]:
        entry = known.get(run.key(build), {})
        return entry.get("seconds", float("inf")), run.job.source.stat().st_size

    return sorted(runs, key=length, reverse=True)


@contextlib.contextmanager
def pool_of(options: argparse.Namespace, jobs: list[Job]) -> Iterator[Pool]:
    """The threads of this machine, or the cluster that the options name."""
    if options.scheduler:
        from course import cluster

        with cluster.connected(options.scheduler, jobs, options.lock) as pool:
            yield pool
    else:
        slots = options.workers or os.cpu_count() or 1
        with ThreadPoolExecutor(slots) as threads:
            yield Pool(threads, slots)


def parser() -> argparse.ArgumentParser:
    result = argparse.ArgumentParser(prog="course.run", description=__doc__)
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
    result.add_argument("--keep", action="store_true", help="leave the committed notebooks as is")
    result.add_argument("--differences", action="store_true", help="show what is replaced")
    result.add_argument("--sweep", nargs="*", metavar="name=0:20", help="or name=0.1,0.2: a grid")
    for name, value in vars(Limits()).items():
        unit = "MB for a kernel" if name == "memory" else f"seconds for a {name} notebook or cell"
        result.add_argument(f"--{name}-limit", type=type(value), default=value, help=unit)
    return result


def typed(words: list[str]) -> dict[str, str]:
    """{name: text} of words name=text; raises UsageError for what is none."""
    texts = {}
    for word in words:
        name, equals, text = word.partition("=")
        if not (name and equals):
            raise UsageError(f"A parameter is written name=value, not {word!r}.")
        texts[name] = text
    return texts


def runs_of(options: argparse.Namespace) -> list[Run]:
    """What the options ask for; raises UsageError, one sentence, where that cannot be met."""
    paths = notebook.select(options.notebooks, options.only)
    texts = typed(shlex.split(options.params))
    if options.data:
        data = Path(options.data).expanduser().resolve()
        if not data.is_file():
            raise UsageError(f"There is no file {options.data!r} to take the data from.")
        texts["data"] = repr(str(data))
    if options.sweep is not None and (len(paths) > 1 or not options.sweep):
        raise UsageError("A sweep takes one notebook and a grid: make sweep ONLY=05 seed=0:20.")
    limits = Limits(options.cell_limit, options.whole_limit, options.memory_limit)
    runs = []
    for point in sweep.points(typed(options.sweep or [])):
        for path, parameters in notebook.parameters_for(paths, {**texts, **point}).items():
            name, folder = path.stem, options.build
            if point:
                name = ",".join(f"{key}={text}" for key, text in point.items())
                name, folder = re.sub(r"[^\w=.,-]", "_", name), folder / "sweep" / path.stem
            job = Job(path.resolve(), Path.cwd(), parameters, limits)
            runs.append(Run(job, folder / f"{name}.ipynb", name))
    return runs


def complete(runs: list[Run], options: argparse.Namespace) -> int:
    """Execute what has changed; the exit status: 0, 1 (a notebook failed) or 130 (interrupted)."""
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    build, known = options.build, cache.read(options.build)
    for run in runs:
        entry = known.get(run.key(build))
        run.why = "asked for" if options.force else cache.why_run(run.job, entry)
        if options.explain:
            print(f"{run.name}: " + (run.why or "nothing that it was made of has changed"))
        if not run.why:
            run.become(Outcome("cached", cells=entry["cells"], done=entry["cells"]))
    todo = [run for run in runs if run.why]
    status = 0
    try:
        if todo:
            with pool_of(options, [run.job for run in todo]) as pool:
                execute_all(longest_first(runs, known, build), pool, build)
    except KeyboardInterrupt:
        print("Interrupted: every kernel is stopped, and no committed notebook was touched.")
        status = 130
    finally:
        for run in todo:
            if run.outcome.state == "ok":
                files = [run.output, options.lock]
                known[run.key(build)] = cache.entry(run.job, run.outcome, files)
        with contextlib.suppress(OSError):  # the report says so
            text = json.dumps(known, indent=1, sort_keys=True) + "\n"
            notebook.write(text, build / cache.NAME)
        report(runs, build)
    for run in runs if status == 0 else []:
        if not run.good:
            state, failure, status = run.outcome.state, run.outcome.failure, 1
            print(f"\n{run.name}.ipynb failed ({state}) {failure}", file=sys.stderr)
    return status


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit status is that of `complete`, or 2 (usage)."""
    options = parser().parse_args(arguments)
    try:
        runs = runs_of(options)
        with notebook.locked(options.build):
            status = complete(runs, options)
            if options.sweep and status != 130:
                names = typed(options.sweep)
                grid = [{name: run.job.parameters[name] for name in names} for run in runs]
                states = [run.outcome.state for run in runs]
                numbers = [sweep.checked_numbers(run.output) if run.good else {} for run in runs]
                print(sweep.write(grid, states, numbers, runs[0].output.parent))
            elif status == 0 and (options.params or options.data):
                print(f"Parameters were given, so the results stay in {options.build}/.")
            elif status == 0 and not options.keep:
                for run in runs:
                    compare.accept(run.output, run.job.source, options.differences)
        return status
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
