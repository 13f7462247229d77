"""The sources of the site: the executed notebooks and the project's pages, as Sphinx takes them."""

import html
import json
import os
import re
import shutil
import subprocess
from base64 import b64decode, b64encode
from io import BytesIO
from pathlib import Path

import nbformat
from nbformat import NotebookNode
from PIL import Image

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent
COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
CAPTION = re.compile(r"\*([^*\n].*[^*])\*(?:\n+|\Z)")
HEADING = re.compile(r"^(#+) ", re.MULTILINE)

# What the reference shows together, and what a reader would look for there.
REFERENCE = {
    "math": ("The math", "gradient mle mixture_likelihood gate moe logistic_mixture mixture_checks")
    + ("sparse",),
    "experiment": ("Problem 5's experiment", "classifiers net stacking scores repeated_splits")
    + ("evidence",),
    "data": ("The data", "asd remarks simulate committed"),
    "figures": ("Figures and checks", "plots drawings house_style figure_data interactive claims")
    + ("frameworks",),
}


class Missing(Exception):
    """Something to make the site of is not there; the message says what to type."""


def notebooks(build: Path) -> list[Path]:
    """The executed notebooks, in order; raises Missing where one is not there."""
    names = [path.name for path in sorted((ROOT / "notebooks").glob("*.ipynb"))]
    for name in names:
        if not (build / name).is_file():
            raise Missing(f"{build / name} is not there: execute the notebooks first, make run-all")
    return [build / name for name in names]


def write(build: Path, folder: Path, paper: bool = False) -> None:
    """Write all sources into `folder`, anew. On `paper` nothing is folded, and nothing moves."""
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "notebooks").mkdir(parents=True)
    executed = notebooks(build)
    for path in executed:
        nb = nbformat.read(path, as_version=4)
        told = frames(build, nb)
        nb = shown(nb, told, paper)
        nbformat.write(nb, folder / "notebooks" / path.name)
        for name in [] if paper else told:
            webp(build / "frames" / name, folder / "frames" / name)
    if paper:
        copy(HERE / "paper.md", folder / "index.md")
        return
    for page in ("data/README.md", *map(str, docs())):
        copy(ROOT / page, folder / page)
    opening, table, story, rest = readme()
    copy_text(f"# Run it yourself\n\n{rest}", folder / "README.md")
    copy(ROOT / "docs/saddle.png", folder / "docs/saddle.png")
    copy(ROOT / "LICENSE", folder / "LICENSE")
    for name, (title, *words) in REFERENCE.items():
        copy_text(reference(title, " ".join(words).split()), folder / f"helpers/{name}.md")
    copy_text(landing(opening, table, story), folder / "index.md")


def docs() -> list[Path]:
    return sorted(path.relative_to(ROOT) for path in (ROOT / "docs").glob("*.md"))


def copy(source: Path, target: Path) -> None:
    """Copy a file; of a Markdown page what a reader sees, without the comments."""
    if source.suffix == ".md":
        copy_text(COMMENT.sub("", source.read_text(encoding="utf-8")), target)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, target)


