"""What the course computes, operation by operation, as digests of its bits: a line each.

`tests/test_emulation.py` runs this on emulated processors; you can run it by hand, too.
"""

import hashlib

import numpy as np
import torch
from scipy.special import expit
from sklearn.linear_model import LogisticRegression

from experiments.net import Net
from helpers import gradient
from helpers.moe.likelihood import fit_gate, with_one
from helpers.screening import asd

x = np.random.default_rng(0).normal(size=20_011)
table = asd.load()
X, y = table[asd.ITEMS].to_numpy(float), table[asd.TARGET].to_numpy()
A, B = x[:10_000].reshape(100, 100), x[10_000:20_000].reshape(100, 100)
t = torch.tensor(x)


def adam():
    """Two hundred steps of the course's own Adam on a logistic regression."""

    def slope(w):
        return X.T @ (expit(X @ w) - y) / len(y)

    return gradient.descend(slope, np.zeros(10), 0.1, 200, gradient.adam)[-1]


def gate():
    P = np.column_stack([np.where(y, p, 1 - p) for p in (expit(X @ A[0, :10]), X[:, 0] / 2 + 0.2)])
    return fit_gate(with_one(X), P)[0]


WHAT = {
    "numpy exp": lambda: np.exp(x),
    "numpy log, sin, tanh": lambda: [np.log(abs(x)), np.sin(x), np.tanh(x)],
    "numpy exp, tanh in float32": lambda: [np.exp(np.float32(x)), np.tanh(np.float32(x))],
    "numpy sqrt, sum": lambda: [np.sqrt(abs(x)), x.sum()],
    "numpy product of matrices": lambda: A @ B,
    "numpy solve, eigh, qr": lambda: [np.linalg.solve(A, B[0]), *np.linalg.eigh(A @ A.T)],
    "the course's descent with Adam": adam,
    "the course's net, 2 epochs": lambda: Net(epochs=2).fit(X, y).theta_,
    "the course's gate": gate,
    "scikit-learn's coefficients": lambda: LogisticRegression(C=np.inf).fit(X, y).coef_,
    "torch product of matrices": lambda: torch.tensor(A) @ torch.tensor(B),
    "torch exp, tanh, sin": lambda: [t.exp(), t.tanh(), t.sin()],
    "torch softmax, sum": lambda: [t.softmax(0), t.sum()],
    "torch random numbers": lambda: torch.randn(1000, generator=torch.Generator().manual_seed(0)),
    "torch sqrt": lambda: t.abs().sqrt(),
}

if __name__ == "__main__":
    for name, compute in WHAT.items():
        found = compute()
        parts = found if isinstance(found, list) else [found]
        bits = b"".join(np.ascontiguousarray(part).tobytes() for part in parts)
        print(f"{name}: {hashlib.sha256(bits).hexdigest()[:16]}", flush=True)
