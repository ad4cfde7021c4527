"""Attention document by document against float64 under a mask, forward and backward."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.kernels.document_attention import document_attention, document_attention_reference, spans


@given(
    lengths=st.lists(st.lists(st.integers(1, 90), min_size=1, max_size=4), min_size=1, max_size=3),
    groups=st.integers(1, 3),
    group=st.integers(1, 3),
    width=st.sampled_from([8, 16, 64]),
    seed=st.integers(0, 2**31),
)
@settings(max_examples=25, deadline=None)
def test_values_and_gradients_equal_the_masked_reference(
    lengths: list[list[int]], groups: int, group: int, width: int, seed: int
) -> None:
    torch.manual_seed(seed)
    T = max(map(sum, lengths))
    # A row that is shorter ends with one more document.
    rows = [[*row, T - sum(row)] if sum(row) < T else row for row in lengths]
    documents_BT = torch.stack([torch.repeat_interleave(torch.arange(len(row)), torch.tensor(row)) for row in rows])
    assert len(spans(documents_BT)) == sum(map(len, rows))
    heads = groups * group
    # As in the model: heads lie side by side in a fused projection.
    fused = torch.randn(len(rows), T, heads + 2 * groups, width) * 2
    weights_BHTD = torch.randn(len(rows), heads, T, width)
    results = []
    for attention, dtype in ((document_attention, torch.float32), (document_attention_reference, torch.float64)):
        x = fused.to(dtype, copy=True).requires_grad_()
        q, k, v = x.transpose(1, 2).split((heads, groups, groups), dim=1)
        mixed = attention(q, k, v, documents_BT)
        (mixed * weights_BHTD.to(dtype)).sum().backward()
        results.append((mixed.detach().double(), x.grad.double()))
    (ours, our_grad), (exact, exact_grad) = results
    torch.testing.assert_close(ours, exact, atol=2e-5, rtol=1e-4)
    torch.testing.assert_close(our_grad, exact_grad, atol=1e-4, rtol=1e-4)


def test_no_tokens_are_no_error() -> None:
    empty = torch.empty(2, 2, 0, 8)
    assert document_attention(empty, empty, empty, torch.empty(2, 0, dtype=torch.int64)).shape == (2, 2, 0, 8)


def test_it_is_one_node_of_a_compiled_graph_and_passes_the_checks_of_custom_operators() -> None:
    torch.manual_seed(0)
    q, k, v = torch.randn(1, 4, 12, 8), torch.randn(1, 2, 12, 8), torch.randn(1, 2, 12, 8)
    for x in (q, k, v):
        x.requires_grad_()
    documents = torch.tensor([[3] * 5 + [4] * 7])
    torch.library.opcheck(torch.ops.headrace.document_attention, (q, k, v, documents))
