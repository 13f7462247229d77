"""The gate's formulas against brute force, differences and autodiff; EM against L-BFGS."""

import numpy as np
import pytest
import torch
from scipy import sparse
from scipy.optimize import minimize
from scipy.special import softmax
from sklearn.linear_model import LogisticRegression

from helpers.gradient import complex_step, finite_difference
from helpers.moe.likelihood import (
    INTERCEPT,
    climb,
    fit_gate,
    gate_objective,
    log_chances,
    mixture_objective,
    mixture_step,
    newton_step,
    responsibilities,
    with_one,
)


@pytest.fixture
def problem():
    """Z (300, 3), P (300, 4), V (3, 4): what three decent experts and a bad one say."""
    rng = np.random.default_rng(0)
    Z = with_one(rng.normal(size=(300, 2)))
    P = rng.uniform(0.3, 0.9, size=(300, 4))
    P[:, 3] *= 0.3
    P[Z[:, 1] > 0, 0] *= 0.2  # expert 0 is good where the first input is negative
    return Z, P, rng.normal(size=(3, 4))


def test_responsibilities_are_the_posterior_by_counting():
    # Draw expert and label many times; among draws with the label seen, count who made it.
    rng = np.random.default_rng(1)
    weights, p = np.array([0.2, 0.5, 0.3]), np.array([0.9, 0.1, 0.4])
    expert = rng.choice(3, size=400_000, p=weights)
    label = rng.random(expert.size) < p[expert]
    counted = np.bincount(expert[label]) / label.sum()
    formula = responsibilities(np.log(weights)[None], np.log(p)[None])[0]
    np.testing.assert_allclose(formula, counted, atol=4 * 0.5 / np.sqrt(label.sum()))
    np.testing.assert_allclose(formula, [0.18 / 0.35, 0.05 / 0.35, 0.12 / 0.35])


def test_an_impossible_label_leaves_the_gate_as_it_is():
    log_P = log_chances(np.array([[0.0, 0.0], [1e-9, 1e-12], [0.25, 1.0]]))
    np.testing.assert_allclose(np.exp(log_P), [[1e-9, 1e-9], [1e-9, 1e-9], [0.25, 1]], rtol=1e-12)
    log_gate = np.log([[0.3, 0.7]])
    np.testing.assert_allclose(responsibilities(log_gate, log_P[:1]), [[0.3, 0.7]])
    np.testing.assert_allclose(responsibilities(log_gate + 800, log_P[:1]), [[0.3, 0.7]])


def test_objective_is_its_formula(problem):
    Z, P, V = problem
    brute = 0.0
    for z, p in zip(Z, P, strict=True):
        weight = np.exp([z @ V[:, k] for k in range(4)])
        brute += np.log(sum(weight[k] / weight.sum() * p[k] for k in range(4)))
    value, _ = gate_objective(V, Z, np.log(P), C=2.5)
    brute -= np.sum(V[0] ** 2) / 200 + np.sum(V[1:] ** 2) / 5  # intercepts are all but free
    assert value == pytest.approx(brute, abs=1e-9)
    assert np.isfinite(gate_objective(V, Z, log_chances(0 * P), 1.0)[0])


def test_gradient_agrees_with_complex_step(problem):
    Z, P, V = problem

    def value(flat):
        weight = np.exp(Z @ flat.reshape(V.shape))
        mixed = np.sum(weight * P, axis=1) / np.sum(weight, axis=1)
        return np.sum(np.log(mixed)) - np.sum(flat[:4] ** 2) / 200 - np.sum(flat[4:] ** 2) / 5

    expected = complex_step(value, V.ravel()).reshape(V.shape)
    np.testing.assert_allclose(gate_objective(V, Z, np.log(P), 2.5)[1], expected, atol=1e-10)


