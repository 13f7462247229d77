"""Problem 5: fresh tables, models that know rows by heart, and tables of losses."""

import re

import numpy as np
from sklearn.linear_model import LogisticRegression

from classroom.makers import fit_mean, fit_nearest
from homework.checks import Made, Points, Refused, close, demand, number, worth
from homework.class_numbers import LEAKY


def q5_1(ask, numbers):
    """Forty rows, some of them exactly at the threshold and just below it."""

    def part(ask, numbers):
        for _ in range(2):
            scores = [*range(11), *[numbers.threshold - 1, numbers.threshold] * 4]
            scores = numbers.rng.permutation(scores)
            rows = [numbers.rng.permutation([1] * k + [0] * (10 - k)) for k in scores]
            wanted = [int(k >= numbers.threshold) for k in scores]
            got = ask("rule", np.array(rows))
            fits = isinstance(got, list) and close([_as_number(each) for each in got], wanted)
            demand(fits, "rule: from which score on does your class's rule say yes?")

    return worth(0.5, part, ask, numbers)


def _as_number(value):
    return int(value) if isinstance(value, bool) else value


def q5_2(ask, numbers):
    """½ for the counts; ½ for the log loss, with probabilities of 0 and 1 among them."""

    def counts(ask, numbers):
        for cells in ((2, 3, 5, 7), (0, 4, 1, 3), (6, 2, 0, 0), (0, 0, 0, 4)):
            cells = [int(k) * int(numbers.rng.integers(1, 4)) for k in cells]
            if cells[1] == cells[2]:
                cells[1] += 1
            order = numbers.rng.permutation(sum(cells))
            y = np.repeat([0, 0, 1, 1], cells)[order]
            predicted = np.repeat([0, 1, 0, 1], cells)[order]
            fits = close(ask("confusion", y, predicted), [cells[:2], cells[2:]])
            demand(fits, "confusion: rows are the labels, columns the predictions; no comes first.")

    def losses(ask, numbers):
        for labels in ([1, 0, 1, 0, 1], [1] * 6, [0] * 6):
            y = np.array(labels * 3)
            p = numbers.rng.uniform(size=len(y))
            p[:5] = [0.0, 1.0, 1.0, 0.0004, 0.9996]
            said = (
                "log_loss: the mean of minus the log of what the model gave the label that came, "
            )
            said += "with probabilities clipped as the question says."
            demand(close(ask("log_loss", y, p), _loss(y, p)), said)

    return worth(0.5, counts, ask, numbers) + worth(0.5, losses, ask, numbers)


def _folds(rng, n):
    """Uneven folds of shuffled rows: [(rows to fit on, rows to predict)]."""
    rows, cuts = rng.permutation(n), np.sort(rng.choice(np.arange(3, n - 3, 4), 3, replace=False))
    return [(np.setdiff1d(rows, part), part) for part in np.split(rows, cuts)]


def held_out(fit, X, y, folds):
    predicted = np.full(len(y), np.nan)
    for others, these in folds:
        predicted[these] = fit(X[others], y[others])(X[these])
    return predicted


def _fold_by_fold(predicted, folds):
    """The same predictions in the order in which they were made, and not in the rows'."""
    return np.concatenate([predicted[these] for _, these in folds])


