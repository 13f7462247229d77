"""What the pages name is there: files, folders, links, make targets, modules; and their numbers."""

import pkgutil
import re
from pathlib import Path

import nbformat
import pytest
from test_prose import leads

ROOT = Path(__file__).resolve().parents[1]
OWN = [ROOT / place / "README.md" for place in ("", "data", "homework")]
PAGES = [*OWN, *sorted((ROOT / "docs").glob("*.md"))]
PLACES = ("", "docs", "docs/site", "data", "tests", "notebooks", "helpers", "homework")
ON_GITHUB = "../../actions/"  # of the fork whose README is looked at
MADE = (
    "build/",
    "class.",
    "feedback/",
    "reading/",
    "grades.csv",
    "names.csv",
    "answers.csv",
    "marks",
    "before-marks.csv",
    "needs-a-person.csv",
    "my-notebooks",
    ".venv",
)  # by a command, and not in the repository
README = (ROOT / "README.md").read_text(encoding="utf-8")
TARGETS = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)


def missing(text, folder):
    """What a page in `folder` names that is not there."""
    found = []
    for link in re.findall(r"\]\((?!https?://[\w-]+\.)([^)\s]*)", text):
        if not link.startswith(ON_GITHUB) and not leads(link, folder, text):
            found.append(f"link {link}")
    for name in re.findall(r"`([^`\n]+)`", text):
        if re.fullmatch(r"[\w./-]+(\.(py|md|csv|json|toml|yml|lock|ipynb)|/)", name):
            there = any(list((ROOT / place).glob(name)) for place in PLACES)
            found += [] if there or name.startswith(MADE) else [f"file {name}"]
        for module in re.findall(r"(?<![\w/])(?:helpers|runner|experiments)(?:\.\w+)+", name):
            try:
                pkgutil.resolve_name(module)
            except (ImportError, AttributeError):
                found.append(f"module {module}")
    targets = re.findall(r"(?:`|^\s*)make ([a-z][a-z-]*)", text, re.MULTILINE)
    return found + [f"target {target}" for target in targets if target not in TARGETS]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_names_what_is_there(page):
    assert missing(page.read_text(encoding="utf-8"), page.parent) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[x](nowhere.md)", "link nowhere.md"),
        ("[x](README.md#nowhere)", "link README.md#nowhere"),
        ("`helpers/proof.py`", "file helpers/proof.py"),
        ("`python -m runner.engine`", "module runner.engine"),
        ("`helpers.screening.scores.SCORE`", "module helpers.screening.scores.SCORE"),
        ("`make proof`", "target proof"),
    ],
)
def test_what_is_not_there_is_named(text, found):
    assert missing(text, ROOT) == [found]


@pytest.mark.parametrize("package", ["runner", "helpers", "experiments", "homework", "classroom"])
def test_every_module_is_on_a_page(package):
    paths = [p.relative_to(ROOT / package) for p in (ROOT / package).rglob("*.py")]
    names = {p.with_suffix("").as_posix() for p in paths} - {"__init__"}
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"[`,] ?`?([\w/]+)`", page))
    assert {name for name in names if not name.endswith("__init__")} - named == set()


def verdicts(number):
    """The rows of the table of verdicts that problem `number` ends with."""
    (path,) = (ROOT / "notebooks").glob(f"0{number}-*.ipynb")
    (cell,) = [c for c in nbformat.read(path, as_version=4).cells if c.id == "verified-table"]
    rows = cell.outputs[0].data["text/markdown"].splitlines()[2:]
    return [[part.strip() for part in row.strip("| ").split(" | ")] for row in rows]


def test_the_readmes_table_says_what_the_notebooks_found():
    known = [row for row in verdicts(1) if "unknown" not in row[0]]
    stand = sum(row[1].lower() == row[2] for row in known)
    open_ = sum(row[2] == "open" for row in known)
    yes = {n: [row[1] for row in verdicts(n)] for n in (2, 3, 4, 5)}
    judged = {n: [v for v in of if v in ("yes", "no", "half")] for n, of in yes.items()}
    of = len(known)
    found = [f"{stand} of {of} known answers are right and {open_} is open"]
    for n, what in ((2, "claims"), (3, "answers"), (4, "answers")):
        found.append(f"{judged[n].count('yes')} of {len(judged[n])} {what} stand")
    assert [sentence for sentence in found if sentence not in README] == []
    of_5 = {row[0]: row[1] for row in verdicts(5)}
    leaked, winner = of_5["step 3: forest on meta-features, 0.915"], of_5.popitem()
    assert leaked == "no"
    assert of_5["(implied) the mixture beats its experts"] == "not shown", winner
    rows = re.findall(r"^\| \[\d · .*?\]\((.*?)\) \| (\d+) \|.* (\d+) \|$", README, re.MULTILINE)
    for path, points, minutes in rows:
        title = nbformat.read(ROOT / path, as_version=4).cells[0].source
        assert f"**{points} points · about {minutes} minutes, " in title
    assert len(rows) == 5
    cells = [c for row in re.findall(r"^\| \[\d .*$", README, re.MULTILINE) for c in row.split("|")]
    assert max(len(cell.split()) for cell in cells if "](" not in cell) <= 12


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 90
    assert max(map(len, README.splitlines())) <= 200
