"""Honest scores against other formulas, and that a leak is seen where there is nothing to learn."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.stats import rankdata

from experiments import repeated_splits
from helpers import mle
from helpers.screening import asd, scores


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


@pytest.mark.slow
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


def test_the_committed_evidence_is_whole():
    models, leak = pd.read_csv(repeated_splits.MODELS), pd.read_csv(repeated_splits.LEAK)
    assert models.groupby("split").size().tolist() == [16] * 40
    assert leak.groupby("split").size().tolist() == [12] * 40
    assert models.notna().all(axis=None)
    assert list(models)[1:8] == list(scores.SCORES)


@pytest.mark.slow
def test_the_first_split_is_computed_again_whole():
    """Every row of both tables, also of models that the notebook only reads."""
    models, leak = repeated_splits.compare(asd.load(), 10, seed=5, only=[0])
    for path, now in [(repeated_splits.MODELS, models), (repeated_splits.LEAK, leak)]:
        then = pd.read_csv(path)
        then = then[then["split"] == 0]
        words = list(now.select_dtypes(exclude="number"))
        assert now[words].astype(str).to_numpy().tolist() == then[words].astype(str).values.tolist()
        numbers = list(now.select_dtypes("number"))
        # Where a net has a part, the processor's last digits grow over 500 epochs.
        with_net = (
            now["model"].str.contains("net|stack|gate") if "model" in now else now["split"] >= 0
        )
        gap = np.abs(now[numbers].to_numpy() - then[numbers].to_numpy())
        assert np.max(gap[with_net]) < 0.06
        assert np.all(gap[~with_net] < 1e-4)


def test_the_null_of_the_calibration_error_is_that_of_a_calibrated_model():
    rng = np.random.default_rng(3)
    p = rng.random(200)
    null = scores.calibration_null(p, rng, draws=400)
    again = [scores.calibration_error((rng.random(200) < p).astype(int), p) for _ in range(400)]
    assert null.shape == (400,)
    assert np.mean(null) == pytest.approx(np.mean(again), abs=4 * np.std(again) / 20)
    off = np.clip(p + 0.2, 0, 1)
    too_high = scores.calibration_error((rng.random(200) < p).astype(int), off)
    assert too_high > np.quantile(scores.calibration_null(off, rng), 0.95)


def test_net_benefit_by_hand():
    y, p = np.array([1, 1, 0, 0, 0]), np.array([0.9, 0.2, 0.6, 0.2, 0.1])
    assert scores.net_benefit(y, p, 0.2) == pytest.approx(2 / 5 - 2 / 5 * 0.25)
    assert scores.net_benefit(y, p, 0.5) == pytest.approx(1 / 5 - 1 / 5)
    assert scores.net_benefit(y, p, 0.95) == 0
    assert scores.net_benefit(y.tolist(), p.tolist(), 0.2) == scores.net_benefit(y, p, 0.2)
    for threshold in (1, 30, -0.1):
        with pytest.raises(ValueError, match="^a threshold is a probability below 1, not"):
            scores.net_benefit(y, p, threshold)
    everybody = scores.net_benefit(y, np.ones(5), 0.4)
    assert everybody == pytest.approx(0)  # worth nothing at the base rate


def test_errors_by_group_by_hand():
    y = np.array([1] * 10 + [0] * 20 + [1] * 3 + [0] * 4)
    p = np.array([0.9] * 7 + [0.1] * 3 + [0.1] * 15 + [0.8] * 5 + [0.9] * 3 + [0.1] * 4)
    groups = np.array(["a"] * 30 + ["b"] * 3 + ["c"] * 4)
    got = scores.by_group(y, p, 0.5, groups, np.random.default_rng(0))
    assert list(got) == ["missed", "false alarms", "label − probability"]
    assert [list(rows) for rows in got.values()] == [["a (30)", "all others (7)"]] * 3
    assert got["missed"]["a (30)"][0] == pytest.approx(0.3)
    assert got["false alarms"]["a (30)"][0] == pytest.approx(0.25)
    assert got["missed"]["all others (7)"][0] == 0
    low, high = got["missed"]["a (30)"][1:]
    z = stats.norm.ppf(1 - 0.05 / 6 / 2)
    centre, half = (3 + z**2 / 2) / (10 + z**2), z / (10 + z**2) * np.sqrt(10 * 0.21 + z**2 / 4)
    assert (low, high) == pytest.approx((centre - half, centre + half))
    gap, low, high = got["label − probability"]["a (30)"]
    assert gap == pytest.approx(np.mean(y[:30] - p[:30]))
    sd = np.sqrt(np.sum(p[:30] * (1 - p[:30]))) / 30
    assert (gap - low, high - gap) == pytest.approx((z * sd, z * sd), rel=0.15)
    wider = scores.by_group(y, p, 0.5, groups, np.random.default_rng(0), tables=2)
    assert wider["missed"]["a (30)"][1] < got["missed"]["a (30)"][1]
    rng = np.random.default_rng(0)
    nobody = scores.by_group(np.zeros(25, int), np.full(25, 0.2), 0.5, ["x"] * 25, rng)["missed"]
    assert np.isnan(nobody["x (25)"][0])
    assert nobody["x (25)"][1:] == (0, 1)
    named = scores.by_group(
        pd.Series(y, index=np.arange(37)[::-1]), pd.Series(p), 0.5, [None] * 30 + [1] * 7, rng
    )
    assert list(named["missed"]) == ["(missing) (30)", "all others (7)"]
    assert named["missed"]["(missing) (30)"] == got["missed"]["a (30)"]


def test_a_calibrated_group_with_few_positives_is_not_called_off():
    """Student's interval of y − p missed 0 in a quarter of such samples."""
    rng, missed = np.random.default_rng(1), 0
    p = np.full(22, 0.06)
    for _ in range(200):
        y = (rng.random(22) < p).astype(int)
        _, low, high = scores.by_group(y, p, 0.5, ["x"] * 22, rng)["label − probability"]["x (22)"]
        missed += not low <= 0 <= high
    assert missed <= 10  # 5 %/3 of 200, and what chance adds
