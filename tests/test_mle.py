"""Likelihood and divergence against scipy, quadrature and their laws."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from helpers import mle
from helpers.screening import scores

weights = st.lists(st.floats(0.01, 1), min_size=4, max_size=4)
means = st.floats(-3, 3)
sds = st.floats(0.3, 3)


def normalised(w):
    return np.array(w) / np.sum(w)


@given(weights, weights)
def test_kl_is_not_negative_and_zero_only_for_equals(w, v):
    p, q = normalised(w), normalised(v)
    kl = mle.kl_divergence(p, q)
    assert kl >= -1e-15
    assert mle.kl_divergence(p, p) == 0
    # Pinsker (1964): KL bounds the distance, so that KL = 0 forces p = q.
    assert kl >= np.abs(p - q).sum() ** 2 / 2 - 1e-12
    np.testing.assert_allclose(kl, stats.entropy(p, q), atol=1e-12)


@given(weights, weights)
def test_cross_entropy_is_entropy_plus_kl(w, v):
    p, q = normalised(w), normalised(v)
    np.testing.assert_allclose(mle.entropy(p), stats.entropy(p))
    np.testing.assert_allclose(mle.cross_entropy(p, q), mle.entropy(p) + mle.kl_divergence(p, q))


def test_zeros():
    assert mle.entropy([1, 0]) == 0
    assert mle.kl_divergence([0.5, 0.5], [1, 0]) == np.inf
    assert mle.cross_entropy([0.5, 0.5], [1, 0]) == np.inf
    assert mle.kl_divergence([1, 0], [0.5, 0.5]) == pytest.approx(np.log(2))


@given(weights, st.lists(st.integers(0, 50), min_size=4, max_size=4).filter(any))
def test_the_identity_of_problem_4(w, counts):
    p, N = normalised(w), sum(counts)
    seen = np.array(counts) / N
    right = -mle.entropy(seen) - mle.categorical_log_likelihood(counts, p) / N
    np.testing.assert_allclose(mle.kl_divergence(seen, p), right, rtol=0, atol=1e-12)


@pytest.mark.parametrize("p", [[0.5, 0.6], [-0.1, 1.1], [[0.5, 0.5]], [np.nan, 1.0], []])
def test_what_is_no_distribution_is_refused(p):
    with pytest.raises(ValueError, match="not a probability vector"):
        mle.entropy(p)
    with pytest.raises(ValueError, match="not a probability vector"):
        mle.kl_divergence([0.5, 0.5], p)


def test_two_lengths_are_refused():
    for function in (mle.kl_divergence, mle.cross_entropy):
        with pytest.raises(ValueError, match="one length, not 2 and 3"):
            function([0.5, 0.5], [0.2, 0.3, 0.5])
    with pytest.raises(ValueError, match="one length, not 3 and 2"):
        mle.categorical_log_likelihood([1, 2, 3], [0.5, 0.5])


@given(means, sds, means, sds)
def test_gaussians_against_quadrature(m1, s1, m2, s2):
    p, q = stats.norm(m1, s1), stats.norm(m2, s2)
    x = np.linspace(m1 - 12 * s1, m1 + 12 * s1, 4001)
    cross = integrate.simpson(-p.pdf(x) * q.logpdf(x), x=x)
    np.testing.assert_allclose(mle._gaussian_cross_entropy(m1, s1, m2, s2), cross, rtol=1e-8)
    np.testing.assert_allclose(mle._gaussian_entropy(s1), p.entropy(), atol=1e-12)
    kl = mle.gaussian_kl(m1, s1, m2, s2)
    np.testing.assert_allclose(kl, cross - p.entropy(), rtol=1e-6, atol=1e-7)
    assert kl >= -1e-12


@pytest.mark.parametrize("sd", [0, -1, np.nan])
def test_a_standard_deviation_is_positive(sd):
    calls = [
        lambda: mle._gaussian_entropy(sd),
        lambda: mle.gaussian_kl(0, sd, 0, 1),
        lambda: mle.gaussian_kl(0, 1, 0, sd),
        lambda: mle.gaussian_log_likelihood([0.0], 0, sd),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="standard deviation is > 0"):
            call()


def test_log_likelihoods_against_scipy():
    x, y, p = [0.3, -1.2, 2.0], [1, 0, 1], [0.2, 0.7, 0.9]
    np.testing.assert_allclose(
        mle.gaussian_log_likelihood(x, 0.5, 2.0), stats.norm.logpdf(x, 0.5, 2.0).sum()
    )
    np.testing.assert_allclose(
        mle.bernoulli_log_likelihood(y, p), stats.bernoulli.logpmf(y, p).sum()
    )
    np.testing.assert_allclose(
        mle.bernoulli_log_likelihood(y, 0.3), stats.bernoulli.logpmf(y, 0.3).sum()
    )
    assert mle.bernoulli_log_likelihood([1, 0], [1.0, 0.0]) == 0
    assert mle.bernoulli_log_likelihood([1], [0.0]) == -np.inf
    np.testing.assert_allclose(
        mle.categorical_log_likelihood([2, 3], [0.4, 0.6]), 2 * np.log(0.4) + 3 * np.log(0.6)
    )


def test_a_fit_by_descent_finds_the_gaussians_mean():
    x = np.array([1.0, 2.0, 6.0])
    mean = mle.fit_by_descent(lambda m: np.sum(m - x), [0.0], 0.1, 200)
    np.testing.assert_allclose(mean, [3.0], atol=1e-8)


@pytest.mark.parametrize(("step_size", "num_steps"), [(1.0, 200), (1.0, 5000), (0.1, 3)])
def test_a_fit_that_diverges_or_is_not_done_says_so(step_size, num_steps):
    with pytest.raises(ArithmeticError, match="did not converge"):
        mle.fit_by_descent(lambda m: 3 * m - 9, [0.0], step_size, num_steps)


def test_mean_interval_is_students():
    values = [1.0, 2.0, 4.0, 5.0]
    mean, low, high = scores.mean_interval(values)
    assert mean == 3
    expected = stats.t.interval(0.95, 3, loc=3, scale=stats.sem(values))
    np.testing.assert_allclose([low, high], expected)
    assert scores.mean_interval(values, 0.5)[1] > low


def test_probabilities_sum_to_1_within_a_billionth():
    mle.entropy([0.5, 0.5 + 5e-10])
    with pytest.raises(ValueError, match="not a probability vector"):
        mle.entropy([0.5, 0.5 + 5e-9])


def test_a_fit_that_overflows_is_silent_until_it_says_so():
    with np.errstate(all="raise"), pytest.raises(ArithmeticError, match="did not converge"):
        mle.fit_by_descent(lambda m: m**3 - m**2, [9.0], 9.0, 9)


def test_the_tolerance_of_a_fit_is_inclusive():
    assert mle.fit_by_descent(lambda m: m * 0 + 0.5, [0.0], 1.0, 1, tol=0.5) == -0.5


def test_an_interval_has_a_floor_and_a_bound():
    """Where two models answer all of 200 rows alike, they may still differ in one row of 67."""
    none = np.zeros(200)
    assert scores.mean_interval(none, span=1) == pytest.approx((0, -0.015, 0.015), abs=3e-4)
    # The rule of three is exact: rows that differ with this probability are all missed in 5 %.
    high = scores.mean_interval(none, span=1)[2]
    assert (1 - high) ** 200 == pytest.approx(0.05)
    assert scores.mean_interval(none, span=1, rows=800)[2] < high / 3
    assert scores.mean_interval([1, -1], span=1) == (0, -1, 1)  # Student's t: twelve to either side
    assert scores.signed((0.0, -1e-5, 2e-5)) == "+0.00000 [-0.00001, +0.00002]"
    share, low, high = scores.share_interval(np.ones(20))
    assert share == high == 1
    assert 0.8 < low < 0.9
    assert scores.share_interval(np.array([])) == pytest.approx((np.nan, 0, 1), nan_ok=True)


def test_probabilities_of_a_framework_are_taken_as_they_are():
    """A softmax in float32 sums to 1 to seven digits only: most draws were refused."""
    torch.manual_seed(0)
    for logits in torch.randn(200, 3):
        p = logits.softmax(0)
        exact = p.double() / p.double().sum()
        assert mle.entropy(p) == pytest.approx(mle.entropy(exact), abs=1e-6)
    for wrong in ([0.5, 0.50001], np.float32([0.5, 0.50001])):
        with pytest.raises(ValueError, match=r"^not a probability vector .*, in sum 1.00001"):
            mle.entropy(wrong)
