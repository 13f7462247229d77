"""What was typed, as jobs: the options, the parameters, the project's folder."""

import argparse
import re
import shlex
from pathlib import Path
from urllib.parse import quote

from runner import notebook, sweep
from runner.job import Job, Limits
from runner.notebook import UsageError

FOLDERS = ("notebooks", "homework")  # what is run where nothing else is said
MARKS = ("pyproject.toml", ".git")  # of a project's folder


def parser() -> argparse.ArgumentParser:
    about = "Execute notebooks, and compare or accept their outputs."
    result = argparse.ArgumentParser(prog="runner.run", description=about)
    folders = {"type": Path, "nargs": "+", "default": [*map(Path, FOLDERS)], "help": "folders"}
    result.add_argument("--notebooks", **folders)
    result.add_argument("--build", type=Path, default=Path("build"))
    result.add_argument("--lock", type=Path, default=Path("requirements.lock"))
    result.add_argument("--only", default="", help="numbers, or starts of names")
    result.add_argument("--data", default="", help="a table of one's own: the parameter `data`")
    result.add_argument("--unlabelled", default="", help="rows to predict: that parameter")
    result.add_argument("--params", default="", help='for example "seed=7 step_size=0.05"')
    result.add_argument("--force", action="store_true", help="execute also what has not changed")
    result.add_argument("--explain", action="store_true", help="say why each is executed or not")
    result.add_argument("--kernel", default="", help="in the place of the notebooks' own")
    result.add_argument("--scheduler", default="", help="tcp://… of a Dask cluster to run on")
    result.add_argument("--workers", type=int, default=0, help="threads (0: one a processor)")
    result.add_argument("--keep", action="store_true", help="leave the committed notebooks as is")
    result.add_argument("--differences", action="store_true", help="show what is replaced")
    result.add_argument("--sweep", nargs="*", metavar="name=0:20", help="or name=0.1,0.2: a grid")
    own = {"metavar": "NAME=text", "help": "for kernels"}
    result.add_argument("--env", nargs="*", action="extend", default=[], **own)
    result.add_argument("--cell-limit", type=_limit(float), default=Limits.cell, help="seconds")
    result.add_argument("--whole-limit", type=_limit(float), default=Limits.whole, help="seconds")
    result.add_argument("--memory-limit", type=_limit(int), default=Limits.memory, help="MB")
    return result


def _limit(kind: type):
    def limit(text: str):
        value = kind(text)
        if not 0 <= value < float("inf"):
            raise ValueError
        return value

    return limit


def jobs_of(options: argparse.Namespace) -> list[Job]:
    """What the options ask for; raises UsageError, one sentence, where that cannot be met."""
    paths = notebook.select(options.notebooks, options.only)
    grid, given = typed(options.sweep or []), chosen(options)
    own = {path: notebook.defaults(path) if given or grid else {} for path in paths}
    known = sorted(set().union(*own.values()))
    for name in [*given, *grid]:
        if name not in known:
            listing = ", ".join(known) or "none"
            raise UsageError(f"There is no parameter {name!r} here; the known ones are: {listing}.")
    if given or grid:  # what does not know any of them would come out as it does without
        paths = [path for path in paths if own[path].keys() & {*given, *grid}]
    if options.sweep is not None and (len(paths) > 1 or not grid):
        raise UsageError("A sweep takes one notebook and a grid: make sweep GRID=seed=0:20.")
    how, jobs = _how(options), []
    for point in sweep.points(grid):
        values = given | {name: notebook.literal(text) for name, text in point.items()}
        for path in paths:
            parameters = notebook.parameters(values, own[path])
            output = options.build / path.name
            if point:
                name = ",".join(f"{key}={text}" for key, text in point.items())
                output = sweep.folder(options.build, path) / f"{quote(name, safe='=,')}.ipynb"
            if output.resolve() == path.resolve():
                raise UsageError(f"{options.build}/ holds the notebooks themselves; name another.")
            jobs.append(Job(path.resolve(), output, parameters, *how))
    return jobs


def _how(options: argparse.Namespace) -> tuple[Path, Path, dict[str, str], Limits, str]:
    """The project, the kernels' home, variables, limits and name that the options ask for."""
    limits = Limits(options.cell_limit, options.whole_limit, options.memory_limit)
    home = options.build.resolve() / ".home"
    return project(options.notebooks[0]), home, typed(options.env), limits, options.kernel


def typed(words: list[str]) -> dict[str, str]:
    """{name: text} of words name=text; raises UsageError for what is none."""
    for word in words:
        if not re.match("[^=]+=", word):
            raise UsageError(f"A parameter is written name=value, not {word!r}.")
    return dict(word.split("=", 1) for word in words)


def chosen(options: argparse.Namespace) -> dict[str, object]:
    """{name: value} of the parameters that --params, --data and --unlabelled give."""
    try:
        texts = typed(shlex.split(options.params))
    except ValueError as error:
        raise UsageError(f"The parameters {options.params} cannot be read: {error}.") from None
    given = {name: notebook.literal(text) for name, text in texts.items()}
    for name in ("data", "unlabelled"):
        if typed_path := getattr(options, name):
            path = Path(typed_path).expanduser().resolve()
            if not path.is_file():
                raise UsageError(f"There is no file {typed_path!r} to take the data from.")
            given[name] = str(path)
    return given


def project(notebooks: Path) -> Path:
    """The project that a folder of notebooks is of: what has a pyproject.toml or .git above it.

    Without one, the working directory where that is above, otherwise the folder above.
    """
    folder, here = notebooks.resolve(), Path.cwd().resolve()
    for above in folder.parents:
        if any((above / name).exists() for name in MARKS):
            return above
    return here if here in folder.parents else folder.parent
