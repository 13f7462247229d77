"""Tables for a spreadsheet: grades, what needs a person, and the marks that a person gives."""

import csv
import hashlib
import io
import re
from dataclasses import dataclass, field

from classroom.intake import Submission
from runner import notebook
from runner.notebook import UsageError

MARKED = ("right", "partly", "wrong", "not answered", "read")
DONE = (*MARKED, "to be read")


@dataclass
class Answer:
    """What a submission got for a question, as `judge` says.

    `code` does not say whose it is, and `version` changes with its text.
    """

    submission: Submission
    question: str
    result: dict
    code: str
    version: str
    items: list = field(default_factory=list)  # of the rubric, for an answer in words

    @property
    def for_a_person(self):
        return self.result["state"] not in DONE


def answers_of(results, rubric, seed):
    """[Answer] of [(Submission, result)]; the points of answers in words are the rubric's."""
    found = []
    for submission, result in results:
        for question, each in sorted(result.get("questions", {}).items()):
            code = _letters(f"{seed}/{submission.student}/{question}")
            version = _letters(each["text"])
            items = rubric[question.split()[0]] if question.endswith(" words") else []
            most = sum(item["points"] for item in items) or each["most"]
            found.append(Answer(submission, question, each | {"most": most}, code, version, items))
    return found


def _letters(text):
    """Eight letters of a text's hash; a spreadsheet would take digits for a number."""
    digits = str.maketrans("0123456789", "ghijklmnop")
    return hashlib.sha256(text.encode()).hexdigest()[:8].translate(digits)


def take_marks(folder, answers):
    """Take the marks of marks.csv, and of marks-….csv that reading pages save, into the answers.

    ({answer: row}, sentences on marks that were not taken). UsageError names a row that cannot be.
    """
    by_code = {answer.code: answer for answer in answers}
    marks, saved = {}, {}
    for file in (folder / "marks.csv", *sorted(folder.glob("marks-*.csv"))):
        rows = _read(file, by_code)
        if file.name != "marks.csv":
            twice = [code for code in rows if saved.get(code, rows[code]) != rows[code]]
            if twice:
                raise UsageError(f"{file}: the answer {twice[0]} has other marks in another file.")
            saved |= rows
        marks |= rows
    old = [c for c, row in marks.items() if row.get("version", "") not in ("", by_code[c].version)]
    marked = [code for code in old if _marks_in(by_code[code], marks[code])]
    for code, row in marks.items():
        if code not in old:
            _mark(by_code[code], row)
    said = "has changed since it was marked: read it again (its marks are in before-marks.csv)."
    return {c: row for c, row in marks.items() if c not in old}, [
        f"{by_code[code].question}, answer {code}, {said}" for code in marked
    ]


def _marks_in(answer, row):
    return any(row.get(name) for name in ("points", *(item["item"] for item in answer.items)))


def _read(file, by_code):
    if not file.exists():
        return {}
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"{file} is not in UTF-8: save it as “CSV UTF-8”.") from None
    separator = ";" if text.partition("\n")[0].count(";") else ","  # as Excel writes, in Europe
    named = {f"{a.submission.student} {a.question.split()[0]}": c for c, a in by_code.items()}
    named |= {f"{a.submission.student} {a.question}": c for c, a in by_code.items()}
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    marks = {}
    for number, row in enumerate(table, start=2):
        where, code = f"{file}, row {number}", (row.get("answer") or "").strip("' ")
        code = named.get(code, code)
        if code not in by_code:
            raise UsageError(f"{where}: there is no answer {code!r}; take the row out.")
        if code in marks:
            raise UsageError(f"{where}: the answer {code} is there twice; keep one row.")
        _demand_marks(where, by_code[code], row)
        marks[code] = {name: text for name, text in row.items() if name}
    return marks


def _demand_marks(where, answer, row):
    total, most = 0.0, answer.result["most"]
    given = [item for item in answer.items if (row.get(item["item"]) or "").strip()]
    for item in given:
        share = _number(row[item["item"]])
        if share is None or not 0 <= share <= 1:
            said = f"{item['item']} takes a share from 0 to 1, not {row[item['item']]!r}."
            raise UsageError(f"{where}: {said}")
        total += share * item["points"]
    points = (row.get("points") or "").strip()
    value = _number(points) if points else None
    if points and (value is None or not 0 <= value <= most):
        raise UsageError(f"{where}: points are from 0 to {most:g}, not {points!r}.")
    if points and given and abs(value - total) > 1e-6:
        said = f"points are {points}, and the items sum to {total:g}; empty one of the two."
        raise UsageError(f"{where}: {said}")


