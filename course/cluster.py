"""A Dask cluster as the place where notebooks are executed."""

import contextlib
import os
import platform
import re
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from course import cache
from course.execute import Job, Pool, kill_kernels
from course.notebook import UsageError


def project_files(root: Path) -> Iterator[Path]:
    """The project's files; environments, hidden, built and compiled ones are none."""
    for folder, inside, names in os.walk(root):
        others = {"build", "__pycache__", *(n for n in inside if n[0] == ".")}
        others |= {name for name in inside if Path(folder, name, "pyvenv.cfg").exists()}
        inside[:] = sorted(set(inside) - others)
        yield from (Path(folder, name) for name in sorted(names) if name[0] != ".")


def holdings(packages: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """{name: mark} of Python, packages and files where this is called; "" for what is not there."""
    have = {re.sub(r"[-_.]+", "-", d.name).lower(): d.version for d in metadata.distributions()}
    found = {"Python": platform.python_version(), **{name: have.get(name, "") for name in packages}}
    return {**found, **{file: cache.fingerprint(file) for file in files}}


@contextlib.contextmanager
def connected(address: str, jobs: list[Job], lock: Path) -> Iterator[Pool]:
    """The cluster's worker threads.

    Raises UsageError, one sentence, where the scheduler does not answer, or where a worker has not
    the packages that the lock names or the files of the project.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=5)
    except (OSError, ValueError) as error:
        raise UsageError(f"No Dask scheduler answers at {address} ({error}).") from None
    with client:
        slots = sum(client.nthreads().values())
        if not slots:
            raise UsageError(f"The Dask scheduler at {address} has no workers; start some.")
        text = lock.read_text(encoding="utf-8") if lock.is_file() else ""
        paths = [path for root in {job.root for job in jobs} for path in project_files(root)]
        paths += [Path(str(value)) for job in jobs for value in job.parameters.values()]
        needed = (
            re.findall(r"^([\w-]+)==", text, re.MULTILINE),
            [str(p) for p in paths if p.is_file()],
        )
        here = holdings(*needed)
        try:
            found = client.run(holdings, *needed)
        except Exception as error:
            raise UsageError(f"A worker of {address} cannot run this project ({error}).") from None
        for worker, there in found.items():
            for name, mark in here.items():
                if there[name] != mark:
                    lack = f"has not the same {name}" if there[name] else f"has no {name}"
                    advice = "give it the same environment and folder"
                    raise UsageError(f"The worker {worker} {lack}; {advice}.")

        def trouble() -> str:
            return "" if client.status == "running" else f"the scheduler {address} is gone"

        yield Pool(client.get_executor(), slots, lambda: client.run(kill_kernels), trouble)
