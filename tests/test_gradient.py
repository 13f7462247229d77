"""Every derivative against another method; the descent against its closed form and PyTorch."""

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from helpers import gradient
from helpers.frameworks import tf, torch

finite = st.floats(-3, 3)
points = arrays(float, 2, elements=finite)


def mapping(v, exp=np.exp):
    return [v[0] ** 2 - v[1] ** 2, 2 * v[0] * v[1] + exp(v[0]), v[1]]


def jacobian(v):
    return np.array([[2 * v[0], -2 * v[1]], [2 * v[1] + np.exp(v[0]), 2 * v[0]], [0, 1]])


def scalar(v):
    return v[0] ** 3 * v[1]


METHODS = {
    "finite difference": (gradient.finite_difference, np.exp, 1e-7),
    "complex step": (gradient.complex_step, np.exp, 1e-12),
    "torch reverse": (gradient.torch_jacobian, torch.exp, 1e-12),
    "torch forward": (lambda f, x: gradient.torch_jacobian(f, x, "forward"), torch.exp, 1e-12),
    "tensorflow": (gradient.tensorflow_jacobian, tf.exp, 1e-12),
}


@pytest.mark.parametrize("name", METHODS)
@pytest.mark.parametrize("at", [(1, 1), (0, 0), (-0.3, 2.5)])
def test_jacobian(name, at):
    method, exp, tol = METHODS[name]
    J = method(lambda v: mapping(v, exp), at)
    assert J.dtype == np.float64
    np.testing.assert_allclose(J, jacobian(at), rtol=0, atol=tol)
    np.testing.assert_allclose(method(scalar, at), [3 * at[0] ** 2 * at[1], at[0] ** 3], atol=tol)


def test_symbolic_jacobian():
    J = gradient.symbolic_jacobian(lambda v: [v[0] * v[1], v[1] ** 2], [2, 3])
    np.testing.assert_array_equal(J, [[3, 2], [0, 6]])
    np.testing.assert_array_equal(gradient.symbolic_jacobian(scalar, [2, 5]), [60, 8])


def test_an_output_that_ignores_the_input_has_zeros():
    J = gradient.tensorflow_jacobian(lambda v: [v[0], tf.constant(1.0, tf.float64)], [1.0, 2.0])
    np.testing.assert_array_equal(J, [[1, 0], [0, 0]])


@settings(max_examples=60, deadline=None)
@given(
    a=arrays(float, (2, 2), elements=finite),
    start=points,
    alpha=st.floats(1e-3, 0.5),
    num_steps=st.integers(0, 30),
)
def test_a_quadratics_path_is_its_closed_form(a, start, alpha, num_steps):
    H = a + a.T
    path = gradient.descend(lambda theta: H @ theta, start, alpha, num_steps)
    closed = gradient.quadratic_path(H, start, alpha, num_steps)
    assert path.shape == closed.shape == (num_steps + 1, 2)
    np.testing.assert_array_equal(path[0], start)
    # A rounding error grows as the fastest direction does, even where the path shrinks.
    growth = max(1, np.linalg.norm(np.eye(2) - alpha * H, 2)) ** num_steps
    scale = 1 + growth * np.abs(start).max()
    np.testing.assert_allclose(path / scale, closed / scale, rtol=0, atol=1e-10)


def test_the_homeworks_three_steps():
    path = gradient.descend(lambda t: [4 * t[0] + 3 * t[1], 3 * t[0]], (2, 9), 0.1, 3)
    np.testing.assert_allclose(path[1:], [[-1.5, 8.4], [-3.42, 8.85], [-4.707, 9.876]])


def test_a_hessian_that_is_not_symmetric_is_refused():
    with pytest.raises(
        ValueError, match="^the Hessian of a quadratic is symmetric; this matrix is not$"
    ):
        gradient.quadratic_path([[1, 2], [0, 1]], (1, 1), 0.1, 3)


def test_an_unknown_mode_is_refused():
    with pytest.raises(KeyError):
        gradient.torch_jacobian(scalar, (1, 1), "sideways")