def q5_3(ask, numbers):
    """1 for not seeing a row's own label, 1 for right values in the right places."""

    def blind(ask, numbers):
        rng, weights = numbers.rng, numbers.rng.uniform(1, 2, size=10)
        X, y, folds = rng.normal(size=(30, 10)), rng.integers(0, 2, size=30), _folds(rng, 30)
        model, fit = Made("fit_nearest", weights), fit_nearest(weights)
        first = ask("out_of_fold", model, X, y, folds)
        shaped = isinstance(first, list) and len(first) == 30 and all(map(number, first))
        demand(shaped, "out_of_fold has to give one number for each row.")
        right = held_out(fit, X, y, folds)
        if close(first, _fold_by_fold(right, folds)):
            return  # fold by fold: no row's own label was seen, and the places are wrong
        for row in range(30):
            other = y.copy()
            other[row] = 1 - y[row]
            then = ask("out_of_fold", model, X, other, folds)
            same = isinstance(then, list) and len(then) == 30 and then[row] == first[row]
            demand(same, "out_of_fold: a row's prediction changed when its own label was flipped.")
        others = sorted(first) == sorted(right.tolist())
        demand(others, "out_of_fold: these are not what the given fit makes of the other folds.")
        turned = ask("out_of_fold", model, X, 1 - y, folds)
        depends = close(turned, [1 - each for each in first])
        demand(depends, "out_of_fold: with all labels flipped, all predictions have to flip.")

    def values(ask, numbers):
        rng = numbers.rng
        for n in (24, 41):
            X, y, folds = rng.normal(size=(n, 3)), rng.integers(0, 2, size=n), _folds(rng, n)
            scale, weights = float(rng.uniform(0.5, 2)), rng.uniform(1, 2, size=3)
            for made, fit in (
                (Made("fit_mean", scale), fit_mean(scale)),
                (Made("fit_nearest", weights), fit_nearest(weights)),
            ):
                got, right = ask("out_of_fold", made, X, y, folds), held_out(fit, X, y, folds)
                said = "out_of_fold: call fit on a fold's first list, and predict its second."
                if close(got, _fold_by_fold(right, folds)):
                    said = "out_of_fold: the values are right, but not in the places of their rows."
                demand(close(got, right), said)

    return worth(1, blind, ask, numbers) + worth(1, values, ask, numbers)


def screening(rng, n):
    """Rows of items (n, 10) that hang together, and labels that depend on them."""
    trait, weights = rng.normal(size=n), rng.uniform(0.3, 1.5, size=10)
    X = (rng.normal(size=(n, 10)) + trait[:, None] > 0.3).astype(int)
    y = (rng.uniform(size=n) < 1 / (1 + np.exp(-(X @ weights - 0.6 * weights.sum())))).astype(int)
    return X, y


def fit_logistic(X, y):
    model = LogisticRegression().fit(X, y)
    return lambda X_new: model.predict_proba(X_new)[:, 1]


def features(threshold, X, y, X_new, folds):
    """What the second stage sees, for the training rows and for new ones."""
    rules = [(np.sum(rows, axis=1) >= threshold).astype(float) for rows in (X, X_new)]
    own = held_out(fit_logistic, X, y, folds), fit_logistic(X, y)(X_new)
    return [np.column_stack(pair) for pair in zip(own, rules, strict=True)]


def q5_4(ask, numbers):
    """Two tables: out of fold for training rows, from all of these for new ones."""

    def part(ask, numbers):
        for known in (90, 110):
            X, y = screening(numbers.rng, known + 40)
            given = X[:known], y[:known], X[known:], _folds(numbers.rng, known)
            got, wanted = ask("meta_features", *given), features(numbers.threshold, *given)
            pair = isinstance(got, list) and len(got) == 2
            demand(pair, "meta_features has to give two arrays: for training rows, for new rows.")
            for each, of, said in zip(got, wanted, ("training", "new"), strict=True):
                shaped = np.shape(each) == of.shape
                demand(shaped, f"meta_features: two columns and a row for each {said} row.")
                columns = [[row[column] for row in each] for column in (0, 1)]
                rules = close([_as_number(one) for one in columns[1]], of[:, 1])
                demand(rules, f"meta_features: column 1 is not the rule's, on {said} rows.")
                fits = close(columns[0], of[:, 0], 1e-4)
                demand(fits, f"meta_features: where was the model of the {said} rows fitted?")

    return worth(1, part, ask, numbers)


def _stacked(ask, numbers):
    """(known rows, their labels, new rows, theirs, folds, what the student's stack gives)."""
    (X, y), folds = screening(numbers.rng, 900), _folds(numbers.rng, 300)
    got = ask("stack", X[:300], y[:300], X[300:], folds)
    shaped = isinstance(got, list) and len(got) == 600 and all(map(number, got))
    demand(shaped, "stack has to give one number for each new row.")
    return X[:300], y[:300], X[300:], y[300:], folds, got


