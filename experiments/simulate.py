"""A simulated screening table, drawn from summary figures of the real one."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import ndtri

from helpers.screening.asd import CATEGORICAL, COLUMNS, DATA, ITEMS, TARGET

SEED = 617  # of the committed tables; data/README.md says how it was picked


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
    answers = np.vstack(
        [items(n, group, rng) for n, group in zip(sizes, figures["classes"], strict=True)]
    )
    table = pd.DataFrame(answers, columns=ITEMS)
    table[TARGET] = np.repeat([0, 1], sizes)
    table = pd.concat([table, _background(answers.sum(axis=1), rng, figures)], axis=1)
    table = table.iloc[np.argsort(rng.random(len(table)))].reset_index(drop=True)
    table["ID"] = np.arange(1, len(table) + 1)
    table["age_desc"] = "18 and more"
    return table[COLUMNS]


def correlations(group):
    """The items' tetrachoric correlations in one class, `group` of the figures: (10, 10)."""
    correlation = np.eye(len(ITEMS))
    for i, row in enumerate(group["tetrachoric_lower"], start=1):
        correlation[i, :i] = correlation[:i, i] = row
    return correlation


def items(n, group, rng):
    """Answers (n, 10) of one class, `group` of the figures: correlated normals, cut."""
    # Rounded estimates of pairs need not form a correlation matrix: keep the eigenvalues above 0.
    values, vectors = np.linalg.eigh(correlations(group))
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
