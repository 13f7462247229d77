"""Problem 5 over repeated splits: what each model reaches honestly, what each mistake adds."""

import os
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import logit
from sklearn.linear_model import LogisticRegression
from sklearn.utils import check_random_state
from sklearn.utils.parallel import Parallel, delayed

from experiments.classifiers import (
    boosting,
    forest,
    homework_classifiers,
    tuned_forest,
    with_products,
)
from helpers.moe import Gate, LogisticMixture, fixed_weights, stacking
from helpers.screening import asd
from helpers.screening.scores import SCORES, SPANS, clipped, mean_interval

FOLDS = 4  # three quarters to learn from, one to test on; inside, the same again
MODELS = asd.DATA / "repeated_splits_models.csv"
LEAK = asd.DATA / "repeated_splits_leak.csv"


def total(X):
    """The questionnaire's score of items (n, 10), as one column."""
    return X.sum(axis=1, keepdims=True)


def logits(p):
    """Log-odds of probabilities, `clipped`: what a logistic regression can weigh."""
    return logit(clipped(p))


def competitors(seed, folds=4):
    """What the experts are compared with: {name: (model, inputs)}.

    `inputs(X, meta)` picks what the model sees, of X (n, 10) and meta-features (n, 3); `folds`
    [(train, test)] are for those that choose a setting by cross-validation.
    """
    return {
        "logistic regression on the score": (LogisticRegression(), lambda X, meta: total(X)),
        "logistic regression with products": (with_products(), lambda X, meta: X),
        "forest on items": (forest(1000, seed), lambda X, meta: X),
        "forest on items, tuned": (tuned_forest(seed, folds), lambda X, meta: X),
        "gradient boosting": (boosting(seed, folds), lambda X, meta: X),
        "two logistic experts": (LogisticMixture(random_state=seed), lambda X, meta: X),
        "stack: forest": (forest(200, seed), lambda X, meta: meta),
        "stack: forest, with items": (forest(200, seed), lambda X, meta: np.hstack([meta, X])),
        "stack: logistic regression": (LogisticRegression(), lambda X, meta: logits(meta)),
    }


def predictions(train, test, seed, epochs):
    """({model: honest P(1) of the test rows}, fitted classifiers, meta-features of `train`).

    Every model is fitted on `train` only; a second stage on predictions out of fold.
    """
    X, X_test = train[asd.ITEMS].to_numpy(), test[asd.ITEMS].to_numpy()
    y = train[asd.TARGET].to_numpy()
    models = homework_classifiers(seed, epochs)
    fitted = stacking.fit_all(models, X, y)
    meta_test = stacking.meta_features(fitted, X_test)
    folds = stacking.stratified_folds(y, FOLDS, seed, asd.people(train))
    meta = stacking.out_of_fold(models, X, y, folds)
    given = {"always the base rate": np.full(len(test), y.mean())}
    given |= dict(zip(models, meta_test.T, strict=True))
    for name, (model, inputs) in competitors(seed, folds).items():
        model.fit(inputs(X, meta), y)
        given[name] = stacking.positive(model.predict_proba(inputs(X_test, meta_test)))
    P = stacking.of_label(meta, y)
    weights = {"soft vote": np.full(3, 1 / 3), "average, fixed weights": fixed_weights(P)}
    weights["gate"] = Gate().fit(X, P).weights(X_test)
    for name, believed in weights.items():
        given[name] = np.round(np.sum(believed * meta_test, axis=1), 12)  # ties stay ties
    return given, fitted, meta


