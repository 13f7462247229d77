"""Points and feedback for a folder of submissions: `make grade SUBMISSIONS=folder`.

Each notebook runs in a closed room of its own (`room`), and the questions' checks ask it for values
from outside. What a machine could not finish goes to a person, and is never a wrong answer.
"""

import argparse
import hashlib
import json
import re
import secrets
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from classroom import intake, pages, self_check, solved, student
from classroom.ask import Ask
from classroom.room import Ended, Limits, NoWalls, Room, try_walls
from homework import checks
from runner import notebook
from runner.notebook import UsageError

ROOMS = 3  # for one notebook: what ends one costs its question, and the rest is asked in the next
ASIDE = "raise RuntimeError('this cell ended the room, and was left out')"


def merged(submitted, given):
    """([(key, code)] as it is run, {question: a word in a Markdown cell}, notes).

    The student's cells in the student's order; given cells are put back as they were, and missing
    ones beside their neighbours. `given` is the notebook that was handed out.
    """
    locked = {c.metadata.nbgrader.grade_id: c for c in given.cells if c.metadata.nbgrader.locked}
    order = [cell.metadata.nbgrader.grade_id for cell in given.cells]
    cells, notes, words, missing = [], [], {}, [key for key in order if key in locked]
    for cell in submitted["cells"]:
        key = cell["key"] if cell["key"] in order else ""
        if key in locked:
            if key not in missing:
                continue  # a copy of a given cell
            if cell["source"].rstrip() != locked[key].source.rstrip():
                notes.append(f"the given cell {key} was changed, and is put back")
            before = missing[: missing.index(key)]
            missing = missing[len(before) + 1 :]
            cells += [(each, locked[each]) for each in (*before, key)]
        elif cell.get("cell_type") == "code":
            cells.append((key, cell["source"]))
        elif key:
            words[key] = cell["source"]
        else:
            words.setdefault("own", "")
            words["own"] += "\n" + cell["source"]
    cells += [(key, locked[key]) for key in missing]
    lost = [
        key for key in order if key in locked and key not in {c["key"] for c in submitted["cells"]}
    ]
    notes += [f"the given cell {key} was lost, and is put back" for key in lost]
    keys = [key for key, _ in cells if key and key not in locked]
    notes += [
        f"the cell {key} is there twice" for key in sorted({k for k in keys if keys.count(k) > 1})
    ]
    run = [(key, c if isinstance(c, str) else c.source) for key, c in cells if _is_code(c)]
    return run, words, notes


def _is_code(cell):
    return isinstance(cell, str) or cell.cell_type == "code"


def graded(submission, given, seed, draw, folder, trust=False, limits=None):
    """What a notebook gets: {"questions": {question: …}, "notes", "words", "seconds"}."""
    began, problem = time.monotonic(), submission.problem
    cells, words, notes = merged(submission.notebook, given)
    asked = solved.asked(solved.load()[problem])
    most = {
        c.metadata.nbgrader.grade_id: c.metadata.nbgrader.points
        for c in given.cells
        if c.metadata.nbgrader.grade
    }
    locked = [c.metadata.nbgrader.grade_id for c in given.cells if c.metadata.nbgrader.locked]
    questions, open_ = {}, [*asked]
    limits = limits or Limits(imports=120, whole=240) if problem == 2 else limits or Limits()
    for _ in range(ROOMS):
        own = next((n for n, (key, _) in enumerate(cells) if key not in locked), 0)
        at, room = None, Room([code for _, code in cells], folder, limits, trust, own)
        try:
            with room:
                for at in [*open_]:
                    rng = np.random.default_rng([draw, seed, problem])
                    numbers = checks.numbers_of(problem, seed, rng)
                    got = checks.check_of(at)(Ask(room.ask), numbers)
                    questions[at] = _judged(got, most[f"t{at.replace('.', '-')}"])
                    open_.remove(at)
                break
        except Ended as ended:
            if at is None:
                number = len(room.errors)
                key, _ = cells[min(number, len(cells) - 1)]
                at = key[1:].replace("-", ".") if re.match(r"[at]\d-\d", key) else ""
                notes.append(f"code cell {number + 1} ended the room ({ended.why})")
                cells[min(number, len(cells) - 1)] = (key, ASIDE)
            if at in open_:
                open_.remove(at)
                said = f"It was stopped: {ended.why}. A person looks at it."
                key = f"t{at.replace('.', '-')}"
                questions[at] = {"points": 0, "most": most[key], "state": ended.why, "said": [said]}
    for at in open_:
        said = "Other cells ended the room each time. A person looks at it."
        key = f"t{at.replace('.', '-')}"
        questions[at] = {"points": 0, "most": most[key], "state": "not asked", "said": [said]}
    _found_elsewhere(questions, asked, words)
    notes += [
        f"a cell stops ({key or 'own'}): {error[:120]}"
        for (key, code), error in zip(cells, room.errors, strict=False)
        if error and not key.startswith("t") and code != ASIDE
    ]
    for key in (key for key in most if key.startswith("w")):
        text = words.get(key, "").replace(self_check.STUB, "").strip()
        question = f"{key[1:].replace('-', '.')} words"
        state = "to be read" if len(text.split()) > 2 else "not answered"
        questions[question] = {"points": 0, "most": most[key], "state": state, "said": []}
    written = {
        f"{key[1:].replace('-', '.')} words": words.get(key, "") for key in most if key[0] == "w"
    }
    return {
        "questions": questions,
        "notes": notes,
        "words": written,
        "code": {key: code for key, code in cells if re.match(r"a\d-\d", key)},
        "seconds": round(time.monotonic() - began, 1),
    }


