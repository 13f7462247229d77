"""Honest scores against other formulas, and that a leak is seen where there is nothing to learn."""

import os
import signal
import subprocess
import sys

import numpy as np
import pandas as pd
import psutil
import pytest
from scipy.stats import rankdata

from helpers import asd, mle, repeated_splits, scores


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 2, 300)
    return y, np.clip(0.5 + 0.3 * (y - 0.5) + 0.2 * rng.normal(size=300), 0, 1)


def test_scores_are_their_definitions(answers):
    y, p = answers
    got = {name: score(y, p) for name, score in scores.SCORES.items()}
    said, positive = p > 0.5, y == 1
    hit, correct_no = said[positive].mean(), (~said)[~positive].mean()
    ranks = rankdata(p)
    n1, n0 = positive.sum(), (~positive).sum()
    auc = (ranks[positive].sum() - n1 * (n1 + 1) / 2) / (n1 * n0)
    safe = np.clip(p, 0.001, 0.999)
    loss = -mle.bernoulli_log_likelihood(y, safe) / 300
    precision = [y[p >= t].mean() for t in p[positive]]
    assert got == pytest.approx(
        {
            "accuracy": (said == positive).mean(),
            "balanced accuracy": (hit + correct_no) / 2,
            "ROC AUC": auc,
            "average precision": np.mean(precision),
            "log loss": loss,
            "Brier score": np.mean((p - y) ** 2),
            "calibration error": got["calibration error"],
        },
        abs=1e-9,
    )


def test_calibration_error_by_hand():
    y, p = np.array([0, 1, 1, 1]), np.array([0.05, 0.15, 0.95, 1.0])
    # Bins 0, 1 and 9: gaps .05, .85 and .05 / 2 on 1, 1 and 2 of 4 rows.
    assert scores.calibration_error(y, p) == pytest.approx((0.05 + 0.85 + 0.05) / 4)
    rng = np.random.default_rng(1)
    p = rng.random(100_000)
    calibrated = (rng.random(100_000) < p).astype(int)
    assert scores.calibration_error(calibrated, p) < 0.01
    assert scores.calibration_error(1 - calibrated, p) > 0.4


def test_the_interval_knows_that_splits_overlap():
    # On tables of pure noise the mean over splits varies from table to table by more than splits
    # of one table show; the corrected interval covers, the plain one does not.
    rng = np.random.default_rng(2)
    covered = np.zeros(2)
    for _ in range(300):
        rows = rng.normal(size=80)
        tests = [rng.permutation(80)[:20] for _ in range(40)]
        values = [rows[test].mean() for test in tests]
        for i, overlap in enumerate([0, 1 / 3]):
            _, low, high = scores.mean_interval(values, overlap=overlap)
            covered[i] += low <= 0 <= high
    assert covered[0] < 0.7 * 300
    assert covered[1] > 0.93 * 300


@pytest.mark.parametrize(("rows", "positive"), [(49, 20), (60, 2), (60, 58)])
def test_a_table_that_is_too_small_is_refused_in_a_sentence(rows, positive):
    table = pd.DataFrame({asd.TARGET: np.arange(rows) < positive})
    with pytest.raises(
        asd.TableError, match=rf"^the table has {rows} rows, .*50 rows and 3 of each"
    ):
        asd.usable(table)


def test_an_unknown_austim_is_refused_in_a_sentence():
    table = asd.load().head(60)
    table.loc[3, "austim"] = "YES"
    with pytest.raises(
        asd.TableError, match="^column 'austim': 'YES' is neither yes nor no; write"
    ):
        asd.usable(table)


def test_fifty_rows_with_three_positives_are_enough():
    table = asd.load()
    few = pd.concat(
        [group.head(n) for n, (_, group) in zip([47, 3], table.groupby(asd.TARGET), strict=True)]
    )
    models, leak = repeated_splits.compare(asd.usable(few), 1, seed=0, epochs=2)
    assert set(models["split"]) == {0, 1, 2}
    assert models.notna().all(axis=None)
    assert len(leak) == 3 * 12


