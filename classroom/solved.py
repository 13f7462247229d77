"""The assignments with their solutions: what they ask for, what comes out, what it is worth."""

import io
import json
import re
import warnings
from contextlib import redirect_stdout
from pathlib import Path

import numpy as np

from classroom import inside
from classroom.ask import Ask
from homework import checks, class_numbers
from runner import notebook

ROOT = Path(__file__).resolve().parents[1]
SOURCES = {problem: ROOT / "homework" / f"0{problem}.ipynb" for problem in range(1, 6)}
REGION = re.compile(r"### BEGIN SOLUTION\n(.*?)### END SOLUTION", re.DOTALL)


def load():
    """{problem: its notebook with solutions}."""
    return {problem: notebook.load(path) for problem, path in SOURCES.items()}


def question(cell):
    """The question of a cell, such as "3.2", from its id."""
    return cell.metadata.nbgrader.grade_id[1:].replace("-", ".")


def asked(nb):
    """{question: the names of the functions and variables that its answer cell has to define}."""
    found = {}
    for cell in nb.cells:
        if cell.cell_type == "code" and cell.metadata.nbgrader.solution:
            outer = REGION.sub("", cell.source)
            found[question(cell)] = re.findall(r"^(?:def )?(\w+)(?= = None|\(.*:$)", outer, re.M)
    return found


def worth(nb, kinds="tw"):
    """{key of a graded cell: its points}; "t" is by machine, "w" in words."""
    own = [cell.metadata.get("nbgrader") for cell in nb.cells]
    graded = [meta for meta in own if meta and meta.grade]
    return {meta.grade_id: meta.points for meta in graded if meta.grade_id[0] in kinds}


def run(nb, problem, seed):
    """{name: value} after the notebook has run in this process, with a class's numbers."""
    names = {}
    with redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for cell in nb.cells:
            if cell.cell_type == "code" and not cell.metadata.nbgrader.grade:
                code = class_numbers.cell(problem, seed) if cell.id == "numbers" else cell.source
                exec(compile(code, cell.id, "exec"), names)
    return names


def points(which, names, seed, draw=1):
    """What a question's check gives to answers `names` {name: value} of this process: Points."""

    def send(request):
        return json.loads(json.dumps(inside.answer(names, json.loads(json.dumps(request)))))

    numbers = checks.numbers_of(int(which[0]), seed, np.random.default_rng(draw))
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return checks.check_of(which)(Ask(send), numbers)
