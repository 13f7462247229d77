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
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, ThreadPoolExecutor, wait
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from course import cache, compare, notebook, sweep
from course.execute import Job, execute, kill_kernels
from course.notebook import UsageError


def become(job: Job, **changes: object) -> None:
    """Note how a job stands now, and say so in a line."""
    vars(job).update(changes)
    cells = f"{job.done:>3}/{job.cells} cells" if job.cells else ""
    print(f"{job.output.stem:<26} {job.state:<16} {cells:<12} {job.seconds:6.1f} s", flush=True)


def execute_all(
    jobs: list[Job],
    build: Path,
    executor: Executor,
    slots: int,
    kill: Callable[[], object] = kill_kernels,
    trouble: Callable[[], str] = str,
) -> None:
    """Execute the jobs that wait, in the order given; show, write and report what becomes of them.

    The executor takes `slots` at a time; `kill` kills all its kernels, `trouble` says in a sentence
    why it is gone. An artefact is replaced, whole, by a good one only; a bad one goes to the folder
    failed/ beside it. On an interrupt each kernel is killed, then KeyboardInterrupt goes on up.
    """
    waiting = [job for job in jobs if job.state == "waiting"]
    at_work: dict[Future, Job] = {}
    try:
        while waiting or at_work:
            while waiting and len(at_work) < slots:
                at_work[executor.submit(execute, waiting[0])] = waiting[0]
                become(waiting.pop(0), state="running")
            done, _ = wait(at_work, timeout=0.2, return_when=FIRST_COMPLETED)
            if said := trouble():
                for job in [*waiting, *at_work.values()]:
                    become(job, state="never run", failure=said)
                return
            for future in done:
                become(at_work[future], **_ended(at_work[future], future))
                del at_work[future]  # only now: an interrupt must find it
            if done:
                report(jobs, build)
    except BaseException:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_IGN)
        while not all(future.done() for future in at_work):
            kill()
            time.sleep(0.1)
        for future, job in at_work.items():
            ended = _ended(job, future)
            cut = {"state": "interrupted", "failure": "was interrupted"}
            become(job, **ended | (cut if ended["state"] != "ok" else {}))
        for job in waiting:
            become(job, state="never run", failure="was not begun before the interrupt")
        raise


def _ended(job: Job, future: Future) -> dict[str, object]:
    """How a job has ended, as its changes, once its artefact is written."""
    try:
        ended = future.result()
    except Exception as error:  # execute raises nothing itself: its worker was lost
        said = f"with its worker: {type(error).__name__}: {error}"
        return {"state": "kernel died", "failure": said}
    path = job.output if ended.state == "ok" else job.output.parent / "failed" / job.output.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if ended.text:
            notebook.write(ended.text, path)
    except OSError as problem:
        said = f"{path} was not written: {problem.strerror}"
        ended = replace(ended, state="never run", failure=said)
    return vars(ended)


def report(jobs: list[Job], build: Path) -> None:
    """Write build/report.json, and report.xml (JUnit) beside it: how each job stands.

    Where they cannot be written, that is said, and the jobs go on.
    """
    bad = str(sum(not job.good for job in jobs))
    suite = ElementTree.Element("testsuite", name="notebooks", failures=bad)
    records = []
    for job in jobs:
        record = {"notebook": job.source.name, "state": job.state, "seconds": round(job.seconds, 2)}
        record |= {"cells": job.cells, "cells done": job.done, "why": job.why}
        record |= {"parameters": {k: repr(v) for k, v in job.parameters.items()}}
        records.append(record | {"failure": job.failure})
        names = {"classname": "notebooks", "name": job.output.stem, "time": f"{job.seconds:.2f}"}
        case = ElementTree.SubElement(suite, "testcase", names)
        if not job.good:
            ElementTree.SubElement(case, "failure", message=job.state).text = job.failure
    try:
        notebook.write(json.dumps(records, indent=1) + "\n", build / "report.json")
        notebook.write(ElementTree.tostring(suite, "unicode") + "\n", build / "report.xml")
    except OSError as error:
        print(f"{build}/report.json was not written: {error.strerror}.", file=sys.stderr)


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
    result.add_argument("--cell-limit", type=float, default=Job.cell_limit, help="seconds")
    result.add_argument("--whole-limit", type=float, default=Job.whole_limit, help="seconds")
    result.add_argument("--memory-limit", type=int, default=Job.memory_limit, help="MB a kernel")
    return result


