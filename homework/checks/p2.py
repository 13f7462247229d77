"""Problem 2: the grader sends weights and inputs, and compares the outputs with the formula."""

import numpy as np

from homework.checks import Made, close, demand, worth


def formula(weights, X):
    """What a net gives for rows X (n, widths[0]): tanh in hidden layers, a sigmoid at the end."""
    for place, (W, b) in enumerate(zip(weights[::2], weights[1::2], strict=True)):
        X = X @ W.T + b
        X = np.tanh(X) if 2 * place + 2 < len(weights) else 1 / (1 + np.exp(-X))
    return X


def drawn(rng, widths):
    """Weights as PyTorch keeps them, (outputs, inputs) and (outputs,) for each layer."""
    shapes = [((m, n), (m,)) for n, m in zip(widths, widths[1:], strict=False)]
    return [rng.normal(size=shape) / np.sqrt(shape[-1]) for both in shapes for shape in both]


def _nets(rng, widths):
    same = int(rng.integers(2, 9))
    yield from ([*widths], [4, 3], [same, same, 3])
    yield [int(k) for k in rng.integers(2, 9, size=3)] + [1]


def _same(name, outputs, ask, numbers):
    for widths in _nets(numbers.rng, numbers.widths):
        weights, X = drawn(numbers.rng, widths), numbers.rng.normal(size=(7, widths[0]))
        count, gives = ask(name, widths, then=(outputs, weights, X))
        wanted = sum(w.size for w in weights)
        demand(count == wanted, f"{name}: it has {count} parameters, and the formula {wanted}.")
        fits = close(gives, formula(weights, X), 1e-5)
        demand(fits, f"{name}: with the same weights its outputs are not those of the formula.")


def q2_1(ask, numbers):
    return worth(1, lambda *two: _same("torch_net", "torch_outputs", *two), ask, numbers)


def q2_2(ask, numbers):
    return worth(1, lambda *two: _same("keras_net", "keras_outputs", *two), ask, numbers)


def q2_3(ask, numbers):
    """Two nets of the student's, the first with the grader's weights: both give the formula's."""

    def part(ask, numbers):
        for widths in _nets(numbers.rng, numbers.widths):
            weights, X = drawn(numbers.rng, widths), numbers.rng.normal(size=(7, widths[0]))
            nets = Made("torch_net", widths, weights), Made("keras_net", widths)
            both = ask("copy_weights", *nets, then=("both_outputs", X))
            fits = all(close(gives, formula(weights, X), 1e-5) for gives in both)
            demand(fits, "copy_weights: afterwards the Keras net does not give PyTorch's outputs.")

    return worth(0.5, part, ask, numbers)


def q2_4(ask, numbers):
    """Eight lists of shapes, with repetitions and with as many sizes in other orders."""

    def part(ask, numbers):
        for length in (1, 2, 3, 4, 5, 6, 7, 8):
            pool = [tuple(int(k) for k in numbers.rng.integers(1, 4, size=2)) for _ in range(3)]
            pool += [(int(numbers.rng.integers(1, 5)),), (2, 3), (3, 2)]
            shapes = [pool[int(k)] for k in numbers.rng.integers(0, len(pool), size=length)]
            shapes += [(2, 3), (3, 2)] * (length > 5)
            fits = close(ask("number_of_traces", shapes), len(set(shapes)))
            demand(fits, "number_of_traces: which calls find a graph that was made before?")

    return worth(0.5, part, ask, numbers)
