"""A student's cells and the given ones, as one notebook that is run."""


def merged(submitted, given):
    """([(key, code)] as it is run, {question: a word in a Markdown cell}, notes).

    The student's cells in the student's order; given cells are put back as they were, and missing
    ones beside their neighbours. `given` is the notebook that was handed out.
    """
    locked = {c.metadata.nbgrader.grade_id: c for c in given.cells if c.metadata.nbgrader.locked}
    order = [cell.metadata.nbgrader.grade_id for cell in given.cells]
    cells, notes, words, missing = [], [], {}, [key for key in order if key in locked]
    for cell in submitted["cells"]:
        key = cell["key"] if cell["key"] in order else ""
        if key in locked:
            if key not in missing:
                continue  # a copy of a given cell
            if cell["source"].rstrip() != locked[key].source.rstrip():
                notes.append(f"the given cell {key} was changed, and is put back")
            before = missing[: missing.index(key)]
            missing = missing[len(before) + 1 :]
            cells += [(each, locked[each]) for each in (*before, key)]
        elif cell.get("cell_type") == "code":
            cells.append((key, cell["source"]))
        elif key:
            words[key] = cell["source"]
        else:
            words.setdefault("own", "")
            words["own"] += "\n" + cell["source"]
    cells += [(key, locked[key]) for key in missing]
    lost = [
        key for key in order if key in locked and key not in {c["key"] for c in submitted["cells"]}
    ]
    notes += [f"the given cell {key} was lost, and is put back" for key in lost]
    keys = [key for key, _ in cells if key and key not in locked]
    notes += [
        f"the cell {key} is there twice" for key in sorted({k for k in keys if keys.count(k) > 1})
    ]
    run = [(key, c if isinstance(c, str) else c.source) for key, c in cells if _is_code(c)]
    return run, words, notes


def _is_code(cell):
    return isinstance(cell, str) or cell.cell_type == "code"
