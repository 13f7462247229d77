"""The sources of the site: the executed notebooks and the project's pages, as Sphinx takes them."""

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from notebook_page import REFERENCE, ROOT, explored, picture, shown, visible
from PIL import Image

GITHUB = re.compile(r"(?:https://(?:[^@/]+@)?|(?:ssh://)?git@)github\.com[/:](.+?)(?:\.git)?/?$")
TITLES = {
    "math": "The math",
    "screening": "The screening table",
    "experiments": "Problem 5's experiments",
    "figures": "Figures and checks",
}
AGAIN = "make run-all FORCE=1"
HERE = Path(__file__).resolve().parent


class Missing(Exception):
    """Something to make the site of is not there; the message says what to type."""


def executed(build: Path) -> dict[str, NotebookNode]:
    """{file name: notebook}, in order: the prose as it is committed, the outputs as they came out.

    Raises Missing where one was not executed, or from other cells or with other parameters.
    """
    found = {}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        artefact, nb = build / path.name, nbformat.read(path, as_version=4)
        ran = read(artefact, lambda text: nbformat.reads(text, as_version=4))
        cells, done = ([c for c in each.cells if c.cell_type == "code"] for each in (nb, ran))
        if [cell.source for cell in cells] != [cell.source for cell in done]:
            raise Missing(f"{artefact} is of other cells or parameters than now: make run-all")
        for cell, after in zip(cells, done, strict=True):
            cell.outputs, cell.execution_count = after.outputs, after.execution_count
            drawn = picture(cell)
            if drawn and not drawn.metadata.get("image/png", {}).get("alt"):
                raise Missing(f"{path}: the figure of cell {cell.id!r} has no alt text")
        nb.cells = [cell for cell in nb.cells if cell.cell_type != "raw"]  # for other converters
        found[path.name] = nb
    return found


