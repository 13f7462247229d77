"""The autism-screening (AQ-10) table: load and validate one, split it, make features of it."""

from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.model_selection import train_test_split

DATA = Path(__file__).resolve().parents[2] / "data"
ITEMS = [f"A{i}_Score" for i in range(1, 11)]
TARGET = "Class/ASD"
_FEWEST_ROWS, _FEWEST_OF_A_CLASS = 50, 3  # with fewer, problem 5 has no folds to speak of
_ASKED = ["gender", "ethnicity", "jaundice", "austim", "contry_of_res", "used_app_before"]
CATEGORICAL = [*_ASKED, "relation"]
COLUMNS = ["ID", *ITEMS, "age", *_ASKED, "result", "age_desc", "relation", TARGET]
_ANSWERS = [
    ("gender", "m"),
    ("jaundice", "yes"),
    ("austim", "yes"),
    ("used_app_before", "yes"),
    ("relation", "Self"),
    ("ethnicity", "White-European"),
    ("ethnicity", "?"),
    ("contry_of_res", "United States"),
]
FEATURES = [*ITEMS, "age", "result", *(f"{column} = {answer}" for column, answer in _ANSWERS)]


class TableError(ValueError):
    """A table that cannot be used; the message is one sentence for the person who supplied it."""

    def _render_traceback_(self):
        # IPython shows this in the place of the traceback.
        return [f"TableError: {self}"]


def load(path=None, labelled=True):
    """Read a screening table from CSV, validated; without a path, the training table.

    Returns a DataFrame with the columns of `COLUMNS`, items and label as integers in {0, 1}; where
    it is not `labelled`, without the label, whether the file has one or not.
    Raises TableError, one sentence naming the file, the column and the first bad row, counted as
    in a spreadsheet (the header is row 1).
    """
    path = Path(DATA / "asd_train.csv" if path is None else path)
    try:
        cells = pd.read_csv(
            path,
            header=None,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            encoding="utf-8-sig",
            compression=None,
        )
    except FileNotFoundError:
        raise TableError(f"{path}: there is no such file; give the path of a CSV table.") from None
    except pd.errors.EmptyDataError:
        raise TableError(
            f"{path}: the file is empty; it needs a header and labelled rows."
        ) from None
    except (pd.errors.ParserError, UnicodeDecodeError, OSError) as error:
        reason = str(error).strip().splitlines()[-1].rstrip(".")
        raise TableError(
            f"{path}: this is not a CSV table ({reason}); save it as comma-separated text in UTF-8."
        ) from None
    if cells.shape[1] == 1:
        raise TableError(
            f"{path}: this is not a CSV table (no comma in its first line); save it as "
            "comma-separated text in UTF-8."
        )
    cells = cells.fillna("").apply(lambda column: column.str.strip())
    cells.index += 1
    header, rows = list(cells.iloc[0]), cells.iloc[1:]
    columns = COLUMNS if labelled else COLUMNS[:-1]
    for column in columns:
        if header.count(column) != 1:
            what = "is missing" if column not in header else "occurs more than once"
            raise TableError(f"{path}: column {column!r} {what}; the header needs it once.")
    rows.columns = header
    return _validate(rows[(rows != "").any(axis=1)][columns].copy(), path)


def _validate(table, path):
    """The table with numbers as numbers; its index holds the row numbers of the file."""

    def refuse_rows(bad, column, must):
        if bad.any():
            row = bad.idxmax()
            raise TableError(
                f"{path}: column {column!r}, row {row}: {table.at[row, column]!r} {must}."
            )

    if table.empty:
        raise TableError(f"{path}: there is a header but no row; add rows.")
    refuse_rows(table["ID"].duplicated(), "ID", "occurs a second time; give every row its own ID")
    for column in table.columns.intersection([*ITEMS, TARGET]):
        number = pd.to_numeric(table[column], errors="coerce")
        kind = "a label" if column == TARGET else "an item"
        refuse_rows(~number.isin([0, 1]), column, f"is not {kind}, which must be 0 or 1")
        table[column] = number.astype(int)
    for column in ["age", "result"]:
        number = pd.to_numeric(table[column], errors="coerce")
        refuse_rows(~np.isfinite(number), column, "is not a number; write one")
        table[column] = number.astype(float)
    if TARGET in table and table[TARGET].nunique() == 1:
        raise TableError(
            f"{path}: column {TARGET!r}: every row, from row {table.index[0]} on, has the label "
            f"{table[TARGET].iloc[0]}; both classes, 0 and 1, are needed."
        )
    return table.reset_index(drop=True)


def usable(table):
    """The table, if problem 5 can be computed on it; otherwise raises TableError, one sentence."""
    rows, fewest = len(table), table[TARGET].value_counts().min()
    if rows < _FEWEST_ROWS or fewest < _FEWEST_OF_A_CLASS:
        raise TableError(
            f"the table has {rows} rows, {fewest} of them in the smaller class: problem 5 needs at "
            f"least {_FEWEST_ROWS} rows and {_FEWEST_OF_A_CLASS} of each class; add rows."
        )
    for answer in set(table["austim"]) - {"yes", "no"}:
        raise TableError(f"column 'austim': {answer!r} is neither yes nor no; write one.")
    return table


def people(table):
    """Whose row each one is, (n,): rows that agree in every column but the ID have one number."""
    return (
        table.groupby([*table.columns.difference(["ID"])], sort=False, dropna=False)
        .ngroup()
        .to_numpy()
    )


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
    columns += [(table[c] - train[c].mean()) / train[c].std(ddof=0) for c in ["age", "result"]]
    columns += [table[column] == answer for column, answer in _ANSWERS]
    return np.column_stack(columns).astype(float)