def test_newton_reaches_scikit_learns_maximum():
    rng = np.random.default_rng(2)
    X, y = rng.normal(size=(200, 3)), rng.integers(0, 3, 200)
    weight = rng.uniform(0.2, 2, 200)
    Z, V = with_one(X), np.zeros((4, 3))
    for _ in range(20):
        V = newton_step(V, Z, weight[:, None] * np.eye(3)[y], C=0.7)
    # scikit-learn has one C for all columns: a larger one column is a wider prior on its weight.
    wide = np.column_stack([np.sqrt(INTERCEPT / 0.7) * Z[:, 0], X])
    model = LogisticRegression(C=0.7, fit_intercept=False, tol=1e-10, max_iter=1000)
    model.fit(wide, y, sample_weight=weight)
    np.testing.assert_allclose(V[1:].T, model.coef_[:, 1:], atol=1e-6)
    np.testing.assert_allclose(V[0], model.coef_[:, 0] * np.sqrt(INTERCEPT / 0.7), atol=1e-5)
    # And it is all but free: scikit-learn's own intercept has no prior at all.
    free = LogisticRegression(C=0.7, tol=1e-10, max_iter=1000).fit(X, y, sample_weight=weight)
    np.testing.assert_allclose(V[1:].T, free.coef_, atol=1e-4)


def test_one_newton_step_is_gradient_over_hessian(problem):
    Z, P, V = problem

    def objective(flat):
        flat = torch.as_tensor(flat)
        log_gate = torch.log_softmax(torch.tensor(Z) @ flat.reshape(V.shape), dim=1)
        variances = torch.tensor([100.0] * 4 + [2.0] * 8)  # of intercepts, and of slopes
        return (torch.tensor(P) * log_gate).sum() - (flat**2 / variances).sum() / 2

    at = torch.tensor(V.ravel() * 0.1)
    slope = torch.func.grad(objective)(at)
    step = torch.linalg.solve(-torch.func.hessian(objective)(at), slope)
    got = newton_step(V * 0.1, Z, P, C=2.0)
    np.testing.assert_allclose(got.ravel(), (at + step).numpy(), atol=1e-9)


def test_a_newton_step_never_goes_down():
    # Far out on a nearly flat side, the full step overshoots by orders of magnitude.
    Z, T = np.array([[1.0], [1.0]]), np.array([[1.0, 0], [0, 1.0]])
    V = np.array([[9.0, -9.0]])

    def objective(V):
        return np.sum(T * np.log(softmax(Z @ V, axis=1))) - np.sum(V**2) / 2e6

    G = softmax(Z @ V, axis=1)
    after = newton_step(V, Z, T, C=1e6)
    assert objective(after) > objective(V)
    assert abs(after[0, 0]) < 9
    assert G[0, 1] < 1e-7  # the case is as extreme as it claims
    np.testing.assert_allclose(newton_step(0 * V, Z, T, C=1e6), 0)  # at the top it stays


@pytest.mark.parametrize("C", [0.1, 1.0, 30.0])
def test_em_and_lbfgs_find_the_same_maximum(problem, C):
    Z, P, V = problem
    by_em, path = fit_gate(Z, P, C, "em")
    by_lbfgs, other = fit_gate(Z, P, C, "lbfgs")
    assert abs(path[-1] - other[-1]) <= 1e-6
    assert path[0] == other[0] == gate_objective(0 * V, Z, np.log(P), C)[0]
    assert path[-1] == gate_objective(by_em, Z, np.log(P), C)[0]
    assert other[-1] == pytest.approx(gate_objective(by_lbfgs, Z, np.log(P), C)[0], abs=1e-9)
    assert np.all(np.diff(path) >= -1e-10)
    assert path[-1] > path[0] + 1
    np.testing.assert_allclose(by_em, by_lbfgs, atol=2e-3)
    # A third way, which knows neither the gradient nor responsibilities.
    log_P = np.log(P)
    third = minimize(lambda v: -gate_objective(v.reshape(V.shape), Z, log_P, C)[0], np.zeros(12))
    assert abs(-third.fun - path[-1]) <= 1e-4


def test_a_fit_that_is_cut_short_says_so(problem):
    Z, P, _ = problem
    with pytest.raises(ArithmeticError, match="EM still gains .* after 3 iterations; allow more"):
        fit_gate(Z, P, solver="em", max_iter=3)
    with pytest.raises(ArithmeticError, match="L-BFGS did not converge.*allow more iterations"):
        fit_gate(Z, P, solver="lbfgs", max_iter=1)


