"""How good probabilities are, in seven ways, what decisions on them are worth, and intervals."""

import numpy as np
import pandas as pd
from scipy.special import stdtrit
from scipy.stats import binomtest
from sklearn import metrics

SCORES = {
    "accuracy": lambda y, p: metrics.accuracy_score(y, p > 0.5),
    "balanced accuracy": lambda y, p: metrics.balanced_accuracy_score(y, p > 0.5),
    "ROC AUC": metrics.roc_auc_score,
    "average precision": metrics.average_precision_score,
    "log loss": lambda y, p: metrics.log_loss(y, clipped(p)),
    "Brier score": metrics.brier_score_loss,
    "calibration error": lambda y, p: calibration_error(y, p),
}


MARGIN = 0.001  # what probabilities of 0 and 1 are taken to, for a finite log loss
SPANS = dict.fromkeys(SCORES, 1.0) | {"log loss": -np.log(MARGIN)}  # the largest differences


def clipped(p, margin=MARGIN):
    """Probabilities with 0 and 1 taken to `margin` and 1 − `margin`: a finite log loss for all."""
    return np.clip(p, margin, 1 - margin)


def calibration_error(y, p, bins=10):
    """Σ over bins of p of (share of rows) · |mean y − mean p| (expected calibration error)."""
    bin_of = np.minimum((np.asarray(p) * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, weights=np.asarray(y) - p, minlength=bins)
    return float(np.sum(np.abs(gaps)) / len(p))


def calibration_null(p, rng, draws=1_000):
    """Calibration errors of perfectly calibrated models that give p (n,): `draws` of them.

    Labels are drawn with exactly these probabilities. On few rows the error is far from 0 by chance
    alone (Bröcker & Smith 2007), so an error says something only beside these.
    """
    p = np.asarray(p, dtype=float)
    labels = rng.random((draws, len(p))) < p
    return np.array([calibration_error(drawn, p) for drawn in labels])


def net_benefit(y, p, threshold):
    """True positives a row, less false ones at the price threshold / (1 − threshold) each.

    What acting on p >= threshold is worth to somebody who is indifferent at that probability, in
    true positives found (Vickers & Elkin 2006); acting on nobody is worth 0.
    """
    if not 0 <= threshold < 1:
        raise ValueError(f"a threshold is a probability below 1, not {threshold!r}")
    y, act, price = np.asarray(y), np.asarray(p) >= threshold, threshold / (1 - threshold)
    return float(np.mean(act & (y == 1)) - price * np.mean(act & (y == 0)))


def mean_interval(values, level=0.95, overlap=0, span=np.inf, rows=None):
    """(mean, low, high): a mean and its interval by Student's t, of values (n,).

    `overlap` is 0 for independent values. For one figure per split of the same table it is rows
    tested on / rows trained on: splits share rows, and without this correction the interval is far
    too short (Nadeau & Bengio 2003; for repeated k-fold Bouckaert & Frank 2004). For m intervals
    that are to hold together take `level` 1 − 0.05/m (Bonferroni).

    No value is beyond ±`span`, so neither is an end. Values that are all alike have no spread, and
    yet say little if they come from few `rows` (None: one value a row): that share of rows in which
    they may differ all the same, 1 − (1 − level)^(1/rows), "the rule of three", times the span, is
    then the half width.
    """
    values = np.asarray(values, dtype=float)
    if len(values) < 2 or not 0 < level < 1:
        raise ValueError("an interval needs two values or more, and a level between 0 and 1")
    mean, n = float(np.mean(values)), len(values)
    error = np.std(values, ddof=1) * np.sqrt(1 / n + overlap)
    half = float(stdtrit(n - 1, (1 + level) / 2) * error)
    if np.isfinite(span) and np.ptp(values) <= 1e-12 * span:
        half = span * (1 - (1 - level) ** (1 / (n if rows is None else rows)))
    return mean, max(mean - half, -span), min(mean + half, span)


def share_interval(right, level=0.95):
    """(share, low, high) of the rows (n,) that are right: Wilson's interval (1927), in [0, 1]."""
    count, n = int(np.sum(right)), len(right)
    if not n:
        return np.nan, 0.0, 1.0
    ends = binomtest(count, n).proportion_ci(level, method="wilson")
    return count / n, float(ends.low), float(ends.high)


def signed(ends, digits=3):
    """A mean and its interval (mean, low, high), as text with signs.

    More digits are given where an interval that has a width would seem to have none.
    """
    width = ends[2] - ends[1]
    if 0 < width < 10.0**-digits:
        digits = min(8, int(np.ceil(-np.log10(width))))
    mean, low, high = (f"{end:+.{digits}f}" for end in ends)
    return f"{mean} [{low}, {high}]"


def by_group(y, p, threshold, groups, rng, fewest=20, tables=1):
    """Who is missed, who is alarmed for nothing, and whether p is right on average, in each group.

    Of labels y (n,), probabilities p (n,) and the names `groups` (n,): {error: {group: (estimate,
    low, high)}}; groups of fewer than `fewest` rows are put together. "missed" is the share with
    p < threshold of those with label 1, "false alarms" that with p >= threshold of the others (both
    with Wilson's interval), "label − probability" the mean of y − p, less what `rng` draws where p
    is right (Student's interval would be far too short: few positives show no spread). All
    intervals of so many `tables` hold together.
    """
    names = pd.Series(np.asarray(groups, dtype=object)).fillna("(missing)").map(str)
    table = pd.DataFrame({"y": np.asarray(y), "p": np.asarray(p, dtype=float), "group": names})
    size = table.groupby("group")["y"].transform("size")
    table["group"] = table["group"].where(size >= fewest, "all others")
    parts = {f"{group} ({len(rows)})": rows for group, rows in table.groupby("group")}
    level = 1 - 0.05 / (3 * len(parts) * tables)

    def gap(y, p):
        draws = [np.mean(rng.random((1_000, len(p))) < p, axis=1) for _ in range(20)]
        chance = np.concatenate(draws) - np.mean(p)
        low, high = np.quantile(chance, [(1 - level) / 2, (1 + level) / 2])
        return float(np.mean(y) - np.mean(p)) - np.array([0, high, low])

    missed = {g: r["p"][r["y"] == 1] < threshold for g, r in parts.items()}
    alarmed = {g: r["p"][r["y"] == 0] >= threshold for g, r in parts.items()}
    return {
        "missed": {g: share_interval(wrong, level) for g, wrong in missed.items()},
        "false alarms": {g: share_interval(wrong, level) for g, wrong in alarmed.items()},
        "label − probability": {
            g: tuple(gap(r["y"], r["p"].to_numpy()).tolist()) for g, r in parts.items()
        },
    }
