"""What the committed notebooks show, for the pages that quote it."""

import json
import re

from helpers.asd import DATA

NOTEBOOKS = DATA.parent / "notebooks"


def titles():
    """[(points, minutes)] that the notebooks' titles name, in their order."""
    found = []
    for path in sorted(NOTEBOOKS.glob("*.ipynb")):
        first = "".join(_cells(path)[0]["source"])
        found.append(tuple(map(int, re.search(r"(\d+) points · about (\d+) min", first).groups())))
    return found


def verdicts(number):
    """{answer: [its other cells]} of the table of verdicts that problem `number` ends with."""
    (path,) = NOTEBOOKS.glob(f"0{number}-*.ipynb")
    (cell,) = [cell for cell in _cells(path) if cell["id"] == "verified-table"]
    rows = "".join(cell["outputs"][0]["data"]["text/markdown"]).splitlines()[2:]
    cells = [[part.strip() for part in row.strip("| ").split(" | ")] for row in rows]
    return {answer: others for answer, *others in cells}


def checked(number, claim):
    """What a ✓ line of problem `number` shows behind a claim, as text ("" for a bare one)."""
    (path,) = NOTEBOOKS.glob(f"0{number}-*.ipynb")
    printed = "".join(
        "".join(output.get("text", "")) for c in _cells(path) for output in c.get("outputs", [])
    )
    return re.search(rf"^✓ {re.escape(claim)}(?:: (.*))?$", printed, re.MULTILINE)[1] or ""


def _cells(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]
