"""A student's cells and the given ones, as one notebook that is run; and what the student wrote."""

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, field

from classroom.self_check import mark


@dataclass
class Merged:
    """A notebook as it is run, and what is known of its cells.

    `cells` is [(key, code, given)] in the order in which they run: a key such as "a3-1", or "code
    cell 7" for one of the student's own. `sections` is {question: [(key, type, text)]} of what the
    student wrote from a question's text to the next one's; `notes` are sentences that change no
    points, and `doubled` the questions whose answer's cell is there more than once.
    """

    cells: list = field(default_factory=list)
    sections: dict = field(default_factory=lambda: defaultdict(list))
    notes: list = field(default_factory=list)
    doubled: set = field(default_factory=set)

    def words(self, question, key):
        """The answer in words to a question: its cell `key`, and what stands in cells beside it."""
        rest = self.sections.get(question, ())
        return "\n\n".join(text for k, kind, text in rest if k in ("", key) or kind == "added")

    def elsewhere(self, question):
        """Texts that may answer a question in words though they stand somewhere else."""
        number = re.compile(rf"(?<![\d.]){re.escape(question)}(?!\d)")
        whole = [each for section in self.sections.values() for each in section]
        own = [text for key, kind, text in whole if key == "" and kind == "markdown"]
        named = [text for _, _, text in whole if number.search(text)]
        return list(dict.fromkeys(named + [text for text in own if len(text.split()) > 4]))

    def beside(self, question):
        """Whether there are cells of the student's own between a question and the next one."""
        return any(key == "" for key, _, _ in self.sections.get(question, ()))

    def code(self, question):
        """What a student wrote to a question in cells of code, also if a cell became Markdown."""
        rest = self.sections.get(question, ())
        return "\n\n".join(text for key, kind, text in rest if key[:1] != "w" and kind != "added")


def merged(submitted, given):
    """The student's cells in the student's order, with the given ones put back: a Merged.

    `given` is the notebook that was handed out. A given cell that was lost comes back beside its
    neighbours. One that was changed runs as the student's own, and then as it was; what the copy
    says of itself tells whether it was, since links may have been put in (LESSONS).
    """
    handed = {cell.metadata.nbgrader.grade_id: cell for cell in given.cells}
    locked = {key: cell for key, cell in handed.items() if cell.metadata.nbgrader.locked}
    cells = _with_keys(submitted["cells"], handed)
    there = Counter(key for key, _, _ in cells)
    made, missing, at, number = Merged(), list(locked), "", 0
    for key, kind, text in cells:
        number += kind == "code"
        own = f"code cell {number}"
        at = question_of(key) or at
        changed = key not in handed or not _same(text, handed[key].source)
        if key in locked and mark(text) == submitted["given"].get(key):
            changed = False
        if key in locked:
            made.cells += [(own, text, False)] if changed and kind == "code" else []
            if changed:
                made.notes.append(f"the given cell {key} was changed, and is put back")
                added = _added(text, locked[key].source)
                added_as = "added" if kind == "markdown" else kind
                made.sections[at] += [("", added_as, added)] if added else []
            if key in missing:  # and otherwise it is a copy
                before = missing[: missing.index(key) + 1]
                missing = missing[len(before) :]
                made.cells += [_given(each, locked) for each in before]
            continue
        if not changed and there[key] > 1:
            continue  # a copy of an answer's cell, with nothing in it
        if kind == "code":
            made.cells.append((key or own, text, False))
        if changed and text.strip():
            made.sections[at].append((key, kind, text))
    made.cells += [_given(key, locked) for key in missing]
    made.cells = [each for each in made.cells if each[1] is not None]
    lost = [key for key in locked if key not in there]
    made.notes += [f"given cells were lost, and are put back: {', '.join(lost)}"] if lost else []
    _find_doubled(made)
    return made


def question_of(key):
    """The question of a cell's key, such as "3.2", or "" for a cell of none."""
    found = re.match(r"[aqtw](\d)-(\d)", key)
    return f"{found[1]}.{found[2]}" if found else ""


def _with_keys(cells, handed):
    """[(key, type, source)] of a student's cells; a cell that lost its key is known by its text."""
    by_text = {_bare(cell.source): key for key, cell in reversed(handed.items())}
    kept = {cell["key"] for cell in cells}
    found = []
    for cell in cells:
        key = cell["key"] if cell["key"] in handed else ""
        if not key and by_text.get(_bare(cell["source"])) not in kept:
            key = by_text.get(_bare(cell["source"]), "")
        kind = "code" if cell.get("cell_type") == "code" else "markdown"
        found.append((key, kind, cell["source"]))
    return found


def _bare(text):
    return "\n".join(line.rstrip() for line in text.strip().splitlines())


def _same(one, other):
    return _bare(one) == _bare(other)


def _added(text, given):
    lines = {line.strip() for line in given.splitlines()}
    return "\n".join(line for line in text.splitlines() if line.strip() not in lines)


def _given(key, locked):
    cell = locked[key]
    if key.startswith("t"):  # an example is for the student; here its question is asked
        return (key, "", True)
    return (key, cell.source if cell.cell_type == "code" else None, True)


def _find_doubled(made):
    keys = Counter(key for key, _, given in made.cells if key and not given)
    doubled = sorted(key for key, times in keys.items() if times > 1)
    made.doubled = {question_of(key) for key in doubled}
    made.notes += [f"the cell {key} is there twice" for key in doubled]
