"""The copies of the assignments that students get: `make student SEED=2026`.

Answers and outputs are taken out, the class's own numbers are put in, and nothing is written where
an answer is left in any file (`leaks`). The folder can be handed out as one zip.
"""

import argparse
import hashlib
import io
import json
import re
import shutil
import sys
import zipfile
from pathlib import Path

import nbformat

from classroom import demo, leaks, solved
from classroom.self_check import STUB, mark
from homework import class_numbers
from runner import notebook
from runner.execute import modules
from runner.notebook import UsageError

ROOT = solved.ROOT
MARKS = BEGIN, END = "### BEGIN SOLUTION", "### END SOLUTION"
ZIP, KEPT = "bds-homework.zip", "class.json"
LONG_AGO = (2025, 2, 21, 0, 0, 0)  # of every file in the zip, so that its bytes are the same
NEEDED = {
    "requirements.txt": "ipykernel jupyterlab matplotlib numpy pandas scikit-learn scipy",
    "requirements-2.txt": "ai-edge-litert tensorflow tensorflow-cpu torch",
}


def copy(nb, problem, seed, lessons="", address=""):
    """A student's copy of the solved assignment `nb`, with the numbers of class `seed`.

    `lessons` is where the lessons can be read on the web: without it their names are no links.
    `address` is where a notebook alone can fetch the zip.
    """
    cells = [cell for cell in nb.cells if "solutions" not in cell.metadata.get("tags", [])]
    fresh = nbformat.v4.new_notebook(metadata={"kernelspec": nb.metadata.kernelspec})
    for cell in cells:
        own = cell.metadata.nbgrader
        if cell.id == "numbers":
            source = class_numbers.cell(problem, seed)
        elif cell.cell_type == "markdown":
            source = STUB if own.solution else linked(cell.source, lessons)
        else:
            source = without_solutions(cell) if own.solution else cell.source
        if cell.id == "find":
            source = source.replace('address = ""', f"address = {json.dumps(address)}")
        new = {"code": nbformat.v4.new_code_cell, "markdown": nbformat.v4.new_markdown_cell}
        made = new[cell.cell_type](source, metadata=cell.metadata, id=cell.id)
        fresh.cells.append(made)
    graded = [cell.metadata.nbgrader.grade_id for cell in cells if cell.metadata.nbgrader.grade]
    locked = [cell for cell in fresh.cells if cell.metadata.nbgrader.locked]
    given = {cell.metadata.nbgrader.grade_id: mark(cell.source) for cell in locked}
    own = {"problem": problem, "seed": seed, "graded": graded, "given": given}
    fresh.metadata["homework"] = own
    return fresh


def linked(text, lessons):
    """A text whose links to the lessons lead to their place on the web, or are no links."""
    target = rf"[\1]({lessons.rstrip('/')}/\2)" if lessons else r"\1"
    return re.sub(r"\[([^\]]+)\]\(\.\./notebooks/([^)]+)\)", target, text)


def without_solutions(cell):
    """The code of an answer cell, with nbgrader's stub in the place of each solution.

    Outside of a function nothing takes the solution's place: what is asked for stays None, and the
    notebook still runs from top to bottom.
    """
    lines, hidden = [], False
    for line in cell.source.splitlines():
        mark, indent = line.strip(), line[: len(line) - len(line.lstrip())]
        if mark in MARKS:
            if hidden is (mark == BEGIN):
                raise UsageError(f"Cell {cell.id!r} has {mark!r} in a wrong place.")
            hidden = mark == BEGIN
            stub = ["# YOUR CODE HERE", "raise NotImplementedError()"]
            lines += [indent + each for each in stub] if hidden and indent else []
        elif not hidden:
            lines.append(line)
    if hidden or BEGIN not in cell.source:
        raise UsageError(f"Cell {cell.id!r} needs its solution between {BEGIN!r} and {END!r}.")
    return "\n".join(lines)


def files(seed, lessons="", address=""):
    """{path in the folder: its bytes} of everything that a student gets."""
    copies = {n: copy(nb, n, seed, lessons, address) for n, nb in solved.load().items()}
    found = {f"0{n}.ipynb": notebook.clean(nb).encode() for n, nb in copies.items()}
    known = [path.relative_to(ROOT).as_posix() for path in (ROOT / "helpers").rglob("*.py")]
    for problem, nb in copies.items():
        imported = modules.imported(nb, ROOT / "homework", ROOT, known)
        if imported is None:
            raise UsageError(f"What 0{problem}.ipynb imports cannot be followed.")
        found |= {path.relative_to(ROOT).as_posix(): path.read_bytes() for path in imported}
    found["data/asd_train.csv"] = class_numbers.table(seed).to_csv(index=False).encode()
    found["README.md"] = (ROOT / "homework" / "for-students.md").read_bytes()
    found["check.py"] = (ROOT / "classroom" / "self_check.py").read_bytes()
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    for name, packages in NEEDED.items():
        wanted = [line for line in lock if line.partition("==")[0] in packages.split()]
        found[name] = ("\n".join(wanted) + "\n").encode()
    return dict(sorted(found.items()))