def _judged(got, most):
    if got.points >= most:
        state = "right"
    elif got.points:
        state = "partly"
    else:
        state = "not answered" if all(_open(said) for said in got.said) else "wrong"
    return {"points": got.points, "most": most, "state": state, "said": list(got.said)}


def _open(said):
    return said.endswith(" is not answered yet.") or " is not there: " in said


def _found_elsewhere(questions, asked, words):
    """Send an answer to a person that is not there as code, but in a cell of Markdown."""
    for question, names in asked.items():
        texts = [words.get(f"a{question.replace('.', '-')}", ""), words.get("own", "")]
        defined = any(re.search(rf"\bdef {n}\b|^{n} *=", t, re.M) for t in texts for n in names)
        if defined and questions[question]["state"] == "not answered":
            said = "The answer's cell is Markdown, so nothing of it ran. A person looks at it."
            questions[question] |= {"state": "answer is Markdown", "said": [said]}


def main(arguments=None):
    """0, or 2 with one sentence where nothing could be graded."""
    parser = argparse.ArgumentParser(prog="classroom.grade", description=__doc__.split("\n")[0])
    parser.add_argument("submissions", type=Path)
    parser.add_argument("--seed", default="", help="of the class; build/student/class.json has it")
    parser.add_argument("--grades", type=Path, default=Path("build/grades"))
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--force", action="store_true", help="grade again what has not changed")
    parser.add_argument("--trust", action="store_true", help="run students' code without walls")
    options = parser.parse_args(arguments)
    try:
        return _main(options)
    except (UsageError, NoWalls) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted: what was graded is kept, and the next make grade goes on from there.")
        return 130


def _main(options):
    if not str(options.submissions) or not options.submissions.exists():
        raise UsageError(f"There are no submissions at {str(options.submissions)!r}.")
    seed = _seed(options.seed)
    if not options.trust:
        try_walls()
    rubric = tomllib.loads((solved.ROOT / "homework" / "rubric.toml").read_text(encoding="utf-8"))
    folder = options.grades / "class"
    handed_out = student.files(seed)
    for name, content in handed_out.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    given = {n: student.copy(nb, n, seed) for n, nb in solved.load().items()}
    submissions, said = intake.collect(options.submissions)
    if not submissions:
        raise UsageError(f"There is no notebook in {options.submissions}.")
    kept = options.grades / "results"
    kept.mkdir(parents=True, exist_ok=True)
    draw = _draw(options)
    code = _code()

    def one(submission):
        if submission.notebook is None:
            return submission, {}
        whole = [submission.student, submission.notebook, seed, draw, code, options.trust]
        content = json.dumps(whole, sort_keys=True)
        file = kept / f"{hashlib.sha256(content.encode()).hexdigest()[:24]}.json"
        if not file.exists():
            result = graded(
                submission, given[submission.problem], seed, draw, folder, options.trust
            )
            notebook.write(json.dumps(result, indent=1), file)
            print(_line(submission, result), flush=True)
        return submission, json.loads(file.read_text(encoding="utf-8"))

    with ThreadPoolExecutor(options.workers or 2) as pool:
        results = list(pool.map(one, submissions))
    for sentence in said:
        print(sentence)
    print(pages.write(options.grades, results, said, rubric, seed, options.trust))
    return 0


def _line(submission, result):
    questions = result["questions"].values()
    points, most = (sum(each[name] for each in questions) for name in ("points", "most"))
    people = sum(each["state"] not in pages.DONE for each in questions)
    state = f"{people} for a person" if people else "graded"
    name = f"{submission.student}, {submission.problem}"
    return f"{name:40} {points:5g} of {most:g}  {state:16} {result['seconds']:6.1f} s"


def _seed(typed):
    kept = Path("build/student") / student.KEPT
    if not typed and kept.is_file():
        return json.loads(kept.read_text(encoding="utf-8"))["seed"]
    if not re.fullmatch(r"\d{1,6}", typed):
        raise UsageError("Say which class this is: SEED=2026 (its class.json has the number).")
    return int(typed)


def _draw(options):
    """What the hidden arguments are drawn from: kept, so that an interrupted grading goes on."""
    file = options.grades / "draw"
    if options.force or not file.exists():
        file.write_text(str(secrets.randbits(32)), encoding="utf-8")
    return int(file.read_text(encoding="utf-8"))


def _code():
    """A hash of the code that gives points: after a change everything is graded again."""
    paths = [*(solved.ROOT / "homework").rglob("*.py"), *(solved.ROOT / "classroom").glob("*.py")]
    texts = b"".join(path.read_bytes() for path in sorted(paths))
    return hashlib.sha256(texts).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
