"""The command: `python -m course.run`, which `make run-all` and its kin call."""

import argparse
import contextlib
import logging
import os
import re
import shlex
import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from urllib.parse import quote

from course import cache, compare, notebook, sweep
from course.execute import Job
from course.notebook import UsageError
from course.progress import become, execute_all, report


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
    result.add_argument("--env", nargs="*", default=[], metavar="NAME=text", help="for kernels")
    result.add_argument("--cell-limit", type=float, default=Job.cell_limit, help="seconds")
    result.add_argument("--whole-limit", type=float, default=Job.whole_limit, help="seconds")
    result.add_argument("--memory-limit", type=int, default=Job.memory_limit, help="MB a kernel")
    return result


def typed(words: list[str]) -> dict[str, str]:
    """{name: text} of words name=text; raises UsageError for what is none."""
    for word in words:
        if not re.match("[^=]+=", word):
            raise UsageError(f"A parameter is written name=value, not {word!r}.")
    return dict(word.split("=", 1) for word in words)


def jobs_of(options: argparse.Namespace) -> list[Job]:
    """What the options ask for; raises UsageError, one sentence, where that cannot be met."""
    paths = notebook.select(options.notebooks, options.only)
    try:
        texts, grid = typed(shlex.split(options.params)), typed(options.sweep or [])
        variables = typed(options.env)
    except ValueError as error:
        raise UsageError(f"The parameters {options.params} cannot be read: {error}.") from None
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
    place = (Path.cwd(), options.build.resolve() / ".home", variables)
    jobs = []
    for point in sweep.points(grid):
        for path in paths:
            name, folder = path.stem, options.build
            if point:
                name = ",".join(f"{key}={text}" for key, text in point.items())
                name, folder = quote(name, safe="=,"), folder / "sweep" / path.stem
            parameters = notebook.parameters({**texts, **point}, own[path])
            output = folder / f"{name}.ipynb"
            jobs.append(Job(path.resolve(), output, parameters, *place, *limits))
    return jobs


def complete(jobs: list[Job], options: argparse.Namespace) -> int:
    """Execute what has changed; the exit status: 0, 1 (a notebook failed) or 130 (interrupted)."""
    logging.getLogger("papermill").setLevel(logging.CRITICAL)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    build, lock, status = options.build, options.lock, 0
    known = cache.read(build)
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

                place = stack.enter_context(cluster.connected(options.scheduler, todo, lock))
            execute_all(cache.longest_first(jobs, known), build, *place)
    except KeyboardInterrupt:
        print("Interrupted: every kernel is stopped, and no committed notebook was touched.")
        status = 130
    except UsageError as error:
        for job in todo:
            become(job, state="never run", failure=str(error))
        raise
    finally:
        for job in todo:
            if job.state == "ok" and job.opened is not None:
                known[str(job.output)] = cache.entry(job, lock)
        cache.write(known, build)
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
                    try:
                        compare.accept(job.output, job.source, options.differences)
                    except UsageError as error:
                        print(f"{job.source.name} stays as it is: {error}", file=sys.stderr)
                        status = 1
        return status
    except UsageError as error:
        print(error, file=sys.stderr)
        return 2


if __name__ == "__main__":
    # The libraries of this process write settings too, and a home may be one that cannot be.
    own = parser().parse_known_args()[0].build.resolve() / ".home"
    os.environ |= {"MPLCONFIGDIR": str(own / ".runner"), "IPYTHONDIR": str(own / ".ipython")}
    sys.exit(main())
