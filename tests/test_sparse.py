"""The sparse layer against a loop over rows, and against its dense self; the balancing loss."""

import pytest
import torch

from helpers.moe.sparse import SparseMoE


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return SparseMoE(12, 20, num_experts=8, top_k=2)


def gradients(layer, x, form):
    x = x.clone().requires_grad_()
    layer.zero_grad()
    out = form(x)
    (out * torch.linspace(-1, 1, out.numel()).reshape(out.shape)).sum().backward()
    return [out, x.grad, *(p.grad for p in layer.parameters())]


@pytest.mark.parametrize("num_rows", [1, 7, 200])
@pytest.mark.parametrize(("num_experts", "top_k"), [(8, 2), (4, 1), (3, 3), (64, 2)])
def test_sparse_is_dense_in_outputs_and_gradients(num_rows, num_experts, top_k):
    torch.manual_seed(1)
    layer = SparseMoE(12, 20, num_experts, top_k)
    x = torch.randn(num_rows, 12)
    pairs = zip(gradients(layer, x, layer), gradients(layer, x, layer.dense), strict=True)
    for ours, dense in pairs:
        scale = max(1, dense.abs().max())
        # float32 keeps seven digits, and up to 200 rows are added up in another order.
        assert (ours - dense).abs().max() <= 1e-5 * scale
    assert layer(x).abs().max() > 0.1


def test_both_are_the_formula_row_by_row(layer):
    x = torch.randn(30, 12)
    with torch.no_grad():
        for row, out, dense in zip(x, layer(x), layer.dense(x), strict=True):
            scores = layer.scores.weight.double() @ row.double()
            chosen = scores.argsort(descending=True)[:2]
            weights = scores[chosen].exp() / scores[chosen].exp().sum()
            expected = sum(
                w * (torch.relu(row.double() @ layer.A[k].double()) @ layer.B[k].double())
                for w, k in zip(weights, chosen, strict=True)
            )
            torch.testing.assert_close(out.double(), expected, atol=1e-6, rtol=1e-6)
            torch.testing.assert_close(dense.double(), expected, atol=1e-6, rtol=1e-6)


def test_the_gate_has_k_entries_that_sum_to_one(layer):
    g = layer.gate(torch.randn(50, 12))
    assert g.shape == (50, 8)
    assert torch.all((g > 0).sum(dim=1) == 2)
    torch.testing.assert_close(g.sum(dim=1), torch.ones(50))


def test_counts_and_imbalance(layer):
    x = torch.randn(50, 12)
    assert layer.counts(x).tolist() == (layer.gate(x) > 0).sum(dim=0).tolist()
    assert layer.counts(x).sum() == 100
    importance = layer.gate(x).sum(dim=0).detach().numpy()
    expected = importance.std() ** 2 / importance.mean() ** 2
    assert layer.imbalance(x).item() == pytest.approx(expected, rel=1e-5)
    even = SparseMoE(12, 20, 8, top_k=8)
    torch.nn.init.zeros_(even.scores.weight)
    assert even.imbalance(x).item() == pytest.approx(0, abs=1e-10)


def test_the_balancing_loss_spreads_the_rows(layer):
    x = torch.randn(400, 12) + 0.5
    with torch.no_grad():
        layer.scores.weight[:2] += 0.5  # nearly every row goes to the first two
    before = layer.counts(x)
    optimiser = torch.optim.Adam(layer.parameters(), lr=3e-3)
    for _ in range(150):
        optimiser.zero_grad()
        layer.imbalance(x).backward()
        optimiser.step()
    after = layer.counts(x)
    assert before.max() > 5 * before.float().median()
    assert after.max() < 2 * after.float().median()


def test_in_float64_the_dense_form_is_the_same_layer():
    torch.manual_seed(0)
    layer = SparseMoE(12, 20, num_experts=8, top_k=2, dtype=torch.float64)
    x = torch.randn(30, 12, dtype=torch.float64)
    assert {p.dtype for p in layer.parameters()} == {layer.dense(x).dtype} == {torch.float64}
    torch.testing.assert_close(layer.float()(x.float()), layer.double().dense(x).float())


def test_with_one_expert_a_row_the_gate_learns():
    """A softmax over one score is 1 whatever the score: its gradient, and the gate's, would be 0"""
    torch.manual_seed(0)
    layer, x = SparseMoE(12, 20, num_experts=8, top_k=1), torch.randn(64, 12)
    weights, chosen = layer.route(x)
    torch.testing.assert_close(weights, layer.scores(x).softmax(dim=1).gather(1, chosen))
    for loss in (layer(x).square().mean(), layer.imbalance(x)):
        layer.zero_grad()
        loss.backward()
        assert layer.scores.weight.grad.abs().max() > 1e-4


def test_sequences_are_rows(layer):
    x = torch.randn(3, 5, 12)
    flat = x.reshape(15, 12)
    for form in (layer, layer.dense):
        torch.testing.assert_close(form(x), form(flat).reshape(3, 5, 12))
    assert layer.counts(x).tolist() == layer.counts(flat).tolist()


@pytest.mark.parametrize("top_k", [0, 9])
def test_more_experts_a_row_than_there_are_is_refused(top_k):
    with pytest.raises(ValueError, match=f"^top_k must be 1 to 8, .*, not {top_k}$"):
        SparseMoE(12, 20, num_experts=8, top_k=top_k)


def test_a_bias_chooses_and_does_not_weigh(layer):
    x = torch.randn(64, 12)
    layer.bias[3] = 100.0
    weights, chosen = layer.route(x)
    assert layer.counts(x)[3] == 64
    torch.testing.assert_close(weights, layer.scores(x).gather(1, chosen).softmax(dim=1))
    assert weights.gather(1, (chosen == 3).int().argmax(1, keepdim=True)).min() < 0.3
