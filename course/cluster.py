"""A Dask cluster as the place where notebooks are executed."""

import contextlib
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from platform import python_version

from course import cache
from course.execute import Job, Pool, kill_kernels
from course.notebook import UsageError


def packages() -> dict[str, str]:
    """{package: version} of this process's environment."""
    found = metadata.distributions()
    return {re.sub(r"[-_.]+", "-", dist.name).lower(): dist.version for dist in found}


def project_files(root: Path) -> list[Path]:
    """The project's files; environments, hidden, built and compiled ones are none."""
    files = []
    for path in sorted(root.iterdir()):
        if path.is_file() and not path.name.startswith("."):
            files.append(path)
        elif path.is_dir() and path.name not in ("build", "__pycache__") and path.name[0] != ".":
            files += [] if (path / "pyvenv.cfg").exists() else project_files(path)
    return files


def lacks(python: str, pinned: dict[str, str], files: dict[str, str]) -> str:
    """On a worker: what it lacks of an environment and of files, in a sentence, or ""."""
    if python_version() != python:
        return f"has Python {python_version()}, and here is {python}"
    own = packages()
    for name, version in pinned.items():
        if own.get(name) != version:
            return f"has {name} {own.get(name, 'not at all')}, and here is {version}"
    for path, mark in files.items():
        if cache.fingerprint(path) != mark:
            return f"has not the same {path}" if Path(path).exists() else f"has no {path}"
    return ""


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
        names = {line.split("==")[0] for line in text.splitlines()}
        pinned = {name: version for name, version in packages().items() if name in names}
        paths = {path for root in {job.root for job in jobs} for path in project_files(root)}
        paths |= {Path(str(value)) for job in jobs for value in job.parameters.values()}
        files = {str(path): cache.fingerprint(path) for path in paths if path.is_file()}
        try:
            found = client.run(lacks, python_version(), pinned, files)
        except Exception as error:
            found = {address: f"cannot run this project ({error})"}
        for worker, sentence in found.items():
            if sentence:
                advice = "give it the same environment and folder"
                raise UsageError(f"The worker {worker} {sentence}; {advice}.")

        def trouble() -> str:
            return "" if client.status == "running" else f"the scheduler {address} is gone"

        yield Pool(client.get_executor(), slots, lambda: client.run(kill_kernels), trouble)
