"""Problem 5 over repeated splits: what each model reaches honestly, what each mistake adds.

`make evidence` (a few minutes) writes data/evidence_models.csv and data/evidence_leak.csv.
"""

import signal
import sys
from itertools import product

import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor
from scipy.special import logit, softmax
from sklearn import metrics
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.preprocessing import StandardScaler
from sklearn.utils.parallel import Parallel, delayed

from helpers import asd, gate, moe
from helpers.experts import experts

FOLDS = 4  # three quarters to learn from, one to test on; inside, the same again
MODELS = asd.DATA / "evidence_models.csv"
LEAK = asd.DATA / "evidence_leak.csv"
SCORES = {
    "accuracy": lambda y, p: metrics.accuracy_score(y, p > 0.5),
    "balanced accuracy": lambda y, p: metrics.balanced_accuracy_score(y, p > 0.5),
    "ROC AUC": metrics.roc_auc_score,
    "average precision": metrics.average_precision_score,
    "log loss": lambda y, p: metrics.log_loss(y, clipped(p)),
    "Brier score": metrics.brier_score_loss,
    "calibration error": lambda y, p: calibration_error(y, p),
}


def usable(table):
    """The table, if problem 5 can be computed on it; otherwise raises TableError, one sentence."""
    rows, fewest = len(table), table[asd.TARGET].value_counts().min()
    if rows < 50 or fewest < 3:
        raise asd.TableError(
            f"the table has {rows} rows, {fewest} of them in the smaller class: problem 5 needs at "
            "least 50 rows and 3 of each class; add rows."
        )
    for answer in set(table["austim"]) - {"yes", "no"}:
        raise asd.TableError(f"column 'austim': {answer!r} is neither yes nor no; write one.")
    return table


def clipped(p, margin=0.001):
    """Probabilities with 0 and 1 taken to `margin` and 1 − `margin`: a finite log loss for all."""
    return np.clip(p, margin, 1 - margin)


def calibration_error(y, p, bins=10):
    """Σ over bins of p of (share of rows) · |mean y − mean p| (expected calibration error)."""
    bin_of = np.minimum((np.asarray(p) * bins).astype(int), bins - 1)
    gaps = np.bincount(bin_of, weights=np.asarray(y) - p, minlength=bins)
    return float(np.sum(np.abs(gaps)) / len(p))


def forest(trees, seed):
    """The homework's random forest: scikit-learn's defaults, so many trees."""
    return RandomForestClassifier(trees, random_state=seed)


def logits(meta):
    """Log-odds of meta-features (n, k): what a logistic regression can weigh."""
    return logit(clipped(meta))


def total(X):
    """The questionnaire's score of items (n, 10), as one column."""
    return X.sum(axis=1, keepdims=True)


def second_stages(seed):
    """What learns from the items X, or from the experts' predictions: {name: (model, inputs)}.

    `inputs(X, meta)` picks what the model sees, of X (n, 10) and meta-features (n, 3).
    """
    return {
        "logistic regression on the score": (LogisticRegression(), lambda X, meta: total(X)),
        "forest on items": (forest(1000, seed), lambda X, meta: X),
        "two logistic experts": (moe.LogisticMixture(random_state=seed), lambda X, meta: X),
        "stack: forest": (forest(200, seed), lambda X, meta: meta),
        "stack: forest, with items": (forest(200, seed), lambda X, meta: np.hstack([meta, X])),
        "stack: logistic regression": (LogisticRegression(), lambda X, meta: logits(meta)),
    }


def gated(X, y, meta, X_test, meta_test):
    """The gate of `moe.MixtureOfExperts`, from predictions that are there already: (n_test,)."""
    scaler = StandardScaler().fit(X)
    V, _ = gate.fit_gate(
        gate.with_one(scaler.transform(X)), np.where(y[:, None] == 1, meta, 1 - meta)
    )
    return np.sum(softmax(gate.with_one(scaler.transform(X_test)) @ V, axis=1) * meta_test, axis=1)


