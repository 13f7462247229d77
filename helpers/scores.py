"""How good probabilities are, in seven ways, and the interval of a mean of such scores."""

import numpy as np
from scipy.special import stdtrit
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


def clipped(p, margin=0.001):
    """Probabilities with 0 and 1 taken to `margin` and 1 − `margin`: a finite log loss for all."""
    return np.clip(p, margin, 1 - margin)


def calibration_error(y, p, bins=10):
    """Σ over bins of p of (share of rows) · |mean y − mean p| (expected calibration error)."""
    bin_of = np.minimum((np.asarray(p) * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, weights=np.asarray(y) - p, minlength=bins)
    return float(np.sum(np.abs(gaps)) / len(p))


def mean_interval(values, level=0.95, overlap=0):
    """(mean, low, high): a mean and its interval by Student's t, of values (n,).

    `overlap` is 0 for independent values. For one figure per split of the same table it is rows
    tested on / rows trained on: splits share rows, and without this correction the interval is far
    too short (Nadeau & Bengio 2003).
    """
    mean, n = float(np.mean(values)), len(values)
    error = np.std(values, ddof=1) * np.sqrt(1 / n + overlap)
    half = float(stdtrit(n - 1, (1 + level) / 2) * error)
    return mean, mean - half, mean + half
