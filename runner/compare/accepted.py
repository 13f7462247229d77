"""What somebody has accepted of a notebook: a mark for each cell, in the notebook's own metadata.

An output is compared with an execution, but a sentence, a caption, a unit, code, or a tag that
loosens a tolerance is not. So `make accept` leaves a mark of each, and who changes one without it
sees red.
"""

import hashlib
import json
from difflib import SequenceMatcher

from nbformat import NotebookNode

from runner.quote import sentences

KEY = "accepted"
MEANT = "If all of it is meant: make accept."


def marks(nb: NotebookNode) -> list[str]:
    """A line for each cell: its id, and a hash of all that is its author's."""
    found = []
    for cell in nb.cells:
        about = {k: v for k, v in cell.metadata.items() if k not in ("papermill", "execution")}
        parts = [cell.cell_type, cell.source, about, cell.get("attachments", {})]
        text = json.dumps(parts, sort_keys=True)
        found.append(f"{cell.get('id')} {hashlib.sha256(text.encode()).hexdigest()[:8]}")
    return found


def changed(nb: NotebookNode) -> list[str]:
    """The ids of cells that are new, gone, moved, or have another text or other metadata.

    None where nothing was ever accepted.
    """
    was, now = nb.metadata.get(KEY), marks(nb)
    if was is None:
        return []
    was = [str(line) or "?" for line in was] if isinstance(was, list) else ["?"]
    steps = SequenceMatcher(None, was, now, autojunk=False).get_opcodes()
    lines = [line for step, a, b, c, d in steps if step != "equal" for line in was[a:b] + now[c:d]]
    return [*dict.fromkeys(line.split(" ")[0] for line in lines)]


def unquoted(committed: NotebookNode, executed: NotebookNode) -> list[str]:
    """The expressions that an executed notebook has answered and the text no longer quotes."""
    left = {located.quotation.expression for located in sentences.plan(committed)}
    return [*dict.fromkeys(e for _, e in sentences.values(executed) if e not in left)]


def fault(committed: NotebookNode, executed: NotebookNode | None = None) -> str:
    """What of a notebook is not as it was accepted: a sentence, or ""."""
    ids = changed(committed)
    if not ids:
        return ""
    gone = unquoted(committed, executed) if executed else []
    lost = f" No longer quoted: {', '.join(gone)}." if gone else ""
    more = f" and {len(ids) - 8} more" if len(ids) > 8 else ""
    named = f"{', '.join(ids[:8])}{more}"
    return f"Its text, code or metadata is not as it was accepted: {named}.{lost}"
