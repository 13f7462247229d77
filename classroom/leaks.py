"""What is left of the answers in the files that students get: their text, their numbers, a check.

A helper is looked at by what it does: one that gets points for a question is an answer to it.
"""

import importlib
import inspect
import json
import re
from pathlib import Path

import nbformat
import numpy as np

from classroom import solved
from homework import checks, class_numbers

SHORTEST = 16  # characters of a line that says something
NUMBER = re.compile(r"(?<![\w.])[−-]?\d+(?:\.\d+)?(?:e[+-]?\d+)?")
SECRET_FILES = re.compile(r"(^|/)(checks/|p[1-5]\.py|rubric|class\.json|makers\.py|leaks\.py)")


def found(files, seed):
    """A sentence for each answer that is left in `files` {path: bytes} of class `seed`.

    Problem 2's answers are functions of two frameworks, so they have no numbers, and are not run.
    """
    notebooks = solved.load()
    ran = {p: solved.run(nb, p, seed) for p, nb in notebooks.items() if p != 2}
    lines, values = secret_lines(notebooks), secret_numbers(notebooks, ran, seed)
    said = [f"{name} belongs to the checks." for name in files if SECRET_FILES.search(name)]
    for name, content in files.items():
        text = readable(name, content)
        flat = _squeeze(text)
        said += [f"{name} has a line of {of}: {line}" for line, of in lines.items() if line in flat]
        if not name.endswith((".csv", ".txt", ".py")):
            here = {_digits(each) for each in NUMBER.findall(text)} & set(values)
            said += [f"{name} has a number of {values[digits]}: {digits}…" for digits in here]
    return said + answering(files, notebooks, ran, seed)


def readable(name, content):
    """The text of a file; of a notebook that of its cells and outputs."""
    text = content.decode(errors="replace")
    if not name.endswith(".ipynb"):
        return text
    cells = nbformat.reads(text, as_version=4).cells
    shown = [json.dumps(cell.get("outputs", []), ensure_ascii=False) for cell in cells]
    return "\n".join([cell.source for cell in cells] + shown)


def _squeeze(text):
    return re.sub(r"\s+", " ", text)


def secret_lines(notebooks):
    """{line: where it is from} of the solutions and checks, less what students are given anyway."""
    given, secret = "", {}
    for cell in (cell for nb in notebooks.values() for cell in nb.cells):
        if not cell.metadata.get("nbgrader", {}).get("solution"):
            given += "\n" + _squeeze(cell.source)
        elif cell.cell_type == "markdown":
            parts = re.split(r"(?<=[.!?:])\s", cell.source)
            secret |= dict.fromkeys(parts, solved.question(cell))
        else:
            parts = "".join(solved.REGION.findall(cell.source)).splitlines()
            secret |= dict.fromkeys(parts, solved.question(cell))
    for path in sorted(Path(checks.__path__[0]).glob("p?.py")):
        body = path.read_text(encoding="utf-8").partition('"""\n\n')[2].splitlines()
        own = [line for line in body if "import" not in line]
        secret |= dict.fromkeys(own, f"the check {path.name}")
    flat = {_squeeze(line).strip(): of for line, of in secret.items()}
    return {line: of for line, of in flat.items() if len(line) >= SHORTEST and line not in given}


def secret_numbers(notebooks, ran, seed):
    """{digits: question} of the numbers in the answers, less those that students are given."""
    own = [class_numbers.of(problem, seed) for problem in notebooks]
    cells = [cell for nb in notebooks.values() for cell in nb.cells]
    told = [c.source for c in cells if not c.metadata.get("nbgrader", {}).get("solution")]
    given = {_digits(each) for each in NUMBER.findall(json.dumps(own) + " ".join(told))}
    secret = {}
    for problem, names in ran.items():
        for question, asked in solved.asked(notebooks[problem]).items():
            for value in (names[name] for name in asked if not callable(names[name])):
                if not isinstance(value, (bool, set)):
                    numbers = np.ravel(np.asarray(value, dtype=float))
                    secret |= {_digits(f"{number:.12g}"): question for number in numbers}
    return {digits: of for digits, of in secret.items() if len(digits) >= 4 and digits not in given}


def _digits(number):
    """A number's first four digits, without sign, point, exponent and zeros at the ends."""
    return re.sub(r"e.*|[^\d]", "", number).strip("0")[:4]


def answering(files, notebooks, ran, seed):
    """A sentence for each function of the modules in `files` that is an answer to something."""
    questions = [(q, names) for nb in notebooks.values() for q, names in solved.asked(nb).items()]
    owner = {name: question for question, names in questions for name in names}
    said, functions = [], _functions(files)
    for where in functions:
        if question := owner.get(where.rpartition(".")[2]):
            said.append(f"{where} has the name of an answer of {question}.")
    for question, asked in questions:
        known = ran.get(int(question[0]), {})
        for name in (each for each in asked if callable(known.get(each))):
            without = solved.points(question, known | {name: None}, seed).points
            for where, function in functions.items():
                if solved.points(question, known | {name: function}, seed).points > without:
                    said.append(f"{where} answers {question}.")
    return said


def _functions(files):
    """{full name: function} of what the modules among `files` define."""
    found = {}
    for name, content in files.items():
        if name.startswith("helpers/") and b"def " in content:
            module = importlib.import_module(name[:-3].replace("/", ".").removesuffix(".__init__"))
            for own, function in inspect.getmembers(module, inspect.isfunction):
                if function.__module__ == module.__name__:
                    found[f"{module.__name__}.{own}"] = function
    return found
