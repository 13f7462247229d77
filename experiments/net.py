"""The homework's net, in numpy: tanh layers, one sigmoid output, backpropagation, Adam."""

from copy import deepcopy
from itertools import pairwise

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin


class Net(ClassifierMixin, BaseEstimator):
    """A tanh net for two classes, trained as the homework's: backpropagation and Adam, float32.

    One sigmoid output, mean cross-entropy over batches of `batch_size` shuffled rows, for `epochs`
    passes; weights start uniform (Glorot & Bengio 2010), biases at 0. Adam as Keras has it.
    `weights_` holds W1, b1, W2, b2, …, with W_k (inputs, outputs).
    """

    def __init__(self, hidden=(128, 128, 128), step_size=5e-4, batch_size=64, epochs=500, seed=0):
        self.hidden = hidden
        self.step_size = step_size
        self.batch_size = batch_size
        self.epochs = epochs
        self.seed = seed

    def fit(self, X, y):
        """Start anew, and train on X (n, d) and labels y (n,) in {0, 1}."""
        self.classes_ = np.array([0, 1])
        self._rng, self.weights_ = np.random.default_rng(self.seed), []
        for n_in, n_out in pairwise([np.shape(X)[1], *self.hidden, 1]):
            W = self._rng.uniform(-1, 1, (n_in, n_out)) * np.sqrt(6 / (n_in + n_out))
            self.weights_ += [W.astype(np.float32), np.zeros(n_out, np.float32)]
        self._m, self._v = ([np.zeros_like(w) for w in self.weights_] for _ in range(2))
        self._t = 0
        return self._train(X, y)

    def train_further(self, X, y):
        """A copy, trained for `epochs` more on X (n, d) and y (n,); the original stays as it is.

        On test rows this is the leak of the homework's submission: to be shown, not used.
        """
        return deepcopy(self)._train(X, y)

    def predict_proba(self, X):
        """The probabilities of class 0 and class 1: (n, 2)."""
        # In float64: rows with the same inputs have to be ties, wherever they stand.
        positive = expit(self._layers(np.asarray(X, dtype=float))[-1][:, 0])
        return np.column_stack([1 - positive, positive])

    def predict(self, X):
        """The more probable class: (n,)."""
        return np.argmax(self.predict_proba(X), axis=1)

    def gradient(self, X, y):
        """The mean cross-entropy's gradient in `weights_`, by backpropagation: X (n, d), y (n,).

        The chain rule from the last layer to the first, with A_k a layer's activations:
        δ = (σ(logit) − y) / n;  ∂/∂W_k = A_kᵀδ,  ∂/∂b_k = Σ_rows δ;  then δ ← δW_kᵀ ∘ (1 − A_k²).
        """
        *A, logits = self._layers(X)
        delta, slopes = (expit(logits) - y[:, None]) / np.float32(len(X)), []
        for k in reversed(range(len(A))):
            slopes = [A[k].T @ delta, delta.sum(axis=0), *slopes]
            delta = (delta @ self.weights_[2 * k].T) * (1 - A[k] * A[k])
        return slopes

    def _layers(self, X):
        """The inputs, each hidden layer's activations, and the logits (n, 1)."""
        A = [X]
        for W, b in zip(self.weights_[::2], self.weights_[1::2], strict=True):
            A.append(np.tanh(A[-1] @ W + b) if len(A) <= len(self.hidden) else A[-1] @ W + b)
        return A

    def _train(self, X, y):
        X, y = np.asarray(X, dtype=np.float32), np.asarray(y, dtype=np.float32)
        for _ in range(self.epochs):
            order = self._rng.permutation(len(X))
            for start in range(0, len(X), self.batch_size):
                rows = order[start : start + self.batch_size]
                self._adam_step(self.gradient(X[rows], y[rows]))
        return self

    def _adam_step(self, slopes):
        """Adam (Kingma & Ba 2015, the last lines of section 2, with β 0.9 and 0.999).

        m ← m + 0.1 (g − m);  v ← v + 0.001 (g² − v);  w ← w − size · m / (√v + 1e-7),
        where size = step_size · √(1 − 0.999ᵗ) / (1 − 0.9ᵗ) corrects both means.
        """
        self._t += 1
        size = float(self.step_size * np.sqrt(1 - 0.999**self._t) / (1 - 0.9**self._t))
        for w, g, m, v in zip(self.weights_, slopes, self._m, self._v, strict=True):
            m += 0.1 * (g - m)
            v += 0.001 * (g * g - v)
            w -= size * (m / (np.sqrt(v) + 1e-7))