def test_climbing_stops_at_the_gain_and_refuses_to_go_down():
    state, path = climb(1.0, lambda s: s / 2, lambda s: -s, tol=0.1, max_iter=50)
    assert path == [-1, -0.5, -0.25, -0.125, -0.0625]
    assert state == 0.0625
    with pytest.raises(ArithmeticError, match="EM went down, by 0.1: a step or a formula is wrong"):
        climb(1.0, lambda s: s - 0.1, lambda s: s, tol=1e-9, max_iter=5)
    with pytest.raises(ArithmeticError, match="EM went down, by 1e-06"):
        climb(1.0, lambda s: s - 1e-6, lambda s: s, tol=1e-9, max_iter=5)
    # What rounding takes away is no descent.
    assert climb(1.0, lambda s: s - 1e-12, lambda s: s, tol=0, max_iter=5)[0] < 1
    with pytest.raises(ArithmeticError, match="gains 1 nats after 5 iterations"):
        climb(0.0, lambda s: s + 1, lambda s: s, tol=0.5, max_iter=5)
    assert climb(0.0, lambda s: s + 1, lambda s: s, tol=1, max_iter=5)[0] == 1


@pytest.fixture
def trainable():
    rng = np.random.default_rng(3)
    Z, Y = (
        with_one(rng.normal(size=(150, 2))),
        np.eye(3)[rng.integers(0, 3, 150)],
    )
    return rng.normal(size=(3, 2)), rng.normal(size=(2, 3, 3)), Z, Y


def test_the_trainable_mixtures_objective_and_gradient(trainable):
    V, W, Z, Y = trainable
    brute = 0.0
    for z, y in zip(Z, Y, strict=True):
        weights = softmax(z @ V)
        brute += np.log(sum(weights[k] * softmax(z @ W[k])[y.argmax()] for k in range(2)))
    value, gradient = mixture_objective(V, W, Z, Y, C=3.0)
    brute -= (np.sum(V[0] ** 2) + np.sum(W[:, 0] ** 2)) / 200  # intercepts
    brute -= (np.sum(V[1:] ** 2) + np.sum(W[:, 1:] ** 2)) / 6
    assert value == pytest.approx(brute, abs=1e-9)

    def again(flat):
        return mixture_objective(flat[:6].reshape(3, 2), flat[6:].reshape(2, 3, 3), Z, Y, 3.0)[0]

    flat = np.concatenate([V.ravel(), W.ravel()])
    np.testing.assert_allclose(gradient, finite_difference(again, flat), atol=1e-5)


def test_an_em_iteration_raises_the_likelihood_and_its_parts_are_newton_steps(trainable):
    V, W, Z, Y = trainable
    V2, W2 = mixture_step(V, W, Z, Y, 3.0)
    assert mixture_objective(V2, W2, Z, Y, 3.0)[0] > mixture_objective(V, W, Z, Y, 3.0)[0]
    P = np.array(
        [[softmax(z @ W[k])[y.argmax()] for k in range(2)] for z, y in zip(Z, Y, strict=True)]
    )
    R = responsibilities(Z @ V, np.log(P))
    np.testing.assert_allclose(V2, newton_step(V, Z, R, 3.0))
    np.testing.assert_allclose(W2[1], newton_step(W[1], Z, R[:, 1:] * Y, 3.0))


def test_a_row_that_weighs_two_is_a_row_twice(trainable, problem):
    V, W, Z, Y = trainable
    weight = np.arange(len(Z)) % 3
    twice = np.repeat(np.arange(len(Z)), weight)
    for weighted, repeated in [
        (
            mixture_objective(V, W, Z, Y, 2.0, weight),
            mixture_objective(V, W, Z[twice], Y[twice], 2.0),
        ),
        (mixture_step(V, W, Z, Y, 2.0, weight), mixture_step(V, W, Z[twice], Y[twice], 2.0)),
    ]:
        np.testing.assert_allclose(weighted[0], repeated[0], rtol=1e-9)
        np.testing.assert_allclose(weighted[1], repeated[1], rtol=1e-7, atol=1e-9)
    Z, P, _ = problem
    weight = np.arange(len(Z)) % 3
    twice = np.repeat(np.arange(len(Z)), weight)
    for solver in ("em", "lbfgs"):
        V, path = fit_gate(Z, P, 1.0, solver, weight=weight)
        again, other = fit_gate(Z[twice], P[twice], 1.0, solver)
        np.testing.assert_allclose(path[-1], other[-1], rtol=1e-9)
        np.testing.assert_allclose(V, again, atol=1e-4)


def test_a_sparse_input_of_the_gate_is_the_dense_one(problem):
    Z, P, _ = problem
    np.testing.assert_allclose(
        fit_gate(with_one(sparse.csr_array(Z[:, 1:])), P)[0], fit_gate(Z, P)[0], atol=1e-5
    )
