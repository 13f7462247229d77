"""How a notebook becomes a page of the site; tests/browser looks at the pages themselves."""

import json
import subprocess
from copy import deepcopy

import nbformat
import notebook_page
import pages
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PIXEL = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)


def figure(alt="A dot."):
    about = {"image/png": {"alt": alt, "width": 100}}
    return new_output("display_data", {"image/png": PIXEL}, metadata=about)


def page(*cells, told=None, paper=False):
    return notebook_page.shown(new_notebook(cells=deepcopy([*cells])), told or {}, paper).cells


def test_every_helper_is_in_the_reference_once():
    names = [name for modules in notebook_page.REFERENCE.values() for name in modules]
    paths = [path.relative_to(pages.ROOT) for path in (pages.ROOT / "helpers").rglob("*.py")]
    public = {p.with_suffix("").as_posix().replace("/", ".") for p in paths if p.name[0] != "_"}
    assert {name for name in names if name.startswith("helpers")} == public
    assert len(set(names)) == len(names)


def test_the_first_page_takes_its_words_from_readme():
    opening, table, story, rest = pages.readme()
    text = pages.landing(opening, table, story)
    assert "<!--" not in text
    assert "{{" not in text
    for path in sorted((pages.ROOT / "notebooks").glob("*.ipynb")):
        assert f"(notebooks/{path.name})" in text
        assert f"notebooks/{path.stem}\n" in text
    assert text.count("What the verification found") == 5
    assert "What it needs" in rest
    assert "What the verification found" not in rest


def test_what_no_reader_sees_is_left_out():
    [cell] = page(new_markdown_cell("It is 16 %<!--= 100 * x -->."))
    assert cell.source == "It is 16 %."


def test_a_caption_belongs_to_its_figure():
    drawn = new_code_cell("plots.curves()", outputs=[figure('A "dot".')])
    first, text = page(drawn, new_markdown_cell("*What to see.*\n\nThen the text."))
    assert first.metadata["mystnb"]["figure"] == {"caption": "What to see."}
    assert first.metadata["mystnb"]["image"] == {"alt": 'A "dot".', "width": "100px"}
    assert text.source == "Then the text."
    assert len(page(drawn, new_markdown_cell("*What to see.*"))) == 1
    alone, other = page(drawn, new_markdown_cell("**Bold** is no caption."))
    assert alone.metadata["mystnb"]["image"]["alt"] == 'A "dot".'
    later = page(
        drawn, *map(new_markdown_cell, ("*The caption.*", "Text.", "*A remark.*\n\nMore."))
    )
    assert later[0].metadata["mystnb"]["figure"] == {"caption": "The caption."}
    assert later[-1].source == "*A remark.*\n\nMore."
    assert other.source == "**Bold** is no caption."


def test_a_comment_that_is_shown_as_code_stays():
    text = "`a <!--= b -->`<!--= c --> and\n```\nd <!--= e -->\n```\n`<!--run` f"
    assert notebook_page.visible(text) == text.replace("<!--= c -->", "")


def test_what_prose_names_is_linked():
    text = "See problem 4, `data/README.md`, `helpers/mle.py`, `problem 4` and problem 3."
    assert notebook_page.linked(text, "03-gradient-descent.ipynb") == (
        "See [problem 4](04-maximum-likelihood.ipynb), [the data card](../data/README.md), "
        "[`helpers/mle.py`](../helpers/math.md), `problem 4` and problem 3."
    )
    for apart in ("# Like problem 4", "[problem 4](a.md)", "$problem 4$", "problem 9"):
        assert notebook_page.linked(apart, "01-true-false.ipynb") == apart


@pytest.mark.parametrize(
    ("source", "folded"),
    [
        ("import numpy as np\n\nfrom helpers import plots", True),
        ("plots.curves(\n    {},\n)", True),
        ("def draw():\n    drawings.bowls({})", True),
        ("x = 1\ncheck('one', x, 1)", False),
        ("seed = 3", False),
        ("important = 3", False),
        ("from_zero = 1", False),
    ],
)
def test_code_that_imports_and_draws_is_folded(source, folded):
    [cell] = page(new_code_cell(source))
    assert ("hide-input" in cell.metadata["tags"]) == folded
    [cell] = page(new_code_cell(source), paper=True)
    assert "hide-input" not in cell.metadata["tags"]
    draws = "plots." in source or "drawings." in source
    assert ("remove-input" in cell.metadata["tags"]) == draws


TOLD = {
    "alt": 'A "figure".',
    "width": 576,
    "start": {"c": 0.5},
    "controls": [{"label": "c", "at": 1, "values": [0, 0.5], "files": ["0-0.png", "0-1.png"]}],
}


