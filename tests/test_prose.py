"""What the notebooks' text refers to is there: problems, sections, exercises, citations, links."""

import re
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
UNSEEN = re.compile(r"<!--.*?-->|```.*?```|`[^`\n]*`", re.DOTALL)
PART = r"(problem|notebook|section|item|exercise)s? ((?:\d+(?:, | and | to )?)+)"
REFERENCE = re.compile(rf"(?:(?:problem|notebook) (\d), )?{PART}", re.IGNORECASE)
CITATION = re.compile(r"((?:[A-Z][\w’'-]+(?: et al\.)?(?: & | and |, | ))+)\(?(\d{4})\b")
CITED = (ROOT / "docs" / "references.md").read_text(encoding="utf-8").splitlines()


def prose(path):
    cells = [c for c in nbformat.read(path, as_version=4).cells if c.cell_type == "markdown"]
    return UNSEEN.sub("", "\n\n".join(cell.source for cell in cells))


def parts(text):
    """{kind: numbers} of what a notebook has."""
    headings = re.findall(r"^#+ (?:Item )?(\d+(?:\.\d+)?)\b", text, re.MULTILINE)
    exercises = re.findall(r"^> \*\*Exercise (\d+)\*\*", text, re.MULTILINE)
    problems = [path.name[1] for path in NOTEBOOKS]
    kinds = dict.fromkeys(("problem", "notebook"), problems)
    return kinds | {"section": headings, "item": headings, "exercise": exercises}


def dangling(text):
    """What a text refers to that is not there."""
    found = []
    for other, kind, numbers in REFERENCE.findall(text):
        there = parts(prose(NOTEBOOKS[int(other) - 1]) if other else text)[kind.lower()]
        found += [f"{kind} {n}" for n in re.findall(r"\d+", numbers) if n not in there]
    for names, year in CITATION.findall(text):
        wanted = [*re.findall(r"[A-Z][\w’'-]+", names), year]
        if not any(all(word in line for word in wanted) for line in CITED):
            found.append(f"{names}({year})")
    links = re.findall(r"\]\((?!https?:)([^)#\s]+)", text)
    return found + [link for link in links if not (ROOT / "notebooks" / link).exists()]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_the_text_refers_to_is_there(path):
    assert dangling(prose(path)) == []


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("## 1. One\n\nsections 1 and 3", ["section 3"]),
        ("see problem 7", ["problem 7"]),
        ("notebook 2, section 99", ["section 99"]),
        ("exercise 2\n\n## Going further\n\n1. One.", ["exercise 2"]),
        ("(Cauchy 1848), (Kingma & Ba 2015)", ["Cauchy (1848)"]),
        ("[x](nowhere.ipynb)", ["nowhere.ipynb"]),
    ],
)
def test_what_is_not_there_is_named(text, found):
    assert dangling(text) == found
