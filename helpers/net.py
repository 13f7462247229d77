"""The homework's net, in numpy: tanh layers, one sigmoid output, backpropagation, Adam."""

from copy import deepcopy

import numpy as np
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin


class Net(ClassifierMixin, BaseEstimator):
    """A tanh net for two classes, trained as the homework's: backpropagation and Adam, float32.

    One sigmoid output, mean cross-entropy over batches of `batch_size` shuffled rows, for `epochs`
    passes; weights start uniform (Glorot & Bengio 2010), biases at 0. Adam as Keras has it.
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
        self._rng = np.random.default_rng(self.seed)
        widths = [np.shape(X)[1], *self.hidden, 1]
        weights = list(zip(widths[:-1], widths[1:], strict=True))
        shapes = [shape for pair in weights for shape in (pair, pair[1:])]
        ends = np.cumsum([np.prod(shape) for shape in shapes]).tolist()
        self._places = list(zip([0, *ends[:-1]], ends, shapes, strict=True))
        # All parameters in one vector: Adam's update is then a few passes over it.
        self.theta_ = np.zeros(ends[-1], dtype=np.float32)
        for W in self._unpacked(self.theta_)[::2]:
            W[:] = self._rng.uniform(-1, 1, W.shape) * np.sqrt(6 / sum(W.shape))
        self._m, self._v, self._t = np.zeros_like(self.theta_), np.zeros_like(self.theta_), 0
        self._gradient, self._step = np.empty_like(self.theta_), np.empty_like(self.theta_)
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
        """The mean cross-entropy's gradient in `theta_`, by backpropagation: X (n, d), y (n,)."""
        return self._backward(np.asarray(X, np.float32), np.asarray(y, np.float32)).copy()

    def _train(self, X, y):
        X, y = np.asarray(X, dtype=np.float32), np.asarray(y, dtype=np.float32)
        for _ in range(self.epochs):
            order = self._rng.permutation(len(X))
            for start in range(0, len(X), self.batch_size):
                rows = order[start : start + self.batch_size]
                self._adam_step(self._backward(X[rows], y[rows]))
        return self

    def _backward(self, X, y):
        """The chain rule from the last layer to the first, with A_k a layer's activations:

        δ = (σ(logit) − y) / n;  ∂/∂W_k = A_kᵀδ,  ∂/∂b_k = Σ_rows δ;  then δ ← δW_kᵀ ∘ (1 − A_k²).
        """
        layers = self._layers(X)
        W, slopes = self._unpacked(self.theta_)[::2], self._unpacked(self._gradient)
        delta = (expit(layers[-1]) - y[:, None]) / np.float32(len(X))
        for k in reversed(range(len(layers) - 1)):
            np.matmul(layers[k].T, delta, out=slopes[2 * k])
            np.add.reduce(delta, axis=0, out=slopes[2 * k + 1])
            if k:
                delta = delta @ W[k].T
                delta *= 1 - layers[k] * layers[k]  # the slope of tanh
        return self._gradient

    def _adam_step(self, g):
        """One step of Adam (Kingma & Ba 2015, the last lines of section 2, with β 0.9 and 0.999):

        m ← m + 0.1 (g − m);  v ← v + 0.001 (g² − v);  θ ← θ − size · m / (√v + 1e-7),
        where size = step_size · √(1 − 0.999ᵗ) / (1 − 0.9ᵗ) corrects both means.
        """
        # In place throughout: new arrays of this size would take longer than the arithmetic.
        self._t += 1
        size = self.step_size * np.sqrt(1 - 0.999**self._t) / (1 - 0.9**self._t)
        step = np.subtract(g, self._m, out=self._step)
        step *= np.float32(0.1)
        self._m += step
        np.multiply(g, g, out=step)
        step -= self._v
        step *= np.float32(0.001)
        self._v += step
        np.sqrt(self._v, out=step)
        step += np.float32(1e-7)
        np.divide(self._m, step, out=step)
        step *= np.float32(size)
        self.theta_ -= step

    def _layers(self, X):
        """The inputs, each hidden layer's activations, and the logits (n, 1)."""
        parameters = self._unpacked(self.theta_)
        layers = [X]
        for W, b in zip(parameters[::2], parameters[1::2], strict=True):
            layers.append(layers[-1] @ W)
            layers[-1] += b
            if len(layers) <= len(self.hidden) + 1:
                np.tanh(layers[-1], out=layers[-1])
        return layers

    def _unpacked(self, vector):
        """Views of a vector like `theta_`, in its layers' shapes: W1, b1, W2, b2, …"""
        return [vector[start:end].reshape(shape) for start, end, shape in self._places]