def packed(found):
    """The zip of {path: bytes}; the same files give the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in found.items():
            entry = zipfile.ZipInfo(f"bds-homework/{name}", LONG_AGO)
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def kept(found, seed):
    """What the instructor keeps, as JSON: the seed, and a mark of each file and each given cell."""
    own = {n: json.loads(text)["metadata"] for n, text in found.items() if n.endswith(".ipynb")}
    given = {name: metadata["homework"]["given"] for name, metadata in own.items()}
    told = {"seed": seed, "files": {n: _mark(text) for n, text in found.items()}, "given": given}
    return json.dumps(told, indent=1, sort_keys=True) + "\n"


def _mark(content):
    return hashlib.sha256(content).hexdigest()[:16]


def write(folder, found, seed):
    """Write the files, their zip and class.json to `folder`, whole or not at all.

    UsageError where somebody has worked in a notebook there since it was made.
    """
    if (folder / KEPT).is_file():
        before = json.loads((folder / KEPT).read_text(encoding="utf-8"))["files"]
        paths = [folder / name for name in before if name.endswith(".ipynb")]
        worked = [p for p in paths if p.exists() and _mark(p.read_bytes()) != before[p.name]]
        if worked:
            raise UsageError(f"Somebody has worked in {worked[0]}: move {folder}/ away first.")
    elif folder.exists():
        raise UsageError(f"{folder}/ was not made by this command: move it away first.")
    new = folder.with_name(f".{folder.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    for name, content in {**found, ZIP: packed(found), KEPT: kept(found, seed).encode()}.items():
        (new / name).parent.mkdir(parents=True, exist_ok=True)
        (new / name).write_bytes(content)
    shutil.rmtree(folder, ignore_errors=True)
    new.rename(folder)


def seed_of(folder):
    """The seed of the class that was handed out from a folder, or None."""
    file = Path(folder) / KEPT
    return json.loads(file.read_text(encoding="utf-8"))["seed"] if file.is_file() else None


def main(arguments=None):
    """0, or 2 with one sentence where nothing was written."""
    parser = argparse.ArgumentParser(prog="classroom.student", description=__doc__)
    parser.add_argument("--seed", default="", help="the class's number, 0 to 999999")
    parser.add_argument("--folder", type=Path, default=Path("build/student"))
    parser.add_argument("--lessons", default="", help="the lessons' folder on the web")
    parser.add_argument("--address", default="", help="where the zip will be on the web")
    options = parser.parse_args(arguments)
    try:
        typed = options.seed or str(seed_of(options.folder) or 0)
        if not re.fullmatch(r"\d{1,6}", typed):
            raise UsageError(f"SEED is a whole number from 0 to 999999, not {typed!r}.")
        seed = int(typed)
        for name, web in (("LESSONS", options.lessons), ("ADDRESS", options.address)):
            if web and not re.match(r"https?://[^\s/]+", web):
                raise UsageError(f"{name} is an address such as https://…, not {web!r}.")
        found = files(seed, options.lessons, options.address)
        if left := leaks.found(found, seed):
            more = f" (and {len(left) - 1} more)" if len(left) > 1 else ""
            raise UsageError(f"Nothing is written, since an answer would be: {left[0]}{more}")
        write(options.folder, found, seed)
    except (UsageError, OSError) as error:
        unwritten = isinstance(error, OSError)
        said = f"{error.filename} cannot be written: {error.strerror}." if unwritten else error
        print(said, file=sys.stderr)
        return 2
    trial = options.folder.with_name("demo")
    print(f"{options.folder / ZIP}: five assignments, 32 points in all, for class {seed}.")
    print(f"Hand out the zip, and keep {options.folder / KEPT}: it records what you handed out.")
    for name, text in demo.files(seed).items():
        (trial / name).parent.mkdir(parents=True, exist_ok=True)
        (trial / name).write_text(text, encoding="utf-8")
    print(f"To try grading on thirty made-up students: make grade SUBMISSIONS={trial}")
    if not seed:
        print("Class 0 has the homework's own numbers, whose answers are public: choose a SEED.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
