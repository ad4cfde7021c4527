"""Attention within documents, by blocks of queries, against float64 under a mask, forward and backward."""

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.kernels import document_attention as module
from workers.kernels.document_attention import document_attention, document_attention_reference, split_blocks


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


def test_blocks_hold_each_query_once_and_few_numbers_of_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BLOCK_TOKENS", 4)
    monkeypatch.setattr(module, "_MAX_BLOCKS", 8)
    generator = torch.Generator().manual_seed(2)
    documents_BT = (torch.rand(9, 100, generator=generator) < 0.03).long().cumsum(1)
    blocks = list(split_blocks(documents_BT, num_heads=8))
    seen_BT = torch.zeros_like(documents_BT)
    for block in blocks:
        seen_BT[block.rows, block.queries] += 1
    assert bool((seen_BT == 1).all())
    assert len({block.keys.stop - block.keys.start for block in blocks}) <= 8
    whole = list(split_blocks(torch.zeros(9, 100, dtype=torch.int64), num_heads=8))
    assert all(block.hidden.shape[0] == block.hidden.shape[1] for block in whole)


def test_in_bfloat16_the_scores_are_exact() -> None:
    torch.manual_seed(3)
    documents_BT = (torch.arange(192) // 130).repeat(2, 1)
    # Scores of some tens: rounded to bfloat16 they would miss by far more.
    inputs = [(torch.randn(2, heads, 192, 64) * gain).bfloat16() for heads, gain in ((6, 3), (2, 3), (2, 1))]
    weights_BHTD = torch.randn(2, 6, 192, 64).bfloat16()

    def run(attention: Any, dtype: torch.dtype) -> list[torch.Tensor]:
        q, k, v = (x.to(dtype, copy=True).requires_grad_() for x in inputs)
        mixed = attention(q, k, v, documents_BT)
        (mixed * weights_BHTD.to(dtype)).sum().backward()
        return [x.detach().double() for x in (mixed, q.grad, k.grad, v.grad)]

    for ours, exact in zip(
        run(document_attention, torch.bfloat16), run(document_attention_reference, torch.float64), strict=True
    ):
        assert (ours - exact).norm() <= 0.008 * exact.norm()
