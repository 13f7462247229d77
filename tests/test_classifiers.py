"""The homework's experts: the rule, and the net against two other implementations."""

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from experiments.classifiers import ScoreRule, boosting, homework_classifiers, tuned_forest
from experiments.net import Net
from helpers.moe import stacking
from helpers.screening import asd


@pytest.fixture(scope="module")
def rows():
    table = asd.load()
    return table[asd.ITEMS].to_numpy(), table[asd.TARGET].to_numpy()


def as_torch(net):
    """The net's parameters, W1, b1, W2, …, as leaves of torch's graph, in float64."""
    return [torch.tensor(w.astype(float), requires_grad=True) for w in net.weights_]


def flat(arrays):
    return np.concatenate([array.ravel() for array in arrays])


def torch_loss(parameters, X, y):
    out = torch.tensor(np.asarray(X, dtype=float))
    for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
        out = torch.tanh(out @ W + b)
    logit = (out @ parameters[-2] + parameters[-1])[:, 0]
    labels = torch.tensor(np.asarray(y, dtype=float))
    return torch.nn.functional.binary_cross_entropy_with_logits(logit, labels)


def test_the_rule_is_six_points(rows):
    X, y = rows
    rule = ScoreRule().fit(X, y)
    np.testing.assert_array_equal(rule.predict(X), X.sum(axis=1) >= 6)
    np.testing.assert_array_equal(rule.predict_proba(X)[:, 1], rule.predict(X))
    np.testing.assert_array_equal(rule.predict_proba(X).sum(axis=1), 1)
    assert ScoreRule(11).fit(X, y).predict(X).sum() == 0


def test_the_three_are_the_homeworks():
    models = homework_classifiers(seed=3)
    assert list(models) == ["logistic regression", "rule", "net"]
    assert models["net"].get_params() == {
        "hidden": (128, 128, 128),
        "step_size": 5e-4,
        "batch_size": 64,
        "epochs": 500,
        "seed": 3,
    }
    assert homework_classifiers(0, epochs=7)["net"].epochs == 7


def test_backpropagation_agrees_with_torch(rows):
    X, y = rows
    net = Net((7, 5, 6), epochs=3, seed=1).fit(X, y)
    parameters = as_torch(net)
    torch_loss(parameters, X, y).backward()
    expected = np.concatenate([p.grad.numpy().ravel() for p in parameters])
    np.testing.assert_allclose(flat(net.gradient(X, y)), expected, atol=1e-6)
    assert np.abs(expected).max() > 1e-3


def test_training_agrees_with_torchs_adam(rows):
    X, y = rows
    X, y = X[:64], y[:64]  # one batch: the order of rows does not matter
    parameters = as_torch(Net((8, 8), epochs=0, seed=2).fit(X, y))
    optimiser = torch.optim.Adam(parameters, lr=5e-4)
    for t in range(1, 41):
        # Keras, and so this net, adds its 1e-7 before the second correction, torch after it.
        optimiser.param_groups[0]["eps"] = 1e-7 / np.sqrt(1 - 0.999**t)
        optimiser.zero_grad()
        torch_loss(parameters, X, y).backward()
        optimiser.step()
    expected = np.concatenate([p.detach().numpy().ravel() for p in parameters])
    net = Net((8, 8), epochs=40, seed=2).fit(X, y)
    np.testing.assert_allclose(flat(net.weights_), expected, atol=1e-4)
    start = flat(Net((8, 8), epochs=0, seed=2).fit(X, y).weights_)
    assert np.abs(flat(net.weights_) - start).max() > 0.01


@pytest.mark.slow
def test_it_reaches_the_loss_that_the_homeworks_loop_reached(rows):
    X, y = rows
    net = Net(seed=0).fit(X, y)
    assert flat(net.weights_).dtype == np.float32
    assert log_loss(y, net.predict_proba(X)) <= 0.185
    np.testing.assert_array_equal(net.predict(X), net.predict_proba(X)[:, 1] > 0.5)
    assert Net().fit(X, y).score(X, y) == np.mean(net.predict(X) == y)  # the seed decides


def test_training_further_goes_on_from_a_copy(rows):
    X, y = rows
    net = Net((16,), epochs=30, seed=0).fit(X, y)
    before = flat(net.weights_)
    further = net.train_further(X, y)
    np.testing.assert_array_equal(flat(net.weights_), before)
    assert log_loss(y, further.predict_proba(X)) < log_loss(y, net.predict_proba(X))
    whole = Net((16,), epochs=60, seed=0).fit(X, y)
    np.testing.assert_array_equal(
        flat(further.weights_), flat(whole.weights_)
    )  # as if it had never stopped


def test_equal_rows_are_ties_wherever_they_stand(rows):
    """A ranking that hung on the last digits of equal rows was another with two threads."""
    a, b = stacking.positive(np.array([[0.7, 0.3], [0.7, 0.3 + 1e-15]]))
    assert a == b
    X, y = rows
    net = Net(epochs=2).fit(X[:150], y[:150])
    for chunk in (X, X[:601], X[7:190]):
        p = stacking.positive(net.predict_proba(chunk))
        assert len(np.unique(p)) == len(np.unique(chunk, axis=0))


def test_what_is_tuned_is_tuned_by_log_loss_on_held_out_folds(rows):
    X, y = rows[0][:200], rows[1][:200]
    for model, name in [(tuned_forest(3, 3), "min_samples_leaf"), (boosting(3, 3), "max_iter")]:
        fitted = model.fit(X, y)
        assert fitted.best_estimator_.random_state == 3
        assert len(fitted.cv_results_["split2_test_score"]) >= 4
        one = clone(fitted.best_estimator_).set_params(**{name: fitted.best_params_[name]})
        p = cross_val_predict(one, X, y, cv=3, method="predict_proba")
        losses = [log_loss(y[test], p[test]) for _, test in StratifiedKFold(3).split(X, y)]
        assert fitted.best_score_ == pytest.approx(-np.mean(losses), abs=1e-6)
        assert fitted.best_score_ == fitted.cv_results_["mean_test_score"].max()