def one_split(train, test, seed, epochs=500):
    """(honest scores, leak) of one split, as rows {column: value}.

    Every model is fitted on `train` only. The leak is the homework's: its forest on the three
    meta-features, with each of its mistakes switched on or off, scored against the label, against
    `austim`, and against the label shuffled.
    """
    X, X_test = train[asd.ITEMS].to_numpy(), test[asd.ITEMS].to_numpy()
    y, y_test = train[asd.TARGET].to_numpy(), test[asd.TARGET].to_numpy()
    models = experts(seed, epochs)
    fitted = moe.fit(models, X, y)
    meta_test = moe.meta_features(fitted, X_test)
    meta = moe.out_of_fold(models, X, y, min(FOLDS, np.bincount(y).min()), seed)

    given = {"always the base rate": np.full(len(test), y.mean())}
    given |= dict(zip(models, meta_test.T, strict=True))
    for name, (model, inputs) in second_stages(seed).items():
        model.fit(inputs(X, meta), y)
        given[name] = moe.positive(model.predict_proba(inputs(X_test, meta_test)))
    given["gate"] = np.round(gated(X, y, meta, X_test, meta_test), 12)
    honest = [
        {"model": name} | {score: f(y_test, p) for score, f in SCORES.items()}
        for name, p in given.items()
    ]

    labels = {
        "label": y_test,
        "austim": (test["austim"] == "yes").to_numpy().astype(int),
        "shuffled": np.random.default_rng(seed).permutation(y_test),
    }
    stages = {
        False: forest(200, seed).fit(meta, y),
        True: forest(200, seed).fit(moe.meta_features(fitted, X), y),
    }
    leak = []
    for (scored, truth), refitted in product(labels.items(), [False, True]):
        net = fitted["net"].train_further(X_test, truth) if refitted else fitted["net"]
        seen = moe.meta_features(fitted | {"net": net}, X_test)
        leak += [
            {
                "scored against": scored,
                "refitted on test rows": refitted,
                "in-sample meta-features": in_sample,
                "accuracy": np.mean(stage.predict(seen) == truth),
                "base rate": max(np.mean(truth), 1 - np.mean(truth)),
            }
            for in_sample, stage in stages.items()
        ]
    return honest, leak


def splits(table, repeats, seed):
    """[(train, test)] of stratified folds, drawn anew `repeats` times; 4, or fewer for few rows."""
    folds = min(FOLDS, table[asd.TARGET].value_counts().min())
    kinds = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    return [
        (table.iloc[train], table.iloc[test])
        for train, test in kinds.split(table, table[asd.TARGET])
    ]


def compare(table, repeats, seed, epochs=500, only=None, n_jobs=1, say=""):
    """Two tables, (models, leak): `one_split` of each of `splits`, number i with `seed` + i.

    `only`: the numbers of the splits wanted, counted from 0; None: all. `say`: printed with the
    number of each split that is done; nothing where it is empty.
    """
    pairs = splits(table, repeats, seed)
    wanted = range(len(pairs)) if only is None else only
    jobs = (delayed(one_split)(*pairs[i], seed + i, epochs) for i in wanted)
    rows = []
    for row in Parallel(n_jobs=n_jobs, return_as="generator")(jobs):
        rows.append(row)
        if say:
            print(f"{say} {len(rows)} of {len(wanted)}", flush=True)
    return tuple(
        pd.concat(
            [pd.DataFrame(parts).assign(split=i) for i, parts in zip(wanted, kind, strict=True)],
            ignore_index=True,
        )
        for kind in zip(*rows, strict=True)
    )


def write():
    """Write the two committed tables, of the course's training table (`make evidence`)."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        tables = compare(asd.load(), 10, seed=5, n_jobs=-1, say="split")
    except KeyboardInterrupt:
        sys.exit("Interrupted: the tables in data/ stay as they were.")
    finally:  # joblib's workers outlive an interrupt by minutes
        get_reusable_executor().shutdown(kill_workers=True)
    for frame, path in zip(tables, [MODELS, LEAK], strict=True):
        frame.round(6).to_csv(path, index=False, lineterminator="\n")