@pytest.mark.parametrize(
    ("rule", "optimiser", "options"),
    [
        (gradient.sgd, torch.optim.SGD, {}),
        (gradient.momentum, torch.optim.SGD, {"momentum": 0.9}),
        (partial(gradient.momentum, decay=0.7), torch.optim.SGD, {"momentum": 0.7}),
        (gradient.adam, torch.optim.Adam, {}),
        (partial(gradient.adam, decays=(0.6, 0.95)), torch.optim.Adam, {"betas": (0.6, 0.95)}),
    ],
)
def test_a_rule_goes_where_pytorchs_goes(rule, optimiser, options):
    def slope(theta):
        return np.array([1.0, 10.0]) * theta - [1, 2]

    theirs = [torch.tensor([3.0, -1.0], dtype=torch.float64, requires_grad=True)]
    steps = optimiser(theirs, lr=0.05, **options)
    for _ in range(40):
        theirs[0].grad = torch.tensor(slope(theirs[0].detach().numpy()))
        steps.step()
    ours = gradient.descend(slope, (3, -1), 0.05, 40, rule)[-1]
    np.testing.assert_allclose(ours, theirs[0].detach(), rtol=0, atol=1e-12)


def test_steps_until_counts_the_first_time_of_those_that_stay():
    def done(theta):
        return np.abs(theta[..., 0]) <= 0.2

    sizes = np.array([0.5, 0.9, 3.0])[:, None]
    steps = gradient.steps_until(done, lambda t: t, np.ones(1), sizes, 50)
    # halves: 1, .5, .25, .125; tenths: 1, .1; and −2, 4, −8 … never
    np.testing.assert_array_equal(steps, [3, 1, 50])
    np.testing.assert_array_equal(
        gradient.steps_until(done, lambda t: t, np.ones(1), 3.0, 2000), 2000
    )


def test_flying_through_does_not_count():
    """Momentum on a round bowl was in after one step, and out again after the next."""

    def slope(theta):
        return theta

    def done(theta):
        return np.abs(theta[..., 0]) <= 0.2

    start, steps = np.ones(1), 60
    path = gradient.descend(slope, start, 1.0, steps, gradient.momentum)
    inside = done(path)
    assert inside[1]
    assert not inside[2]
    last_out = np.flatnonzero(~inside)[-1]
    assert gradient.steps_until(done, slope, start, 1.0, steps, gradient.momentum) == last_out + 1


@pytest.mark.parametrize("rule", [gradient.sgd, gradient.momentum, gradient.adam])
def test_steps_until_walks_as_descend_does(rule):
    H, starts = np.diag([1.0, 0.2]), np.array([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]])
    sizes = np.array([0.1, 0.3])[:, None, None]

    def done(theta):
        return np.linalg.norm(theta, axis=-1) < 0.3

    steps = gradient.steps_until(done, lambda t: t @ H, starts, sizes, 60, rule)
    begin = np.broadcast_to(starts, (2, 3, 2))
    path = gradient.descend(lambda t: t @ H, begin, sizes, 60, rule)[1:]
    out = ~done(path)
    since = np.where(out.any(axis=0), 60 - out[::-1].argmax(axis=0), 0) + 1
    np.testing.assert_array_equal(steps, np.minimum(since, 60))
    assert len(np.unique(steps)) > 3
    assert steps.shape == (2, 3)


@pytest.mark.parametrize(("start", "seen"), [((2, 9), {0.25}), ((2, 1e-9), {1, 0.25})])
def test_backtracking_takes_the_largest_halving_that_falls_enough(start, seen):
    H = np.diag([1.0, 7.0])

    def cost(theta):
        return theta @ H @ theta / 2

    path, sizes = gradient.backtracking(cost, lambda theta: H @ theta, start, 1.0, 30)
    assert path.shape == (31, 2)
    for here, there, size in zip(path[:-1], path[1:], sizes, strict=True):
        g = H @ here
        np.testing.assert_allclose(there, here - size * g)
        assert cost(there) <= cost(here) - 1e-4 * size * (g @ g)
        assert size == 1 or cost(here - 2 * size * g) > cost(here) - 2e-4 * size * (g @ g)
    assert set(sizes) == seen
    assert cost(path[-1]) < 1e-6 * cost(path[0])


def test_backtracking_takes_no_cost_that_is_none():
    with np.errstate(invalid="ignore"):
        path, _ = gradient.backtracking(
            lambda x: x[0] - np.log(x[0]), lambda x: 1 - 1 / x, [5.0], 10.0, 60
        )
    assert np.all(path > 0)
    assert path[-1] == pytest.approx(1)
    with pytest.raises(ArithmeticError, match="^cost or gradient is not a finite number at"):
        gradient.backtracking(lambda x: np.nan, lambda x: x, [1.0], 1.0, 2)
