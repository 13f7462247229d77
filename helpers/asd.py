"""The autism-screening table: load and validate one, or simulate one from summary figures."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.model_selection import train_test_split

DATA = Path(__file__).resolve().parents[1] / "data"
ITEMS = [f"A{i}_Score" for i in range(1, 11)]
TARGET = "Class/ASD"
ASKED = ["gender", "ethnicity", "jaundice", "austim", "contry_of_res", "used_app_before"]
CATEGORICAL = [*ASKED, "relation"]
COLUMNS = ["ID", *ITEMS, "age", *ASKED, "result", "age_desc", "relation", TARGET]
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
SEED = 617  # of the committed tables; data/README.md says how it was picked


class TableError(ValueError):
    """A table that cannot be used; the message is one sentence for the person who supplied it."""

    def _render_traceback_(self):
        # IPython shows this in the place of the traceback.
        return [f"TableError: {self}"]


def load(path=None):
    """Read a labelled screening table from CSV, validated; without a path, the training table.

    Returns a DataFrame with the columns of `COLUMNS`, items and label as integers in {0, 1}.
    Raises TableError, one sentence naming the file, the column and the first bad row, counted as
    in a spreadsheet (the header is row 1).
    """
    path = Path(path or DATA / "asd_train.csv")
    try:
        cells = pd.read_csv(
            path,
            header=None,
            dtype=str,
            keep_default_na=False,
            skip_blank_lines=False,
            encoding="utf-8-sig",
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
    for column in COLUMNS:
        if header.count(column) != 1:
            what = "is missing" if column not in header else "occurs more than once"
            raise TableError(f"{path}: column {column!r} {what}; the header needs it once.")
    rows.columns = header
    return _validate(rows[(rows != "").any(axis=1)][COLUMNS].copy(), path)


def _validate(table, path):
    """The table with numbers as numbers; its index holds the row numbers of the file."""

    def refuse_rows(bad, column, must):
        if bad.any():
            row = bad.idxmax()
            raise TableError(
                f"{path}: column {column!r}, row {row}: {table.at[row, column]!r} {must}."
            )

    if table.empty:
        raise TableError(f"{path}: there is a header but no row; add labelled rows.")
    refuse_rows(table["ID"].duplicated(), "ID", "occurs a second time; give every row its own ID")
    for column in [*ITEMS, TARGET]:
        number = pd.to_numeric(table[column], errors="coerce")
        kind = "a label" if column == TARGET else "an item"
        refuse_rows(~number.isin([0, 1]), column, f"is not {kind}, which must be 0 or 1")
        table[column] = number.astype(int)
    for column in ["age", "result"]:
        number = pd.to_numeric(table[column], errors="coerce")
        refuse_rows(~np.isfinite(number), column, "is not a number; write one")
        table[column] = number.astype(float)
    if table[TARGET].nunique() == 1:
        raise TableError(
            f"{path}: column {TARGET!r}: every row, from row {table.index[0]} on, has the label "
            f"{table[TARGET].iloc[0]}; both classes, 0 and 1, are needed."
        )
    return table.reset_index(drop=True)


def split(table, seed):
    """Two tables, (train, test): three quarters and one quarter of the rows, by class."""
    return train_test_split(table, test_size=0.25, stratify=table[TARGET], random_state=seed)


def features(table, train):
    """The 20 inputs of problem 2's classifier: (n, 20), from `table`; names in `FEATURES`.

    The ten items; age and result, standardised by the mean and standard deviation of `train`
    (training rows only); and eight answers as 0 or 1.
    """
    columns = [table[item] for item in ITEMS]
    columns += [(table[c] - train[c].mean()) / train[c].std(ddof=0) for c in ["age", "result"]]
    columns += [table[column] == answer for column, answer in ANSWERS]
    return np.column_stack(columns).astype(float)


def figures():
    """The summary figures of the real 800-row table, as parsed JSON (no row-level data)."""
    return json.loads((DATA / "asd_figures.json").read_text(encoding="utf-8"))


def simulate(n_negative, n_positive, rng, figures):
    """A table of simulated screenings, in the schema of the real one, rows in random order.

    Items: within each class, thresholded correlated normals with the real endorsement rates and
    tetrachoric correlations (Pearson 1900). Background columns: drawn given the total score only,
    so they carry nothing about the label beyond it. `rng` is a numpy Generator; only its uniform
    draws are used, which numpy keeps the same from version to version.
    """
    sizes = [n_negative, n_positive]
    items = np.vstack(
        [_items(n, group, rng) for n, group in zip(sizes, figures["classes"], strict=True)]
    )
    table = pd.DataFrame(items, columns=ITEMS)
    table[TARGET] = np.repeat([0, 1], sizes)
    table = pd.concat([table, _background(items.sum(axis=1), rng, figures)], axis=1)
    table = table.iloc[np.argsort(rng.random(len(table)))].reset_index(drop=True)
    table["ID"] = np.arange(1, len(table) + 1)
    table["age_desc"] = "18 and more"
    return table[COLUMNS]


def _items(n, group, rng):
    correlation = np.eye(len(ITEMS))
    for i, row in enumerate(group["tetrachoric_lower"], start=1):
        correlation[i, :i] = correlation[:i, i] = row
    # Pairwise estimates need not form a correlation matrix: lift the eigenvalues, rescale.
    values, vectors = np.linalg.eigh(correlation)
    covariance = vectors @ np.diag(np.maximum(values, 1e-3)) @ vectors.T
    scale = np.sqrt(np.diag(covariance))
    factor = np.linalg.cholesky(covariance / np.outer(scale, scale))
    normals = ndtri(rng.random((n, len(ITEMS)))) @ factor.T
    return (normals < ndtri(np.array(group["endorse"]))).astype(int)


def _background(score, rng, figures):
    bins = np.searchsorted([high for _, high in figures["score_bins"]], score)
    given = figures["given_score"]
    columns = {}
    for name in CATEGORICAL:
        cumulative = np.cumsum([group["freq"][name] for group in given], axis=1)
        cumulative /= cumulative[:, -1:]
        level = (rng.random((len(score), 1)) >= cumulative[bins]).sum(axis=1)
        columns[name] = np.array(figures["levels"][name], dtype=object)[level]
    rho = figures["corr_age_result_latent"]
    age, other = ndtri(rng.random((2, len(score))))
    latent = {"age": age, "result": rho * age + np.sqrt(1 - rho**2) * other}
    probs = ndtri(np.array(figures["quantile_probs"]))
    for name, z in latent.items():
        columns[name] = np.round(
            [np.interp(zi, probs, given[b][name]) for zi, b in zip(z, bins, strict=True)], 2
        )
    return pd.DataFrame(columns)


def write_tables(folder=DATA, seed=SEED):
    """Write the committed tables: asd_train.csv (639 + 161 rows) and asd_test.csv (160 + 40)."""
    rng = np.random.default_rng(seed)
    for name, n_negative, n_positive in [("asd_train", 639, 161), ("asd_test", 160, 40)]:
        table = simulate(n_negative, n_positive, rng, figures())
        table.to_csv(Path(folder) / f"{name}.csv", index=False, lineterminator="\n")
