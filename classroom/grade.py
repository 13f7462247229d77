"""Points and feedback for a folder of submissions: `make grade SUBMISSIONS=folder`.

Each notebook runs in a closed room of its own (`room`), and the questions' checks ask it for values
from outside. What a machine could not finish goes to a person, and is never a wrong answer.
"""

import argparse
import contextlib
import hashlib
import json
import re
import secrets
import sys
import time
import tomllib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from pathlib import Path
from textwrap import shorten

import numpy as np

from classroom import demo, intake, pages, solved, student, tables
from classroom.ask import Ask
from classroom.judge import in_words, judged
from classroom.merge import merged, question_of
from classroom.room import Ended, Limits, Room
from classroom.walls import NoWalls, try_walls
from homework import checks
from runner import notebook
from runner.notebook import UsageError

ROOMS = 3  # for one notebook: what ends one costs its question, and the rest is asked in the next
ASIDE = "raise RuntimeError('this cell ended the room, and was left out')"


def graded(submission, given, seed, draw, folder, trust=False):
    """What a notebook gets: {"questions": {question: …}, "notes", "seconds"}.

    `given` is the notebook as it was handed out, `folder` what was handed out with it, and `draw`
    what the hidden arguments are drawn from.
    """
    began, problem = time.monotonic(), submission.problem
    found = merged(submission.notebook, given)
    stubs = {cell.metadata.nbgrader.grade_id: cell.source for cell in given.cells}
    most = solved.worth(given)
    asked = _asked(problem)
    limits = Limits(imports=120, whole=240) if problem == 2 else Limits()

    def enter():
        left = max(20.0, limits.whole - (time.monotonic() - began))
        return Room(folder, replace(limits, whole=left), trust)

    def check(question, room):
        numbers = checks.numbers_of(problem, seed, np.random.default_rng([draw, seed, problem]))
        ask = Ask(room.ask)
        return checks.check_of(question)(ask, numbers), ask

    wanted = {question: most[f"t{question.replace('.', '-')}"] for question in asked}
    states, errors = _ask_all(wanted, found, enter, check)
    questions = {}
    for question, got in states.items():
        key = question.replace(".", "-")
        own = (wanted[question], asked[question], stubs[f"a{key}"])
        questions[question] = judged(question, got, *own, found, errors)
    for key in [key for key in most if key.startswith("w")]:
        question = question_of(key)
        questions[f"{question} words"] = in_words(question, key, most[key], found)
    stopped = {key: error for key, error in errors.items() if error and not key.startswith("a")}
    found.notes += [f"{key} stops with {shorten(error, 200)}" for key, error in stopped.items()]
    return {
        "questions": questions,
        "notes": found.notes[:20],
        "seconds": round(time.monotonic() - began, 1),
    }


@cache
def _asked(problem):
    """{question: the names that it asks for}, read once for all submissions."""
    return solved.asked(solved.load()[problem])


def _ask_all(most, found, enter, check):
    """({question: (Points, Ask), or why it has none}, {cell: its error}), in at most ROOMS rooms.

    A question is asked where its example stands, since a later cell may use its names for something
    else, and once more after the last cell if that is not worth all its points. What ends a room
    costs its question: the cell is left out, or the question is not asked again.
    """
    states, errors, aside, open_ = {}, {}, set(), [*most]
    for _ in range(ROOMS):
        at, number = "", 0
        try:
            with enter() as room:
                for number, (key, code, given) in enumerate(found.cells, start=1):
                    if not (given and key.startswith("t")):
                        errors[key] = room.run(ASIDE if number in aside else code, given)
                    elif question_of(key) in open_ and question_of(key) not in states:
                        at = question_of(key)
                        states[at], at = check(at, room), ""
                for at in [*open_]:
                    first = states.get(at)
                    if not first or first[0].points < most[at]:
                        states[at] = _better(first, check(at, room))
                    open_.remove(at)
            break
        except Ended as ended:
            key, _, given = found.cells[number - 1] if number else ("", "", True)
            if not at and not given:  # a given cell is no student's, and is tried again
                aside.add(number)
                found.notes.append(f"{key} ended the room ({ended.why})")
                at = question_of(key)
            if at in open_:
                open_.remove(at)
                states.setdefault(at, ended.why)
    return dict.fromkeys(open_, "not asked") | states, errors


def _better(first, again):
    """Of two (Points, Ask) to a question: one that was no answer gives way; two are a person's."""
    if not first or not first[1].answered or first[1].missing or first[1].open:
        return again if not first or again[0].points >= first[0].points else first
    first[1].later = again[0].points > first[0].points
    return first


