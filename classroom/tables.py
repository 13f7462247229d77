"""Tables for a spreadsheet: grades, what needs a person, and the marks that a person gives."""

import csv
import hashlib
import io
import re
from dataclasses import dataclass, field

from classroom.intake import Submission
from classroom.judge import PERSON
from runner import notebook
from runner.notebook import UsageError

MARKED = ("right", "partly", "wrong", "not answered", "read")
DONE = (*MARKED, "to be read")
OTHERS = "n/a"  # in the column of another question's item


@dataclass
class Answer:
    """What a submission got for a question, as `judge` says.

    `code` does not say whose an answer in words is, and `version` changes with what is judged.
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


def answers_of(results, rubric, salt):
    """[Answer] of [(Submission, result)]; the points of answers in words are the rubric's.

    Without the `salt` nobody can tell whose a code is, or choose a name that has another's.
    """
    found = []
    for submission, result in results:
        whose = submission.name or submission.student
        for question, each in sorted(result.get("questions", {}).items()):
            code, version = f"{submission.student} {question}", each["text"]
            items = rubric[question.split()[0]] if question.endswith(" words") else []
            if items:
                code = _letters(f"{salt}/{whose}/{question}")
            else:
                version += f"{each['points']} {each['state']}"
            most = sum(item["points"] for item in items) or each["most"]
            each = each | {"most": most}
            found.append(Answer(submission, question, each, code, _letters(version), items))
    return found


def _letters(text):
    """Eight letters of a text's hash; a spreadsheet would take digits for a number."""
    digits = str.maketrans("0123456789", "ghijklmnop")
    return hashlib.sha256(utf8(text).encode()).hexdigest()[:8].translate(digits)