def typed(words: list[str]) -> dict[str, str]:
    """{name: text} of words name=text; raises UsageError for what is none."""
    texts = {}
    for word in words:
        name, equals, texts[name] = word.partition("=")
        if not (name and equals):
            raise UsageError(f"A parameter is written name=value, not {word!r}.")
    return texts


def jobs_of(options: argparse.Namespace) -> list[Job]:
    """What the options ask for; raises UsageError, one sentence, where that cannot be met."""
    paths = notebook.select(options.notebooks, options.only)
    texts, grid = typed(shlex.split(options.params)), typed(options.sweep or [])
    if options.data:
        data = Path(options.data).expanduser().resolve()
        if not data.is_file():
            raise UsageError(f"There is no file {options.data!r} to take the data from.")
        texts["data"] = repr(str(data))
    if options.sweep is not None and (len(paths) > 1 or not grid):
        raise UsageError("A sweep takes one notebook and a grid: make sweep ONLY=05 seed=0:20.")
    own = {path: notebook.defaults(path) if texts or grid else {} for path in paths}
    known = sorted(set().union(*own.values()))
    for name in [*texts, *grid]:
        if name not in known:
            listing = ", ".join(known) or "none"
            raise UsageError(f"There is no parameter {name!r} here; the known ones are: {listing}.")
    limits = (options.cell_limit, options.whole_limit, options.memory_limit)
    jobs = []
    for point in sweep.points(grid):
        for path in paths:
            name, folder = path.stem, options.build
            if point:
                name = ",".join(f"{key}={text}" for key, text in point.items())
                name, folder = re.sub(r"[^\w=.,-]", "_", name), folder / "sweep" / path.stem
            parameters = notebook.parameters({**texts, **point}, own[path])
            output = folder / f"{name}.ipynb"
            jobs.append(Job(path.resolve(), output, parameters, Path.cwd(), *limits))
    return jobs


def complete(jobs: list[Job], options: argparse.Namespace) -> int:
    """Execute what has changed; the exit status: 0, 1 (a notebook failed) or 130 (interrupted)."""
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    build, known, status = options.build, cache.read(options.build), 0
    for job in jobs:
        entry = known.get(str(job.output))
        job.why = "asked for" if options.force else cache.why_run(job, entry)
        if options.explain:
            print(f"{job.output.stem}: {job.why or 'nothing that it was made of has changed'}")
        if not job.why:
            become(job, state="cached", cells=entry["cells"], done=entry["cells"])
    todo = [job for job in jobs if job.why]
    try:
        with contextlib.ExitStack() as stack:
            slots = options.workers or os.cpu_count() or 1
            place = stack.enter_context(ThreadPoolExecutor(slots)), slots
            if todo and options.scheduler:
                from course import cluster

                place = stack.enter_context(
                    cluster.connected(options.scheduler, todo, options.lock)
                )
            execute_all(cache.longest_first(jobs, known), build, *place)
    except KeyboardInterrupt:
        print("Interrupted: every kernel is stopped, and no committed notebook was touched.")
        status = 130
    finally:
        for job in todo:
            if job.state == "ok":
                known[str(job.output)] = cache.entry(job, options.lock)
        with contextlib.suppress(OSError):  # the report says so
            text = json.dumps(known, indent=1, sort_keys=True) + "\n"
            notebook.write(text, build / cache.NAME)
        report(jobs, build)
    for job in jobs if status == 0 else []:
        if not job.good:
            print(f"\n{job.output.stem}.ipynb failed ({job.state}) {job.failure}", file=sys.stderr)
    return status or int(not all(job.good for job in jobs))


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit status is that of `complete`, or 2 (usage)."""
    options = parser().parse_args(arguments)
    try:
        jobs = jobs_of(options)
        with notebook.locked(options.build):
            status = complete(jobs, options)
            if options.sweep and status != 130:
                print(sweep.write(jobs, list(typed(options.sweep)), jobs[0].output.parent))
            elif status == 0 and (options.params or options.data):
                print(f"Parameters were given, so the results stay in {options.build}/.")
            elif status == 0 and not options.keep:
                for job in jobs:
                    compare.accept(job.output, job.source, options.differences)
        return status
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