def main(arguments=None):
    """0, or 2 with one sentence where nothing could be graded."""
    parser = argparse.ArgumentParser(prog="classroom.grade", description=__doc__.split("\n")[0])
    parser.add_argument("submissions", type=Path)
    parser.add_argument("--seed", default="", help="of the class; build/student/class.json has it")
    parser.add_argument("--grades", type=Path, default=Path("build/grades"))
    parser.add_argument("--workers", type=int, default=0)
    parser.add_argument("--force", action="store_true", help="grade again what has not changed")
    parser.add_argument("--trust", action="store_true", help="run students' code without walls")
    parser.add_argument("--hash", action="store_true", help="write a code for each student's name")
    options = parser.parse_args(arguments)
    if hasattr(sys.stdout, "reconfigure"):
        sys.stdout.reconfigure(errors="replace")  # names have letters that a terminal may not
    try:
        return _main(options)
    except (UsageError, NoWalls) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("Interrupted: what was graded is kept, and the next make grade goes on from there.")
        return 130


def _main(options):
    if not options.submissions.name:
        raise UsageError("Say where the submissions are: make grade SUBMISSIONS=folder.")
    if not options.submissions.exists():
        raise UsageError(f"There are no submissions at {str(options.submissions)!r}.")
    if options.grades.resolve().is_relative_to(options.submissions.resolve()):
        raise UsageError(f"{options.grades} is in the folder of the submissions: GRADES=another.")
    rubric = _rubric()
    seed, folder = _seed(options.seed), options.grades / "class"
    handed_out = student.files(seed)
    for name, content in handed_out.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o755 if path.is_dir() else 0o644)  # a room's user is another one
    if not options.trust:
        try_walls(folder)
    given = {n: student.copy(nb, n, seed) for n, nb in solved.load().items()}

    def is_untouched(problem, read):
        return read is not None and not merged(read, given[problem]).sections

    known = [*handed_out, demo.POINTS]
    submissions, said = intake.collect(options.submissions, known, is_untouched)
    if not submissions:
        raise UsageError(f"There is no notebook in {options.submissions}.")
    _compare_classes(submissions, seed)
    if options.hash:
        said = _without_names(options.grades, submissions, said)
    drawn = _drawn(options, seed)
    results = _graded_or_kept(submissions, given, seed, drawn["draw"], folder, options)
    answers = tables.answers_of(results, rubric, drawn["salt"])
    marks, gone, old, changed = tables.take_marks(options.grades, answers, rubric)
    tables.write_marks(options.grades, answers, marks, gone, old, rubric)
    tables.write_grades(options.grades, results, answers)
    people = tables.write_needs(options.grades, results, answers, said)
    pages.write(options.grades, results, answers, marks, rubric, given, options.trust)
    for sentence in [*(f"{who}: {sentence}" for who, sentence in said), *changed]:
        print(sentence)
    unread = sum(answer.result["state"] == "to be read" for answer in answers)
    students = len({submission.student for submission in submissions})
    print(
        f"{options.grades}/grades.csv. Students: {students}; for a person: {people} "
        f"(needs-a-person.csv); to be read: {unread} (reading/)."
    )
    if options.hash:  # points.csv has the names
        return 0
    return _compare(options.submissions / demo.POINTS, options.grades / "grades.csv")


def _graded_or_kept(submissions, given, seed, draw, folder, options):
    """[(Submission, result)]: what was graded before, and has not changed since, is not again."""
    kept = options.grades / "results"
    kept.mkdir(parents=True, exist_ok=True)
    code, began = _code(), time.monotonic()
    files = {}
    for number, each in enumerate(submissions):
        if each.notebook is not None:
            whole = [each.notebook, seed, draw, code, options.trust]
            content = json.dumps(whole, sort_keys=True).encode("utf-8")
            files[number] = kept / f"{hashlib.sha256(content).hexdigest()[:24]}.json"
    # Of notebooks that are the same, such as untouched ones, one runs.
    fresh = {f: number for number, f in files.items() if not f.exists() or not f.stat().st_size}
    new = [*fresh.values()]
    done = []

    def one(number):
        each = submissions[number]
        try:
            # Another notebook, other hidden arguments: who hands in again cannot collect them.
            own = int(files[number].stem[:8], 16)
            got = graded(each, given[each.problem], seed, own, folder, options.trust)
            notebook.write(json.dumps(got, indent=1), files[number])
        except Exception as error:  # ours, and no reason that the others wait
            each.state = "not graded"
            each.notes.append(f"the grader stopped with {type(error).__name__}: {error}")
            got = {"questions": {}, "seconds": 0.0}
        done.append(number)
        left = (time.monotonic() - began) / len(done) * (len(new) - len(done))
        print(_line(each, got, left), flush=True)

    with ThreadPoolExecutor(options.workers or 2) as pool:
        list(pool.map(one, new))
    results = []
    for number, each in enumerate(submissions):
        got = {}
        if number in files:
            with contextlib.suppress(OSError, ValueError):  # what a crash has left
                got = json.loads(files[number].read_text(encoding="utf-8"))
        each.state = each.state or ("" if got else "not graded")
        results.append((each, got))
    return results


