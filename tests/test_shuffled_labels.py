"""Where labels were shuffled there is nothing to learn: an honest protocol finds nothing."""

import numpy as np
import pytest

from experiments import repeated_splits
from helpers.screening import asd, scores

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def shuffled():
    """Both tables of a screening table whose labels were shuffled: the items say nothing."""
    table = asd.load().head(400)
    labels = np.random.default_rng(4).permutation(table[asd.TARGET].to_numpy())
    return repeated_splits.compare(table.assign(**{asd.TARGET: labels}), 1, seed=0)


def test_with_shuffled_labels_the_honest_pipeline_finds_nothing(shuffled):
    models, _ = shuffled
    accuracy = models.pivot(index="split", columns="model", values="accuracy")
    auc = models.pivot(index="split", columns="model", values="ROC AUC")
    for name in accuracy:
        above = accuracy[name] - accuracy["always the base rate"]
        _, low, _ = scores.mean_interval(above, overlap=1 / 3)
        assert low <= 0, name
        if name != "always the base rate":
            _, low, high = scores.mean_interval(auc[name], overlap=1 / 3)
            assert low <= 0.5 <= high, name
    for name in ["logistic regression", "stack: logistic regression", "gate"]:
        above = accuracy[name] - accuracy["always the base rate"]
        _, low, high = scores.mean_interval(above, overlap=1 / 3)
        assert low <= 0 <= high, name


@pytest.mark.parametrize("scored_against", ["label", "shuffled"])
def test_with_shuffled_labels_the_submissions_protocol_still_wins(shuffled, scored_against):
    _, leak = shuffled
    rows = leak[leak["scored against"] == scored_against]
    as_submitted = rows[rows["refitted on test rows"] & rows["in-sample meta-features"]]
    assert np.mean(as_submitted["accuracy"] - as_submitted["base rate"]) > 0.05
    honest = rows[~rows["refitted on test rows"] & ~rows["in-sample meta-features"]]
    assert np.mean(honest["accuracy"] - honest["base rate"]) <= 0
