"""What has to be said of a table before anything is computed on it, in sentences."""

import numpy as np

from helpers.mle import separation
from helpers.screening.asd import CATEGORICAL, ITEMS, TARGET, once

_FEW, _RARE = 200, 0.05  # rows; share of the smaller class


def remarks(table):
    """Sentences about a labelled table (`asd.load`), the most serious first; [] for none.

    Each names what was found and what follows: copied rows, a label that is a function of the
    score, a column that gives the label away, items that never change, classes that a line
    separates, few rows, ages that cannot be.
    """
    rows, table = len(table), once(table)
    X, y = table[ITEMS].to_numpy(), table[TARGET].to_numpy()
    n, fewer = len(y), min(y.sum(), (1 - y).sum())
    found = []
    if n < rows:
        found.append(
            f"{rows - n} of {rows} rows are copies: they agree with another row in everything "
            f"but the ID. Each person is counted once from here on, which leaves {n} rows; if "
            "people were screened again and again, say so in a column of its own."
        )
    found += [*_of_the_score(X.sum(axis=1), y), *_given_away(table, y)]
    constant = [item for item in ITEMS if table[item].nunique() == 1]
    if constant:
        found.append(f"{_listed(constant)} never changes: no model can learn anything from it.")
    if kind := separation(X, y):
        found.append(
            f"The items separate the classes {kind}{_one_sided(table)}: a logistic regression "
            "without a penalty has no maximum-likelihood estimate, since larger weights are always "
            "better. With a Gaussian prior on the weights there is one, the MAP estimate."
        )
    if n < _FEW:
        margin = 196 * np.sqrt(0.25 / n)
        found.append(
            f"There are {n} rows: even over all of them an accuracy is known only to about "
            f"± {margin:.0f} points, so hardly any difference between models can be shown."
        )
    if fewer < _RARE * n:
        found.append(
            f"Only {fewer} of {n} rows are in the smaller class: always answering the other one is "
            f"right in {100 * (1 - fewer / n):.0f} %, so read AUC and log loss, not accuracy."
        )
    return [*found, *_of_ages(table)]


def _of_ages(table):
    low, high = table["age"].min(), table["age"].max()
    young = (table["age_desc"] == "18 and more") & (table["age"] < 18)
    if young.any():
        yield (
            f"{young.sum()} of {len(table)} rows are “18 and more” and have an age below 18, down "
            f"to {low:.1f}: the ages are not to be believed. Nothing is changed."
        )
    if low < 1 or high > 110:
        yield f"The ages go from {low:.4g} to {high:.4g}: some are wrong. Nothing is changed."


def _of_the_score(score, y):
    best, missed = min(
        ((points, np.sum((score >= points) != y)) for points in range(1, len(ITEMS) + 1)),
        key=lambda pair: pair[1],
    )
    of_points = np.bincount(score, y, minlength=11) > np.bincount(score, 1 - y, minlength=11)
    if _tells(missed, y):
        what = f"is 1 where the score is {best} or more"
    elif _tells(missed := np.sum(of_points[score] != y), y):
        ones = ", ".join(str(points) for points in np.flatnonzero(of_points))
        what = f"is 1 where the score is one of {ones}"
    else:
        return
    yield (
        f"The label {what}, in {_share(missed, y)}: it is computed from the items. Whatever can "
        "count finds it, and no number below says how well anything is recognised that the "
        "questionnaire did not say itself."
    )


def _given_away(table, y):
    for column in [*ITEMS, "age", "result", *CATEGORICAL]:
        values = table[column]
        if column in CATEGORICAL:
            levels = values.where(values.groupby(values).transform("size") >= 5, "(rare)")
            guess = table[TARGET].groupby(levels).transform("mean") > 0.5
            missed = np.sum(guess != y)
        else:
            known = values.notna()
            missed = _best_cut(values[known].to_numpy(), y[known]) if known.any() else len(y)
            missed += np.sum(~known)
        if _tells(missed, y):
            yield (
                f"Column {column!r} alone tells the label, in {_share(missed, y)}: was it written "
                "down after the label, or from it? Leave it out of every model's inputs."
            )


def _best_cut(values, y):
    """Fewest rows that one threshold on `values` gets wrong, in either direction."""
    order = np.argsort(values, kind="stable")
    ends = np.append(np.flatnonzero(np.diff(values[order])), len(y) - 1)
    above = y.sum() - np.cumsum(y[order])[ends]  # positives above each cut
    wrong = np.cumsum(y[order])[ends] + (len(y) - 1 - ends) - above
    return min(wrong.min(), (len(y) - wrong).min())


def _one_sided(table):
    """Which answers only one class gives, in brackets, if any does."""
    found = [
        f"{item} = {value}: always {rows[TARGET].iloc[0]}, {len(rows)} rows"
        for item in ITEMS
        for value, rows in table.groupby(item)
        if rows[TARGET].nunique() == 1
    ]
    return f" ({'; '.join(found)})" if found else ""


def _tells(missed, y):
    """Whether so few errors are next to none of what always giving one answer makes."""
    return missed <= 0.05 * min(y.sum(), (1 - y).sum())


def _share(missed, y):
    return f"all {len(y)} rows" if missed == 0 else f"all but {missed} of {len(y)} rows"


def _listed(names):
    return names[0] if len(names) == 1 else f"Each of {', '.join(names)}"
