"""The ceiling and the learning curve: exact sums, Bayes' rule, and a part of the tables again."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score

from experiments import evidence, simulate
from experiments.repeated_splits import logits
from helpers.moe import fixed_weights, stacking
from helpers.screening import asd
from helpers.screening.scores import clipped


@pytest.fixture(scope="module")
def joint():
    return evidence.read_patterns()


def test_the_patterns_are_all_that_there_are():
    assert len(np.unique(evidence.ALL, axis=0)) == 1024
    np.testing.assert_array_equal(evidence.ALL @ evidence.BITS, np.arange(1024))


def test_patterns_are_counted_as_the_simulator_draws_them():
    counts = evidence.count_patterns(250_000, seed=3)
    assert counts.sum(axis=0).tolist() == [250_000, 250_000]
    table = simulate.simulate(60_000, 60_000, np.random.default_rng(4), simulate.figures())
    for label in (0, 1):
        rows = table.loc[table[asd.TARGET] == label, asd.ITEMS].to_numpy()
        drawn = np.bincount(rows @ evidence.BITS, minlength=1024)
        expected = counts[:, label] * 60_000 / 250_000
        often = expected > 20
        statistic = np.sum((drawn - expected)[often] ** 2 / expected[often]) / (1 + 60 / 250)
        assert statistic < chi2.ppf(0.999, often.sum())


def test_the_committed_counts_are_the_simulators(joint):
    """A fresh draw, against the committed one, by a chi-squared test; other figures would fail."""
    fresh, committed = evidence.count_patterns(200_000, seed=9), pd.read_csv(evidence.PATTERNS)
    assert committed.sum().tolist() == [10_000_000, 10_000_000]
    for label in (0, 1):
        expected = committed.iloc[:, label].to_numpy() * 0.02
        often = expected > 20
        statistic = np.sum((fresh[:, label] - expected)[often] ** 2 / expected[often])
        assert statistic / 1.02 < chi2.ppf(0.999, often.sum())
    assert joint.sum() == pytest.approx(1)
    assert joint[:, 1].sum() == pytest.approx(161 / 800)


def test_exact_scores_are_those_of_many_rows(joint):
    rng = np.random.default_rng(0)
    p = rng.random(1024)
    draws = rng.choice(2048, size=400_000, p=joint.ravel())
    pattern, y = draws // 2, draws % 2
    got = evidence.exact_scores(joint, p)
    assert got["accuracy"] == pytest.approx(accuracy_score(y, p[pattern] > 0.5), abs=0.004)
    assert got["AUC"] == pytest.approx(roc_auc_score(y, p[pattern]), abs=0.004)
    assert got["log loss"] == pytest.approx(log_loss(y, clipped(p[pattern])), abs=0.01)


def test_nobody_is_better_than_bayes(joint):
    best = evidence.bayes(joint)
    ceiling = evidence.exact_scores(joint, best)
    assert ceiling["log loss"] == pytest.approx(0.2532, abs=2e-4)
    assert ceiling["accuracy"] == pytest.approx(np.max(joint, axis=1).sum())
    rng = np.random.default_rng(1)
    for size in (0.01, 0.1, 1):
        other = 1 / (1 + np.exp(-(logits(best) + size * rng.normal(size=1024))))
        worse = evidence.exact_scores(joint, other)
        assert worse["log loss"] > ceiling["log loss"]
        assert worse["accuracy"] <= ceiling["accuracy"]
        assert worse["AUC"] < ceiling["AUC"]


@pytest.mark.slow
def test_the_smallest_tables_row_of_every_model_is_computed_again(joint):
    committed = pd.read_csv(evidence.CURVE)
    assert committed.groupby(["rows", "table"]).size().tolist() == [13] * 6 * 12
    assert tuple(committed["rows"].unique()) == evidence.SIZES
    assert committed["table"].nunique() == evidence.TABLES
    rows = pd.DataFrame(evidence.one_table(600, 0, joint)).set_index("model")
    first = committed[(committed["rows"] == 600) & (committed["table"] == 0)].set_index("model")
    assert rows.index.tolist() == first.index.tolist()
    np.testing.assert_allclose(rows, first, atol=1e-4)


def test_the_stack_learns_from_log_odds_and_the_gate_mixes(monkeypatch):
    """Both from the same out-of-fold predictions, by hand."""
    X, y = evidence.fresh_table(300, 2)
    meta = np.random.default_rng(0).uniform(0.05, 0.95, (300, 3))
    given = np.random.default_rng(1).uniform(0.05, 0.95, (1024, 3))
    monkeypatch.setattr(evidence.stacking, "out_of_fold", lambda *_: meta)
    monkeypatch.setattr(evidence.stacking, "fit_all", lambda *_: None)
    monkeypatch.setattr(evidence.stacking, "meta_features", lambda *_: given)
    got = evidence.of_three(X, y, seed=0)
    stack = LogisticRegression().fit(np.log(meta / (1 - meta)), y)
    expected = stack.predict_proba(np.log(given / (1 - given)))[:, 1]
    np.testing.assert_allclose(got["stack of three experts"], expected, atol=1e-6)
    mixed = got["gate over three experts"]
    assert np.all(mixed > given.min(axis=1))
    assert np.all(mixed < given.max(axis=1))
    np.testing.assert_array_equal(got["forest, tuned"], given[:, 2])
    np.testing.assert_allclose(got["soft vote of three"], given.mean(axis=1))
    P = stacking.of_label(meta, y)
    np.testing.assert_allclose(got["average, fixed weights"], given @ fixed_weights(P))
