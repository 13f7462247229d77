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


def leads(link, folder, text):
    """Whether a link of a page in `folder` with this `text` leads to a file, and to its heading."""
    file, _, anchor = link.partition("#")
    path = folder / file
    if not anchor or not path.exists():
        return path.exists()
    read = prose if path.suffix == ".ipynb" else Path.read_text
    there = read(path) if file else text
    titles = re.findall(r"^#+ (.*)$", there.lower(), re.MULTILINE)
    return anchor in {re.sub(r"[^\w\s-]", "", title).replace(" ", "-") for title in titles}


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
    links = re.findall(r"\]\((?!https?://[\w-]+\.)([^)\s]*)", text)
    return found + [link for link in links if not leads(link, ROOT / "notebooks", text)]


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
        ("[x](#no-such-heading)", ["#no-such-heading"]),
        ("[x](05-mixture-of-experts.ipynb#nowhere)", ["05-mixture-of-experts.ipynb#nowhere"]),
        ("[x](https:/one-slash.org)", ["https:/one-slash.org"]),
        ("[x](#a-heading-of-its-own)\n\n## A heading, of its own", []),
    ],
)
def test_what_is_not_there_is_named(text, found):
    assert dangling(text) == found
