"""What comes of a grading: tables, feedback, answers to read, and a page of the class.

Nothing that a student wrote is more than text on these pages: it is escaped, no script can run, and
nothing is loaded from anywhere.
"""

import html
import re
from collections import Counter, defaultdict

from classroom.tables import (
    DONE,
    by_hand,
    code_of,
    mark,
    read_marks,
    write_csv,
    write_grades,
    write_marks,
)
from runner import notebook

POLICY = "default-src 'none'; style-src 'unsafe-inline'"
STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 56em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .3em .6em; border-bottom: 1px solid #ccc; vertical-align: top }
pre { white-space: pre-wrap; background: #f4f4f4; padding: .6em }
.bar { background: #2b6cb0; height: 1em } .all { background: #e2e8f0; width: 20em }
"""
NO_WALLS = "Graded with TRUST=1: students' code ran without walls and could change anything."


def write(grades, results, said, rubric, seed, trust):
    """Write everything to the folder `grades`; a sentence that says what there is.

    `results` is [(Submission, result)], `said` the sentences about files that are no notebook.
    """
    rows = [(s, q, each, r) for s, r in results for q, each in r.get("questions", {}).items()]
    codes = {code_of(s, q, seed): (s, q, each) for s, q, each, _ in rows if by_hand(q, each)}
    marks = read_marks(grades / "marks.csv", codes, rubric)
    for code, (_, question, each) in codes.items():
        mark(each, marks.get(code, {}), rubric.get(question.partition(" ")[0], []))
    write_marks(grades / "marks.csv", codes, marks, rubric)
    students = defaultdict(list)
    for submission, result in results:
        students[submission.student].append((submission, result))
    write_grades(grades, students)
    people = [(s, q, each) for s, q, each, _ in rows if each["state"] not in DONE]
    gone = [s for s, _ in results if s.state in ("unreadable", "twice")]
    table = [[s.student, q, each["state"], " ".join(each["said"])] for s, q, each in people]
    table += [[s.student, f"{s.problem}", s.state, " ".join(s.notes)] for s in gone]
    table += [["", "", "no notebook", sentence] for sentence in said]
    write_csv(grades / "needs-a-person.csv", ["student", "question", "why", "what is known"], table)
    for question, items in rubric.items():
        _write_reading(grades, question, items, rows, seed)
    used = set()
    for student, own in students.items():
        _write_feedback(grades, student, own, trust, used)
    _write_class(grades, students, rows, trust)
    unread = sum(each["state"] == "to be read" for _, _, each, _ in rows)
    return (
        f"{grades}/grades.csv: {len(students)} students. {len(people) + len(gone)} answers need a "
        f"person, and {unread} are to be read: {grades}/reading/ and marks.csv."
    )


def _page(file, title, body):
    file.parent.mkdir(parents=True, exist_ok=True)
    notebook.write(
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-'
        f'Policy" content="{POLICY}"><title>{html.escape(title)}</title><style>{STYLE}</style>'
        f"<h1>{html.escape(title)}</h1>\n{body}</html>\n",
        file,
    )


def _table(head, rows):
    """Rows of cells that are HTML already."""
    lines = ["".join(f"<th>{html.escape(each)}</th>" for each in head)]
    lines += ["".join(f"<td>{each}</td>" for each in row) for row in rows]
    return "<table>" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _write_reading(grades, question, items, rows, seed):
    """All answers to a question in words, shuffled and without names, with the rubric above."""
    name, answers = f"{question} words", []
    for submission, own, each, result in rows:
        if own == name and each["state"] != "not answered":
            answers.append((code_of(submission, own, seed), result["words"][own]))
    points = [[html.escape(i["item"]), f"{i['points']:g}", html.escape(i["full"])] for i in items]
    body = _table(["item", "points", "what it asks for"], points)
    for code, text in sorted(answers):
        body += f"<h2>{code}</h2><pre>{html.escape(text)}</pre>\n"
    _page(grades / "reading" / f"{question}.html", f"Answers to {question}", body)


def _write_feedback(grades, student, own, trust, used):
    body, total, most = f"<p>{NO_WALLS}</p>" if trust else "", 0.0, 0.0
    for submission, result in own:
        body += f"<h2>Assignment {submission.problem}</h2>\n"
        if not result:
            body += f"<p>{html.escape(' '.join([submission.state, *submission.notes]))}</p>\n"
            continue
        lines = []
        for question, each in sorted(result["questions"].items()):
            total, most = total + each["points"], most + each["most"]
            said = html.escape(" ".join(each["said"])) or "✓" * (each["state"] == "right")
            got = "–" if each["state"] == "to be read" else f"{each['points']:g}"
            given = f"{got} of {each['most']:g}"
            lines.append([html.escape(question), given, html.escape(each["state"]), said])
        body += _table(["question", "points", "", "what to look at"], lines)
        body += "".join(f"<p>Note: {html.escape(note)}.</p>" for note in result["notes"])
    name = re.sub(r"[^\w-]+", "-", student).strip("-")[:60] or "student"
    while name in used:
        name += "-2"
    used.add(name)
    title = f"{student}: {total:g} of {most:g} points so far"
    _page(grades / "feedback" / f"{name}.html", title, body)


def _write_class(grades, students, rows, trust):
    """The class: how totals are spread, how hard each question was, which answers are the same."""
    totals = Counter()
    for own in students.values():
        points = sum(e["points"] for _, r in own for e in r.get("questions", {}).values())
        totals[int(points // 4) * 4] += 1
    spread = [
        [f"{low} to {low + 4}", _bar(n / len(students)), f"{n}"]
        for low, n in sorted(totals.items())
    ]
    shares = defaultdict(list)
    for _, question, each, _ in rows:
        if each["state"] in DONE and each["state"] != "to be read":
            shares[question].append(each["points"] / each["most"])
    hard = []
    for question, own in sorted(shares.items()):
        mean = sum(own) / len(own)
        hard.append(
            [html.escape(question), _bar(mean), f"{mean:.0%} of the points, {len(own)} answers"]
        )
    same = defaultdict(set)
    for submission, question, each, result in rows:
        code = result["code"].get(f"a{question.replace('.', '-')}", "")
        if each["state"] != "not answered" and len(code) > 80:
            same[question, re.sub(r"\s+", "", code)].add(submission.student)
    alike = [
        [html.escape(q), html.escape(", ".join(sorted(who)))]
        for (q, _), who in sorted(same.items())
        if len(who) > 1
    ]
    body = f"<p>{NO_WALLS}</p>" if trust else ""
    body += "<h2>Totals</h2>" + _table(["points", "", "students"], spread)
    body += "<h2>How hard each question was</h2>" + _table(["question", "", ""], hard)
    body += "<h2>The same answer, letter by letter</h2>" + _table(["question", "who"], alike)
    _page(grades / "class.html", f"The class: {len(students)} students", body)


def _bar(share):
    return f'<div class="all"><div class="bar" style="width:{100 * share:.0f}%"></div></div>'
