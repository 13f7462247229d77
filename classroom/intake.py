"""A folder or zip of submissions, as people and learning platforms leave them: whose is which file.

Known: a folder for each student; one flat folder, where a name begins with the student's (Canvas);
a folder `Jane Doe_77_assignsubmission_file_` (Moodle); zips of these, also in a folder of their
own. What is no notebook is named.
"""

import io
import json
import os
import re
import zipfile
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

MOST, LARGEST = 5_000, 64 * 2**20  # files of a submission folder, bytes of one of them
CELLS = 2_000  # of a notebook
CANVAS = re.compile(r"(.+?)_(?:(LATE)_)?(\d{3,})_(\d{3,})_(.*)")
MOODLE = re.compile(r"(.+?)_(\d+)_assignsubmission_[a-z]+_?(.*)")
BLACKBOARD = re.compile(r".+?_([^_]+)_attempt_[\d-]{10,}(?:_|$)(.*)")
BRIGHTSPACE = re.compile(r"\d+-\d+ - (.+?) - .+")
TOO_LARGE = f"it has more than {LARGEST // 2**20} MB, and is not opened."
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
    name: str = ""  # the student's, where `student` is a code


def collect(place, handed_out=(), is_untouched=lambda problem, read: False):
    """([Submission] of each student and problem, [(student, a sentence on a file of theirs)]).

    `handed_out` are paths that students got, and that nobody has to hear of when they come back;
    `is_untouched` tells of a notebook whether nobody has worked in it.
    """
    place, said, files, found = Path(place), [], [], defaultdict(list)
    for name, content, fault in _files(place):
        parts = tuple(map(_printable, PurePosixPath(name).parts)) or ("?",)
        files.append((parts, *understood(parts[-1], content, _printable(fault))))
    notebooks = [parts for parts, problem, *_ in files if problem]
    if all(any(map(MOODLE.fullmatch, parts)) for parts in notebooks):  # also in several exports
        files = [(_from_moodle(parts), *rest) for parts, *rest in files]
    skip = _wrapped([parts for parts, problem, *_ in files if problem])
    students = _folders(place) if not skip else set()  # somebody may have handed in nothing
    for parts, problem, read, fault in files:
        parts = parts[skip:] if len(parts) > skip else parts
        student, late, shown = whose(parts, problem)
        student = student or place.stem
        nobodys = not problem and len(parts) == 1 and not _named(parts[0])  # a list of the class
        if problem:
            found[student, problem].append((shown, read, fault, late))
        elif not any(f"/{'/'.join(parts)}".endswith(f"/{name}") for name in handed_out):
            said.append(("" if nobodys else student, f"{shown}: {fault}"))
        students |= set() if nobodys else {student}
    problems = sorted({problem for _, problem in found})
    made = []
    for student in sorted(students):
        for problem in problems:
            several = found[student, problem]
            if len(several) > 1:  # such as the copy that came with the zip
                worked_in = [each for each in several if not is_untouched(problem, each[1])]
                several = worked_in or several[:1]
            made.append(_one(student, problem, several))
    return made, said


def _folders(place):
    names = [path.name for path in place.iterdir() if path.is_dir()] if place.is_dir() else []
    return {(_named(name) or (name,))[0] for name in map(_printable, names) if not _apart(name)}


def _printable(name):
    """A name or sentence as it can be shown: no control signs, no spaces around or in a row."""
    return " ".join("".join(c if c.isprintable() else " " for c in name).split())


def _from_moodle(parts):
    named = [place for place, part in enumerate(parts) if MOODLE.fullmatch(part)]
    return parts[named[0] if named else 0 :]


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
    if not place.is_dir():
        yield from _opened("", place.read_bytes())
        return
    for path in sorted(place.rglob("*")):
        name = os.fsencode(path.relative_to(place).as_posix()).decode("utf-8", "replace")
        if _apart(name) or (path.is_dir() and not path.is_symlink()):
            continue
        if path.is_symlink():
            yield name, b"", "it is a link to somewhere else, and is not followed."
        elif not path.is_file():
            yield name, b"", "it is no file that can be read."
        elif path.stat().st_size > LARGEST:
            yield name, b"", TOO_LARGE
        else:
            try:
                content = path.read_bytes()
            except OSError as error:
                yield name, b"", f"it cannot be read ({error.strerror})."
            else:
                yield from _opened(name, content)


def _apart(name):
    parts = PurePosixPath(name).parts
    return any(part in APART or part.startswith(".") for part in parts)