def copy_text(text: str, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")


def webp(source: Path, target: Path) -> None:
    """The frames of an interactive cell, at a quarter of their size."""
    target.mkdir(parents=True)
    for path in source.glob("*.png"):
        frame = Image.open(path).convert("RGB")
        frame.thumbnail((900, 900))
        frame.save(target / f"{path.stem}.webp", quality=75)


def readme() -> tuple[str, str, str, str]:
    """README in parts: its opening, the table of problems, their story, and how to run it."""
    text = COMMENT.sub("", (ROOT / "README.md").read_text(encoding="utf-8"))
    text = re.sub(r"^\[!\[.*\n\n", "", text, flags=re.MULTILINE)  # GitHub's badge
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
    found = re.match(r"(?:https://|git@)github\.com[/:](.+?)(?:\.git)?$", remote)
    return f"https://github.com/{found[1]}" if found else ""


def launches(address: str) -> str:
    """A sentence with what opens the repository at `address` in a browser; "" without one."""
    name = address.partition("github.com/")[2]
    if not name:
        return ""
    binder = (
        f"https://mybinder.org/v2/gh/{name}/HEAD?urlpath=lab/tree/notebooks/01-true-false.ipynb"
    )
    return (
        f"Or run it without installing anything: [on Binder]({binder}), or "
        f"[in a Codespace](https://codespaces.new/{name}); the first start takes minutes.\n"
    )


def reference(title: str, modules: list[str]) -> str:
    """A page of the helpers' reference: what the docstrings of `modules` say."""
    parts = [f"# {title}\n"]
    for name in modules:
        options = ":members:\n:member-order: bysource"
        parts.append(f"## `{name}`\n\n```{{eval-rst}}\n.. automodule:: helpers.{name}")
        parts[-1] += "\n   " + options.replace("\n", "\n   ") + "\n```\n"
    return "\n".join(parts)


def frames(build: Path, nb: NotebookNode) -> dict[str, dict]:
    """{what an interactive cell draws with: what its frames show}; raises Missing without them."""
    told = {}
    for cell in nb.cells:
        name = explored(cell)
        if name:
            file = build / "frames" / name / "frames.json"
            if not file.is_file():
                raise Missing(f"{file} is not there: execute the notebooks again, make run-all")
            told[name] = json.loads(file.read_text(encoding="utf-8"))
    return told


def explored(cell: NotebookNode) -> str:
    """The name of the function that an interactive cell draws with, or ""."""
    found = re.search(r"^explore\(\s*(\w+)", cell.source, re.MULTILINE)
    return found[1] if cell.cell_type == "code" and found else ""


def shown(nb: NotebookNode, told: dict[str, dict], paper: bool) -> NotebookNode:
    """A notebook as the site shows it: headings of one tree, captions, checks, what is folded."""
    deeper, before, kept = False, None, []
    solution = False
    for number, cell in enumerate(nb.cells):
        if cell.cell_type == "markdown":
            text = COMMENT.sub("", cell.source)
            deeper = deeper or (number > 0 and text.startswith("# "))
            solution = re.match("## Solutions", text) is not None or solution
            text = HEADING.sub(r"#\1 ", text) if deeper else text
            found = CAPTION.match(text)
            if found and before and picture(before):
                output = picture(before)
                about = output.metadata["image/png"]
                image = {"alt": about["alt"], "width": f"{about['width']}px"}
                before.metadata["mystnb"] = {"image": image, "figure": {"caption": found[1]}}
                text = text[found.end() :]
            cell.source = text
            if not text.strip():
                continue
        else:
            if explored(cell) and paper:
                continue
            if picture(cell):
                data = picture(cell).data
                data["image/png"] = smaller(data["image/png"])
            fold(cell, solution, paper)
            if explored(cell):
                cell.outputs = [page_output(slider(explored(cell), told[explored(cell)]))]
            else:
                cell.outputs = [checks(output) for output in cell.outputs]
            before = cell
        kept.append(cell)
    nb.cells = kept
    return nb


def picture(cell: NotebookNode) -> NotebookNode | None:
    return next((o for o in cell.outputs if "image/png" in o.get("data", {})), None)


def smaller(png: str) -> str:
    """A picture of 256 colours: half of the bytes, and no difference to the eye."""
    picture, file = Image.open(BytesIO(b64decode(png))).convert("RGB"), BytesIO()
    picture.quantize(256, dither=Image.Dither.NONE).save(file, "PNG")
    return b64encode(file.getvalue()).decode()


def fold(cell: NotebookNode, solution: bool, paper: bool) -> None:
    """Tag the code that a reader opens only on purpose: imports, drawing and sliders.

    Paper does not open, so all but a mere call of a drawing function is printed.
    """
    tags = [tag for tag in cell.metadata.get("tags", []) if tag != "hide-cell"]
    lines = [line for line in cell.source.splitlines() if line and not line.startswith(" ")]
    imports = all(re.match(r"(import|from|#|\))", line) for line in lines)
    draws = re.search(r"\b(plots|drawings)\.", cell.source) or picture(cell) or explored(cell)
    if (imports or draws) and not paper and not solution:
        tags.append("hide-input")
    if paper and re.match(r"(plots|drawings)\.", cell.source):
        tags.append("remove-input")
    cell.metadata["tags"] = tags
    cell.source = cell.source.removeprefix("# NBVAL_IGNORE_OUTPUT\n")


def checks(output: NotebookNode) -> NotebookNode:
    """An output whose lines are checks, as a list of them; any other one as it is."""
    if output.output_type != "stream" or "✓" not in output.text:
        return output
    parts = []
    for line in output.text.rstrip("\n").split("\n"):
        kind = "check" if line.startswith("✓ ") else "said"
        said = html.escape(line.removeprefix("✓ "))
        tick = '<span aria-label="checked" role="img">✓</span> ' if kind == "check" else ""
        parts.append(f'<div class="{kind}">{tick}{said}</div>')
    return page_output(f'<div class="checks">{"".join(parts)}</div>')


def page_output(text: str) -> NotebookNode:
    return nbformat.v4.new_output("display_data", {"text/html": text})


def slider(name: str, told: dict) -> str:
    """What stands for an interactive cell where there is no kernel: frames, and what moves them."""
    rows, folder = [], f"../_static/frames/{name}"
    for number, each in enumerate(told["controls"]):
        label, at = html.escape(each["label"]), each["at"]
        files = html.escape(json.dumps([file.replace(".png", ".webp") for file in each["files"]]))
        texts = [f"{v:g}" if isinstance(v, int | float) else str(v) for v in each["values"]]
        values = html.escape(json.dumps(texts, ensure_ascii=False))
        own = f'id="{name}-{number}" data-files="{files}" data-values="{values}" data-start="{at}"'
        slide = f'type="range" min="0" max="{len(texts) - 1}" step="1" value="{at}"'
        rows.append(
            f'<label for="{name}-{number}">{label}</label>'
            f'<input {slide} {own} aria-valuetext="{html.escape(texts[at])}">'
            f'<output for="{name}-{number}">{html.escape(texts[at])}</output>'
        )
    first = told["controls"][0]
    source = f"{folder}/{first['files'][first['at']].replace('.png', '.webp')}"
    alt = html.escape(told["alt"])
    return (
        f'<fieldset class="frames" data-folder="{folder}"><legend>Drawn beforehand: move one, and '
        f'the others go back to the text\'s values</legend><div class="moves">{"".join(rows)}</div>'
        f'<img src="{source}" width="{told["width"]}" alt="{alt}" data-alt="{alt}"></fieldset>'
    )
