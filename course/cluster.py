"""A Dask cluster as the place where notebooks are executed."""

import contextlib
import re
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from platform import python_version

from course import cache
from course.execute import Job
from course.notebook import UsageError


def packages() -> dict[str, str]:
    """{package: version} of this process's environment."""
    found = metadata.distributions()
    return {re.sub(r"[-_.]+", "-", dist.name).lower(): dist.version for dist in found}


def project_files(root: Path) -> list[Path]:
    """The project's files; environments, hidden, built and compiled ones are none."""
    files = []
    for path in sorted(root.iterdir()):
        if path.name.startswith(".") or path.name in ("build", "__pycache__"):
            continue
        if path.is_dir() and not (path / "pyvenv.cfg").exists():
            files += project_files(path)
        elif path.is_file():
            files.append(path)
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
def connected(
    address: str, jobs: list[Job], lock: Path
) -> Iterator[tuple["distributed.Client", Callable[[], str]]]:  # noqa: F821
    """A client of the cluster, and what says whether the scheduler is still there.

    Raises UsageError, one sentence, where the scheduler does not answer, or where a worker has not
    the packages that the lock names or the files of the project.
    """
    from distributed import Client

    try:
        client = Client(address, timeout=5)
    except (OSError, ValueError) as error:
        raise UsageError(f"No Dask scheduler answers at {address} ({error}).") from None
    with client:
        if not client.nthreads():
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
            raise UsageError(
                f"A worker of {address} cannot run this project ({error}); give it the same "
                "environment and folder."
            ) from None
        for worker, sentence in found.items():
            if sentence:
                raise UsageError(f"The worker {worker} {sentence}; give it the same.")

        def trouble():
            return "" if client.status == "running" else f"the scheduler {address} is gone"

        yield client, trouble
