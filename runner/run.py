"""The command: `python -m runner.run`, which `make run-all` and its kin call."""

import argparse
import contextlib
import logging
import os
import signal
import sys
from concurrent.futures import ThreadPoolExecutor

from runner import notebook, report, request, sweep
from runner.compare import accept
from runner.execute import cache, schedule
from runner.job import Job, Outcome, Task
from runner.notebook import UsageError
from runner.report import printable

INTERRUPTED = 130


def complete(jobs: list[Job], options: argparse.Namespace) -> tuple[int, list[Task]]:
    """Execute what has changed: (exit status, tasks); 0, 1 (one failed) or 130 (interrupted)."""
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    schedule.on_stop(signal.default_int_handler)
    known, status = cache.read(options.build), 0
    tasks = [_task(job, known, options) for job in jobs]
    longest = cache.longest_first(jobs, known)
    order = sorted(tasks, key=lambda task: longest.index(task.job))
    if any(task.why for task in tasks):
        cache.forget_bytecode(jobs[0].root)

    def began(task: Task) -> None:
        task.before = cache.made_of(task.job)

    def ended(task: Task) -> None:
        known.pop(str(task.job.output), None)
        if task.outcome.state == "ok":
            kept = cache.entry(task.job, task.outcome, task.before)
            known.update({str(task.job.output): kept} if kept else {})
            if not kept:
                name = printable(task.job.output.stem)
                print(f"{name}: a file that it reads has changed meanwhile; run it once more.")

    try:
        with _pool(tasks, options) as pool:
            schedule.execute_all(order, options.build, pool, began, ended)
    except KeyboardInterrupt:
        print("Interrupted: every kernel is stopped, and no committed notebook was touched.")
        status = INTERRUPTED
    except UsageError as error:
        schedule.give_up([task for task in tasks if task.why], str(error))
        raise
    finally:
        cache.write(known, options.build)
        report.write(tasks, options.build)
    bad = [task for task in tasks if not task.outcome.good]
    for task in bad if status == 0 else []:
        name, how = f"{task.job.output.stem}.ipynb", task.outcome
        print(f"\n{printable(name)} failed ({how.state}) {how.failure}", file=sys.stderr)
    return status or int(bool(bad)), tasks


def _task(job: Job, known: dict, options: argparse.Namespace) -> Task:
    """The job with the reason to execute it, if there is one."""
    kept = known.get(str(job.output))
    why = "you asked for it" if options.force else cache.why_run(job, kept, cache.made_of(job))
    task = Task(job, why)
    if options.explain:
        print(f"{printable(job.output.stem)}: {printable(why or 'unchanged since the last run')}")
    if not task.why:
        schedule.become(task, Outcome("cached", cells=kept["cells"], done=kept["cells"]))
    return task


@contextlib.contextmanager
def _pool(tasks: list[Task], options: argparse.Namespace):
    """What executes the tasks: threads of this process, or a Dask cluster."""
    todo = [task.job for task in tasks if task.why]
    if todo and options.scheduler:
        from runner.execute import cluster

        with cluster.connected(options.scheduler, todo, options.lock) as pool:
            yield pool
    else:
        slots = options.workers or os.cpu_count() or 1
        with ThreadPoolExecutor(slots) as threads:
            yield schedule.Pool(threads, slots)


def take_over(tasks: list[Task], options: argparse.Namespace) -> int:
    """Accept every artefact that can be; the exit status is 1 where one cannot, each with a word.

    A file that is gone, or cannot be written, is no reason to leave out the others.
    """
    status, known = 0, cache.read(options.build)
    for source, output in ((task.job.source, task.job.output) for task in tasks):
        try:
            accept.accept(output, source, options.differences)
            if str(output) in known:  # its prose is now the committed one
                known[str(output)]["artefact"] = cache.hash_file(output)
        except (UsageError, OSError, ValueError) as error:
            said = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else error
            name, status = printable(source.name), 1
            print(f"{name} stays as it is: {printable(str(said))}", file=sys.stderr)
    cache.write(known, options.build)
    return status


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit status is that of `complete`, or 2 (usage)."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # what a terminal cannot show stops nothing
            stream.reconfigure(errors="backslashreplace")
    options = request.parser().parse_args(arguments)
    try:
        jobs = request.jobs_of(options)
        with notebook.locked(options.build):
            status, tasks = complete(jobs, options)
            if options.sweep and status != INTERRUPTED:
                print(sweep.write(tasks, list(request.typed(options.sweep))))
            elif status == 0 and request.chosen(options):
                print(
                    f"You set parameters, so the results are in {options.build}/ and your "
                    "notebooks are unchanged."
                )
            elif status == 0 and not options.keep:
                status = take_over(tasks, options)
        return status
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted before anything ran.")
        return INTERRUPTED


if __name__ == "__main__":
    # The libraries of this process write settings too, and a home may be one that cannot be.
    own = request.parser().parse_known_args()[0].build.resolve() / ".home"
    with contextlib.suppress(OSError):
        (own / ".ipython").mkdir(parents=True, exist_ok=True)
    os.environ |= {"MPLCONFIGDIR": str(own / ".runner"), "IPYTHONDIR": str(own / ".ipython")}
    sys.exit(main())
