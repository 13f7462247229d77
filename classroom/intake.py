"""A folder or zip of submissions, as people and learning platforms leave them: whose is which file.

Known: a folder for each student; one flat folder, where a name begins with the student's (Canvas);
a folder `Jane Doe_77_assignsubmission_file_` (Moodle); zips of these, also in a folder of their
own. What is no notebook is named.
"""

import io
import json
import re
import zipfile
import zlib
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

import nbformat

MOST, LARGEST = 5_000, 100 * 2**20  # files in a submission folder, bytes of one of them
MOODLE = re.compile(r"(.+?)_(\d+)_assignsubmission_\w+")
CANVAS = re.compile(r"(.+?)_(?:(LATE)_)?(\d{3,})_(\d{3,})_(.*)")
# jane-03-gradient-descent, hw3_jane, 03 (1): a name before or after the problem's number
FLAT = r"(.*?)[\s_-]*(?:assignment|homework|hw|problem)?[\s_-]*{}(?:[\s_-]+(.*?))?\s*(?:\(\d+\))?"
TOO_LARGE = f"it has more than {LARGEST // 2**20} MB, and is not opened."
BAD_ZIP = (
    zipfile.BadZipFile,
    OSError,
    RuntimeError,
    NotImplementedError,
    ValueError,
    EOFError,
    zlib.error,
)
APART = ("__MACOSX", "__pycache__", "bds-homework.zip")


@dataclass
class Submission:
    """A student's notebook of one problem, or why there is none; `notes` do not change points."""

    student: str
    problem: int
    notebook: dict | None = None
    state: str = ""  # "" or missing, unreadable, twice
    notes: list[str] = field(default_factory=list)
    late: bool = False


def collect(place, handed_out=()):
    """([Submission] of each student and problem, [(student, a sentence on a file of theirs)]).

    `handed_out` are paths that students got, and that nobody has to hear of when they come back.
    """
    place, said, files, found = Path(place), [], [], defaultdict(list)
    for name, content, fault in _files(place):
        understanding = (0, None, fault) if fault else understood(name, content)
        files.append((PurePosixPath(name).parts, *understanding))
    skip = _wrapped([parts for parts, problem, *_ in files if problem])
    students = _folders(place) if not skip else set()  # somebody may have handed in nothing
    for parts, problem, read, fault in files:
        parts = parts[skip:] if len(parts) > skip else parts
        student, late, shown = whose(parts)
        student = student or place.stem
        nobodys = len(parts) == 1 and _named(shown)[0] == parts[0]  # such as a list of the class
        if problem:
            students.add(student)
            found[student, problem].append((shown, read, fault, late))
        elif not any(f"/{'/'.join(parts)}".endswith(f"/{name}") for name in handed_out):
            students |= set() if nobodys else {student}
            said.append(("" if nobodys else student, f"{shown}: {fault}"))
    problems = sorted({problem for _, problem in found})
    made = [_one(student, n, found[student, n]) for student in sorted(students) for n in problems]
    return made, said


