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

from classroom import intake, pages, self_check, solved, student, tables
from classroom.ask import Ask
from classroom.merge import merged
from classroom.room import Ended, Limits, Room
from classroom.walls import NoWalls, try_walls
from homework import checks
from runner import notebook
from runner.notebook import UsageError

ROOMS = 3  # for one notebook: what ends one costs its question, and the rest is asked in the next
ASIDE = "raise RuntimeError('this cell ended the room, and was left out')"


def graded(submission, given, seed, draw, folder, trust=False):
    """What a notebook gets: {"questions": {question: …}, "notes", "words", "code", "seconds"}.

    `given` is the notebook as it was handed out, `folder` what was handed out with it, and `draw`
    what the hidden arguments are drawn from.
    """
    began, problem = time.monotonic(), submission.problem
    cells, words, notes = merged(submission.notebook, given)
    own = {c.metadata.nbgrader.grade_id: c.metadata.nbgrader for c in given.cells}
    most = {key: meta.points for key, meta in own.items() if meta.grade}
    asked = solved.asked(solved.load()[problem])
    limits = Limits(imports=120, whole=240) if problem == 2 else Limits()
    given_first = [key in own and own[key].locked for key, _ in cells].index(False)

    def enter(code):
        return Room(code, folder, limits, trust, given_first)

    def check(question, room):
        numbers = checks.numbers_of(problem, seed, np.random.default_rng([draw, seed, problem]))
        return checks.check_of(question)(Ask(room.ask), numbers)

    states, errors = _ask_all([*asked], cells, enter, check, notes)
    questions = {q: _judged(got, most[f"t{q.replace('.', '-')}"]) for q, got in states.items()}
    _found_elsewhere(questions, asked, words)
    notes += [
        f"a cell stops ({key or 'own'}): {error[:120]}"
        for (key, code), error in zip(cells, errors, strict=False)
        if error and not key.startswith("t") and code != ASIDE
    ]
    written = {key: words.get(key, "") for key in most if key.startswith("w")}
    questions |= {_in_words(key): _to_read(text, most[key]) for key, text in written.items()}
    return {
        "questions": questions,
        "notes": notes,
        "words": {_in_words(key): text for key, text in written.items()},
        "code": {key: code for key, code in cells if re.match(r"a\d-\d", key)},
        "seconds": round(time.monotonic() - began, 1),
    }


def _ask_all(open_, cells, enter, check, notes):
    """({question: Points, or why it has none}, errors of the cells), in at most ROOMS rooms.

    What ends a room costs its question: the cell is left out, or the question is not asked again.
    """
    found, room = {}, None
    for _ in range(ROOMS):
        at, room = "", enter([code for _, code in cells])
        try:
            with room:
                for at in [*open_]:
                    found[at] = check(at, room)
                    open_.remove(at)
            break
        except Ended as ended:
            if not at:
                number = min(len(room.errors), len(cells) - 1)
                key, _ = cells[number]
                cells[number] = (key, ASIDE)
                notes.append(f"code cell {number + 1} ended the room ({ended.why})")
                at = key[1:].replace("-", ".") if re.match(r"[at]\d-\d", key) else ""
            if at in open_:
                open_.remove(at)
                found[at] = ended.why
    return found | dict.fromkeys(open_, "not asked"), room.errors


def _in_words(key):
    return f"{key[1:].replace('-', '.')} words"


def _to_read(text, most):
    long = len(text.replace(self_check.STUB, "").split()) > 2
    state = "to be read" if long else "not answered"
    return {"points": 0, "most": most, "state": state, "said": []}


def _judged(got, most):
    """A question's result, of its Points or of the state that ended it."""
    if isinstance(got, str):
        said = [f"It was stopped: {got}. A person looks at it."]
        return {"points": 0, "most": most, "state": got, "said": said}
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
    people = sum(each["state"] not in tables.DONE for each in questions)
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
