"""What a question gets: its points and a state, and never a silent 0 for what a person would see.

A state is right, partly, wrong or not answered, or why a person has to look.
"""

import re

from classroom.self_check import STUB

LONGEST = 20_000  # characters of an answer that a page shows
PERSON = "A person looks at it."


def judged(question, got, most, names, stub, found, errors):
    """{"points", "most", "state", "said", "text"} of a question.

    `got` is (Points, Ask), or why there are none; `names` is what the question asks for and `stub`
    its answer's cell as handed out, `found` the Merged notebook, `errors` {cell: what stopped it}.
    """
    text = found.code(question)
    if isinstance(got, str):
        return result(0, most, got, [f"It was stopped: {got}. {PERSON}"], text)
    points, ask = got
    if ask.later:
        said = [*points.said, f"A later cell answers otherwise. {PERSON}"]
        return result(points.points, most, "two answers", said, text)
    if points.points >= most:
        return result(points.points, most, "right", [], text)
    state, said = _less(question, points, ask, found, errors, names, stub)
    rest = (
        [own for own in _defining(names, found) if own not in text]
        if PERSON in " ".join(said)
        else []
    )
    return result(points.points, most, state, said, "\n\n".join([text, *rest]).strip())


def in_words(question, key, most, found):
    """The same of an answer in words, which a person reads unless there is not a letter."""
    text, state, said = found.words(question, key), "to be read", []
    if ("![" in text and "](" in text) or "<img" in text:
        state, said = (
            "has a picture",
            [f"It has a picture, which has to be looked up in the notebook. {PERSON}"],
        )
    elif not re.search(r"\w", text.replace(STUB, "")):
        elsewhere = found.elsewhere(question)
        text, state = "\n\n".join(elsewhere), "unclear" if elsewhere else "not answered"
        said = [f"It may stand in another place. {PERSON}"] if elsewhere else []
    return result(0, most, state, said, text)


def result(points, most, state, said, text):
    cut = text if len(text) < LONGEST else f"{text[:LONGEST]}\n… and {len(text) - LONGEST:,} more."
    return {"points": points, "most": most, "state": state, "said": said, "text": cut}


def _less(question, points, ask, found, errors, names, stub):
    """(state, sentences) of a question that did not get all its points."""
    key = f"a{question.replace('.', '-')}"
    stops, told = errors.get(key, ""), list(dict.fromkeys(points.said))
    if question in found.doubled:
        return "cell is there twice", [*told, f"Its cell is there twice. {PERSON}"]
    if stops and (name := _defined_later(stops, key, found)):
        said = f"Its cell uses {name}, which only a later cell defines. {PERSON}"
        return "another order", [said]
    if stops:
        said = f"Its cell stops with {stops.rstrip('.')}. {PERSON}"
        return "cell stops", [*(told if ask.answered else ()), said]
    if ask.outside:
        return "machine", [*told, PERSON]
    if not ask.answered and not _written(question, found, names, stub):
        return "not answered", told
    if not ask.answered or ask.missing or (ask.open and found.beside(question)):
        open_ = ", ".join(dict.fromkeys([*ask.missing, *ask.open]))
        said = f"Nothing answers to the name {open_}, but something is written. {PERSON}"
        return "unclear", [*(told if points.points else ()), said]
    return "partly" if points.points else "wrong", told


def _written(question, found, names, stub):
    """Whether a student wrote anything that may be the answer, wherever it stands."""
    given = {line.strip() for line in stub.splitlines()} | {"", "raise NotImplementedError"}
    own = any(line.strip() not in given for line in found.code(question).splitlines())
    return own or bool(_defining(names, found))


def _defining(names, found):
    """The student's own cells, wherever they stand, that define what a question asks for."""
    texts = [text for section in found.sections.values() for key, _, text in section if not key]
    defines = re.compile("|".join(rf"\bdef {name}\b|^{name}\s*=(?!=)" for name in names), re.M)
    return [text for text in texts if defines.search(text)]


def _defined_later(error, key, found):
    """The name that a cell lacked and that a later cell of the student's defines, or ""."""
    lacking = re.search(r"NameError: name '(\w+)' is not defined", error)
    if not lacking:
        return ""
    keys = [each for each, _, _ in found.cells]
    later = [code for each, code, given in found.cells[keys.index(key) + 1 :] if not given]
    defines = re.compile(rf"^(def |class |import ){lacking[1]}\b|^{lacking[1]}\s*=(?!=)", re.M)
    return lacking[1] if any(map(defines.search, later)) else ""