def _folders(place):
    names = [path.name for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
    return {_named(name)[0] for name in names if not _apart(name)}


def _one(student, problem, files):
    """The submission of a student's `files` for a problem: of several the same, or none."""
    if not files:
        return Submission(student, problem, state="missing")
    late = any(each[3] for each in files)
    different = {json.dumps(read, sort_keys=True) for _, read, _, _ in files}
    if len(different) > 1:
        names = ", ".join(sorted(each[0] for each in files))
        said = f"several notebooks of assignment {problem}, which differ: {names}; leave one there"
        return Submission(student, problem, None, "twice", [said], late)
    name, read, fault, _ = files[0]
    if read is None:
        return Submission(student, problem, None, "unreadable", [f"{name}: {fault}"], late)
    return Submission(student, problem, read, late=late)


def _files(place):
    """(path, bytes, why it is not read) of every file of a folder or zip, and of the zips in it."""
    if place.is_dir():
        root = place.resolve()
        for path in sorted(place.rglob("*")):
            name = path.relative_to(place).as_posix()
            if _apart(name) or path.is_dir():
                continue
            if not path.resolve().is_relative_to(root):
                yield name, b"", "it is a link to somewhere else, and is not followed."
            elif not path.is_file():
                yield name, b"", "it is no file that can be read."
            elif path.stat().st_size > LARGEST:
                yield name, b"", TOO_LARGE
            else:
                yield from _opened(name, path.read_bytes())
    else:
        yield from _opened("", place.read_bytes())


def _apart(name):
    parts = PurePosixPath(name).parts
    return any(part in APART or part.startswith(".") for part in parts)


def _opened(name, content, depth=0):
    """The file itself, or what is in it if it is a zip; a bomb or a way out is named."""
    if name and not name.lower().endswith(".zip"):
        yield name, content, ""
        return
    folder, name = PurePosixPath(_stem(name)), name or "the zip"
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = [each for each in archive.infolist() if not each.is_dir()]
        if depth > 2 or len(entries) > MOST or sum(e.file_size for e in entries) > 10 * LARGEST:
            yield name, b"", "it unpacks to too much, and is not opened."
            return
    except BAD_ZIP as error:
        yield name, b"", f"it is no zip that can be opened ({error})."
        return
    for entry in entries:
        inside = PurePosixPath(entry.filename)
        inner = (folder / inside.relative_to(inside.anchor)).as_posix()
        if ".." in inside.parts or inside.anchor:
            way_out = f"its path {entry.filename} leads out of the zip, and is not followed."
            yield (folder / inside.name).as_posix(), b"", way_out
        elif entry.file_size > LARGEST:
            yield inner, b"", TOO_LARGE
        elif not _apart(inner):
            try:
                unpacked = archive.read(entry)
            except BAD_ZIP as error:
                yield inner, b"", f"it cannot be unpacked ({error})."
            else:
                yield from _opened(inner, unpacked, depth + 1)


def _wrapped(paths):
    """How many folders stand around those of all students: 1 for submissions/jane/03.ipynb."""
    common = 0
    while paths and len({parts[: common + 1] for parts in paths}) == 1 < len(paths[0]) - common:
        common += 1
    below = [parts[common:] for parts in paths]
    named = all(len(parts) > 1 or CANVAS.fullmatch(parts[0]) for parts in below)
    return common if named else 0


def whose(parts):
    """(the student, whether it is marked late, the file's own name) of the parts of a path."""
    if moodle := [part for part in parts if MOODLE.fullmatch(part)]:
        return *_named(moodle[0])[:2], parts[-1]
    first, *rest = parts
    student, late, shown = _named(first)
    if rest:
        return student, late, "/".join(rest)
    if student != first:
        return student, late, shown
    for number in ("0[1-5]", "[1-5]"):
        if flat := re.fullmatch(FLAT.format(number), _stem(first), re.IGNORECASE):
            return flat[1] or flat[2] or "", False, first
    return _stem(first), False, first


def _named(first):
    """(student, late, what follows the name) of a folder or file as a platform names it."""
    if found := MOODLE.fullmatch(first):
        return f"{found[1]} ({found[2]})", False, first
    if found := CANVAS.fullmatch(first):
        return f"{found[1]} ({found[3]})", bool(found[2]), found[5]
    return first, False, first


def _stem(name):
    return re.sub(r"\.(ipynb|zip)$", "", name, flags=re.IGNORECASE)


def understood(name, content):
    """(problem or 0, {"cells": […], "given": its marks} or None, a sentence) of a file."""
    if not name.lower().endswith(".ipynb"):
        return 0, None, "it is no notebook (.ipynb), so it is not graded."
    number = re.findall(r"(?<!\d)0?([1-5])(?!\d)", _stem(PurePosixPath(name).name))
    by_name = int(number[0]) if number else 0
    try:
        found = json.loads(content)  # in whichever of Unicode's encodings
        if "worksheets" in found:  # before 2015
            found = nbformat.convert(nbformat.from_dict(found), 4)
        cells = [_cell(cell) for cell in found["cells"]]
        own = (found.get("metadata") or {}).get("homework") or {}
        own, given = own.get("problem"), dict(own.get("given") or {})
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return by_name, None, "it cannot be read as a notebook."
    keys = [re.match(r"[aqtw]([1-5])-\d", cell["key"]) for cell in cells]
    problem = own or next((int(key[1]) for key in keys if key), by_name)
    if problem not in range(1, 6):
        return 0, None, "it does not say which problem it answers."
    return problem, {"cells": cells, "given": given}, ""


def _cell(cell):
    """A cell without its outputs, which nobody grades and which may be large."""
    own = (cell.get("metadata") or {}).get("nbgrader") or {}
    key, source = str(own.get("grade_id", "")), "".join(cell["source"])
    return {"key": key, "cell_type": cell.get("cell_type"), "source": source}
