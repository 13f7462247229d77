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

    `root` is the project's folder, `home` the kernel's own (None: one that is deleted with it),
    `variables` go before those that runner.kernel_environment makes.
    """

    source: Path
    output: Path
    parameters: dict[str, object] = field(default_factory=dict)
    root: Path = field(default_factory=Path.cwd)
    home: Path | None = None
    variables: dict[str, str] = field(default_factory=dict)
    limits: Limits = Limits()


@dataclass(frozen=True)
class Seen:
    """What a kernel's Python processes noted: {path: mark} of what they opened, listed and made.

    A mark is of the content at that moment; of what was made, and is left, in the end. `never` is
    why the artefact cannot be kept in the cache: something was done whose inputs cannot be seen
    ("": nothing was).
    """

    opened: dict[str, str] = field(default_factory=dict)
    listed: dict[str, str] = field(default_factory=dict)
    made: dict[str, str] = field(default_factory=dict)
    never: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a job stands.

    `state` is waiting, running, ok, cached, cell error, kernel died, out of memory, cell timeout,
    notebook timeout, never run or interrupted; `failure` names the cell, shows its source and the
    error. `text` is the executed notebook's file (clean where the state is ok), `place` says in
    which environment and on which machine it ran.
    """

    state: str = "waiting"
    failure: str = ""
    cells: int = 0
    done: int = 0
    seconds: float = 0.0
    text: str = ""
    seen: Seen = Seen(never="its kernel cannot say what it read")
    place: dict[str, str] = field(default_factory=dict)

    @property
    def good(self) -> bool:
        return self.state in ("ok", "cached")


@dataclass
class Task:
    """A job of a run: why it has to be executed ("": it need not), how it stands.

    `before` is what its artefact would be made of, {ingredient: mark}, as the job began.
    """

    job: Job
    why: str = ""
    outcome: Outcome = field(default_factory=Outcome)
    before: dict[str, str] = field(default_factory=dict)
