"""Pages of a grading: feedback for each student, answers to read, and the class.

Nothing that a student wrote is more than text on them: it is escaped, nothing is loaded from
anywhere, and no script runs but the one that saves a reader's ticks, which the policy names.
"""

import base64
import hashlib
import html
import re
from collections import Counter, defaultdict
from statistics import fmean

from classroom import tables
from runner import notebook

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 56em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .3em .6em; border-bottom: 1px solid #ccc; vertical-align: top }
pre { white-space: pre-wrap; background: #f4f4f4; padding: .6em }
fieldset { border: 0; padding: 0 } label { margin-right: 1em }
.bar { background: #2b6cb0; height: 1em } .all { background: #e2e8f0; width: 20em }
#save { position: sticky; top: 0; padding: .5em 1em }
"""
SAVE = """
const own = ["answer", "version", "question"];
const quoted = text => '"' + (/^[=+@\\t-]/.test(text) ? "'" : "") + text.replace(/"/g, '""') + '"';
document.addEventListener("change", event => {
  const fields = event.target.closest("fieldset");
  if (event.target.name !== "read") fields.elements.read.checked = true;
  if (event.target.type === "checkbox") event.target.dataset.share = +event.target.checked;
});
document.getElementById("save").onclick = () => {
  const lines = [];
  for (const fields of document.querySelectorAll("fieldset")) {
    const filled = [...fields.querySelectorAll("[name]")].filter(each => each.name !== "read");
    const whole = fields.elements.points?.value;  // and then the items stay empty
    const share = each => whole ? "" : each.dataset.share;
    const value = each => each.type === "checkbox" ? share(each) : each.value;
    if (!lines.length) lines.push([...own, ...filled.map(each => each.name)]);
    if (fields.elements.read.checked)
      lines.push([...own.map(name => fields.dataset[name]), ...filled.map(value)]);
  }
  const text = lines.map(line => line.map(quoted).join(",") + "\\n").join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type: "text/csv"}));
  link.download = document.getElementById("save").dataset.file;
  link.click();
};
"""
_HASH = base64.b64encode(hashlib.sha256(SAVE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'"
LONG = 120  # characters from which on the same answer twice may be no chance
NO_WALLS = "Graded with TRUST=1: students' code ran without walls and could change anything."


def write(folder, results, answers, marks, rubric, worth, trust):
    """Write all pages to a folder; `worth` is {problem: points} and `marks` {answer: row}."""
    for question, items in rubric.items():
        own = [each for each in answers if each.items and each.question.split()[0] == question]
        read = [each for each in own if each.result["state"] != "not answered"]
        _write_reading(folder, question, items, read, marks)
    people = [each for each in answers if each.for_a_person or each.code in marks]
    _write_reading(folder, "needs-a-person", [], [e for e in people if not e.items], marks)
    by_student = defaultdict(list)
    for submission, result in results:
        by_student[submission.student].append((submission, result))
    used = set()
    for student, own in by_student.items():
        mine = [each for each in answers if each.submission.student == student]
        _write_feedback(folder, student, own, mine, worth, trust, used)
    _write_class(folder, sorted(by_student), answers, worth, trust)


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


def _write_reading(folder, name, items, answers, marks):
    """Answers in the order of their codes and without names, with the rubric and boxes to tick."""
    points = [[html.escape(i["item"]), f"{i['points']:g}", html.escape(i["full"])] for i in items]
    body = _table(["item", "points", "what it asks for"], points) if items else ""
    file = f"marks-{name}.csv"
    how = "Tick what an answer says; one that is read and has no tick gets 0." if items else ""
    body += f"<p>{how or 'Give an answer its points.'} Save, and put {file} into the folder "
    body += f"{html.escape(str(folder))}: the next <code>make grade</code> takes it over.</p>\n"
    body += f'<button id="save" data-file="{file}">Save {file}</button>\n'
    for answer in sorted(answers, key=lambda each: each.code):
        row, got = marks.get(answer.code, {}), answer.result
        why = "" if items else f"<p>{html.escape(' '.join(got['said']))}</p>"
        body += f"<h2>{answer.code}{'' if items else f', {answer.question}'}</h2>{why}"
        body += f"<pre>{html.escape(got['text'])}</pre>\n{_boxes(answer, items, row)}\n"
    title = f"Answers to {name}" if items else "Answers that need a person"
    _page(folder / "reading" / f"{name}.html", title, body + f"<script>{SAVE}</script>")


def _boxes(answer, items, row):
    read = "checked" if answer.result["state"] == "read" else ""
    boxes = ""
    for item in items:
        share = (row.get(item["item"]) or "0") if read else "0"
        ticked = "" if share == "0" else "checked"
        shown = "" if share in ("0", "1") else f" ({html.escape(share)})"
        box = f'<input type="checkbox" name="{item["item"]}" data-share="{html.escape(share)}"'
        boxes += f"<label>{box} {ticked}> {item['item']}{shown}</label>"
    if not items or row.get("points"):
        value = html.escape(row.get("points") or "")
        boxes += f'<label>points, of {answer.result["most"]:g}: <input name="points" size="4" '
        boxes += f'value="{value}"></label>'
    note = html.escape(row.get("note") or "")
    own = f'data-answer="{answer.code}" data-version="{answer.version}"'
    return (
        f'<fieldset {own} data-question="{answer.question}">{boxes}<label>note: <input name="note" '
        f'size="40" value="{note}"></label><label><input type="checkbox" name="read" {read}> '
        "read</label></fieldset>"
    )


def _write_feedback(folder, student, own, answers, worth, trust, used):
    body, most = f"<p>{NO_WALLS}</p>" if trust else "", 0.0
    for submission, result in own:
        most += worth[submission.problem]
        body += f"<h2>Assignment {submission.problem}</h2>\n"
        if not result:
            body += f"<p>{html.escape('; '.join([submission.state, *submission.notes]))}.</p>\n"
            continue
        lines = []
        for answer in answers:
            if answer.submission is submission:
                got = answer.result
                points = "–" if got["state"] == "to be read" else f"{got['points']:g}"
                said = html.escape(" ".join(got["said"])) or "✓" * (got["state"] == "right")
                given = f"{points} of {got['most']:g}"
                lines.append([html.escape(answer.question), given, html.escape(got["state"]), said])
        body += _table(["question", "points", "", "what to look at"], lines)
        body += "".join(f"<p>Note: {html.escape(note)}.</p>" for note in result["notes"])
    name = re.sub(r"[^\w-]+", "-", student).strip("-")[:60] or "student"
    while name in used:
        name += "-2"
    used.add(name)
    total = sum(answer.result["points"] for answer in answers)
    _page(folder / "feedback" / f"{name}.html", f"{student}: {total:g} of {most:g} points", body)


def _write_class(folder, students, answers, worth, trust):
    """The class: totals, how hard each question was, frequent mistakes, the same code twice."""
    total = dict.fromkeys(students, 0.0)
    for answer in answers:
        total[answer.submission.student] += answer.result["points"]
    bins = Counter(int(points // 4) * 4 for points in total.values())
    spread = [
        [f"{low} to {low + 4}", _bar(bins[low] / len(students)), f"{bins[low]}"]
        for low in range(0, max(bins) + 1, 4)
    ]
    shares, mistakes, same = defaultdict(list), defaultdict(set), defaultdict(set)
    for answer in answers:
        got, who, question = answer.result, answer.submission.student, answer.question
        if got["state"] in tables.DONE and got["state"] != "to be read":
            shares[question].append(got["points"] / got["most"])
        if got["state"] in ("partly", "wrong", "read"):
            for sentence in got["said"]:
                mistakes[question, sentence].add(who)
        bare = re.sub(r"#.*|\s", "", got["text"])
        if len(bare) > LONG:
            same[question, bare].add(who)
    unread = Counter(e.question for e in answers if e.result["state"] == "to be read")
    for question in unread:
        shares.pop(question, None)
    hard = [
        [q, _bar(fmean(own)), f"{fmean(own):.0%} of the points, {len(own)} answers"]
        for q, own in sorted(shares.items())
    ]
    often = sorted(mistakes.items(), key=lambda each: -len(each[1]))
    often = [[q, html.escape(said), f"{len(who)}"] for (q, said), who in often if len(who) > 1]
    alike = [
        [q, html.escape(", ".join(sorted(who)))] for (q, _), who in same.items() if len(who) > 1
    ]
    body = f"<p>{NO_WALLS}</p>" if trust else ""
    body += "<h2>Totals so far</h2>" + _table(["points", "", "students"], spread)
    body += "<h2>How hard each question was</h2>" + _table(["question", "", ""], hard)
    body += "<h2>What several students are told</h2>" + _table(["question", "", "students"], often)
    body += "<h2>The same answer, but for spaces and comments</h2>"
    body += _table(["question", "who"], sorted(alike))
    _page(folder / "class.html", f"The class: {len(students)} students", body)


def _bar(share):
    return f'<div class="all"><div class="bar" style="width:{100 * share:.0f}%"></div></div>'
