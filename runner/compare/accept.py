"""Take an executed notebook's outputs over into the committed one, which keeps its prose."""

import os
import sys
import tempfile
from pathlib import Path

from nbformat import NotebookNode

from runner import notebook
from runner.compare import accepted, outputs
from runner.notebook import UsageError
from runner.quote import sentences


def accept(executed: Path, committed: Path, show: bool = False) -> None:
    """Take the outputs of the file `executed` over into `committed`, and what its prose quotes.

    Where all agree within the tolerance, and the file is in its clean form, not a byte changes. The
    artefact takes over the committed prose.
    Which cells' outputs are replaced by others is printed, and each sentence that changes, with
    `show` also how outputs differ, and what else is in it is accepted as it is. Raises UsageError,
    one sentence, where the two are not of the same source, where an output is none to keep (a new
    warning, a path of this machine), or where a quotation has no value to take over.
    """
    old, new = (notebook.load(path) for path in (committed, executed))
    before = committed.read_text(encoding="utf-8")
    other, others = notebook.clean(old) != before, []
    for cell, ran, changed in outputs.side_by_side(old, new, executed):
        fit_to_keep(cell, ran)
        found = outputs.refused(changed)
        for sentence in found if show else []:
            print(f"{committed.name}, cell {ran.id}: {sentence}")
        others += [ran.id] if found and cell.execution_count else []
        kept = [] if outputs.ignored(cell) else ran.outputs
        unlike = found or len(cell.outputs) != len(kept)
        if unlike or cell.execution_count != ran.execution_count:
            cell.execution_count, cell.outputs, other = ran.execution_count, kept, True
    held, said = not accepted.changed(old), [f"{s} It does now." for s in _requote(old, new)]
    if not held and (fault := accepted.fault(old, new)):
        said.append(f"{fault} {'It is now.' if show else accepted.MEANT}")
    if show or (held and accepted.KEY in old.metadata):
        was, old.metadata[accepted.KEY] = old.metadata.get(accepted.KEY), accepted.marks(old)
        other |= was != old.metadata[accepted.KEY]
    if other or said:
        old.metadata.setdefault("language_info", new.metadata.get("language_info", {}))
        notebook.write(notebook.clean(old), committed)
    elif show:
        print(f"{committed.name}: nothing differs beyond the tolerance")
    if "quoted" in new.metadata:
        gone = accepted.unquoted(old, new) if show else []
        kept = [each for each in new.metadata["quoted"] if each["expression"] not in gone]
        old.metadata["quoted"] = kept
    for cell, ran in zip(*map(notebook.code_cells, (old, new)), strict=True):
        cell.outputs = ran.outputs
    notebook.write(notebook.clean(old), executed)
    for sentence in said:
        print(f"{committed.name}: {sentence}")
    if others:
        print(f"{committed.name}: the outputs of {', '.join(others)} were replaced by others.")


def _requote(committed: NotebookNode, executed: NotebookNode) -> list[str]:
    """Write the values of this run into the prose; the sentence of each that was another."""
    said, found, cells = [], sentences.values(executed), {}
    for located in sentences.plan(committed):
        cells.setdefault(id(located.cell), (located.cell, []))[1].append(located)
    for cell, own in cells.values():
        answers = [found.get(located.key) for located in own]
        cell.source, faults = sentences.rewritten(cell.source, answers)
        left = sentences.rewritten(cell.source, answers)[1]
        if left:
            raise UsageError(f"cell {cell.get('id')!r}, {left[0]} Mend that first.")
        said += faults
    return said


def fit_to_keep(committed: NotebookNode, executed: NotebookNode) -> None:
    """Raise UsageError for outputs that are none to commit: a new warning, a machine's path."""
    if outputs.ignored(committed):
        return
    had, has = outputs.flat(committed.outputs), outputs.flat(executed.outputs)
    warned = [text for kind, text in has if kind == "stderr"]
    if warned and "stderr" not in dict(had):
        said = warned[0].strip().splitlines()[0][:200]
        raise UsageError(f"cell {executed.id!r} warned ({said}); mend that, or catch it there.")
    places = {Path.cwd(), Path.home(), Path(sys.prefix), Path(tempfile.gettempdir())}
    for place in (f"{place}{os.sep}" for place in places if place.name):
        if any(place in text for kind, text in has if kind != "image/png"):
            raise UsageError(f"cell {executed.id!r} shows a path of this machine, {place}….")
