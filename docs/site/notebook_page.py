"""An executed notebook as a page: captions, checks, links, what is folded, sliders as frames."""

import html
import json
import re
from itertools import groupby
from pathlib import Path

import nbformat
from nbformat import NotebookNode

ROOT = Path(__file__).resolve().parents[2]
# What is no plain prose, and keeps what looks like a comment or a name: code, formulas, links.
VERBATIM = r"```.*?```|``[^\n]*?``|`[^`\n]*`"
COMMENT = re.compile(rf"({VERBATIM})|<!--.*?-->", re.DOTALL)
LINK, MATH = r"!?\[[^\]]*\]\([^)]*\)", r"\$\$.*?\$\$|\$[^$\n]*\$"
APART = re.compile(rf"({VERBATIM}|{MATH}|{LINK}|^#[^\n]*$)", re.DOTALL | re.MULTILINE)
TOLERANCE = re.compile(r"^# (NBVAL_IGNORE_OUTPUT|(counts|rms|rtol)=.*)\n", re.MULTILINE)
CAPTION = re.compile(r"\*([^*\n].*[^*])\*(?:\n+|\Z)")
DRAWS = re.compile(r"\b(plots|drawings)\.|^(boxes|arrows) = ", re.MULTILINE)
HEADING = re.compile(r"^(#+) ", re.MULTILINE)

# What the reference shows together, and what a reader would look for there.
REFERENCE = {
    "math": ["helpers.gradient", "helpers.mle"]
    + [f"helpers.moe.{name}" for name in ("likelihood", "gate", "given_experts")]
    + [f"helpers.moe.{name}" for name in ("logistic_experts", "stacking", "sparse", "display")],
    "screening": [
        f"helpers.screening.{name}" for name in ("asd", "files", "columns", "remarks", "scores")
    ],
    "experiments": [f"experiments.{name}" for name in ("classifiers", "net")]
    + [f"experiments.{name}" for name in ("simulate", "repeated_splits", "evidence")],
    "figures": [f"helpers.figures.{name}" for name in ("plots", "drawings", "sliders")]
    + ["helpers.claims", "helpers.example", "helpers.race", "helpers.frameworks"],
}
PAGE_OF = {
    f"`{module.replace('.', '/')}.py`": page
    for page, modules in REFERENCE.items()
    for module in modules
}
# What a reader may search for, by the beginning of the heading that it is found under.
WORDS = {
    "3. Out of fold": ["overfitting", "cross-validation", "stacking"],
    "5. Where the win came from": ["leakage", "data leak", "test set"],
    "4. An honest comparison": ["confidence interval", "model comparison"],
    "6. A gate": ["mixture of experts", "EM algorithm", "softmax"],
    "Appendix A · From": ["threshold", "calibration", "fairness"],
    "Appendix A · Logistic": ["logistic regression", "cross-entropy", "regularisation", "MAP"],
    "4.1": ["cross-entropy", "MLE", "negative log-likelihood"],
    "4.2": ["Kullback-Leibler", "relative entropy"],
    "4.3": ["Fisher information", "standard error"],
    "When does it converge": ["learning rate", "eigenvalue", "Hessian"],
    "Letting the descent": ["line search", "backtracking"],
    "3. The Jacobian": ["determinant", "chain rule"],
    "Forward or reverse": ["backpropagation", "autodiff"],
    "Item 5": ["backpropagation", "autograd", "automatic differentiation"],
    "Item 2": ["optimizer", "optimiser", "momentum"],
    "Item 4": ["SGD", "stochastic gradient descent", "mini-batch"],
    "4. Handing": ["deployment", "ONNX", "export"],
}
SOLVED = re.compile(r"\]\(\.\./homework/0\d\.ipynb\)")  # the site shows no solved assignment
PROBLEMS = {path.name[1]: path.name for path in (ROOT / "notebooks").glob("*.ipynb")}


def visible(text: str) -> str:
    """A Markdown text less its comments, but for those that it shows in code."""
    return COMMENT.sub(lambda found: found[1] or "", text)


def linked(text: str, place: str) -> str:
    """The prose of a notebook with links to the problems and files that it names.

    `place` is the name of the notebook itself, which it does not link to.
    """

    def problem(found):
        name = PROBLEMS.get(found[2], place)
        return found[0] if name == place else f"[{found[0]}]({name})"

    parts = APART.split(text)
    parts[::2] = [re.sub(r"\b([Pp]roblem) (\d)\b", problem, part) for part in parts[::2]]
    for number, part in enumerate(parts):
        if part == "`data/README.md`":
            parts[number] = "[the data card](../data/README.md)"
        elif part in PAGE_OF:
            parts[number] = f"[{part}](../helpers/{PAGE_OF[part]}.md)"
    return "".join(parts)


def found_as(text: str) -> str:
    """The text with the other words under which a reader may search for its section."""
    headings = re.findall(r"^#+ (.*)", text, re.MULTILINE)
    found = (words for start, words in WORDS.items() if any(h.startswith(start) for h in headings))
    words = [word for each in found for word in each]
    return "".join(f"```{{index}} ! {word}\n```\n\n" for word in words) + text


def explored(cell: NotebookNode) -> str:
    """The name of the function that an interactive cell draws with, or ""."""
    found = re.search(r"^explore\(\s*(\w+)", cell.source, re.MULTILINE)
    return found[1] if cell.cell_type == "code" and found else ""


