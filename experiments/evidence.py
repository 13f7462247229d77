"""When does a mixture pay? The ceiling, and a learning curve, with the simulator known.

Everything that problem 5 learns from is ten items of 0 or 1: one of 1,024 patterns. How probable
each pattern is in each class can be counted from as many draws as one likes. So Bayes' rule is
known, no test rows are needed, and a score of a classifier is an exact mean over the patterns.
`make evidence` writes these tables, and those of `experiments.repeated_splits`, to data/.
"""

import signal
import sys

import numpy as np
import pandas as pd
from joblib.externals.loky import get_reusable_executor
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss, roc_auc_score
from sklearn.utils.parallel import delayed

from experiments import repeated_splits, simulate
from experiments.classifiers import ScoreRule, boosting, tuned_forest, with_products
from experiments.repeated_splits import logits, total
from helpers.moe import Gate, LogisticMixture, fixed_weights, stacking
from helpers.screening import asd
from helpers.screening.scores import clipped

PATTERNS = asd.DATA / "item_patterns.csv"
CURVE = asd.DATA / "learning_curve.csv"
SIZES = (600, 1_250, 2_500, 5_000, 10_000, 20_000)
TABLES = 12  # fresh tables of each size
BITS = 2 ** np.arange(len(asd.ITEMS))
ALL = np.arange(2 ** len(asd.ITEMS))[:, None] // BITS % 2  # the patterns, (1024, 10)


def count_patterns(draws, seed):
    """How often each pattern comes in `draws` simulated rows of each class: (1024, 2)."""
    rng, counts = np.random.default_rng(seed), np.zeros((2, len(ALL)), dtype=int)
    for group, count in zip(simulate.figures()["classes"], counts, strict=True):
        for first in range(0, draws, 100_000):
            items = simulate.items(min(100_000, draws - first), group, rng)
            count += np.bincount(items @ BITS, minlength=len(ALL))
    return counts.T


def probabilities(counts):
    """P(pattern, label): (1024, 2), in sum 1, of the counts and the real share of positives."""
    sizes = np.array([group["n"] for group in simulate.figures()["classes"]])
    return counts / counts.sum(axis=0) * sizes / sizes.sum()


def exact_scores(joint, p):
    """{score: value} of P(1) as a model gives it to each pattern, p (1024,), under `joint`."""
    given, y, weight = p.repeat(2), np.tile([0, 1], len(p)), joint.ravel()
    return {
        "accuracy": accuracy_score(y, given > 0.5, sample_weight=weight),
        "AUC": roc_auc_score(y, given, sample_weight=weight),
        "log loss": log_loss(y, clipped(given), sample_weight=weight),
    }


def bayes(joint):
    """Bayes' rule, P(1 | pattern): (1024,). Nothing that sees the items can do better."""
    return joint[:, 1] / np.maximum(joint.sum(axis=1), np.finfo(float).tiny)


def alone(X, y):
    """{model: P(1) of each pattern} of single models, from X (n, 10) and y (n,)."""
    by_score = LogisticRegression().fit(total(X), y)
    return {
        "logistic regression": stacking.positive(LogisticRegression().fit(X, y).predict_proba(ALL)),
        "… on the score alone": by_score.predict_proba(total(ALL))[:, 1],
        "… with products of items": with_products().fit(X, y).predict_proba(ALL)[:, 1],
    }


def learned(X, y, seed):
    """The same of boosted trees, and of 2, 3, 4 and 6 logistic experts with their gate."""
    fitted = {K: LogisticMixture(K, random_state=seed).fit(X, y) for K in (2, 3, 4, 6)}
    fitted = {f"{K} logistic experts": model for K, model in fitted.items()}
    fitted["gradient boosting"] = boosting(seed).fit(X, y)
    return {name: model.predict_proba(ALL)[:, 1] for name, model in fitted.items()}


def of_three(X, y, seed):
    """The same of a forest, and of what is made of it, logistic regression and the rule."""
    experts = {
        "logistic regression": LogisticRegression(),
        "rule": ScoreRule(),
        "forest, tuned": tuned_forest(seed),
    }
    folds = stacking.stratified_folds(y, repeated_splits.FOLDS, seed)
    meta = stacking.out_of_fold(experts, X, y, folds)
    given = stacking.meta_features(stacking.fit_all(experts, X, y), ALL)
    P = stacking.of_label(meta, y)
    stack = LogisticRegression().fit(logits(meta), y)
    return {
        "forest, tuned": given[:, 2],
        "soft vote of three": given.mean(axis=1),
        "average, fixed weights": given @ fixed_weights(P),
        "gate over three experts": np.sum(Gate().fit(X, P).weights(ALL) * given, axis=1),
        "stack of three experts": stack.predict_proba(logits(given))[:, 1],
    }


def fresh_table(rows, seed):
    """(X, y) of so many simulated rows, with the real share of positives."""
    sizes = [group["n"] for group in simulate.figures()["classes"]]
    positive = round(rows * sizes[1] / sum(sizes))
    table = simulate.simulate(
        rows - positive, positive, np.random.default_rng([seed, rows]), simulate.figures()
    )
    return table[asd.ITEMS].to_numpy(), table[asd.TARGET].to_numpy()


def one_table(rows, seed, joint):
    """The scores of every model that has learned from one fresh table, as rows {column: value}."""
    X, y = fresh_table(rows, seed)
    given = alone(X, y) | learned(X, y, seed) | of_three(X, y, seed)
    return [
        {"rows": rows, "table": seed, "model": name} | exact_scores(joint, p)
        for name, p in given.items()
    ]


def read_patterns():
    """P(pattern, label) from the committed counts: (1024, 2)."""
    return probabilities(pd.read_csv(PATTERNS).to_numpy())


def write():
    """Write the four committed tables, of the course's training table and simulator."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        counts = count_patterns(10_000_000, seed=5)
        joint = probabilities(counts)
        jobs = [delayed(one_table)(n, table, joint) for n in SIZES for table in range(TABLES)]
        rows = repeated_splits.side_by_side(jobs, n_jobs=-1, say="table")
        models, leak = repeated_splits.compare(asd.load(), 10, seed=5, n_jobs=-1, say="split")
    except KeyboardInterrupt:
        sys.exit("Interrupted: the tables in data/ stay as they were.")
    finally:  # joblib's workers outlive an interrupt by minutes
        get_reusable_executor().shutdown(kill_workers=True)
    tables = {
        PATTERNS: pd.DataFrame(counts, columns=["label 0", "label 1"]),
        CURVE: pd.DataFrame([row for table in rows for row in table]),
        repeated_splits.MODELS: models,
        repeated_splits.LEAK: leak,
    }
    for path, frame in tables.items():
        frame.round(6).to_csv(path, index=False, lineterminator="\n")


if __name__ == "__main__":
    write()
