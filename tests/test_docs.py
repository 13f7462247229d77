"""What the pages name is there: files, folders, links, targets, modules."""

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "data" / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PLACES = ("", "docs", "docs/site", "data", "runner", "tests", "helpers", "notebooks")
ON_GITHUB = "../../actions/"  # of the fork whose README is looked at
MADE = ("build/", "my-notebooks", ".venv")  # by a command, and not in the repository


def missing(text, folder):
    """What a page in `folder` names that is not there."""
    found = []
    for link in re.findall(r"\]\((?!https?:)([^)#\s]+)[^)]*\)", text):
        if not (folder / link).exists() and not link.startswith(ON_GITHUB):
            found.append(f"link {link}")
    quoted = [part for part in re.findall(r"`([^`\n]+)`", text) if not part.startswith(MADE)]
    for name in quoted:
        if re.fullmatch(r"[\w./-]+(\.(py|md|csv|json|toml|yml|lock|ipynb)|/)", name) and not any(
            list((ROOT / place).glob(name)) for place in PLACES
        ):
            found.append(f"file {name}")
        for module, attribute in re.findall(r"\b(?:helpers|runner)\.(\w+)(?:\.(\w+))?", name):
            package = "helpers" if "helpers." in name else "runner"
            try:
                module = importlib.import_module(f"{package}.{module}")
            except ImportError:
                found.append(f"module {package}.{module}")
                continue
            if attribute and not hasattr(module, attribute):
                found.append(f"name {name}")
    targets = re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE)
    for target in re.findall(r"(?:`|^\s*)make ([a-z][a-z-]*)", text, re.MULTILINE):
        if target not in targets:
            found.append(f"target {target}")
    return found


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_names_what_is_there(page):
    assert missing(page.read_text(encoding="utf-8"), page.parent) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("[x](nowhere.md)", "link nowhere.md"),
        ("`helpers/proof.py`", "file helpers/proof.py"),
        ("`python -m runner.engine`", "module runner.engine"),
        ("`helpers.scores.SCORE`", "name helpers.scores.SCORE"),
        ("`make proof`", "target proof"),
    ],
)
def test_what_is_not_there_is_named(text, found):
    assert missing(text, ROOT) == [found]


@pytest.mark.parametrize("package", ["runner", "helpers"])
def test_every_module_is_on_a_page(package):
    names = {path.stem for path in (ROOT / package).glob("*.py")} - {"__init__"}
    page = ROOT / ("docs/architecture.md" if package == "runner" else "README.md")
    words = set(re.findall(r"\w+", page.read_text(encoding="utf-8")))
    assert names - words == set()
