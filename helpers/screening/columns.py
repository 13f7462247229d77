"""The columns of the table: their names, and how public copies write these and the answers."""

import re
from difflib import get_close_matches

import pandas as pd

ITEMS = [f"A{i}_Score" for i in range(1, 11)]
TARGET = "Class/ASD"
_YES_OR_NO = ["jaundice", "austim", "used_app_before"]
_ASKED = ["gender", "ethnicity", "jaundice", "austim", "contry_of_res", "used_app_before"]
CATEGORICAL = [*_ASKED, "relation"]
COLUMNS = ["ID", *ITEMS, "age", *_ASKED, "result", "age_desc", "relation", TARGET]
ANSWERS = [
    ("gender", "m"),
    ("jaundice", "yes"),
    ("austim", "yes"),
    ("used_app_before", "yes"),
    ("relation", "Self"),
    ("ethnicity", "White-European"),
    ("ethnicity", "?"),
    ("contry_of_res", "United States"),
]
FEATURES = [*ITEMS, "age", "result", *(f"{column} = {answer}" for column, answer in ANSWERS)]

# How the public copies of these tables write a column's name (as `_plain` gives it), and an answer.
_NAMES = {"jundice": "jaundice", "autism": "austim", "family_pdd": "austim", "case_no": "ID"}
_NAMES |= {"country_of_res": "contry_of_res", "class": TARGET, "class_asd_traits": TARGET}
_NAMES |= {f"a{n}": item for n, item in enumerate(ITEMS, start=1)}
_YES, _NO = ("1", "yes", "y", "true", "1.0"), ("0", "no", "n", "false", "0.0")
_MISSING = ("", "?", "nan", "na", "n/a", "none")


def _plain(name):
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


def named(header, columns):
    """({place in the header: our column}, what is missing or there twice)."""
    known = {_plain(column): column for column in COLUMNS} | _NAMES
    names = {n: known[_plain(name)] for n, name in enumerate(header) if _plain(name) in known}
    names = {n: column for n, column in names.items() if column in columns}
    found, faults = list(names.values()), []
    others = {_plain(name): name for n, name in enumerate(header) if n not in names}
    for column in columns:
        if found.count(column) > 1:
            theirs = ", ".join(repr(header[n]) for n, c in names.items() if c == column)
            faults.append(f"column {column!r} occurs more than once ({theirs}); leave one of them")
        elif column not in found and column not in ("ID", "age_desc"):
            near = get_close_matches(_plain(column), others, n=1, cutoff=0.75)
            hint = f" (is it {others[near[0]]!r}?)" if near else ""
            faults.append(f"column {column!r} is missing{hint}; the header needs it once")
    return names, faults


def translated(texts, said):
    """A column in the words of the course's table; `said` gets a line where these are others."""
    column, plain = texts.name, texts.str.lower()
    if column in [*ITEMS, TARGET, *_YES_OR_NO]:
        yes, no = ("yes", "no") if column in _YES_OR_NO else ("1", "0")
        words = dict.fromkeys(_YES, yes) | dict.fromkeys(_NO, no)
    else:
        words = {"male": "m", "female": "f", "f": "f"} if column == "gender" else {}
        words |= {answer.lower(): answer for c, answer in ANSWERS if c == column}
    if column in [*CATEGORICAL, "age"]:
        words |= dict.fromkeys(_MISSING, "?")
    new = pd.Series([words.get(p, text) for p, text in zip(plain, texts, strict=True)], texts.index)
    number = texts.str.endswith(".0") & new.isin(["0", "1"])  # says the same
    pairs = pd.DataFrame({"was": texts, "is": new})[(texts != new) & ~number].drop_duplicates()
    read_as = [f"{was!r} is read as {now!r}" for was, now in pairs.itertuples(index=False)]
    if read_as:
        said.append(f"column {column!r}: {', '.join(read_as[:4])}{', …' * (len(read_as) > 4)}")
    return new
