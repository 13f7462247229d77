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

from classroom import solved, tables
from runner import notebook

STYLE = """
body { font: 16px/1.5 sans-serif; max-width: 56em; margin: 2em auto; padding: 0 1em; color: #222 }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .3em .6em; border-bottom: 1px solid #ccc; vertical-align: top }
pre { white-space: pre-wrap; background: #f4f4f4; padding: .6em }
fieldset { border: 0; padding: 0 } label { margin-right: 1em }
.bar { background: #2b6cb0; height: 1em } .all { background: #e2e8f0; width: 20em }
#save { position: sticky; top: 0; padding: .5em 1em } fieldset p { margin: .2em 0 }
"""
SAVE = """
const quoted = text => '"' + (/^[=+@\\t-]/.test(text) ? "'" : "") + text.replace(/"/g, '""') + '"';
const save = document.getElementById("save"), columns = save.dataset.columns.split(" ");
const touch = event => {
  event.target.closest("fieldset").dataset.touched = save.dataset.unsaved = "yes";
};
document.addEventListener("input", touch);
document.querySelectorAll(".clear").forEach(button => button.onclick = event => {
  for (const each of button.closest("fieldset").querySelectorAll("input")) {
    each.checked = false;
    if (each.type === "text") each.value = "";
  }
  touch(event);
});
const value = (fields, column) => {
  const of = [...fields.querySelectorAll("input")].filter(each => each.dataset.column === column);
  return of.length > 1 ? of.find(each => each.checked)?.value ?? "" : of[0]?.value ?? "";
};
save.onclick = () => {
  const lines = [["answer", "version", "question", ...columns]];
  for (const fields of document.querySelectorAll("fieldset[data-touched]")) {
    const {answer, version, question} = fields.dataset;
    lines.push([answer, version, question, ...columns.map(column => value(fields, column))]);
  }
  const text = lines.map(line => line.map(quoted).join(",") + "\\n").join("");
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], {type: "text/csv"}));
  link.download = save.dataset.file;
  link.click();
  save.dataset.unsaved = "";
};
window.onbeforeunload = event => save.dataset.unsaved ? event.preventDefault() : undefined;
"""
_HASH = base64.b64encode(hashlib.sha256(SAVE.encode()).digest()).decode()
POLICY = f"default-src 'none'; style-src 'unsafe-inline'; script-src 'sha256-{_HASH}'"
LONG = 120  # characters from which on the same answer twice may be no chance
BY_HAND = "Give points; the solved questions are in the notebooks of homework/."
NO_WALLS = "Graded with TRUST=1: students' code ran without walls and could change anything."


def write(folder, results, answers, marks, rubric, given, trust):
    """Write all pages to a folder, of notebooks `given` {problem: …} and `marks` {answer: row}."""
    worth = {problem: sum(solved.worth(nb).values()) for problem, nb in given.items()}
    texts = {cell.id: cell.source for nb in given.values() for cell in nb.cells}
    for question, items in rubric.items():
        own = [each for each in answers if each.items and each.question.split()[0] == question]
        read = [each for each in own if each.result["state"] != "not answered"]
        if not own:  # nobody has handed it in
            continue
        key = question.replace(".", "-")
        asked = texts.get(f"q{key}-words", texts[f"q{key}"])
        _write_reading(folder, question, asked, items, read, marks)
    by_machine = [each for each in answers if not each.items]
    people = [e for e in by_machine if e.for_a_person or e.result["state"] == "read"]
    _write_reading(folder, "needs-a-person", "", [], people, marks)
    by_student = defaultdict(list)
    for submission, result in results:
        by_student[submission.student].append((submission, result))
    for old in (folder / "feedback").glob("*.html"):  # of a student who may be called otherwise now
        old.unlink()
    used = set()
    for student, own in by_student.items():
        mine = [each for each in answers if each.submission.student == student]
        _write_feedback(folder, student, own, mine, worth, trust, used)
    _write_class(folder, sorted(by_student), answers, trust)


def _page(file, title, body):
    file.parent.mkdir(parents=True, exist_ok=True)
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="Content-Security-'
        f'Policy" content="{POLICY}"><title>{html.escape(title)}</title><style>{STYLE}</style>'
        f"<h1>{html.escape(title)}</h1>\n{body}</html>\n"
    )
    notebook.write(tables.utf8(text), file)