def _line(submission, got, left):
    questions = [e for e in got["questions"].values() if e["state"] != "to be read"]
    unread = len(got["questions"]) - len(questions)
    points, most = (sum(each[name] for each in questions) for name in ("points", "most"))
    people = sum(each["state"] not in tables.DONE for each in questions)
    state = f"{people} for a person" if people else submission.state or "graded"
    state += f", {unread} to be read" if unread else ""
    name = f"{submission.student}, {submission.problem}"
    left = f"{left / 60:.0f} min left" if left > 90 else f"{left:.0f} s left"
    return f"{name:40} {points:5g} of {most:g}  {state:27} {got['seconds']:6.1f} s  {left:>11}"


def _compare_classes(submissions, seed):
    """Note whose copy is another class's; UsageError where all are."""
    notebooks = [each for each in submissions if each.notebook]
    others = [each for each in notebooks if each.notebook["seed"] not in (seed, None)]
    if others and len(others) == len(notebooks):
        other = others[0].notebook["seed"]
        raise UsageError(f"These notebooks are of class {other}, and not of {seed}: SEED={other}?")
    for each in others:
        each.notes.append(f"the copy is of class {each.notebook['seed']}")


def _rubric():
    """{question: its items}; UsageError where rubric.toml cannot be used."""
    file = solved.ROOT / "homework" / "rubric.toml"
    try:
        rubric = tomllib.loads(file.read_text(encoding="utf-8"))
        whole = [item for items in rubric.values() for item in items]
        items = [(i["item"], i["points"] + 0, i["full"], i["missing"])[0] for i in whole]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise UsageError(f"{file} cannot be read: {error}.") from None
    twice = [item for item in items if items.count(item) > 1]
    if twice:
        raise UsageError(f"{file}: the item {twice[0]} is there twice; its name has to be its own.")
    return rubric


def _without_names(grades, submissions, said):
    """Put a code in the place of each student's name; names.csv says whose is which."""
    file = grades / "names.csv"
    codes = {"": "", **(tables.read(file, "student", "code") if file.exists() else {})}
    for name in sorted({each.student for each in submissions} | {who for who, _ in said}):
        codes.setdefault(name, f"student-{secrets.token_hex(3)}")
    for each in submissions:
        each.name, each.student = each.student, codes[each.student]
    table = [[code, name] for name, code in sorted(codes.items()) if name]
    tables.write_csv(file, ["code", "student"], table)
    return [(codes[who], sentence) for who, sentence in said]


def _compare(wanted, got):
    """Say whether the points are those that a generated class comes with (make student)."""
    if not wanted.is_file() or not wanted.read_bytes().startswith(b"student,points\n"):
        return 0
    points, found = tables.read(wanted, "student", "points"), tables.read(got, "student", "total")
    wrong = [name for name in points if points[name] != found.get(name)]
    for name in wrong:
        print(f"{name} has {found.get(name)} points, and should have {points[name]}.")
    right = len(points) - len(wrong)
    print(f"{wanted}: {right} of {len(points)} students have the points that it says.")
    return 1 if wrong else 0


def _seed(typed):
    kept = student.seed_of("build/student")
    if not typed and kept is not None:
        return kept
    if not re.fullmatch(r"\d{1,6}", typed):
        raise UsageError("Say which class this is: SEED=2026 (its class.json has the number).")
    return int(typed)


def _drawn(options, seed):
    """What a folder of grades keeps: its class, and what arguments and codes are drawn from."""
    file = options.grades / "draw.json"
    kept = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    if kept.get("seed", seed) != seed:
        other = kept["seed"]
        raise UsageError(f"{options.grades} has the grades of class {other}: GRADES=another.")
    kept = {"seed": seed, "draw": secrets.randbits(32), "salt": secrets.token_hex(8)} | kept
    if options.force:
        kept["draw"] = secrets.randbits(32)
    notebook.write(json.dumps(kept), file)
    return kept


def _code():
    """A hash of the code that gives points: after a change everything is graded again."""
    paths = [*(solved.ROOT / "homework").rglob("*.py"), *(solved.ROOT / "classroom").glob("*.py")]
    texts = b"".join(path.read_bytes() for path in sorted(paths))
    return hashlib.sha256(texts).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