def test_sliders_stand_for_an_interactive_cell():
    cell = new_code_cell("# NBVAL_IGNORE_OUTPUT\nexplore(\n    draw_it,\n    c=FloatSlider(),\n);")
    [shown] = page(cell, told={"draw_it": TOLD})
    text = shown.outputs[0].data["text/html"]
    assert 'src="../_static/frames/draw_it/0-1.webp"' in text
    assert 'max="1" step="1" value="1"' in text
    assert 'aria-valuetext="0.5"' in text
    assert 'alt="A &quot;figure&quot;."' in text
    assert shown.source.startswith("explore(")
    assert page(cell, told={"draw_it": TOLD}, paper=True) == []
    assert page(new_markdown_cell("## What comes next\n\nMore."), paper=True) == []


def test_what_is_missing_is_said_with_what_to_type(tmp_path):
    with pytest.raises(pages.Missing, match=r"01-true-false.ipynb is not there.*make run-all"):
        pages.executed(tmp_path)
    nb = new_notebook(cells=[new_code_cell("explore(\n    draw_it, frames=['c'])")])
    with pytest.raises(pages.Missing, match=r"frames.json is not there.*make frames"):
        pages.frames(tmp_path, "03.ipynb", nb)
    folder = tmp_path / "frames" / "draw_it"
    folder.mkdir(parents=True)
    (folder / "frames.json").write_text('{"half')
    with pytest.raises(pages.Missing, match=r"frames.json cannot be read .*make frames FORCE=1"):
        pages.frames(tmp_path, "03.ipynb", nb)
    (folder / "frames.json").write_text(json.dumps(TOLD))
    assert pages.frames(tmp_path, "03.ipynb", nb) == {"draw_it": TOLD}
    with pytest.raises(pages.Missing, match=r"0-0.png is not there: make frames FORCE=1"):
        pages.webp(folder, TOLD, tmp_path / "made")
    nb.cells[0] |= {"source": "explore(draw_it)", "id": "sliders"}
    with pytest.raises(pages.Missing, match=r"^03.ipynb: cell 'sliders' wants frames=\[…\]"):
        pages.frames(tmp_path, "03.ipynb", nb)


def test_other_cells_or_parameters_are_no_pages(tmp_path):
    """The site is of the notebooks as they are: prose from there, outputs from build/."""
    for path in sorted((pages.ROOT / "notebooks").glob("*.ipynb")):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    changed = tmp_path / "03-gradient-descent.ipynb"
    nb = nbformat.read(changed, as_version=4)
    nb.cells[0].source = "Other prose."
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    code[-1].outputs = [new_output("stream", text="other")]
    nbformat.write(nb, changed)
    found = pages.executed(tmp_path)[changed.name].cells
    assert found[0].source.startswith("# Problem 3")
    assert [cell for cell in found if cell.cell_type == "code"][-1].outputs[0].text == "other"
    code[0].source = "step_size = 0.05"
    nbformat.write(nb, changed)
    with pytest.raises(pages.Missing, match="of other cells or parameters than now: make run-all"):
        pages.executed(tmp_path)
    for half in ('{"cells": [', "{}", "[]", "null"):
        changed.write_text(half)
        with pytest.raises(pages.Missing, match=r"cannot be read .*make run-all FORCE=1"):
            pages.executed(tmp_path)


@pytest.mark.parametrize(
    ("remote", "address"),
    [
        ("https://github.com/some/course.git", "https://github.com/some/course"),
        ("git@github.com:some/course", "https://github.com/some/course"),
        ("ssh://git@github.com/some/course.git", "https://github.com/some/course"),
        ("https://token@github.com/some/course/", "https://github.com/some/course"),
        ("https://example.org/some/course", ""),
    ],
)
def test_the_repository_is_known_by_its_remote(monkeypatch, remote, address):
    monkeypatch.delenv("GITHUB_REPOSITORY", raising=False)
    answer = subprocess.CompletedProcess([], 0, stdout=f"{remote}\n")
    monkeypatch.setattr(pages.subprocess, "run", lambda *_, **__: answer)
    assert pages.repository() == address
    assert ("codespaces.new/some/course" in pages.launches(address)) == bool(address)


def test_the_committed_notebooks_become_pages():
    for path in sorted((pages.ROOT / "notebooks").glob("*.ipynb")):
        nb = nbformat.read(path, as_version=4)
        names = filter(None, map(notebook_page.explored, nb.cells))
        cells = notebook_page.shown(nb, {name: TOLD for name in names}, False).cells
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        assert text.count("\n# ") == 0
        assert "<!--" not in text
        drawn = [cell for cell in cells if cell.cell_type == "code" and notebook_page.picture(cell)]
        assert all(cell.metadata["mystnb"]["figure"]["caption"] for cell in drawn)
