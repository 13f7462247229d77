"""A folder or zip of submissions, as people and learning platforms leave them: whose is which file.

Known: a folder for each student; one flat folder, where a name begins with the student's (Canvas);
a folder `Jane Doe_77_assignsubmission_file_` (Moodle); zips of these. What is no notebook is named.
"""

import io
import json
import re
import zipfile
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MOST, LARGEST = 5_000, 100 * 2**20  # files in a submission folder, bytes of one of them
MOODLE = re.compile(r"^(.+?)_(\d+)_assignsubmission_\w+$")
CANVAS = re.compile(r"^(.+?)_(?:(LATE)_)?(\d+)_(\d+)_(.*)$")
OURS = ("bds-homework", "__MACOSX", ".ipynb_checkpoints")
ENDINGS = (".ipynb", ".zip")


@dataclass
class Submission:
    """A student's notebook of one problem, or why there is none; `notes` do not change points."""

    student: str
    problem: int
    notebook: dict | None = None
    state: str = ""  # "" or missing, unreadable, twice
    notes: list[str] = field(default_factory=list)
    late: bool = False


def collect(place):
    """([Submission] of each student and problem, [a sentence for each file that is none])."""
    found, said = {}, []
    for name, content in _files(Path(place), said):
        student, late = whose(name)
        problem, notebook, fault = understood(name, content)
        if not problem:
            said.append(f"{name}: {fault}")
            continue
        found.setdefault((student, problem), []).append((name, notebook, fault, late))
    students = sorted({student for student, _ in found})
    made = [
        _one(student, n, found.get((student, n), [])) for student in students for n in range(1, 6)
    ]
    return made, said


def _one(student, problem, files):
    """The submission of a student's `files` for a problem: of several the same, or none."""
    if not files:
        return Submission(student, problem, state="missing")
    late = any(each[3] for each in files)
    different = {json.dumps(notebook, sort_keys=True) for _, notebook, _, _ in files}
    if len(different) > 1:
        names = ", ".join(sorted(each[0] for each in files))
        return Submission(student, problem, None, "twice", [f"several notebooks: {names}"], late)
    name, notebook, fault, _ = files[0]
    if notebook is None:
        return Submission(student, problem, None, "unreadable", [f"{name}: {fault}"], late)
    return Submission(student, problem, notebook, late=late)


def _files(place, said):
    """(path, bytes) of every file of a folder or zip, and of the zips in it."""
    if place.is_dir():
        root = place.resolve()
        for path in sorted(place.rglob("*")):
            name = path.relative_to(place).as_posix()
            if not path.is_file() or _apart(name):
                continue
            if not path.resolve().is_relative_to(root):
                said.append(f"{name}: it is a link to somewhere else, and is not followed.")
            elif path.stat().st_size > LARGEST:
                said.append(f"{name}: it has more than {LARGEST // 2**20} MB, and is not opened.")
            else:
                yield from _opened(name, path.read_bytes(), said)
    else:
        yield from _opened("", place.read_bytes(), said)


def _apart(name):
    parts = PurePosixPath(name).parts
    return any(part in OURS[1:] or part.startswith(".") for part in parts)


def _opened(name, content, said, depth=0):
    """The file itself, or what is in it if it is a zip; a bomb or a way out is named."""
    if name and not name.lower().endswith(".zip"):
        yield name, content
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = [each for each in archive.infolist() if not each.is_dir()]
            total = sum(each.file_size for each in entries)
            if depth > 2 or len(entries) > MOST or total > 10 * LARGEST:
                said.append(f"{name or 'the zip'}: it unpacks to too much, and is not opened.")
                return
            for entry in entries:
                inner = PurePosixPath(name.removesuffix(".zip"), entry.filename).as_posix()
                if ".." in PurePosixPath(entry.filename).parts or entry.filename.startswith("/"):
                    said.append(f"{inner}: its path leads out of the zip, and is not followed.")
                elif entry.file_size > LARGEST:
                    said.append(f"{inner}: it has more than {LARGEST // 2**20} MB.")
                elif not _apart(entry.filename):
                    yield from _opened(inner, archive.read(entry), said, depth + 1)
    except (zipfile.BadZipFile, OSError, RuntimeError, NotImplementedError) as error:
        said.append(f"{name or 'the zip'}: it is no zip that can be opened ({error}).")


def whose(name):
    """(the student, whether it is marked late) of a file's path in the submissions."""
    first, *rest = PurePosixPath(name).parts
    if found := MOODLE.match(first):
        return f"{found[1]} ({found[2]})", False
    if found := CANVAS.match(first):
        return f"{found[1]} ({found[3]})", bool(found[2])
    if rest:
        return first, False
    return re.sub(
        r"[\s_-]*(homework|hw|problem)?[\s_-]*0?[1-5]([ _-].*|\(.*)?$", "", _stem(first)
    ), False


def _stem(name):
    return re.sub(r"\.ipynb$", "", name, flags=re.IGNORECASE)


def understood(name, content):
    """(problem or 0, the notebook or None, a sentence) of a file."""
    if not name.lower().endswith(".ipynb"):
        return 0, None, "it is no notebook (.ipynb), so it is not graded."
    number = re.findall(r"(?<!\d)0?([1-5])(?!\d)", _stem(PurePosixPath(name).name))
    by_name = int(number[0]) if number else 0
    try:
        found = json.loads(content.decode("utf-8-sig"))
        cells = found["cells"]
        for cell in cells:
            cell["source"] = "".join(cell["source"])
            meta = cell.get("metadata") or {}
            cell["key"] = (meta.get("nbgrader") or {}).get("grade_id", "")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return by_name, None, "it cannot be read as a notebook."
    own = (found.get("metadata") or {}).get("homework") or {}
    keys = [re.match(r"[aqtw]([1-5])-\d", str(cell["key"])) for cell in cells]
    problem = own.get("problem") or next((int(key[1]) for key in keys if key), by_name)
    if problem not in range(1, 6):
        return 0, None, "it does not say which problem it answers."
    return problem, {"cells": cells, "metadata": found.get("metadata") or {}}, ""
