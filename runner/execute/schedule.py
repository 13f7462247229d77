"""Notebooks side by side: each is shown, written and reported as it ends."""

import signal
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass, replace
from pathlib import Path

from runner import notebook, report
from runner.execute.kernel import execute
from runner.execute.processes import kill
from runner.job import Job, Outcome, Task


@dataclass(frozen=True)
class Pool:
    """Threads of this process, or a cluster's workers: `slots` kernels at a time.

    `kill` kills all kernels; `trouble` says why the pool is gone, or "".
    """

    executor: Executor
    slots: int
    kill: Callable[[], object] = kill
    trouble: Callable[[], str] = str


def execute_all(tasks: list[Task], build: Path, pool: Pool, began: Callable, ended: Callable):
    """Execute the tasks that have a reason, in the order given; show, write and report each.

    `began` and `ended` are called with each task. An artefact is replaced, whole, by a good one
    only; a bad one goes to the folder failed/ beside it. On an interrupt each kernel is killed,
    then KeyboardInterrupt goes on up.
    """
    waiting = [task for task in tasks if task.why]
    at_work: dict[Future, Task] = {}
    try:
        while waiting or at_work:
            while waiting and len(at_work) < pool.slots:
                began(waiting[0])
                become(waiting[0], Outcome("running"))
                at_work[pool.executor.submit(execute, waiting[0].job)] = waiting[0]
                del waiting[0]
            done, _ = wait(at_work, timeout=0.2, return_when=FIRST_COMPLETED)
            if said := pool.trouble():
                give_up([*waiting, *at_work.values()], said)
                return
            for future in done:
                become(at_work[future], _ended(at_work[future].job, future))
                ended(at_work.pop(future))  # only now: an interrupt must find it
            if done:
                report.write(tasks, build)
    except BaseException:
        _stop(at_work, pool.kill)
        give_up(waiting, "was not begun before the interrupt")
        raise


def on_stop(action: Callable | signal.Handlers) -> None:
    """Do this where the run is told to end, or its terminal is closed."""
    for name in ("SIGTERM", "SIGHUP"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), action)


def become(task: Task, outcome: Outcome) -> None:
    """Note how a task stands now, and show it."""
    task.outcome = outcome
    report.show(task.job, outcome)


def give_up(tasks: list[Task], why: str) -> None:
    """Note that these were never run."""
    for task in tasks:
        become(task, Outcome("never run", why))


def _stop(at_work: dict[Future, Task], kill: Callable[[], object]) -> None:
    """Kill all kernels, and note what is left of their notebooks."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    on_stop(signal.SIG_IGN)
    deadline = time.monotonic() + 10  # a cluster without workers ends none
    while not all(map(Future.done, at_work)) and time.monotonic() < deadline:
        kill()
        time.sleep(0.1)
    for future, task in at_work.items():
        outcome = _ended(task.job, future)
        cut = replace(outcome, state="interrupted", failure="was interrupted")
        become(task, outcome if outcome.state == "ok" else cut)


def _ended(job: Job, future: Future) -> Outcome:
    """How a job has ended, once its artefact is written."""
    try:
        outcome = future.result(timeout=0)
    except Exception as error:  # execute raises nothing itself: its worker was lost
        return Outcome("kernel died", f"with its worker: {type(error).__name__}: {error}")
    path = job.output if outcome.state == "ok" else job.output.parent / "failed" / job.output.name
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if outcome.text:
            notebook.write(outcome.text, path)
    except OSError as problem:
        said = f"{path} was not written: {problem.strerror}"
        return replace(outcome, state="never run", failure=said)
    return outcome
