"""What is asked of the runner, and what became of it."""

from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Limits:
    """Seconds for a cell and for a whole notebook, megabytes for each process; 0: no limit."""

    cell: float = 600
    whole: float = 3600
    memory: int = 0


@dataclass(frozen=True)
class Job:
    """A notebook, the file that its artefact goes to, and how it is executed.

    `root` is the project's folder. `home` is the kernel's home folder; with None the kernel gets
    one that is deleted afterwards. `variables` override those of runner.execute.environment.
    `kernel` overrides the notebook's own, by name.
    """

    source: Path
    output: Path
    parameters: dict[str, object] = field(default_factory=dict)
    root: Path = field(default_factory=Path.cwd)
    home: Path | None = None
    variables: dict[str, str] = field(default_factory=dict)
    limits: Limits = Limits()
    kernel: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a job stands.

    `state` is waiting, running, ok, cached, cell error, kernel died, out of memory, cell timeout,
    notebook timeout, never run or interrupted. `failure` names the cell and shows its source and
    the error. `text` is the executed notebook's file (in its clean form where the state is ok).
    `machine` names the processor and the system that ran it.
    """

    state: str = "waiting"
    failure: str = ""
    cells: int = 0
    done: int = 0
    seconds: float = 0.0
    text: str = ""
    machine: str = ""

    @property
    def good(self) -> bool:
        return self.state in ("ok", "cached")


@dataclass
class Task:
    """A job of a run, why it has to be executed ("" if it need not be), and how it stands.

    `before` holds the hashes of what the artefact is made of, taken as the job began.
    """

    job: Job
    why: str = ""
    outcome: Outcome = field(default_factory=Outcome)
    before: dict[str, str] = field(default_factory=dict)