def test_a_slice_is_the_same_rows_as_the_whole():
    table = asd.load().head(100)
    models, leak = repeated_splits.compare(table, 1, seed=3, epochs=2)
    some, of_leak = repeated_splits.compare(table, 1, seed=3, epochs=2, only=[2])
    pd.testing.assert_frame_equal(some, models[models["split"] == 2].reset_index(drop=True))
    pd.testing.assert_frame_equal(of_leak, leak[leak["split"] == 2].reset_index(drop=True))


def test_nothing_of_a_test_row_reaches_an_honest_score(monkeypatch):
    # Other test labels change the scores' truth, and no prediction.
    table = asd.load()
    train, test = table.iloc[:150], table.iloc[150:250]
    other = test.assign(**{asd.TARGET: 1 - test[asd.TARGET]})
    honest, _ = repeated_splits.one_split(train, test, seed=0, epochs=5)
    flipped, _ = repeated_splits.one_split(train, other, seed=0, epochs=5)
    for before, after in zip(honest, flipped, strict=True):
        assert before["accuracy"] == pytest.approx(1 - after["accuracy"])
        assert before["ROC AUC"] == pytest.approx(1 - after["ROC AUC"])


@pytest.fixture(scope="module")
def shuffled():
    """Both tables of a screening table whose labels were shuffled: the items say nothing."""
    table = asd.load().head(400)
    labels = np.random.default_rng(4).permutation(table[asd.TARGET].to_numpy())
    return repeated_splits.compare(table.assign(**{asd.TARGET: labels}), 1, seed=0)


def test_with_shuffled_labels_the_honest_pipeline_finds_nothing(shuffled):
    models, _ = shuffled
    accuracy = models.pivot(index="split", columns="model", values="accuracy")
    auc = models.pivot(index="split", columns="model", values="ROC AUC")
    for name in accuracy:
        above = accuracy[name] - accuracy["always the base rate"]
        _, low, _ = scores.mean_interval(above, overlap=1 / 3)
        assert low <= 0, name
        if name != "always the base rate":
            _, low, high = scores.mean_interval(auc[name], overlap=1 / 3)
            assert low <= 0.5 <= high, name
    for name in ["logistic regression", "stack: logistic regression", "gate"]:
        above = accuracy[name] - accuracy["always the base rate"]
        _, low, high = scores.mean_interval(above, overlap=1 / 3)
        assert low <= 0 <= high, name


@pytest.mark.parametrize("scored_against", ["label", "shuffled"])
def test_with_shuffled_labels_the_submissions_protocol_still_wins(shuffled, scored_against):
    _, leak = shuffled
    rows = leak[leak["scored against"] == scored_against]
    as_submitted = rows[rows["refitted on test rows"] & rows["in-sample meta-features"]]
    assert np.mean(as_submitted["accuracy"] - as_submitted["base rate"]) > 0.05
    honest = rows[~rows["refitted on test rows"] & ~rows["in-sample meta-features"]]
    assert np.mean(honest["accuracy"] - honest["base rate"]) <= 0


def test_the_committed_evidence_is_whole():
    models, leak = pd.read_csv(repeated_splits.MODELS), pd.read_csv(repeated_splits.LEAK)
    assert models.groupby("split").size().tolist() == [11] * 40
    assert leak.groupby("split").size().tolist() == [12] * 40
    assert models.notna().all(axis=None)
    assert list(models)[1:8] == list(scores.SCORES)


@pytest.mark.skipif(os.name == "nt", reason="stops with POSIX signals")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopped_it_says_so_and_leaves_no_process_and_the_tables(number):
    code = (
        "import time; from helpers import repeated_splits\n"
        "repeated_splits.one_split = lambda *given: (time.sleep(1), ([{'a': 1}], [{'a': 1}]))[1]\n"
        "repeated_splits.write()"
    )
    before = repeated_splits.MODELS.read_bytes(), repeated_splits.LEAK.read_bytes()
    both = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", code], **both) as process:
        assert process.stdout.readline() == "split 1 of 40\n"
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(number)
        _, said = process.communicate(timeout=20)
    assert said.strip() == "Interrupted: the tables in data/ stay as they were."
    assert process.returncode == 1
    assert children
    _, alive = psutil.wait_procs(children, timeout=5)
    assert alive == []
    assert (repeated_splits.MODELS.read_bytes(), repeated_splits.LEAK.read_bytes()) == before
