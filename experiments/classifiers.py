"""The homework's three classifiers (logistic regression, the rule, a net), and fair opponents."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from experiments.net import Net


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


def homework_classifiers(seed, epochs=500):
    """The homework's three, unfitted: {name: classifier}; logistic regression with its defaults."""
    return {
        "logistic regression": LogisticRegression(),
        "rule": ScoreRule(),
        "net": Net(epochs=epochs, seed=seed),
    }


def forest(trees, seed):
    """The homework's random forest: scikit-learn's defaults, so many trees, all fully grown."""
    return RandomForestClassifier(trees, random_state=seed)


def tuned_forest(seed, folds=4):
    """A random forest of 100 trees whose leaves are as large as cross-validated log loss wants.

    `folds` is a number, or [(train, test)] of the rows that it will be fitted on.
    """
    return _by_log_loss(forest(100, seed), "min_samples_leaf", [1, 3, 10, 30], folds)


def boosting(seed, folds=4):
    """Gradient boosting of small trees, as many as cross-validated log loss wants."""
    trees = HistGradientBoostingClassifier(
        max_leaf_nodes=4, min_samples_leaf=5, early_stopping=False, random_state=seed
    )
    return _by_log_loss(trees, "max_iter", [25, 50, 100, 200, 400], folds)


def _by_log_loss(model, name, values, folds):
    return GridSearchCV(model, {name: values}, scoring="neg_log_loss", cv=folds)


def with_products():
    """Logistic regression on the items and the products of any two of them."""
    products = PolynomialFeatures(2, interaction_only=True, include_bias=False)
    return make_pipeline(products, LogisticRegression(max_iter=1000))
