"""Sentences that data may turn around: every way in which each can come out, whole and printed.

`python -m pytest -s tests/test_branches.py` prints them all in their places, for reading.
"""

import ast
import re

import nbformat
import pytest

from tests.support import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
SAYS = re.compile(r"^say\(", re.MULTILINE)


def said(nb):
    """(heading, words before, which was shown, {name: sentence}) of each `say` of a notebook."""
    heading, before = "", ""
    for cell in nb.cells:
        if cell.cell_type == "markdown":
            heading = (re.findall(r"^#+ (.*)", cell.source, re.MULTILINE) or [heading])[-1]
            before = cell.source.strip().splitlines()[-1]
            continue
        for output in cell.outputs:
            if branches := output.get("metadata", {}).get("branches"):
                yield heading, before, output.data["text/markdown"], branches


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_every_branch_is_written_in_full(path):
    """A word that turns around in a sentence that does not is how a false sentence comes about."""
    nb = nbformat.read(path, as_version=4)
    found = list(said(nb))
    assert len(found) == sum(len(SAYS.findall(c.source)) for c in nb.cells if "outputs" in c)
    for heading, before, shown, branches in found:
        print(f"\n[{path.stem}] {heading}\n  … {before[-100:]}")
        for name, sentence in branches.items():
            print(f"  {'→' if sentence == shown else ' '} {name}: {sentence}")
            assert re.search(r"[.!?][)”]?$", sentence), f"{name!r} is no whole sentence"
            assert not re.search(r"\bnan\b|\binf\b|None|  ", sentence), sentence
        assert shown in branches.values()
        assert len({*branches.values()}) == len(branches) > 1


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_shows_a_sentence_does_nothing_else(path):
    """Its code is folded away, so nothing but words may be made there."""
    for cell in nbformat.read(path, as_version=4).cells:
        if cell.cell_type == "code" and SAYS.search(cell.source):
            *words, last = ast.parse(cell.source).body
            assert all(isinstance(each, (ast.Assign, ast.AugAssign)) for each in words)
            assert ast.unparse(last).startswith("say(")
            assert cell.metadata["jupyter"] == {"source_hidden": True}