def _table(head, rows):
    """Rows of cells that are HTML already."""
    lines = ["".join(f"<th>{html.escape(each)}</th>" for each in head)]
    lines += ["".join(f"<td>{each}</td>" for each in row) for row in rows]
    return "<table>" + "\n".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def _write_reading(folder, name, asked, items, answers, marks):
    """Answers in the order of their codes and without names, with the question and its rubric."""
    body = f"<pre>{html.escape(asked)}</pre>" if asked else ""
    rubric = [[i["item"], f"{i['points']:g}", i["full"], i["missing"]] for i in items]
    head = ["item", "points", "what it asks for", "what a student reads without it"]
    body += _table(head, [map(html.escape, row) for row in rubric]) if items else ""
    columns, file = " ".join([*(i["item"] for i in items), "points", "note"]), f"marks-{name}.csv"
    done = sum(answer.result["state"] == "read" for answer in answers)
    how = "Choose a share of each item; one without a choice is 0." if items else BY_HAND
    body += f"<p>{done} of {len(answers)} are marked. {how} Save, and put {file} into the folder "
    body += f"{html.escape(str(folder))}: the next <code>make grade</code> takes it over.</p>\n"
    body += f'<button id="save" data-file="{file}" data-columns="{columns}">Save {file}</button>\n'
    for answer in sorted(answers, key=lambda each: each.code):
        row, got = marks.get(answer.code, {}), answer.result
        waits = answer.for_a_person or not items
        why = f"<p>{html.escape(' '.join(got['said']))}</p>" if waits else ""
        why += "<p>answers.csv says whose notebook it is.</p>" if items and waits else ""
        body += f"<h2>{html.escape(answer.code)}</h2>{why}"
        body += f"<pre>{html.escape(got['text'])}</pre>\n{_boxes(answer, items, row)}\n"
    title = f"Answers to {name}" if items else "Answers that need a person"
    _page(folder / "reading" / f"{name}.html", title, body + f"<script>{SAVE}</script>")


def _boxes(answer, items, row):
    boxes = ""
    for item in items:
        given = (row.get(item["item"]) or "").replace(",", ".")
        shares = ({given: given} if given else {}) | {"0": "0", "0.5": "½", "1": "1"}
        boxes += f"<p>{item['item']} "
        for share, shown in sorted(shares.items()):
            own = f'name="{html.escape(answer.code)}-{item["item"]}" data-column="{item["item"]}"'
            ticked = "checked" if share == given else ""
            value = html.escape(share)
            box = f'<input type="radio" {own} value="{value}" {ticked}>'
            boxes += f"<label>{box} {html.escape(shown)}</label>"
        boxes += "</p>"
    texts = [
        ("points", f"points, of {answer.result['most']:g}", 4),
        ("note", "to the student (why, if not all)", 40),
    ]
    for column, label, size in texts:
        value = html.escape(row.get(column) or "")
        if column == "note" or value or not items:
            box = f'<input type="text" data-column="{column}" size="{size}" value="{value}">'
            boxes += f"<label>{label}: {box}</label>"
    own = f'data-answer="{html.escape(answer.code)}" data-version="{answer.version}"'
    clear = '<button type="button" class="clear">Clear</button>'
    return f'<fieldset {own} data-question="{answer.question}">{boxes}{clear}</fieldset>'


def _write_feedback(folder, student, own, answers, worth, trust, used):
    body, most = f"<p>{NO_WALLS}</p>" if trust else "", 0.0
    for submission, result in own:
        most += worth[submission.problem]
        body += f"<h2>Assignment {submission.problem}</h2>\n"
        if not result:
            body += f"<p>{html.escape('; '.join([submission.state, *submission.notes]))}</p>\n"
            continue
        lines = []
        for answer in answers:
            if answer.submission is submission:
                got = answer.result
                points = f"{got['points']:g}" if got["state"] in tables.MARKED else "–"
                said = "<br>".join(map(html.escape, got["said"]))
                said = said or "✓" * (got["points"] >= got["most"])
                given = f"{points} of {got['most']:g}"
                lines.append([html.escape(answer.question), given, html.escape(got["state"]), said])
        body += _table(["question", "points", "", "what to look at"], lines)
        body += "".join(f"<p>Note: {html.escape(note)}.</p>" for note in result["notes"])
    name = re.sub(r"[^\w-]+", "-", student).strip("-").encode()[:120].decode(errors="ignore")
    while name.lower() in used or not name:
        name += f"-{len(used)}"
    used.add(name.lower())
    total = sum(answer.result["points"] for answer in answers)
    open_ = sum(answer.result["state"] not in tables.MARKED for answer in answers)
    open_ = f" so far; waiting for a person: {open_}" if open_ else ""
    title = f"{student}: {total:g} of {most:g} points{open_}"
    _page(folder / "feedback" / f"{name}.html", title, body)


def _write_class(folder, students, answers, trust):
    """The class: totals, how hard each question was, frequent mistakes, the same code twice."""
    total = dict.fromkeys(students, 0.0)
    for answer in answers:
        total[answer.submission.student] += answer.result["points"]
    bins = Counter(int(points // 4) * 4 for points in total.values())
    spread = [
        [f"{low} to under {low + 4}", _bar(bins[low] / len(students)), f"{bins[low]}"]
        for low in range(0, max(bins) + 1, 4)
    ]
    shares, mistakes, same = defaultdict(list), defaultdict(set), defaultdict(set)
    for answer in answers:
        got, who, question = answer.result, answer.submission.student, answer.question
        if got["state"] in tables.MARKED:
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
    if often:
        body += "<h2>What several students are told</h2>"
        body += _table(["question", "", "students"], often)
    body += "<h2>The same answer, but for spaces and comments</h2>"
    body += _table(["question", "who"], sorted(alike))
    _page(folder / "class.html", f"The class: {len(students)} students", body)


def _bar(share):
    return f'<div class="all"><div class="bar" style="width:{100 * share:.0f}%"></div></div>'
