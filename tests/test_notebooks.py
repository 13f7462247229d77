"""The house's rules for a committed notebook: executed, whole, readable, and nothing volatile."""

import ast
import re
import statistics
import subprocess
import sys
from base64 import b64decode
from pathlib import Path

import nbformat
import pytest

from runner import notebook

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
# A word of helpers.claims.stands, in bold, without the expression that decides it.
BARE = r"\*\*((?:half )?(?:true|right)|false|wrong|yes|no|half|open)\*\*(?!<!--=)"
BROKEN = ROOT / "tests" / "broken"
SAID_ALONE = "The course is not here: write its address into this cell, and run it."


def faults(path):
    """What is wrong with a committed notebook, one sentence per fault."""
    nb = nbformat.read(path, as_version=4)
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    found = []
    counts = [cell.execution_count for cell in code]
    if None in counts:
        found.append("a cell was never executed")
    elif counts != list(range(1, len(code) + 1)):
        found.append("the cells were not executed from top to bottom")
    for cell in code:
        always = [each for each in _parsed(cell).body if not isinstance(each, ast.If)]
        nodes = [node for each in always for node in ast.walk(each)]
        called = {_name(node.func) for node in nodes if isinstance(node, ast.Call)}
        for tag in cell.metadata.get("tags", []):
            if "=" in tag and f"# {tag}: " not in cell.source:
                found.append(f"cell {cell.id!r} does not say why {tag}")
        shows = called & {"print", "check", "display"} or any(
            n.startswith("plots.") for n in called
        )
        defines_only = all(isinstance(s, (ast.FunctionDef, ast.Assign)) for s in _parsed(cell).body)
        if shows and not defines_only and not cell.outputs and cell.execution_count:
            found.append(f"cell {cell.id!r} should have an output")
        for output in cell.outputs:
            if output.output_type == "error":
                found.append(f"cell {cell.id!r} raised {output.ename}")
            if output.get("name") == "stderr":
                found.append(f"cell {cell.id!r} wrote to stderr")
            if "image/png" in output.get("data", {}) and not output.metadata.get(
                "image/png", {}
            ).get("alt"):
                found.append(f"the figure of cell {cell.id!r} has no alt text")
            text = output.get("text", "") + str(output.get("data", {}).get("text/plain", ""))
            if re.search(r"0x[0-9a-f]{6,}|/(home|tmp|Users|root|work)/", text):
                found.append(f"cell {cell.id!r} shows an address or a path")
    for cell in (cell for cell in nb.cells if cell.cell_type == "markdown"):
        for word in re.findall(BARE, cell.source):
            found.append(f"the verdict {word!r} of cell {cell.id!r} is not computed")
    if path.read_text(encoding="utf-8") != notebook.clean(nb):
        found.append("the file holds volatile metadata, or is not in the course's form")
    return found


def folded(cell):
    """Whether a reader has to open the code cell: bookkeeping, checks, solutions."""
    return "hide-cell" in cell.metadata.get("tags", [])


def in_sight(cell):
    """Whether a reader sees the code of the cell, and not only what it shows."""
    return "outputs" in cell and not folded(cell) and not cell.metadata.get("jupyter")


def prompts(text):
    """How often a text asks its reader to predict something, in bold."""
    bold = re.findall(r"\*\*([^*]+)\*\*", text)
    return sum(bool(re.search(r"\b(predict|guess|before you)\b", each, re.I)) for each in bold)


def tables(output):
    return "| --- |" in output.get("data", {}).get("text/markdown", "")


