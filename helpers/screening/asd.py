"""The autism-screening (AQ-10) table: load and validate one, split it, make features of it."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

from helpers.screening.columns import (
    ANSWERS,
    CATEGORICAL,
    COLUMNS,
    FEATURES,
    ITEMS,
    TARGET,
    named,
    translated,
)
from helpers.screening.files import TableError, read

__all__ = ["CATEGORICAL", "COLUMNS", "FEATURES", "ITEMS", "TARGET", "TableError"]

DATA = Path(__file__).resolve().parents[2] / "data"
_WORDS = {"gender": ["m", "f", "?"], "austim": ["yes", "no"]}
_WORDS |= dict.fromkeys(["jaundice", "used_app_before"], ["yes", "no", "?"])
_FEWEST_ROWS, _FEWEST_OF_A_CLASS = 50, 3  # with fewer, problem 5 has no folds to speak of


def load(path=None, labelled=True):
    """Read a screening table, validated; without a path, the training table.

    A file may be CSV, ARFF or Excel, and name columns and answers as the public copies do: what is
    read as something else is printed, a line a column. Returns a DataFrame with the columns of
    `COLUMNS`, items and label as integers in {0, 1}, and a missing age as nan; where it is not
    `labelled`, without the label, whether the file has one or not.
    Raises TableError, which names the file, and each column and row that cannot be used.
    """
    path = Path(DATA / "asd_train.csv" if path is None else path)
    cells = read(path)
    columns = COLUMNS if labelled else COLUMNS[:-1]
    names, faults = named(list(cells.columns), columns)
    if not names:
        start = ", ".join(cells.columns)[:60]
        raise TableError(f"{path}: its first line has none of the needed columns: {start}.")
    table = cells.iloc[:, list(names)].set_axis(names.values(), axis=1)
    table = table.loc[:, ~table.columns.duplicated()].copy()
    pairs = [(cells.columns[n], column) for n, column in names.items()]
    said = [f"column {was!r} is read as {now!r}" for was, now in pairs if was != now]
    for column in table:
        table[column] = translated(table[column], said)
    if table.empty and not faults:
        faults.append("there is a header but no row; add rows")
    faults += _faults(table) if len(table) else []
    if faults:
        raise TableError(f"{path}: {_sentence(faults)}")
    if "ID" not in table:
        table["ID"] = table.index.astype(str)
        said.append("there is no column 'ID', so rows are numbered as in the file")
    if "age_desc" not in table:
        table["age_desc"] = "?"
    if missing := int(table["age"].isna().sum()):
        said.append(f"{missing} rows have no age, and get the mean age where one is needed")
    for line in said:
        print(f"{path.name}: {line}.")
    return table[columns].reset_index(drop=True)


def _faults(table):
    """All that cannot be used, a sentence a column; numbers become numbers."""
    found = []

    def refuse(bad, column, must):
        if bad.any():
            rows, value = list(table.index[bad]), table.loc[bad, column].iloc[0]
            more = f" (and {len(rows) - 1} more: {', '.join(map(str, rows[1:4]))}"
            more = f"{more}{', …' * (len(rows) > 4)})" if len(rows) > 1 else ""
            found.append(f"column {column!r}, row {rows[0]}{more}: {value!r} {must}")

    if "ID" in table:
        again = table["ID"].duplicated()
        refuse(again, "ID", "occurs a second time; give every row its own ID")
    for column in table.columns.intersection([*ITEMS, TARGET]):
        number = pd.to_numeric(table[column], errors="coerce")
        kind = "a label" if column == TARGET else "an item"
        bad = ~number.isin([0, 1])
        refuse(bad, column, f"is not {kind}, which must be 0 or 1")
        table[column] = number.where(~bad, -1).astype(int)
    for column in table.columns.intersection(["age", "result"]):
        number = pd.to_numeric(table[column].str.replace(",", "."), errors="coerce")
        missing = (table[column] == "?") & (column == "age")
        refuse(~np.isfinite(number) & ~missing, column, "is not a number; write one")
        table[column] = number.astype(float)
    for column, words in _WORDS.items():
        if column in table:
            refuse(~table[column].isin(words), column, f"is none of {', '.join(words)}; write one")
    for column in table.columns.intersection([c for c in CATEGORICAL if c not in _WORDS]):
        coded = pd.to_numeric(table[column], errors="coerce").notna()
        refuse(coded, column, "is a number; write the word that it stands for")
    if not found and TARGET in table and table[TARGET].nunique() == 1:
        found.append(
            f"column {TARGET!r}: every row, from row {table.index[0]} on, has the label "
            f"{table[TARGET].iloc[0]}; both classes, 0 and 1, are needed"
        )
    return found


def _sentence(faults):
    if len(faults) == 1:
        return f"{faults[0]}."
    return "it cannot be used as it is:" + "".join(f"\n- {fault}." for fault in faults)


def usable(table):
    """The table, if the problems can be computed on it; otherwise TableError, one sentence."""
    rows, fewest = len(table), table[TARGET].value_counts().min()
    if rows < _FEWEST_ROWS or fewest < _FEWEST_OF_A_CLASS:
        raise TableError(
            f"the table has {rows} rows, {fewest} of them in the smaller class: this notebook "
            f"needs at least {_FEWEST_ROWS} rows and {_FEWEST_OF_A_CLASS} of each class; add rows."
        )
    if len(table[ITEMS].drop_duplicates()) == 1:
        raise TableError("the ten items are the same in every row: no model can learn from them.")
    return table


def people(table):
    """Whose row each one is, (n,): rows that agree in every column but the ID have one number."""
    others = table[table.columns.difference(["ID"])]
    plain = others.apply(lambda c: c.str.lower() if pd.api.types.is_string_dtype(c) else c)
    return plain.groupby([*plain.columns], sort=False, dropna=False).ngroup().to_numpy()


def once(table):
    """The table with each person once: of rows that are copies (`people`), the first."""
    return table[~pd.Series(people(table), index=table.index).duplicated()].reset_index(drop=True)


def split(table, seed):
    """Two tables, (train, test): three quarters and one quarter of the people, by class.

    The copies of one person (`people`) stay on one side.
    """
    who = people(table)
    first = np.unique(who, return_index=True)[1]
    label = table[TARGET].to_numpy()[first]
    parts = train_test_split(first, test_size=0.25, stratify=label, random_state=seed)
    rows = (np.concatenate([np.flatnonzero(who == who[i]) for i in part]) for part in parts)
    return tuple(table.iloc[numbers] for numbers in rows)


def features(table, train):
    """The 20 inputs of problem 2's classifier: (n, 20), from `table`; names in `FEATURES`.

    The ten items; age and result, standardised by the mean and standard deviation of `train`
    (training rows only); and eight answers as 0 or 1.
    """
    columns = [table[item] for item in ITEMS]
    numbers = [(table[c] - train[c].mean()) / train[c].std(ddof=0) for c in ["age", "result"]]
    columns += [number.fillna(0) for number in numbers]  # the mean, where there is none
    columns += [table[column] == answer for column, answer in ANSWERS]
    return np.column_stack(columns).astype(float)