def utf8(text):
    """A text that can be written: what is no character becomes a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def take_marks(folder, answers, rubric):
    """Take the marks of marks.csv, and of marks-….csv that reading pages save, into the answers.

    ({answer: row}, rows of answers that are gone, rows that count no more, sentences). UsageError
    names a row that cannot be: its answer was never among the submissions, or its numbers are none
    of the rubric's.
    """
    by_code = {answer.code: answer for answer in answers}
    file, names = folder / "answers.csv", folder / "names.csv"
    known = read(file, "answer", "student") if file.exists() else {}
    known |= {answer.code: answer.submission.student for answer in answers}
    write_csv(file, ["answer", "student"], sorted(map(list, known.items())))
    named = _named(by_code, read(names, "student", "code") if names.exists() else {})
    marks, saved, old, said = {}, {}, [], []
    for file in (folder / "marks.csv", *sorted(folder.glob("marks-*.csv"))):
        rows = _read(file, by_code, named, known, rubric)
        if file.name != "marks.csv":
            stale = [c for c, row in rows.items() if _is_stale(row, by_code.get(c))]
            old += [rows[code] for code in stale]
            said += [f"{file.name} has marks of {c}, which has changed since." for c in stale]
            rows = {code: row for code, row in rows.items() if code not in stale}
            twice = [code for code in rows if saved.get(code, rows[code]) != rows[code]]
            if twice:
                raise UsageError(f"{file}: the answer {twice[0]} has other marks in another file.")
            saved |= rows
            said.append(f"{file.name} is taken into marks.csv.")
        old += [marks[code] for code in rows if marks.get(code, rows[code]) != rows[code]]
        marks |= rows
    gone = {code: row for code, row in marks.items() if code not in by_code}
    for code, row in [*marks.items()]:
        if code in gone:
            said.append(f"The answer {code} has marks, and is not among the submissions any more.")
        elif not _is_stale(row, by_code[code]):
            _mark(by_code[code], row)
            continue
        elif _is_marked(row, rubric):
            said.append(f"The answer {code} has changed; its marks are in before-marks.csv.")
            old.append(row)
        del marks[code]
    return marks, gone, [row for row in old if _is_marked(row, rubric)], said


def _is_stale(row, answer):
    """Whether marks are of another version of an answer than there is now."""
    return answer is not None and row["version"] not in ("", answer.version)


def _named(by_code, codes):
    """{what a person may call an answer: its code}: "jane 3.1", also by a code for her name."""
    named = {}
    for words in (True, False):  # "jane 4.7" is what a machine judges
        for code, answer in by_code.items():
            of, question = answer.submission, answer.question
            for whose in (of.student, of.name, codes.get(of.student)):
                if whose and bool(answer.items) is words:
                    named[f"{whose} {question}"] = named[f"{whose} {question[:3]}"] = code
    return named


def _columns(rubric):
    return [item["item"] for items in rubric.values() for item in items]


def _is_marked(row, rubric):
    return any(row.get(name) not in (None, "", OTHERS) for name in [*_columns(rubric), "points"])


def _opened(file):
    """(columns, rows) of a table as it was written here, or as a spreadsheet saves it."""
    content = file.read_bytes()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", "replace")  # on Windows
    separator = ";" if text.partition("\n")[0].count(";") else ","  # in Europe
    table = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        rows = [{n: _typed(c or "") for n, c in row.items() if n} for row in table]
    except csv.Error as error:
        raise UsageError(f"{file} cannot be read as a table: {error}.") from None
    return table.fieldnames or [], rows


def _read(file, by_code, named, known, rubric):
    """{answer: row} of a table of marks; an answer that is gone has one only if it has marks."""
    if not file.is_file():
        return {}
    marks, (head, rows) = {}, _opened(file)
    strange = set(head) - {"answer", "version", "question", "points", "note", *_columns(rubric)}
    if strange or "answer" not in head:
        said = f"has a column {min(strange)!r}" if strange else "has no column 'answer'"
        raise UsageError(f"{file} {said}; its columns are answer, {', '.join(_columns(rubric))}, …")
    for number, row in enumerate(rows, start=2):
        row = {"version": "", **row}
        where, code = f"{file}, row {number}", row["answer"].strip()
        code = named.get(code, code)
        if code not in known:
            raise UsageError(f"{where}: there is no answer {code!r}; take the row out.")
        if code in marks:
            raise UsageError(f"{where}: the answer {code} is there twice; keep one row.")
        if code in by_code:
            _demand_marks(where, by_code[code], row, rubric)
        if code in by_code or _is_marked(row, rubric):
            marks[code] = row
    return marks


def _typed(text):
    """A cell as it was typed, without the sign that keeps a spreadsheet from computing it."""
    return text[1:] if re.match(r"'['=+@\t\r-]", text) else text


def _demand_marks(where, answer, row, rubric):
    total, most = 0.0, answer.result["most"]
    for name in set(_columns(rubric)) - {item["item"] for item in answer.items}:
        if row.get(name, "") not in ("", OTHERS):
            raise UsageError(f"{where}: {name} is no item of {answer.question}; move the mark.")
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
        got |= {"points": points, "state": "read"}
        got["said"] = [said.replace(PERSON, "").strip() for said in got["said"]]
    got["said"] = [*got["said"], *filter(None, [row.get("note")])]


def write_marks(folder, answers, marks, gone, old, rubric):
    """marks.csv, a row for each answer that a person sees; `old` rows go to before-marks.csv."""
    names = _columns(rubric)
    head = ["answer", "version", "question", *names, "points", "note"]
    table = []
    for answer in sorted(answers, key=lambda each: (each.question, each.code)):
        words = answer.items and answer.result["state"] != "not answered"
        if words or answer.for_a_person or answer.code in marks:
            row, mine = marks.get(answer.code, {}), [item["item"] for item in answer.items]
            cells = [row.get(name, "") if name in mine else OTHERS for name in names]
            rest = [row.get("points", ""), row.get("note", "")]
            table.append([answer.code, answer.version, answer.question, *cells, *rest])
    table += [[row.get(name, "") for name in head] for row in gone.values()]
    before = folder / "before-marks.csv"
    if old:
        old = [*(_opened(before)[1] if before.is_file() else []), *old]
        write_csv(before, head, [[row.get(name, "") for name in head] for row in old])
    write_csv(folder / "marks.csv", head, table)
    for each in folder.glob("marks-*.csv"):  # a page saved it; its rows are in these two now
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
        late = [f"{s.problem} late" for s, _ in mine if s.late]
        notes = [f"{s.problem}: {n}" for s, r in mine for n in [*s.notes, *r.get("notes", [])]]
        lists = [", ".join(each) for each in (open_, unread, states, late)]
        table.append([student, *points, f"{total:g}", *lists, "; ".join(notes)])
    head = ["student", *names, "total", "needs a person", "to be read", "missing", "late", "notes"]
    write_csv(folder / "grades.csv", head, table)


def _shown(answer):
    """Points; nothing where a person has not looked yet."""
    waits = answer.result["state"] not in MARKED
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
    """{key: value} of two columns of a table; UsageError where it has them no more."""
    head, rows = _opened(file)
    if key not in head or value not in head:
        raise UsageError(f"{file} has no columns {key!r} and {value!r} any more; move it away.")
    return {row[key]: row[value] for row in rows}


def write_csv(file, head, table):
    """A table in which no text is a formula for a spreadsheet."""
    lines = []
    for row in [head, *table]:
        cells = [f"'{c}" if re.match(r"['=+@\t\r-]", c) and _number(c) is None else c for c in row]
        lines.append(",".join('"' + cell.replace('"', '""') + '"' for cell in cells))
    notebook.write(utf8("\n".join(lines) + "\n"), file)
