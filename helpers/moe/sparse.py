"""The mixture as a layer of language models: a gate that sends each row to few of many experts."""

import torch
from torch import nn
from torch.nn.functional import grouped_mm, relu


class SparseMoE(nn.Module):
    """Σ_{k in top} g_k(x) E_k(x): top-k gating (Shazeer et al. 2017) over E two-layer experts.

    E_k(x) = relu(x A_k) B_k, A (E, width, hidden), B (E, hidden, width). The gate is the softmax
    of the `top_k` largest of x's E scores; the other experts count 0, and need not be computed.
    With `top_k` = 1 that softmax would always be 1, and the gate would never learn: the weight is
    then the softmax over all experts (Switch: Fedus, Zoph & Shazeer 2022). `bias` (E,), 0 at first,
    is added to the scores when experts are chosen, and not when they are weighed: raising that of
    an idle expert balances the load without a loss (Wang et al. 2024). Rows x are (n, width),
    or (batch, sequence, width). PyTorch's grouped product has no float64, and takes rows of a
    multiple of 16 bytes (width and hidden of 4, 8, 12, … in float32); `dense` takes any.
    """

    def __init__(self, width, hidden, num_experts, top_k, dtype=torch.float32):
        super().__init__()
        if type(top_k) is not int or not 1 <= top_k <= num_experts:
            raise ValueError(
                f"top_k must be 1 to {num_experts}, the number of experts, not {top_k}"
            )
        self.top_k = top_k
        self.scores = nn.Linear(width, num_experts, bias=False, dtype=dtype)
        self.register_buffer("bias", torch.zeros(num_experts, dtype=dtype))
        A, B = (num_experts, width, hidden), (num_experts, hidden, width)
        self.A = nn.Parameter(torch.randn(A, dtype=dtype) / width**0.5)
        self.B = nn.Parameter(torch.randn(B, dtype=dtype) / hidden**0.5)

    def route(self, x):
        """(weights, the chosen experts) of rows x: both (n, top_k), n rows in all."""
        scores = self.scores(x.flatten(0, -2))
        chosen = (scores + self.bias).topk(self.top_k, dim=1).indices
        top = scores.gather(1, chosen)
        if self.top_k == 1:
            return scores.softmax(dim=1).gather(1, chosen), chosen
        return top.softmax(dim=1), chosen

    def gate(self, x):
        """The gate with its zeros: (n, E)."""
        weights, chosen = self.route(x)
        return torch.zeros(len(chosen), len(self.A), dtype=x.dtype).scatter(1, chosen, weights)

    def dense(self, x):
        """The formula as it stands, shaped like x: every expert computes every row."""
        outputs = relu(torch.einsum("nw,ewh->enh", x.flatten(0, -2), self.A)) @ self.B
        return torch.einsum("ne,enw->nw", self.gate(x), outputs).reshape(x.shape)

    def forward(self, x, product=grouped_mm):
        """The same, from the chosen experts only: rows sorted by expert, in groups.

        `product(a, B, offs)` multiplies each group of rows of `a`, which end at `offs`, by its own
        matrix of `B`.
        """
        weights, chosen = self.route(x)
        order = chosen.flatten().argsort(stable=True)
        row = order // self.top_k
        counts = chosen.flatten().bincount(minlength=len(self.A))
        ends, rows = counts.cumsum(0).to(torch.int32), x.flatten(0, -2)
        outputs = product(relu(product(rows[row], self.A, offs=ends)), self.B, offs=ends)
        outputs = outputs * weights.flatten()[order, None]
        return torch.zeros_like(rows).index_add(0, row, outputs).reshape(x.shape)

    def counts(self, x):
        """How many of the rows x go to each expert: (E,), in sum n · top_k."""
        return self.route(x)[1].flatten().bincount(minlength=len(self.A))

    def imbalance(self, x):
        """The squared coefficient of variation of the experts' importance Σ_n g_k(x_n).

        Added to a loss, it spreads the rows (Shazeer et al. 2017, section 4); 0 is even.
        """
        importance = self.gate(x).sum(dim=0)
        return importance.var(correction=0) / importance.mean() ** 2
