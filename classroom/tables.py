"""Tables for a spreadsheet: grades, what needs a person, and the marks that a person gives."""

import csv
import hashlib
import re

from runner import notebook
from runner.notebook import UsageError

DONE = ("right", "partly", "wrong", "not answered", "to be read", "read")


def by_hand(question, each):
    return question.endswith(" words") or each["state"] not in DONE


def code_of(submission, question, seed):
    """A name of an answer that does not say whose it is."""
    return hashlib.sha256(f"{seed}/{submission.student}/{question}".encode()).hexdigest()[:8]


def read_marks(file, codes, rubric):
    """{answer: {column: text}} of marks.csv; UsageError names the row that cannot be."""
    if not file.exists():
        return {}
    with open(file, encoding="utf-8-sig", newline="") as opened:
        found = list(csv.DictReader(opened))
    marks = {}
    for number, row in enumerate(found, start=2):
        where, code = f"{file}, row {number}", (row.get("answer") or "").strip("'")
        if code not in codes:
            raise UsageError(f"{where}: there is no answer {code!r}; take the row out.")
        if code in marks:
            raise UsageError(f"{where}: the answer {code} is there twice; keep one row.")
        _, question, each = codes[code]
        items, total = rubric.get(question.partition(" ")[0], []), 0.0
        given = [item for item in items if (row.get(item["item"]) or "").strip()]
        for item in given if question.endswith(" words") else []:
            share = _number(row[item["item"]])
            if share is None or not 0 <= share <= 1:
                raise UsageError(
                    f"{where}: {item['item']} takes a share from 0 to 1, not {row[item['item']]!r}."
                )
            total += share * item["points"]
        points = (row.get("points") or "").strip()
        value = _number(points) if points else None
        if points and (value is None or not 0 <= value <= each["most"]):
            raise UsageError(f"{where}: points are from 0 to {each['most']:g}, not {points!r}.")
        if points and given and abs(value - total) > 1e-6:
            said = f"points are {points}, and the items sum to {total:g}; empty one of the two."
            raise UsageError(f"{where}: {said}")
        marks[code] = row
    return marks


def _number(text):
    try:
        return float(str(text).replace(",", "."))
    except ValueError:
        return None


def mark(each, row, items):
    """Take what a person has given an answer into its result."""
    given = {item["item"]: _number(row.get(item["item"]) or "") for item in items}
    if any(share is not None for share in given.values()):
        each["points"] = sum((given[item["item"]] or 0) * item["points"] for item in items)
        each["said"] = [item["missing"] for item in items if not given[item["item"]]]
        each["state"] = "read"
    elif (points := _number(row.get("points") or "")) is not None:
        each["points"], each["state"] = points, "read"
    if row.get("note") and each["state"] == "read":
        each["said"] = [*each["said"], row["note"]]


def write_marks(file, codes, marks, rubric):
    """The same file with a row for each answer, those that were filled in as they were."""
    names = [item["item"] for items in rubric.values() for item in items]
    table = []
    for code, (_, question, _) in sorted(codes.items(), key=lambda each: (each[1][1], each[0])):
        row, own = marks.get(code, {}), rubric.get(question.partition(" ")[0], [])
        mine = [item["item"] for item in own] if question.endswith(" words") else []
        cells = [(row.get(name) or "") if name in mine else "–" for name in names]
        table.append([code, question, *cells, row.get("points") or "", row.get("note") or ""])
    write_csv(file, ["answer", "question", *names, "points", "note"], table)


def write_grades(grades, students):
    names = sorted({q for own in students.values() for _, r in own for q in r.get("questions", {})})
    table = []
    for student, own in sorted(students.items()):
        found = {q: each for _, r in own for q, each in r.get("questions", {}).items()}
        points = [f"{found[name]['points']:g}" if name in found else "" for name in names]
        total = sum(each["points"] for each in found.values())
        open_ = [q for q, each in found.items() if each["state"] not in DONE]
        unread = [q for q, each in found.items() if each["state"] == "to be read"]
        states = [f"{s.problem} {s.state}" for s, _ in own if s.state]
        late = [f"{s.problem}" for s, _ in own if s.late]
        notes = [f"{s.problem}: {note}" for s, r in own for note in [*s.notes, *r.get("notes", [])]]
        lists = [", ".join(each) for each in (open_, unread, states, late)]
        table.append([student, *points, f"{total:g}", *lists, "; ".join(notes)])
    head = ["student", *names, "total", "needs a person", "to be read", "missing", "late", "notes"]
    write_csv(grades / "grades.csv", head, table)


def write_csv(file, head, table):
    """A table in which no text is a formula for a spreadsheet."""
    lines = []
    for row in [head, *table]:
        cells = [f"'{c}" if re.match(r"[=+@\t\r-]", c) and _number(c) is None else c for c in row]
        lines.append(",".join('"' + cell.replace('"', '""') + '"' for cell in cells))
    notebook.write("\n".join(lines) + "\n", file)
