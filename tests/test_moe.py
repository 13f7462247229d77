"""The experts, and that no row is predicted by a model that has seen it."""

import warnings

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier
from sklearn.neighbors import KNeighborsClassifier

from helpers import asd, moe


@pytest.fixture(scope="module")
def rows():
    table = asd.load()
    return table[asd.ITEMS].to_numpy(), table[asd.TARGET].to_numpy()


def test_the_rule_is_six_points(rows):
    X, y = rows
    rule = moe.ScoreRule().fit(X, y)
    np.testing.assert_array_equal(rule.predict(X), X.sum(axis=1) >= 6)
    np.testing.assert_array_equal(rule.predict_proba(X)[:, 1], rule.predict(X))
    np.testing.assert_array_equal(rule.predict_proba(X).sum(axis=1), 1)
    assert moe.ScoreRule(11).fit(X, y).predict(X).sum() == 0


def test_the_net_is_the_homeworks(rows):
    net = moe.experts(seed=0, epochs=1)["net"][-1]
    assert (net.hidden_layer_sizes, net.activation, net.solver) == ((128, 128, 128), "tanh", "adam")
    assert (net.learning_rate_init, net.batch_size, net.alpha) == (5e-4, 64, 0)
    assert moe.experts(seed=0)["net"][-1].max_iter == 500


def test_every_epoch_is_trained_in_silence(rows):
    models = moe.experts(seed=0, epochs=12)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted = moe.fit(models, *rows)
        further = moe.train_further(fitted["net"], *rows)
    assert list(fitted) == ["logistic regression", "rule", "net"]
    assert fitted["net"][-1].n_iter_ == 12
    assert not hasattr(models["net"][-1], "coefs_")
    curve = further[-1].loss_curve_
    assert len(curve) == 24
    assert curve[12] < curve[0] - 0.1  # it went on from the weights that it had
    assert further[-1].coefs_[0].dtype == np.float32
    assert len(fitted["net"][-1].loss_curve_) == 12


def test_meta_features_are_probabilities_of_class_1(rows):
    X, y = rows
    fitted = moe.fit({"prior": DummyClassifier(), "rule": moe.ScoreRule()}, X, y)
    features = moe.meta_features(fitted, X)
    assert features.shape == (800, 2)
    np.testing.assert_allclose(features[:, 0], y.mean())
    np.testing.assert_array_equal(features[:, 1], X.sum(axis=1) >= 6)


def test_out_of_fold_never_sees_the_row():
    # Distinct rows, random labels: the nearest neighbour of a row that was seen is the row itself.
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(200, 3)), np.arange(200) % 2
    memory = {"memory": KNeighborsClassifier(1)}
    in_sample = moe.meta_features(moe.fit(memory, X, y), X)[:, 0]
    held_out = moe.out_of_fold(memory, X, y, 5, seed=0)[:, 0]
    assert np.mean(in_sample == y) == 1
    assert abs(np.mean(held_out == y) - 0.5) < 4 * 0.5 / np.sqrt(200)


def test_out_of_fold_predicts_every_row_once_with_stratified_folds(rows):
    X, y = rows
    features = moe.out_of_fold({"prior": DummyClassifier()}, X, y, 4, seed=1)
    assert features.shape == (800, 1)
    assert np.isfinite(features).all()
    assert np.ptp(features) < 2 / 800
    again = moe.out_of_fold({"prior": DummyClassifier()}, X, y, 4, seed=1)
    np.testing.assert_array_equal(features, again)