def _number(text):
    try:
        return float(str(text).replace(",", "."))
    except ValueError:
        return None


def _mark(answer, row):
    given = {item["item"]: _number(row.get(item["item"]) or "") for item in answer.items}
    points, got = _number(row.get("points") or ""), answer.result
    if any(share is not None for share in given.values()):
        shares = [(given[item["item"]] or 0, item) for item in answer.items]
        points = sum(share * item["points"] for share, item in shares)
        lost = [(share, item["missing"]) for share, item in shares if share < 1]
        got["said"] = [f"Partly: {said}" if share else said for share, said in lost]
    elif points == got["most"]:
        got["said"] = []
    if points is not None:
        note = row.get("note")
        got |= {
            "points": points,
            "state": "read",
            "said": [*got["said"], *([note] if note else [])],
        }


def write_marks(folder, answers, marks, rubric):
    """marks.csv with a row for each answer that a person sees; what it was is before-marks.csv."""
    names = [item["item"] for items in rubric.values() for item in items]
    head = ["answer", "version", "question", *names, "points", "note"]
    table = []
    for answer in sorted(answers, key=lambda each: (each.question, each.code)):
        if answer.items or answer.for_a_person or answer.code in marks:
            row, mine = marks.get(answer.code, {}), [item["item"] for item in answer.items]
            cells = [(row.get(name) or "") if name in mine else "–" for name in names]
            rest = [row.get("points") or "", row.get("note") or ""]
            table.append([answer.code, answer.version, answer.question, *cells, *rest])
    file, before = folder / "marks.csv", folder / "before-marks.csv"
    old = file.read_bytes() if file.exists() else b""
    write_csv(file, head, table)
    if old not in (b"", file.read_bytes()):
        before.write_bytes(old)
    for each in folder.glob("marks-*.csv"):  # a page saved it, and its rows are in marks.csv now
        each.unlink()


def write_grades(folder, results, answers):
    """grades.csv: a row for each student."""
    names = sorted({answer.question for answer in answers})
    own = {submission.student: {} for submission, _ in results}
    for answer in answers:
        own[answer.submission.student][answer.question] = answer
    table = []
    for student, found in sorted(own.items()):
        points = [_shown(found[name]) if name in found else "" for name in names]
        total = sum(answer.result["points"] for answer in found.values())
        open_ = [q for q, answer in found.items() if answer.for_a_person]
        unread = [q for q, answer in found.items() if answer.result["state"] == "to be read"]
        mine = [(s, r) for s, r in results if s.student == student]
        states = [f"{s.problem} {s.state}" for s, _ in mine if s.state]
        late = [f"{s.problem}" for s, _ in mine if s.late]
        notes = [f"{s.problem}: {n}" for s, r in mine for n in [*s.notes, *r.get("notes", [])]]
        lists = [", ".join(each) for each in (open_, unread, states, late)]
        table.append([student, *points, f"{total:g}", *lists, "; ".join(notes)])
    head = ["student", *names, "total", "needs a person", "to be read", "missing", "late", "notes"]
    write_csv(folder / "grades.csv", head, table)


def _shown(answer):
    """Points; nothing where a person has not looked yet."""
    waits = answer.for_a_person or answer.result["state"] == "to be read"
    return f"{answer.result['points']:g}" if answer.result["points"] or not waits else ""


def write_needs(folder, results, answers, said):
    """needs-a-person.csv; how many rows it has."""
    table = [
        [a.submission.student, a.question, a.result["state"], " ".join(a.result["said"]), a.code]
        for a in answers
        if a.for_a_person
    ]
    gone = [s for s, _ in results if s.state not in ("", "missing")]
    table += [[s.student, f"{s.problem}", s.state, " ".join(s.notes), ""] for s in gone]
    table += [[student, "", "no notebook", sentence, ""] for student, sentence in said]
    head = ["student", "question", "why", "what is known", "answer"]
    write_csv(folder / "needs-a-person.csv", head, table)
    return len(table)


def read(file, key, value):
    """{key: value} of two columns of a table."""
    with open(file, encoding="utf-8", newline="") as opened:
        return {row[key]: row[value] for row in csv.DictReader(opened)}


def write_csv(file, head, table):
    """A table in which no text is a formula for a spreadsheet."""
    lines = []
    for row in [head, *table]:
        cells = [f"'{c}" if re.match(r"[=+@\t\r-]", c) and _number(c) is None else c for c in row]
        lines.append(",".join('"' + cell.replace('"', '""') + '"' for cell in cells))
    notebook.write("\n".join(lines) + "\n", file)