def leaks(train, test, fitted, meta, seed):
    """The homework's protocol: rows {column: value}, with each of its mistakes on or off.

    Its forest on the three meta-features, scored against the label, against `austim`, and against
    the label shuffled; the net re-fitted on the test rows or not; the forest fitted on features of
    rows that the classifiers know, or out of fold.
    """
    X, X_test = train[asd.ITEMS].to_numpy(), test[asd.ITEMS].to_numpy()
    y, y_test = train[asd.TARGET].to_numpy(), test[asd.TARGET].to_numpy()
    labels = {
        "label": y_test,
        "austim": (test["austim"] == "yes").to_numpy().astype(int),
        "shuffled": np.random.default_rng(seed).permutation(y_test),
    }
    stages = {
        False: forest(200, seed).fit(meta, y),
        True: forest(200, seed).fit(stacking.meta_features(fitted, X), y),
    }
    rows = []
    for (scored, truth), refitted in product(labels.items(), [False, True]):
        net = fitted["net"].train_further(X_test, truth) if refitted else fitted["net"]
        seen = stacking.meta_features(fitted | {"net": net}, X_test)
        rows += [
            {
                "scored against": scored,
                "refitted on test rows": refitted,
                "in-sample meta-features": in_sample,
                "accuracy": np.mean(stage.predict(seen) == truth),
                "base rate": max(np.mean(truth), 1 - np.mean(truth)),
            }
            for in_sample, stage in stages.items()
        ]
    return rows


def one_split(train, test, seed, epochs=500):
    """(honest scores, leak) of one split, as rows {column: value}."""
    given, fitted, meta = predictions(train, test, seed, epochs)
    y_test = test[asd.TARGET].to_numpy()
    honest = [
        {"model": name} | {score: f(y_test, p) for score, f in SCORES.items()}
        for name, p in given.items()
    ]
    return honest, leaks(train, test, fitted, meta, seed)


def splits(table, repeats, seed):
    """[(train, test)] of stratified folds, drawn anew `repeats` times; 4, or fewer for few rows.

    The copies of one person stay on one side.
    """
    y, rng, people = table[asd.TARGET].to_numpy(), check_random_state(seed), asd.people(table)
    return [
        (table.iloc[train], table.iloc[test])
        for _ in range(repeats)
        for train, test in stacking.stratified_folds(y, FOLDS, rng, people)
    ]


def compare(table, repeats, seed, epochs=500, only=None, n_jobs=1, say=""):
    """Two tables, (models, leak): `one_split` of each of `splits`, number i with `seed` + i.

    `only`: the numbers of the splits wanted, counted from 0; None: all. `say`: printed with the
    number of each split that is done; nothing where it is empty.
    """
    pairs = splits(table, repeats, seed)
    wanted = range(len(pairs)) if only is None else only
    jobs = [delayed(one_split)(*pairs[i], seed + i, epochs) for i in wanted]
    rows = side_by_side(jobs, n_jobs, say)
    return tuple(
        pd.concat(
            [pd.DataFrame(parts).assign(split=i) for i, parts in zip(wanted, kind, strict=True)],
            ignore_index=True,
        )
        for kind in zip(*rows, strict=True)
    )


def side_by_side(jobs, n_jobs, say=""):
    """What the delayed `jobs` return, in order; says `say` and a number as each is done."""
    results = []
    for result in Parallel(n_jobs=n_jobs, return_as="generator")(jobs):
        results.append(result)
        if say:
            _tell(f"{say} {len(results)} of {len(jobs)}")
    return results


def _tell(text):
    """Say how far it is: on the screen of `make run-all`, which a cell does not see, or here."""
    if path := os.environ.get("RUNNER_PROGRESS"):
        Path(path).write_text(text, encoding="utf-8")
    else:
        print(text, flush=True)


def differences(models, score, level, overlap, rows, baseline="logistic regression"):
    """{model: (mean, low, high)} of its `score` less the baseline's, over the splits in `models`.

    `models` is the first table of `compare`, of a table of so many `rows`; `level` and `overlap`
    are those of `mean_interval`.
    """
    values = models.pivot(index="split", columns="model", values=score)
    names = [name for name in dict.fromkeys(models["model"]) if name != baseline]
    bounds = {"span": SPANS[score], "rows": rows}
    less = {name: values[name] - values[baseline] for name in names}
    return {name: mean_interval(d, level, overlap, **bounds) for name, d in less.items()}
