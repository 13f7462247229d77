"""The three experts of problem 5, and the features that a second stage may learn from."""

import warnings
from contextlib import contextmanager
from copy import deepcopy

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer


class ScoreRule(ClassifierMixin, BaseEstimator):
    """The questionnaire's rule: positive where the items (n, 10) sum to `threshold` or more."""

    def __init__(self, threshold=6):
        self.threshold = threshold

    def fit(self, X, y):
        """Learn nothing but which labels there are."""
        self.classes_ = np.unique(y)
        return self

    def predict_proba(self, X):
        """The decision as probabilities 0 and 1: (n, 2)."""
        positive = np.sum(np.asarray(X), axis=1) >= self.threshold
        return np.column_stack([~positive, positive]).astype(float)

    def predict(self, X):
        """The decision: (n,)."""
        return self.classes_[np.argmax(self.predict_proba(X), axis=1)]


def experts(seed, epochs=500):
    """The homework's three, unfitted: {name: classifier}.

    Logistic regression with scikit-learn's defaults, the rule, and the net 10→128→128→128→1
    (tanh, Adam 5e-4, batches of 64, float32 as in Keras, no penalty) for `epochs` epochs.
    """
    net = MLPClassifier(
        (128, 128, 128),
        activation="tanh",
        learning_rate_init=5e-4,
        batch_size=64,
        alpha=0,
        max_iter=epochs,
        n_iter_no_change=epochs,
        random_state=seed,
    )
    return {
        "logistic regression": LogisticRegression(),
        "rule": ScoreRule(),
        "net": make_pipeline(FunctionTransformer(np.float32), net),
    }


def fit(models, X, y):
    """Fitted clones {name: classifier} of `models`, on X (n, d) and y (n,) in {0, 1}."""
    with _fixed_epochs():
        return {name: clone(model).fit(X, y) for name, model in models.items()}


def train_further(net, X, y):
    """A copy of the fitted `net` of `experts`, trained for as many epochs again on X and y.

    On test rows this is the leak of the homework's submission; it is here to be shown, not used.
    """
    net = deepcopy(net)
    net[-1].set_params(warm_start=True)
    with _fixed_epochs():
        return net.fit(X, y)


@contextmanager
def _fixed_epochs():
    # A fixed number of epochs is the design; that it was used up is no news.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


def meta_features(fitted, X):
    """What each fitted classifier makes of X (n, d): its probability of class 1, (n, k)."""
    return np.column_stack([model.predict_proba(X)[:, 1] for model in fitted.values()])


def out_of_fold(models, X, y, n_splits, seed):
    """Meta-features (n, k) in which no row was predicted by a model that had seen it.

    Stratified folds: each is predicted by models fitted on the others (Wolpert 1992).
    """
    features = np.full((len(y), len(models)), np.nan)
    folds = StratifiedKFold(n_splits, shuffle=True, random_state=seed)
    for train, held_out in folds.split(X, y):
        features[held_out] = meta_features(fit(models, X[train], y[train]), X[held_out])
    return features
