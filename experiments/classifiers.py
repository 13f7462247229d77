"""The homework's three classifiers (logistic regression, the rule, a net), and fair opponents."""

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
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


def with_products():
    """Logistic regression on the items and the products of any two of them."""
    products = PolynomialFeatures(2, interaction_only=True, include_bias=False)
    return make_pipeline(products, LogisticRegression(max_iter=1000))
