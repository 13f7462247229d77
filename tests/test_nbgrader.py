"""nbgrader takes the assignments: its own student copies and its validation, installed aside."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from classroom import solved, student

ROOT = Path(__file__).resolve().parents[1]
VERSION = "nbgrader==0.9.6"
pytestmark = [pytest.mark.slow, pytest.mark.weekly]  # it is installed aside, in a minute


@pytest.fixture(scope="module")
def nbgrader():
    """A function that runs nbgrader with these arguments in a folder: what it prints."""
    aside = ROOT / "build" / VERSION
    if not (aside / "nbgrader").is_dir():
        install = [sys.executable, "-m", "pip", "install", "-q", "--target", str(aside), VERSION]
        subprocess.run(install, check=True)
    own = {"PYTHONPATH": str(aside), "PATH": f"{aside / 'bin'}{os.pathsep}{os.environ['PATH']}"}

    def run(folder, *arguments):
        command = [sys.executable, "-m", "nbgrader", *arguments]
        where = {"cwd": folder, "env": os.environ | own}
        done = subprocess.run(command, **where, capture_output=True, text=True)
        return done.stdout + done.stderr

    return run


def answers(nb):
    cells = [cell for cell in nb.cells if cell.metadata.get("nbgrader", {}).get("solution")]
    return {cell.metadata.nbgrader.grade_id: cell.source for cell in cells}


def test_its_copies_have_the_same_answer_cells(nbgrader, tmp_path):
    (tmp_path / "source" / "hw").mkdir(parents=True)
    for path in solved.SOURCES.values():
        shutil.copy(path, tmp_path / "source" / "hw")
    said = nbgrader(tmp_path, "generate_assignment", "hw", "--create")
    assert "ERROR" not in said
    for problem, nb in solved.load().items():
        path = tmp_path / "release" / "hw" / f"0{problem}.ipynb"
        theirs = answers(nbformat.read(path, as_version=4))
        ours = answers(student.copy(nb, problem, 0))
        assert theirs.keys() == ours.keys()
        for key, source in ours.items():
            # At the top level its stub stops the notebook, and ours leaves the None.
            assert theirs[key].startswith(source.partition("\n")[0])
            if "raise" in source and "None" not in source:
                assert theirs[key] == source


@pytest.mark.parametrize("problem", [1, 2, 3, 4, 5])
def test_its_validation_runs_the_examples(nbgrader, tmp_path, problem):
    for name, content in student.files(0).items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(content)
    said = nbgrader(tmp_path, "validate", f"0{problem}.ipynb")
    nb = nbformat.reads((tmp_path / f"0{problem}.ipynb").read_text("utf-8"), as_version=4)
    examples = [key for key in nb.metadata.homework.graded if key.startswith("t")]
    assert f"VALIDATION FAILED ON {len(examples)} CELL(S)" in said
    for key in examples:
        assert f"{key[1:].replace('-', '.')} is not answered yet: " in said
    shutil.copy(solved.SOURCES[problem], tmp_path / "solved.ipynb")
    assert "Success! Your notebook passes all the tests." in nbgrader(
        tmp_path, "validate", "solved.ipynb"
    )
