"""Execute notebooks on a Dask cluster."""

import contextlib
import os
import platform
import re
from collections.abc import Iterator, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path

from packaging.utils import canonicalize_name

from runner import notebook
from runner.execute import cache
from runner.execute.processes import kill
from runner.execute.schedule import Pool
from runner.job import Job
from runner.notebook import UsageError


def holdings(packages: Sequence[str], files: Sequence[str]) -> dict[str, str]:
    """{name: mark} of Python, packages and files where this is called; "" for what is not there."""
    have = {canonicalize_name(each.name): each.version for each in metadata.distributions()}
    found = {name: have.get(canonicalize_name(name), "") for name in packages}
    found["Python"] = platform.python_version()
    return found | {file: cache.hash_file(Path(file)) for file in files}


@contextlib.contextmanager
def connected(address: str, jobs: Sequence[Job], lock: Path) -> Iterator[Pool]:
    """The cluster's worker threads, as the pool of `schedule.execute_all`.

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
        packages = re.findall(r"^([\w.-]+)(?:\[.*\])?==", text, re.MULTILINE)
        needed = packages, _files(jobs)
        try:
            found = client.run(holdings, *needed)
        except Exception as error:
            raise UsageError(f"A worker of {address} cannot run this project ({error}).") from None
        here = holdings(*needed)
        for worker, there in found.items():
            for name in (name for name in here if there[name] != here[name]):
                said = f"{worker} has {'not the same' if there[name] else 'no'} {name}"
                raise UsageError(f"The worker {said}; give it the same environment and folder.")

        def trouble() -> str:
            return "" if client.status == "running" else f"the scheduler {address} is gone"

        kill_all = partial(client.run, kill, on_error="ignore")
        yield Pool(client.get_executor(), slots, kill_all, trouble)


def _files(jobs: Sequence[Job]) -> list[str]:
    """The files of the project and those that parameters name: a worker needs the same."""
    root, given = jobs[0].root, [str(v) for job in jobs for v in job.parameters.values()]
    inside = [str(path) for path in cache.files(root, notebook.settings(root)["aside"]).values()]
    notebooks = [str(job.source) for job in jobs]
    return sorted(name for name in {*inside, *notebooks, *given} if os.path.isfile(name))
