"""Whom a gate believes, as a figure in scikit-learn's manner."""

import matplotlib.pyplot as plt
import numpy as np


class GateDisplay:
    """The mean weight of each expert against one feature: `GateDisplay.from_estimator(…)`.

    Attributes after `plot`: `ax_`, `figure_`, `lines_`.
    """

    def __init__(self, values, weights, feature):
        """`values` (bins,) of the feature, and `weights`, a DataFrame (bins, K) named by expert."""
        self.values, self.weights, self.feature = values, weights, feature

    @classmethod
    def from_estimator(cls, estimator, X, feature, *, bins=10, ax=None):
        """Draw what a fitted mixture of given experts believes at the rows X (n, d).

        `feature` is a column's name or number. Rows are put into at most `bins` groups of equal
        size by it; a feature of few values keeps its own.
        """
        named = hasattr(X, "columns") and feature in X.columns
        column = np.asarray(X[feature] if named else np.asarray(X)[:, feature])
        if column.dtype.kind not in "biuf" or np.any(column != column):
            raise ValueError(f"feature {feature!r} must be numeric, without missing values")
        if not bins >= 1:
            raise ValueError(f"bins must be 1 or more, not {bins!r}")
        found = np.unique(column)
        if len(found) > bins:
            edges = np.unique(np.quantile(column, np.linspace(0, 1, bins + 1)))
            group = np.searchsorted(edges[1:-1], column, side="right")
        else:
            group = np.searchsorted(found, column)
        weights = estimator.gate_weights(X).groupby(group).mean()
        values = np.array([column[group == number].mean() for number in weights.index])
        return cls(values, weights, str(feature)).plot(ax=ax)

    def plot(self, ax=None):
        """Draw it on `ax`, or on a new figure; returns itself."""
        self.ax_ = plt.subplots()[1] if ax is None else ax
        self.figure_ = self.ax_.figure
        self.lines_ = [
            self.ax_.plot(self.values, self.weights[name], marker=mark, label=name)[0]
            for name, mark in zip(self.weights, "os^Dv<>p*hX" * len(self.weights), strict=False)
        ]
        self.ax_.set(xlabel=self.feature, ylabel="mean weight of the expert", ylim=(0, 1))
        self.ax_.legend()
        return self
