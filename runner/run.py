"""The command: `python -m runner.run`, which `make run-all` and its kin call."""

import argparse
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from runner import accept, cache, made_of, notebook, report, request, schedule, sweep
from runner.job import Job, Outcome, Task
from runner.notebook import UsageError
from runner.report import printable

INTERRUPTED = 130


def complete(
    jobs: list[Job], options: argparse.Namespace, before: Sequence[Task] = ()
) -> tuple[int, list[Task]]:
    """Execute what has changed: (exit status, tasks); 0, 1 (one failed) or 130 (interrupted).

    The report is of the tasks that ran `before`, too.
    """
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    schedule.on_stop(signal.default_int_handler)
    known, status = cache.read(options.build), 0
    project = cache.Project(jobs[0].root, options.build)
    tasks = [_task(job, known, project, options) for job in jobs]
    longest = cache.longest_first(jobs, known)
    order = sorted(tasks, key=lambda task: longest.index(task.job))

    def began(task: Task) -> None:
        task.before = cache.made(task.job, project.read())

    def ended(task: Task) -> None:
        known.pop(str(task.job.output), None)
        if task.outcome.state == "ok":
            kept = cache.entry(task.job, task.outcome, task.before, project)
            known.update({str(task.job.output): kept} if kept else {})

    try:
        with _place(tasks, options) as place:
            schedule.execute_all(order, options.build, place, began, ended)
    except KeyboardInterrupt:
        print("Interrupted: every kernel is stopped, and no committed notebook was touched.")
        status = INTERRUPTED
    except UsageError as error:
        schedule.give_up([task for task in tasks if task.why], str(error))
        raise
    finally:
        cache.write(known, options.build)
        report.write([*before, *tasks], options.build)
    bad = [task for task in tasks if not task.outcome.good]
    for task in bad if status == 0 else []:
        page, how = task.job.source.suffix == ".md", task.outcome
        name = notebook.called(task.job.source) if page else f"{task.job.output.stem}.ipynb"
        print(f"\n{printable(name)} failed ({how.state}) {printed(how.failure)}", file=sys.stderr)
    return status or int(bool(bad)), tasks


def printed(text: str) -> str:
    """The text, less what a terminal cannot show."""
    return text.encode("utf-8", "backslashreplace").decode()


def _task(job: Job, known: dict, project: cache.Project, options: argparse.Namespace) -> Task:
    """The job with the reason to execute it, if there is one."""
    kept = known.get(str(job.output))
    besides = (made_of.ORDER,) if options.keep else ()  # comparing says that it has changed
    why = cache.why_run(job, kept, cache.made(job, project.files), besides)
    task = Task(job, "asked for" if options.force else why)
    if options.explain:
        said = task.why or "nothing that it was made of has changed"
        print(f"{printable(job.output.stem)}: {printable(said)}")
    if not task.why:
        schedule.become(task, Outcome("cached", cells=kept["cells"], done=kept["cells"]))
    return task


@contextlib.contextmanager
def _place(tasks: list[Task], options: argparse.Namespace):
    """Where the tasks run: threads of this process, or a Dask cluster."""
    todo = [task.job for task in tasks if task.why]
    if todo and options.scheduler:
        from runner import dask_cluster

        with dask_cluster.connected(options.scheduler, todo, options.lock) as place:
            yield place
    else:
        slots = options.workers or os.cpu_count() or 1
        with ThreadPoolExecutor(slots) as threads:
            yield schedule.Place(threads, slots)


def take_over(tasks: list[Task], show: bool) -> int:
    """Accept every artefact that can be; the exit status is 1 where one cannot, each with a word.

    A file that is gone, or cannot be written, is no reason for the others.
    """
    status = 0
    for source, output in ((task.job.source, task.job.output) for task in tasks):
        try:
            accept.accept(output, source, show)
        except (UsageError, OSError, ValueError) as error:
            said = f"{error.strerror}: {error.filename}" if isinstance(error, OSError) else error
            name = printable(notebook.called(source))
            print(f"{name} stays as it is: {printable(str(said))}", file=sys.stderr)
            status = 1
    return status


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line; the exit status is that of `complete`, or 2 (usage)."""
    options = request.parser().parse_args(arguments)
    try:
        jobs = request.jobs_of(options)
        pages = request.pages_of(options)
        with notebook.locked(options.build):
            status, tasks = complete(jobs, options)
            if options.sweep and status != INTERRUPTED:
                print(sweep.write(tasks, list(request.typed(options.sweep))))
            elif status == 0 and request.chosen(options):
                print(f"Parameters were given, so the results stay in {options.build}/.")
            elif status == 0 and not options.keep:
                status = take_over(tasks, options.differences)
            if pages and status == 0:
                status, quoting = complete(pages, options, tasks)
                if status == 0 and not options.keep:
                    status = take_over(quoting, options.differences)
        return status
    except UsageError as error:
        print(printed(str(error)), file=sys.stderr)
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
