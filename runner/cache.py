"""Which notebooks need not be executed again: what they were made of has not changed."""

import contextlib
import json
import os
from dataclasses import asdict
from pathlib import Path

from runner import kernel_environment, made_of, notebook
from runner.job import Job, Outcome, Seen

NAME, UNKNOWN = "cache.json", "it changed while the run was at work"
KEPT = {"made of": dict, "seen": dict, "seconds": (int, float), "cells": int}


class Project:
    """The files of a project's folder, as they are; read once for all of its notebooks."""

    def __init__(self, root: Path, build: Path):
        self.root, self.build = root.resolve(), build.resolve()
        self.aside = made_of.aside(self.root)
        self.files = self.read()

    def read(self) -> dict[str, str]:
        inside = self.build.is_relative_to(self.root)
        own = (self.build.relative_to(self.root).as_posix(),) if inside else ()
        return made_of.files(self.root, (*self.aside, *own))


def made(job: Job, files: dict[str, str], place: dict[str, str] | None = None) -> dict[str, str]:
    """{ingredient: mark} of all that the artefact of a job depends on, as it is now.

    `place` is where its kernel ran; None: this machine, in the environment that it would get here.
    """
    nb = notebook.read(job.source)
    if place is None:
        variables = kernel_environment.made(job.home or Path(), job.variables)
        place = made_of.place(variables, nb)
    return files | made_of.asked(job, nb) | place


def entry(job: Job, outcome: Outcome, before: dict[str, str], project: Project) -> dict | None:
    """What is kept of a job that ended well; None where nothing can be.

    `before` is `made` as the job began, without its artefact. What has another mark now was
    changed while the run was at work: who knows which of its versions was read.
    """
    if outcome.seen.never:
        return None
    after = made(job, project.read(), outcome.place)
    own = {os.path.relpath(path, project.root).replace(os.sep, "/") for path in outcome.seen.made}
    changed = {n for n in before | after if before.get(n) != after.get(n)} - own
    marks = after | dict.fromkeys(changed, UNKNOWN)
    marks |= {"its artefact": after["its artefact"]} | outcome.place
    marks |= {f"seen: {n}": found for n, found in made_of.then(outcome.seen).items()}
    kept = {"made of": marks, "seen": asdict(outcome.seen)}
    return kept | {"seconds": round(outcome.seconds, 1), "cells": outcome.cells}


def why_run(
    job: Job, known: dict | None, now: dict[str, str], besides: tuple[str, ...] = ()
) -> str:
    """Why a job must be executed though there is an entry of it; "" where it need not.

    `now` is what `made` says; ingredients in `besides` are no reason, and new cells of prose
    among the others are none.
    """
    if known is None:
        return "it has not been executed before, or what it read cannot be known"
    seen = made_of.now(Seen(**known["seen"]))
    now, was = now | {f"seen: {n}": found for n, found in seen.items()}, known["made of"]
    order = now.get(made_of.ORDER, "").split(), was.get(made_of.ORDER, "").split()
    besides += (made_of.ORDER,) * notebook.follows(*order)
    names = sorted(n for n in now | was if now.get(n) != was.get(n) and n not in besides)
    names = dict.fromkeys(_shown(n, job.root) for n in names)
    return f"{', '.join(names)} has changed" if names else ""


def _shown(name: str, root: Path) -> str:
    name = name.removeprefix("seen: ")
    return os.path.relpath(name, root.resolve()) if os.path.isabs(name) else name


def read(build: Path) -> dict[str, dict]:
    """{artefact: its entry}; of what is damaged nothing."""
    try:
        known = json.loads((build / NAME).read_text(encoding="utf-8"))
        return {name: each for name, each in known.items() if _whole(each)}
    except (OSError, ValueError, AttributeError):
        return {}


def _whole(kept: object) -> bool:
    if not isinstance(kept, dict):
        return False
    fields = set(Seen.__dataclass_fields__)
    return all(isinstance(kept.get(n), kind) for n, kind in KEPT.items()) and (
        set(kept["seen"]) == fields
        and all(isinstance(kept["seen"][n], dict) for n in ("opened", "listed", "made"))
    )


def write(known: dict[str, dict], build: Path) -> None:
    """Keep {artefact: its entry}; where that cannot be written, everything is executed again."""
    with contextlib.suppress(OSError):
        notebook.write(json.dumps(known, indent=1, sort_keys=True) + "\n", build / NAME)


def longest_first(jobs: list[Job], known: dict[str, dict]) -> list[Job]:
    """The jobs by the seconds of their last run; before them those without any, most code first."""

    def length(job: Job) -> tuple[float, int]:
        if kept := known.get(str(job.output)):
            return kept["seconds"], 0
        cells = notebook.code_cells(notebook.read(job.source))
        return float("inf"), sum(len(cell.source) for cell in cells)

    return sorted(jobs, key=length, reverse=True)
