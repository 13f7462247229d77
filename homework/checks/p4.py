"""Problem 4: likelihoods and divergences of fresh tables and distributions."""

import numpy as np
from scipy.special import rel_entr, xlogy

from homework.checks import close, demand, near, number, shape, worth


def _distribution(rng, n, zeros=0):
    p = rng.dirichlet(np.ones(n) * 2)
    p[:zeros] = 0
    return rng.permutation(p / p.sum())


def kl(p, q):
    return float(np.sum(rel_entr(p, q)))


def q4_1(ask, numbers):
    """Five tables; in one an outcome is impossible, and was never seen."""

    def part(ask, numbers):
        for n, zeros in ((2, 0), (3, 0), (5, 1), (6, 0), (9, 2)):
            p = _distribution(numbers.rng, n, zeros)
            counts = numbers.rng.integers(1, 40, size=n) * (p > 0)
            wanted = float(np.sum(xlogy(counts, p)))
            got = ask("log_likelihood", counts, p)
            said = "log_likelihood: sum over the outcomes, each as often as it was seen."
            demand(close(got, wanted), said + near(got, wanted))
        p = _distribution(numbers.rng, 4, 1)
        gone = ask("log_likelihood", numbers.rng.integers(1, 9, size=4), p) == -np.inf
        demand(gone, "log_likelihood: what if something was seen that has probability 0?")

    return worth(0.5, part, ask, numbers)


def q4_2(ask, numbers):
    """Lengths 2 to 9; zeros in p, in q, in both; infinite twice."""

    def part(ask, numbers):
        rng = numbers.rng
        for n in (2, 3, 5, 9):
            p, q = _distribution(rng, n), _distribution(rng, n)
            demand(close(ask("kl", p, q), kl(p, q)), "kl is wrong for a pair without any zero.")
        p, q = _distribution(rng, 4, 2), _distribution(rng, 4)
        demand(close(ask("kl", p, q), kl(p, q)), "kl: what if something never happens under p?")
        both = p.copy()
        both[p > 0] = rng.permutation(p[p > 0])
        demand(close(ask("kl", p, both), kl(p, both)), "kl: what if both rule it out?")
        for _ in range(2):
            demand(ask("kl", q, p) == np.inf, "kl: what if q rules out something that happens?")
            p, q = _distribution(rng, 5, 1), _distribution(rng, 5)
        q, (first, last) = np.zeros(5), rng.permutation(5)[:2]
        q[:], p = 0.25, np.full(5, 0.25)
        p[first] = q[last] = 0  # as many zeros, in other places
        demand(ask("kl", p, q) == np.inf, "kl: what if q rules out something that happens?")

    return worth(1, part, ask, numbers)


def q4_3(ask, numbers):
    """Six pairs and one in which q rules something out, each part."""

    def part(ask, numbers):
        for n in (2, 3, 4, 5, 7, 9, 6):
            p = _distribution(numbers.rng, n, int(n == 5))
            q = _distribution(numbers.rng, n, int(n == 6))
            entropy = -float(np.sum(xlogy(p, p)))
            wanted = [entropy + kl(p, q), kl(p, q), entropy]
            got = ask("parts", p, q)
            said = "parts: three numbers, in the order of the question. Do they add up?"
            demand(close(got, wanted), said + near(got, wanted))

    return worth(1, part, ask, numbers)


def _fits(name):
    def part(ask, numbers):
        for items in (3, 5, 8, 12, 30):
            share, people = float(numbers.rng.uniform(0.2, 0.8)), int(numbers.rng.integers(40, 200))
            counts = np.bincount(numbers.rng.binomial(items, share, people), minlength=items + 1)
            wanted = float(counts @ np.arange(items + 1)) / (items * counts.sum())
            # What a search without xatol finds is always inside: no answer may be right by chance.
            got, said = ask(name, counts), f"{name} is not at the best θ of a fresh table."
            demand(close(got, wanted, 2e-5), said + near(got, wanted))

    return part


def q4_4(ask, numbers):
    """Five tables for each of the two recipes."""
    by_likelihood = worth(0.5, _fits("fit_by_likelihood"), ask, numbers)
    return by_likelihood + worth(0.5, _fits("fit_by_kl"), ask, numbers)


def _pair(ask, numbers, name):
    pair = ask.value(name)
    fits = shape(pair) == (2, numbers.num_outcomes)
    shaped = fits and all(number(each) for p in pair for each in p)
    demand(shaped, f"{name} has to be two lists of {numbers.num_outcomes} probabilities.")
    p, q = np.array(pair, dtype=float)
    proper = all(each.min() >= 0 and abs(each.sum() - 1) <= 1e-6 for each in (p, q))
    demand(proper, f"{name}: probabilities are not below 0, and sum to 1.")
    return kl(p, q), kl(q, p)


def q4_6(ask, numbers):
    """The grader computes both directions of both pairs."""

    def finite(ask, numbers):
        there, back = _pair(ask, numbers, "finite_pair")
        both = f"finite_pair: the two directions are {there:.4g} and {back:.4g} nats; they have to "
        both += f"be finite, and more than {numbers.least:g} apart."
        demand(np.isfinite([there, back]).all() and abs(there - back) > numbers.least, both)

    def infinite(ask, numbers):
        there, back = _pair(ask, numbers, "infinite_pair")
        both = f"infinite_pair: KL(p ‖ q) is {there:.4g} and KL(q ‖ p) is {back:.4g}; only the "
        both += "second has to be infinite."
        demand(np.isfinite(there) and np.isinf(back), both)

    return worth(0.5, finite, ask, numbers) + worth(0.5, infinite, ask, numbers)


def q4_7(ask, numbers):
    """Six pairs of Gaussians; the other half point is for words."""

    def part(ask, numbers):
        for turned in (1, -1, 1, -1, 1, -1):
            means = numbers.rng.normal(size=2)
            sds = sorted(numbers.rng.uniform(0.3, 3, size=2))[::turned]
            (m, n), (s, t) = (tuple(map(float, pair)) for pair in (means, sds))
            wanted = np.log(t / s) + (s**2 + (m - n) ** 2) / (2 * t**2) - 0.5
            fits = close(ask("gaussian_kl", m, s, n, t), float(wanted))
            demand(fits, "gaussian_kl is wrong for a pair of ours. Which spread divides?")

    return worth(0.5, part, ask, numbers)