def shown(nb: NotebookNode, told: dict[str, dict], paper: bool, name: str = "") -> NotebookNode:
    """A notebook as the site shows it: headings of one tree, captions, checks, what is folded."""
    act, solution, before, kept = False, False, None, []
    nb.cells = [cell for cell in nb.cells if not cell.source.startswith("# Exercise")]
    nb.cells = [cell for cell in nb.cells if not tagged(cell, "remove-cell")]
    if not paper:
        nb.cells = gathered(nb.cells)
    for number, cell in enumerate(nb.cells):
        if cell.cell_type == "markdown":
            text = visible(cell.source)
            if paper and text.startswith("## What comes next"):
                continue
            if text.startswith("## "):
                solution = text.startswith("## Solutions")
            if text.startswith("# "):
                act = number > 0
            elif re.search(r"^## \D", text, re.MULTILINE):  # what has no number closes the last act
                act = False
            text = HEADING.sub(r"#\1 ", text) if act else text
            found = CAPTION.match(text)
            if found and before and picture(before):
                before.metadata["mystnb"]["figure"] = {"caption": found[1]}
                text = text[found.end() :]
            before = None
            text = text if paper else found_as(linked(text, name))
            cell.source = SOLVED.sub("](../homework/README.md)", text)
            if not text.strip():
                continue
        else:
            interactive = explored(cell)
            if interactive and paper:
                continue
            if paper and tagged(cell, "hide-cell") and not solution:
                continue
            run(cell, solution, paper)
            if interactive:
                cell.outputs = [page_output(slider(interactive, told[interactive]))]
            before = cell
        kept.append(cell)
    nb.cells = kept
    return nb


def gathered(cells: list[NotebookNode]) -> list[NotebookNode]:
    """Cells with each run of bookkeeping behind one fold, and with what answers a prediction.

    An answer is a run of cells that `answer` tags, with the bookkeeping before and between them.
    """
    at = next((n for n, c in enumerate(cells) if c.source.startswith("## Solutions")), len(cells))
    kept = []
    for aside, run in groupby(cells[:at], lambda c: tagged(c, "answer") or tagged(c, "hide-cell")):
        run = list(run)
        answers = aside and any(tagged(cell, "answer") for cell in run)
        inside = []
        for folded, part in groupby(run, lambda c: tagged(c, "hide-cell")):
            inside += wrapped(list(part), "checks-fold", "Show the bookkeeping", folded)
        kept += wrapped(inside, "answer", "Show the answer", answers)
    return kept + cells[at:]


def wrapped(cells: list[NotebookNode], kind: str, said: str, wanted: bool) -> list[NotebookNode]:
    """The cells behind a fold, if that is `wanted`."""
    opened = f'<details class="{kind}"><summary>{said}</summary>'
    ends = [nbformat.v4.new_markdown_cell(text) for text in (opened, "</details>")]
    return [ends[0], *cells, ends[1]] if wanted else cells


def tagged(cell: NotebookNode, tag: str) -> bool:
    return tag in cell.metadata.get("tags", [])


def run(cell: NotebookNode, solution: bool, paper: bool) -> None:
    """Fold a code cell, and show its figure and checks as such."""
    cell.metadata["mystnb"] = {}
    if drawn := picture(cell):
        about = drawn.metadata["image/png"]
        image = {"alt": about["alt"], "width": f"{about['width']}px"}
        cell.metadata["mystnb"]["image"] = image
    fold(cell, solution, paper)
    cell.outputs = [checks(output) for output in cell.outputs]


def picture(cell: NotebookNode) -> NotebookNode | None:
    return next((o for o in cell.outputs if "image/png" in o.get("data", {})), None)


def fold(cell: NotebookNode, solution: bool, paper: bool) -> None:
    """Tag the code that a reader opens only on purpose: imports, drawing and sliders.

    On paper, code that draws is left out.
    """
    tags = [tag for tag in cell.metadata.get("tags", []) if tag not in ("answer", "hide-cell")]
    folded = solution or tagged(cell, "hide-cell")  # with its whole section, or its whole run
    cell.source = TOLERANCE.sub("", cell.source)
    lines = [line for line in cell.source.splitlines() if line and not line.startswith(" ")]
    imports = bool(lines) and re.match(r"(import|from)\b", lines[0])
    draws = DRAWS.search(cell.source) or picture(cell) or explored(cell)
    says = re.search(r"^say\(", cell.source, re.MULTILINE)
    quiet = cell.metadata.get("jupyter", {}).get("source_hidden")
    if (draws or says or quiet) and paper:
        tags.append("remove-input")
    elif (imports or draws or says or quiet) and not paper and not folded:
        tags.append("hide-input")
        what = "the imports" if imports else "the code that draws" if draws else "the code"
        what = "how this sentence is chosen" if says else what
        cell.metadata["mystnb"]["code_prompt_show"] = f"Show {what}"
        cell.metadata["mystnb"]["code_prompt_hide"] = f"Hide {what}"
    cell.metadata["tags"] = tags


def checks(output: NotebookNode) -> NotebookNode:
    """An output whose lines are checks, as a list of them; any other one as it is."""
    aside = "<details><summary>✓" in output.get("data", {}).get("text/html", "")
    text = output.data["text/plain"] if aside else output.get("text", "")
    if not aside and (output.get("name") != "stdout" or "✓" not in text):
        return output
    parts = []
    for line in text.rstrip("\n").split("\n"):
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
            f'<input {slide} {own} autocomplete="off" aria-valuetext="{html.escape(texts[at])}">'
            f'<output for="{name}-{number}">{html.escape(texts[at])}</output>'
        )
    first = told["controls"][0]
    source = f"{folder}/{first['files'][first['at']].replace('.png', '.webp')}"
    alt = html.escape(told["alt"])
    return (
        f'<fieldset class="frames" data-folder="{folder}"><legend>Drawn beforehand: '
        "moving one slider puts the others back</legend>"
        f'<div class="moves">{"".join(rows)}</div>'
        f'<img src="{source}" width="{told["width"]}" alt="{alt}" data-alt="{alt}"></fieldset>'
    )