def q5_5(ask, numbers):
    """½ for predictions row by row, 1 for a log loss as low as a plain stack's."""

    def alone(ask, numbers):
        X, y, X_new, _, folds, whole = _stacked(ask, numbers)
        demand(all(0 <= each <= 1 for each in whole), "stack has to give probabilities.")
        # A number that is the same for everybody depends on nothing, the labels included.
        demand(max(whole) - min(whole) > 0.1, "stack gives everybody nearly the same probability.")
        some = numbers.rng.permutation(600)[:50]
        for few in (some, some[:1], some[1:2]):
            fits = close(ask("stack", X, y, X_new[few], folds), [whole[k] for k in few], 1e-4)
            demand(fits, "stack: a row's prediction changed when other new rows were left out.")

    def low(ask, numbers):
        X, y, X_new, y_new, folds, got = _stacked(ask, numbers)
        again = ask("stack", X, y, X_new, _folds(numbers.rng, 300))
        demand(
            not close(again, got, 1e-9),
            "stack: with other folds nothing changed. What does it learn from?",
        )
        seen, later = features(numbers.threshold, X, y, X_new, folds)
        excess = _loss(y_new, got) - _loss(y_new, fit_logistic(seen, y)(later))
        demand(excess <= 0.02, f"stack: its log loss is {excess:.3f} above that of a plain stack.")

    return worth(0.5, alone, ask, numbers) + worth(1, low, ask, numbers)


def _loss(y, p):
    p = np.clip(np.array(p, dtype=float), 0.001, 0.999)
    return -float(np.mean(np.log(np.where(y == 1, p, 1 - p))))


def q5_6(ask, numbers):
    """12 tables of losses, half of them with a difference that shows; ½ each for three parts."""
    rng, got, wanted = numbers.rng, [], []
    kinds = [(shown, sign) for shown in (True, False) for sign in (1, -1)] * 3
    for shown, sign in (kinds[place] for place in rng.permutation(12)):
        n, scale = int(rng.integers(20, 60)), float(rng.uniform(0.1, 5))
        noise = rng.normal(size=n)
        noise = (noise - noise.mean()) / noise.std(ddof=1)
        away = float(rng.uniform(2.1, 4) if shown else rng.uniform(0.2, 1.8))
        gaps = scale * (noise + sign * away / np.sqrt(n))
        b = rng.exponential(size=n)
        error = float(np.std(gaps, ddof=1) / np.sqrt(n))
        mean = float(np.mean(gaps))
        word = "shown" if shown else "not shown"
        wanted.append((mean, [mean - 1.96 * error, mean + 1.96 * error], word))
        try:
            four = ask("difference", b + gaps, b)
            demand(isinstance(four, list) and len(four) == 4, "difference has to give four values.")
        except Refused as refused:
            return Points(0.0, (str(refused),))
        got.append((four[0], four[1:3], four[3]))
    words = [word for _, _, word in got]
    if all(word == words[0] for word in words):
        return Points(0.0, ("difference says the same word about all tables.",))
    places = (
        ("difference: the mean of a − b is wrong for a table of ours.", 0),
        ("difference: the interval is wrong. How do you estimate the standard error?", 1),
        ("difference: the word does not say whether the interval leaves 0 out.", 2),
    )
    points = Points(0.0)
    for said, place in places:
        pairs = [(each[place], of[place]) for each, of in zip(got, wanted, strict=True)]
        fits = all(mine == of if place == 2 else close(mine, of) for mine, of in pairs)
        points = points + (Points(0.5) if fits else Points(0.0, (said,)))
    return points


def q5_7(ask, numbers):
    """The exact set."""

    def part(ask, numbers):
        got = ask.value("leaking")
        got = got if isinstance(got, (list, str)) else []
        each = [re.sub(r"\W", "", str(one)).upper() for one in got]
        letters = bool(each) and set(each) <= set(numbers.protocols)
        demand(letters, "leaking has to be a set of letters from A to F.")
        wanted = [letter for letter, text in numbers.protocols.items() if text in LEAKY]
        demand(
            sorted(set(each)) == wanted,
            "leaking is not the exact set: who saw a test row's label, or its person?",
        )

    return worth(1, part, ask, numbers)
