"""The mixture as a layer of language models: a gate that sends each row to few of many experts."""

import torch
from torch import nn
from torch.nn.functional import grouped_mm, relu


class SparseMoE(nn.Module):
    """Σ_{k in top} g_k(x) E_k(x): top-k gating (Shazeer et al. 2017) over E two-layer experts.

    E_k(x) = relu(x A_k) B_k, A (E, width, hidden), B (E, hidden, width). The gate is the softmax
    of the `top_k` largest of x's E scores; the other experts count 0, and need not be computed.
    In float64 only `dense` works: PyTorch's grouped product has no float64.
    """

    def __init__(self, width, hidden, num_experts, top_k, dtype=torch.float32):
        super().__init__()
        self.top_k = top_k
        self.scores = nn.Linear(width, num_experts, bias=False, dtype=dtype)
        A, B = (num_experts, width, hidden), (num_experts, hidden, width)
        self.A = nn.Parameter(torch.randn(A, dtype=dtype) / width**0.5)
        self.B = nn.Parameter(torch.randn(B, dtype=dtype) / hidden**0.5)

    def route(self, x):
        """(weights that sum to 1, the chosen experts) of rows x (n, width): both (n, top_k)."""
        top, chosen = self.scores(x).topk(self.top_k, dim=1)
        return top.softmax(dim=1), chosen

    def gate(self, x):
        """The gate with its zeros: (n, E)."""
        weights, chosen = self.route(x)
        return torch.zeros(len(x), len(self.A), dtype=x.dtype).scatter(1, chosen, weights)

    def dense(self, x):
        """The formula as it stands, (n, width): every expert computes every row."""
        outputs = relu(torch.einsum("nw,ewh->enh", x, self.A)) @ self.B
        return torch.einsum("ne,enw->nw", self.gate(x), outputs)

    def forward(self, x, product=grouped_mm):
        """The same (n, width), from the chosen experts only: rows sorted by expert, in groups.

        `product(a, B, offs)` multiplies each group of rows of `a`, which end at `offs`, by its own
        matrix of `B`.
        """
        weights, chosen = self.route(x)
        order = chosen.flatten().argsort(stable=True)
        row = order // self.top_k
        counts = chosen.flatten().bincount(minlength=len(self.A))
        ends = counts.cumsum(0).to(torch.int32)
        outputs = product(relu(product(x[row], self.A, offs=ends)), self.B, offs=ends)
        outputs = outputs * weights.flatten()[order, None]
        return torch.zeros_like(x).index_add(0, row, outputs)

    def counts(self, x):
        """How many of the rows x go to each expert: (E,), in sum n · top_k."""
        return self.route(x)[1].flatten().bincount(minlength=len(self.A))

    def imbalance(self, x):
        """The squared coefficient of variation of the experts' importance Σ_n g_k(x_n).

        Added to a loss, it spreads the rows (Shazeer et al. 2017, section 4); 0 is even.
        """
        importance = self.gate(x).sum(dim=0)
        return importance.var(correction=0) / importance.mean() ** 2