def read(path: Path, understand, again: str = AGAIN):
    """What a file in build/ says; raises Missing where it is not there, or is no such file."""
    try:
        return understand(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise Missing(f"{path} is not there: {again}") from None
    except Exception as error:  # half a file, or of another kind: each reader has its own
        said = str(error).partition("\n")[0]
        raise Missing(f"{path} cannot be read ({said}): {again}") from None


def write(build: Path, folder: Path, paper: bool = False) -> None:
    """Write all sources into `folder`, anew. On `paper` nothing is folded, and nothing moves."""
    found = executed(build)
    told = {name: {} if paper else frames(build, name, nb) for name, nb in found.items()}
    shutil.rmtree(folder, ignore_errors=True)
    for part in ("notebooks", "downloads"):
        (folder / part).mkdir(parents=True)
    for name, nb in found.items():
        nbformat.write(nb, folder / "downloads" / name)
        nbformat.write(shown(nb, told[name], paper, name), folder / "notebooks" / name)
        for each in told[name]:
            webp(build / "frames" / each, told[name][each], folder / "frames" / each)
    copy(ROOT / "data/README.md", folder / "data/README.md")
    for page in docs():
        copy(ROOT / page, folder / page)
    if paper:
        copy(HERE / "paper.md", folder / "index.md")
        return
    text = visible((ROOT / "homework/README.md").read_text(encoding="utf-8"))
    copy_text(re.sub(r"\[([^\]]+)\]\(\d+\.ipynb\)", r"\1", text), folder / "homework/README.md")
    opening, table, story, rest = readme()
    copy_text(f"# Run it yourself\n\n{rest}", folder / "README.md")
    copy(ROOT / "docs/saddle.png", folder / "docs/saddle.png")
    copy(ROOT / "LICENSE", folder / "LICENSE")
    for name, modules in REFERENCE.items():
        copy_text(reference(TITLES[name], modules), folder / f"helpers/{name}.md")
    copy_text(landing(opening, table, story), folder / "index.md")


def docs() -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md"))


def copy(source: Path, target: Path) -> None:
    """Copy a file; of a Markdown page what a reader sees, without the comments."""
    if source.suffix == ".md":
        copy_text(visible(source.read_text(encoding="utf-8")), target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def copy_text(text: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def webp(source: Path, told: dict, target: Path) -> None:
    """The frames of an interactive cell, smaller; raises Missing where one is not there."""
    target.mkdir(parents=True)
    for file in [file for each in told["controls"] for file in each["files"]]:
        try:
            frame = Image.open(source / file).convert("RGB")
        except OSError:
            raise Missing(f"{source / file} is not there: make frames FORCE=1") from None
        frame.thumbnail((800, 800))
        frame.save(target / file.replace(".png", ".webp"), quality=70)


def readme() -> tuple[str, str, str, str]:
    """README in parts: its opening, the table of problems, their story, and how to run it."""
    text = visible((ROOT / "README.md").read_text(encoding="utf-8"))
    text = re.sub(r"^(\[!\[.*\n)+\n", "", text, flags=re.MULTILINE)  # the badges
    opening, clone, rest = text.partition("\nClone this repository")
    before, table, story, after = re.match(
        r"(.*?)## The five problems\n\n(.*?)\n\n(.*?)\n\n(.*)", rest, re.DOTALL
    ).groups()
    return opening, table, story, clone + before + after


def landing(opening: str, table: str, story: str) -> str:
    """The first page, docs/site/index.md: README's opening, its problems as cards, its story."""
    cards = []
    for line in table.splitlines()[2:]:
        link, points, concept, found, minutes = [
            cell.strip() for cell in line.strip("|").split("|")
        ]
        cards.append(
            f"::::{{container}} problem-card\n**{link}**\n\n{concept}\n\n{points} points · about "
            f"{minutes} minutes\n\n*What the verification found:* {found}\n::::"
        )
    text = (HERE / "index.md").read_text(encoding="utf-8")
    parts = {"opening": opening, "cards": "\n\n".join(cards), "story": story}
    parts["launches"] = launches(repository())
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: parts[found[1]], text)


def repository() -> str:
    """The repository's address: of the workflow that publishes it, or of its remote; or ""."""
    if name := os.environ.get("GITHUB_REPOSITORY"):
        return f"{os.environ.get('GITHUB_SERVER_URL', 'https://github.com')}/{name}"
    asked = ["git", "-C", str(ROOT), "remote", "get-url", "origin"]
    remote = subprocess.run(asked, capture_output=True, text=True).stdout.strip()
    found = GITHUB.match(remote)
    return f"https://github.com/{found[1]}" if found else ""


def published() -> str:
    """Where GitHub Pages shows the site; "" without a repository."""
    owner, _, name = repository().partition("github.com/")[2].partition("/")
    return f"https://{owner}.github.io/{name}/" if name else ""


def launches(address: str) -> str:
    """A sentence with what opens the repository at `address` in a browser; "" without one."""
    name = address.partition("github.com/")[2]
    if not name:
        return ""
    first = "notebooks/03-gradient-descent.ipynb"  # where README tells a reader to begin
    binder = f"https://mybinder.org/v2/gh/{name}/HEAD?urlpath=lab/tree/{first}"
    colab = f"https://colab.research.google.com/github/{name}/blob/main/{first}"
    return (
        f"Or run it without installing anything: [on Binder]({binder}), "
        f"[in a Codespace](https://codespaces.new/{name}), or [in Colab]({colab}) (its first code "
        f"cells ask for the course's address, {address}); the first start takes minutes.\n"
    )


def reference(title: str, modules: list[str]) -> str:
    """A page of the helpers' reference: what the docstrings of `modules` say."""
    parts = [f"# {title}\n"]
    for name in modules:
        options = ":members:\n:member-order: bysource"
        parts.append(f"## `{name}`\n\n```{{eval-rst}}\n.. automodule:: {name}")
        parts[-1] += "\n   " + options.replace("\n", "\n   ") + "\n```\n"
    return "\n".join(parts)


def frames(build: Path, notebook: str, nb: NotebookNode) -> dict[str, dict]:
    """{what an interactive cell draws with: what its frames show}; raises Missing without them."""
    found = {}
    for cell in nb.cells:
        if name := explored(cell):
            if "frames=" not in cell.source:
                raise Missing(f"{notebook}: cell {cell.id!r} wants frames=[…] for the site to show")
            file = build / "frames" / name / "frames.json"
            found[name] = read(file, json.loads, "make frames FORCE=1")
    return found
