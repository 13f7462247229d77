"""Notebooks side by side: each is shown, and is written and reported as it ends."""

import json
import re
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

from course import notebook
from course.execute import Job, execute, kill_kernels


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
                job = waiting[0]
                become(job, state="running", began=time.time())
                at_work[executor.submit(execute, job)] = job
                del waiting[0]
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
        deadline = time.monotonic() + 10  # a cluster without workers ends none
        while not all(map(Future.done, at_work)) and time.monotonic() < deadline:
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
        ended = future.result(timeout=0)
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
    counts = {"tests": str(len(jobs)), "failures": str(sum(not job.good for job in jobs))}
    records, suite = [], ElementTree.Element("testsuite", counts, name="notebooks")
    for job in jobs:
        record = {"notebook": job.source.name, "state": job.state, "seconds": round(job.seconds, 2)}
        record |= {"cells": job.cells, "cells done": job.done, "why": job.why}
        record |= {"parameters": {k: repr(v) for k, v in job.parameters.items()}}
        records.append(record | {"failure": job.failure})
        names = {"classname": "notebooks", "name": job.output.stem, "time": f"{job.seconds:.2f}"}
        case = ElementTree.SubElement(suite, "testcase", names)
        if not job.good:
            failure = ElementTree.SubElement(case, "failure", message=job.state)
            failure.text = re.sub(r"[^\t\n -\ud7ff\ue000-\ufffd]", "", job.failure)  # XML's own
    try:
        notebook.write(json.dumps(records, indent=1) + "\n", build / "report.json")
        notebook.write(ElementTree.tostring(suite, "unicode") + "\n", build / "report.xml")
    except OSError as error:
        print(f"{build}/report.json was not written: {error.strerror}.", file=sys.stderr)