def _opened(name, content, depth=0, left=None):
    """The file itself, or what is in it if it is a zip; a bomb or a way out is named.

    `left` is how many bytes the whole file may unpack to.
    """
    if name and not name.lower().endswith(".zip"):
        yield name, content, ""
        return
    folder, name, left = PurePosixPath(_stem(name)), name or "the zip", left or [5 * LARGEST]
    try:
        archive = zipfile.ZipFile(io.BytesIO(content))
        entries = [each for each in archive.infolist() if not each.is_dir()]
    except Exception as error:  # of a stranger's bytes, and in many kinds
        yield name, b"", f"it is no zip that can be opened ({error})."
        return
    for entry in entries[:MOST]:
        inside = PurePosixPath(entry.filename)
        inner = (folder / inside.relative_to(inside.anchor)).as_posix()
        wanted = inner.lower().endswith((".ipynb", ".zip"))
        if ".." in inside.parts or inside.anchor:
            way_out = f"its path {entry.filename} leads out of the zip, and is not followed."
            yield (folder / inside.name).as_posix(), b"", way_out
        elif _apart(inner):
            continue
        elif not wanted:
            yield inner, b"", ""
        elif entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            # The others unpack a whole piece at once, whatever the entry says of its size.
            yield inner, b"", "it is packed in a way that is not opened."
        elif entry.file_size > LARGEST:
            yield inner, b"", TOO_LARGE
        elif entry.file_size > left[0] or depth > 2:
            yield inner, b"", "the zip around it unpacks to too much; it is not opened."
        else:
            left[0] -= entry.file_size
            try:
                unpacked = archive.read(entry)
            except Exception as error:
                yield inner, b"", f"it cannot be unpacked ({error})."
            else:
                yield from _opened(inner, unpacked, depth + 1, left)
    if len(entries) > MOST:
        yield name, b"", f"it has {len(entries):,} files, and only {MOST:,} are looked at."


def _wrapped(paths):
    """How many folders stand around those of all students: 1 for submissions/jane/03.ipynb."""
    if paths and all(CANVAS.fullmatch(parts[-1]) for parts in paths):
        return min(map(len, paths)) - 1
    common = 0
    while paths and len({parts[: common + 1] for parts in paths}) == 1 < len(paths[0]) - common:
        common += 1
    below = [parts[common:] for parts in paths]
    common = common if all(len(parts) > 1 or _named(parts[0]) for parts in below) else 0
    # hw1/jane/01.ipynb, hw1/joe/01.ipynb: the same file in several folders below the first
    twice = defaultdict(set)
    for parts in paths:
        twice[parts[common], parts[-1]].add(parts[:-1])
    deep = all(len(parts) > common + 2 for parts in paths)
    return common + (deep and any(len(folders) > 1 for folders in twice.values()))


def whose(parts, problem):
    """(the student, whether it is marked late, the file's own name) of the parts of a path."""
    first, *rest = parts
    if found := _named(first):
        return found[0], found[1], "/".join(rest) or found[2]
    if rest:
        return first, False, "/".join(rest)
    # jane-03-gradient-descent, hw3_jane, 03 (1): a name before or after the problem's number
    stem = re.sub(r"\s*(\(\d+\)|-Copy\d+)$", "", _stem(first)[:200])
    word = r"(?:assignment|homework|hw|problem)"
    number = rf"(?:^|(.*)[\s_-])(?:{word}[\s_-]*)?0?{problem}(?:[\s_-]+(.*))?"
    flat = re.fullmatch(number, stem, re.IGNORECASE)
    return (flat[1] or flat[2] or "" if flat else stem), False, first


def _named(part):
    """(student, late, what follows the name) where a platform has named a file or folder."""
    if found := MOODLE.fullmatch(part):
        return found[1], False, found[3] or part
    if found := CANVAS.fullmatch(part):
        return f"{found[1]} ({found[3]})", bool(found[2]), found[5]
    if found := BLACKBOARD.fullmatch(part):
        return found[1], False, found[2] or part
    if found := BRIGHTSPACE.fullmatch(part):
        return found[1], False, part
    return None


def _stem(name):
    return re.sub(r"\.(ipynb|zip)$", "", name, flags=re.IGNORECASE)


def understood(name, content, fault=""):
    """(problem or 0, {"cells": […], "given": its marks} or None, a sentence) of a file."""
    if not name.lower().endswith(".ipynb"):
        return 0, None, fault or "it is no notebook (.ipynb), so it is not graded."
    stem = _stem(PurePosixPath(name).name)
    number = re.search(r"(?<!\d)0([1-5])(?!\d)", stem) or re.search(r"(?<!\d)([1-5])(?!\d)", stem)
    by_name = int(number[1]) if number else 0
    if fault:
        return by_name, None, fault
    try:
        found = json.loads(content)  # in whichever of Unicode's encodings
        sheets = [found] if "cells" in found else found["worksheets"]  # before 2015
        cells = [cell for sheet in sheets for cell in sheet["cells"]]
        if len(cells) > CELLS:
            return by_name, None, f"it has {len(cells):,} cells; up to {CELLS:,} are read."
        cells = [_cell(cell) for cell in cells]
        own = (found.get("metadata") or {}).get("homework") or {}
        problem, seed, given = (own.get(name) for name in ("problem", "seed", "given"))
    except Exception:  # of a stranger's JSON, and in many kinds
        return by_name, None, "it cannot be read as a notebook."
    keys = [re.match(r"[aqtw]([1-5])-\d", cell["key"]) for cell in cells]
    problem = problem or next((int(key[1]) for key in keys if key), by_name)
    if type(problem) is not int or not 1 <= problem <= 5:
        return by_name, None, "it does not say which problem it answers."
    given = given if isinstance(given, dict) else {}
    given = {key: text for key, text in given.items() if isinstance(text, str)}
    seed = seed if type(seed) is int else None
    return problem, {"cells": cells, "given": given, "seed": seed}, ""


def _cell(cell):
    """A cell without its outputs, which nobody grades and which may be large."""
    own = (cell.get("metadata") or {}).get("nbgrader") or {}
    source = cell["source"] if "source" in cell else cell["input"]  # before 2015
    source = "".join(source).encode("utf-8", "replace").decode("utf-8")
    return {"key": str(own.get("grade_id", "")), "cell_type": cell["cell_type"], "source": source}
