"""What somebody has accepted of a notebook: a mark for each cell, in the notebook's own metadata.

An output is compared with an execution, but a sentence, a caption, a unit or a tag that loosens a
tolerance is not. So `make accept` leaves a mark of each, and who changes one without it sees red.
"""

import hashlib
import json
from difflib import SequenceMatcher

from nbformat import NotebookNode

from runner import notebook
from runner.quote import sentences

KEY = "accepted"
MEANT = "If all of it is meant: make accept."


def marks(nb: NotebookNode) -> list[str]:
    """A line for each cell: its id, and a hash of its kind, tags and attachments, and of a text."""
    found = []
    for cell in (cell for cell in nb.cells if not notebook.injected(cell)):
        text = "" if cell.cell_type == "code" else cell.source
        tags = sorted(cell.metadata.get("tags", []))
        parts = json.dumps([cell.cell_type, text, tags, cell.get("attachments", {})])
        found.append(f"{cell.get('id')} {hashlib.sha256(parts.encode()).hexdigest()[:8]}")
    return found


def changed(nb: NotebookNode) -> list[str]:
    """The ids of cells that are new, gone, moved, or have another text or other tags.

    None where nothing was ever accepted.
    """
    was, now = nb.metadata.get(KEY), marks(nb)
    steps = SequenceMatcher(None, was or now, now, autojunk=False).get_opcodes()
    lines = [line for step, a, b, c, d in steps if step != "equal" for line in was[a:b] + now[c:d]]
    return [*dict.fromkeys(line.split()[0] for line in lines)]


def unquoted(committed: NotebookNode, executed: NotebookNode) -> list[str]:
    """The expressions that an executed notebook has answered and the text no longer quotes."""
    left = {located.quotation.expression for located in sentences.plan(committed)}
    return [*dict.fromkeys(e for _, e in sentences.values(executed) if e not in left)]


def fault(committed: NotebookNode, executed: NotebookNode | None = None) -> str:
    """What of a notebook is not as it was accepted: a sentence, or ""."""
    ids = changed(committed)
    gone = unquoted(committed, executed) if ids and executed else []
    lost = f" No longer quoted: {', '.join(gone)}." if gone else ""
    return ids and f"In text or tags it is not as it was accepted: {', '.join(ids)}.{lost}" or ""