def minutes(cells):
    """How long reading takes, to 5 minutes: 200 words or 20 lines of code in sight a minute.

    Each figure, table, prediction and displayed formula takes a minute, too.
    """
    texts = [re.sub(r"<!--.*?-->", "", c.source, flags=re.S) for c in cells if "outputs" not in c]
    seen = [cell for cell in cells if "outputs" in cell and not folded(cell)]
    outputs = [output for cell in seen for output in cell.outputs]
    drawn = ["image/png" in output.get("data", {}) for output in outputs]
    said = [o.get("data", {}).get("text/markdown", "") for o in outputs if not tables(o)]
    lines = [
        line
        for cell in seen
        if in_sight(cell)
        for line in cell.source.splitlines()
        if line.strip() and not line.startswith("#")
    ]
    each = sum(drawn) + sum(map(tables, outputs)) + sum(text.count("|---|") > 0 for text in texts)
    each += sum(text.count("$$") // 2 + prompts(text) for text in texts)
    total = len(" ".join(texts + said).split()) / 200 + len(lines) / 20 + each
    return max(5, 5 * round(total / 5))


def parts(cells):
    """{heading: cells} of a notebook's evening, under "", and of each appendix."""
    found, heading = {"": []}, ""
    for cell in cells:
        if title := re.match(r"## (Going further|Solutions|What comes|Appendix .*)", cell.source):
            heading = title[1]
        found.setdefault(heading, []).append(cell)
    return found


def _parsed(cell):
    return ast.parse(cell.source)


def _name(function):
    if isinstance(function, ast.Attribute):
        return f"{_name(function.value)}.{function.attr}"
    return getattr(function, "id", "")


def test_there_are_five():
    assert [path.name[:2] for path in NOTEBOOKS] == ["01", "02", "03", "04", "05"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_is_whole(path):
    assert faults(path) == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_its_anatomy(path):
    nb = nbformat.read(path, as_version=4)
    code = [cell for cell in nb.cells if cell.cell_type == "code"]
    prose = "\n".join(cell.source for cell in nb.cells if cell.cell_type == "markdown")
    assert nb.cells[0].source.startswith("# Problem ")
    assert nb.metadata["accepted"]
    assert [cell.metadata.get("tags") for cell in code].count(["parameters"]) == 1
    assert code[0].metadata.get("tags") == ["parameters"]
    assert "## As submitted, as verified" in prose
    assert "## Going further" in prose
    lengths = {cell.id: len(cell.source.strip().splitlines()) for cell in code}
    assert statistics.median(lengths[cell.id] for cell in code if in_sight(cell)) <= 6
    assert max(lengths.values()) <= 15
    assert len({cell.id for cell in nb.cells}) == len(nb.cells)
    assert all(re.fullmatch(r"[a-z0-9-]+", cell.id) for cell in nb.cells)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_is_read_and_not_only_run(path):
    """Words between code, a caption under each figure, what to take away."""
    cells = nbformat.read(path, as_version=4).cells
    seen = [cell for cell in cells if not folded(cell)]
    assert "cccc" not in "".join("c" if in_sight(cell) else "m" for cell in seen)
    for cell, after in zip(cells, [*cells[1:], None], strict=True):
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", [])):
            assert after.cell_type == "markdown", cell.id
            assert re.match(r"\*[^*\n].*[^*]\*(\n|\Z)", after.source), f"{cell.id} has no caption"
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    assert "## What to take away" in prose
    interactive = [
        cell for cell in cells if cell.source.startswith("# NBVAL_IGNORE_OUTPUT\nexplore(")
    ]
    assert len(interactive) == (path.name[:2] in ("03", "04", "05"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_each_exercise_has_a_solution_that_is_checked_and_folded(path):
    cells = nbformat.read(path, as_version=4).cells
    prose = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    exercises = re.findall(r"^> \*\*Exercise (\d+)\*\* \(\d+ minutes", prose, re.MULTILINE)
    assert len(exercises) >= 3
    assert sorted(exercises) == [str(n + 1) for n in range(len(exercises))]
    for cell, after in zip(cells, cells[1:], strict=False):
        if found := re.findall(r"^> \*\*Exercise (\d+)\*\*", cell.source, re.MULTILINE):
            assert after.source.startswith(f"# Exercise {found[-1]}. "), cell.id
            assert len(found) == 1, cell.id
    at = next(n for n, cell in enumerate(cells) if cell.source.startswith("## Solutions"))
    solutions, collapsed = {}, [cells[at]]
    for cell in cells[at + 1 :]:
        if found := re.fullmatch(r"### Solution to exercise (\d+)", cell.source):
            code = solutions.setdefault(found[1], [])
            collapsed.append(cell)
        elif cell.cell_type == "code":
            code.append(cell)
    assert [*solutions] == sorted(exercises)
    # JupyterLab unfolds what the last cell is in, when all are run.
    assert cells[-1].source.startswith("## What comes next\n")
    collapsed += [cell for cell in cells if cell.source.startswith("## Appendix ")]
    assert all(cell.metadata.get("jp-MarkdownHeadingCollapsed") for cell in collapsed)
    for number, code in solutions.items():
        assert all(map(folded, code))
        assert any("✓" in o.get("text", "") for c in code for o in c.outputs), number


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_it_takes_the_time_that_its_title_says(path):
    cells = nbformat.read(path, as_version=4).cells
    evening, *others = parts(cells).items()
    takes = minutes(evening[1])
    assert takes <= (60 if path.name.startswith("05") else 45)
    prose = "\n".join(cell.source for cell in cells if "outputs" not in cell)
    exercises = re.findall(r"\*\*Exercise \d+\*\* \((\d+) minutes", prose)
    both = f"about {takes} minutes, {takes + sum(map(int, exercises))} with the exercises"
    assert re.search(rf"\*\*\d+ points · {both}\.\*\*", cells[0].source), both
    for heading, part in others:
        if heading.startswith("Appendix"):
            assert heading.endswith(f"({minutes(part)} minutes)"), (heading, minutes(part))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda p: p.stem)
def test_a_prediction_comes_before_its_answer(path):
    """What follows a prompt is tagged, so that the site can fold it; few checks are in sight."""
    cells = nbformat.read(path, as_version=4).cells
    seen = [cell for cell in cells if not folded(cell)]
    for cell, after in zip(seen, seen[1:], strict=False):
        if "outputs" not in cell and prompts(cell.source) and "> **Exercise" not in cell.source:
            asks_at = re.split(r"\n\n", cell.source.strip())
            late = any(prompts(part) for part in asks_at[-3:])
            assert not late or "answer" in after.metadata.get("tags", []), cell.id
    evening = [cell for cell in parts(cells)[""] if "outputs" in cell and not folded(cell)]
    assert sum(o.get("text", "").count("✓") for c in evening for o in c.outputs) <= 15
    code = [c for c in evening if in_sight(c) and not re.match("# Exercise", c.source)][1:]
    assert sum(not cell.outputs for cell in code) <= len(code) / 3


@pytest.mark.parametrize(
    ("name", "fault"),
    [
        ("cleared", "a cell was never executed"),
        ("swapped", "the cells were not executed from top to bottom"),
        ("silent", "cell 'cell-2' should have an output"),
        ("noisy", "cell 'cell-2' wrote to stderr"),
        ("volatile", "the file holds volatile metadata, or is not in the course's form"),
        ("address", "cell 'cell-2' shows an address or a path"),
        ("lenient", "cell 'cell-2' does not say why rtol=0.5"),
        ("blind", "the figure of cell 'cell-2' has no alt text"),
    ],
)
def test_a_broken_one_is_rejected_for_its_own_reason(name, fault):
    assert faults(BROKEN / f"{name}.ipynb") == [fault]


def test_the_readme_shows_the_notebooks_own_figure():
    nb = nbformat.read(NOTEBOOKS[2], as_version=4)
    (cell,) = [cell for cell in nb.cells if cell.id == "contour"]
    png = b64decode(cell.outputs[0].data["image/png"])
    assert (ROOT / "docs" / "saddle.png").read_bytes() == png, "out of date: run make figure"


@pytest.mark.parametrize("near", [".", "..", "course", None])
def test_a_notebook_alone_finds_the_course_or_says_so(tmp_path, near):
    """The same cell in all of them; on Colab, or in an editor that opened another folder."""
    (code,) = {
        cell.source
        for path in NOTEBOOKS
        for cell in nbformat.read(path, as_version=4).cells
        if cell.id == "find-course"
    }
    here = tmp_path / "notebooks"
    here.mkdir()
    if near:
        (here / near / "helpers").mkdir(parents=True, exist_ok=True)
        (here / near / "helpers" / "claims.py").write_text("FOUND = 1\n", encoding="utf-8")
    code += "\nfrom helpers.claims import FOUND\nprint(FOUND)"
    alone = [sys.executable, "-S", "-c", code]  # without the packages that are installed
    done = subprocess.run(alone, cwd=here, capture_output=True, text=True)
    assert done.stdout == ("1\n" if near else "")
    assert done.stderr == ("" if near else f"{SAID_ALONE}\n")


def test_one_place_imports_tensorflow():
    """Triton, which PyPI's PyTorch for Linux brings, must not be loaded after it."""
    paths = [path for folder in ("helpers", "tests") for path in (ROOT / folder).glob("*.py")]
    code = {path: path.read_text(encoding="utf-8") for path in paths}
    for path in NOTEBOOKS:
        cells = notebook.code_cells(notebook.read(path))
        code |= {f"{path.stem}, {cell.id}": cell.source for cell in cells}
    found = set()
    for where, source in code.items():
        for node in ast.walk(ast.parse(source)):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            if {name.partition(".")[0] for name in names} & {"tensorflow", "keras", "triton"}:
                found.add(where)
    assert found == {ROOT / "helpers" / "frameworks.py"}
