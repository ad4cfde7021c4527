"""Causal attention within documents, document by document, with the fused CPU kernel that torch has.

A mask makes that kernel compute every pair of tokens: the half after the token and all of other documents too. Document
by document, only what counts is computed. Keys are shared by the query heads of a group without a copy: a group is a
row of the kernel's batch, over which the keys are spread at stride 0.

The reference is `scaled_dot_product_attention` under a mask.

Shapes: B sequences, T tokens, H query heads, G key-value heads, R = H / G heads of a group, D head width.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

_forward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
_backward = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward


def spans(documents_BT: Tensor) -> list[tuple[int, int, int]]:
    """Sequence, first token and end of each run of one document."""
    T = documents_BT.shape[1]
    found: list[tuple[int, int, int]] = []
    for row, changes in enumerate((documents_BT[:, 1:] != documents_BT[:, :-1]).unbind()):
        ends = [*(changes.nonzero().flatten() + 1).tolist(), T]
        found += [(row, start, end) for start, end in zip([0, *ends[:-1]], ends, strict=True) if end > start]
    return found


def _rows(x_BHTD: Tensor, span: tuple[int, int, int], num_groups: int) -> Tensor:
    """One document's heads by group; keys are spread over the heads of theirs.  -> (G, R, t, D), a view"""
    row, start, end = span
    x_HtD = x_BHTD[row, :, start:end]
    return x_HtD.unflatten(0, (num_groups, -1))


def _operands(
    q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor
) -> Iterator[tuple[tuple[int, int, int], Tensor, Tensor, Tensor]]:
    num_groups = k_BGTD.shape[1]
    group = q_BHTD.shape[1] // num_groups
    for span in spans(documents_BT):
        k_GRtD, v_GRtD = (_rows(x, span, num_groups).expand(-1, group, -1, -1) for x in (k_BGTD, v_BGTD))
        yield span, _rows(q_BHTD, span, num_groups), k_GRtD, v_GRtD


@torch.library.custom_op("headrace::document_attention", mutates_args=())
def fused(q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Mixed values, token by token, and the log of each softmax's sum.  -> (B, T, H, D), (B, T, H) fp32"""
    B, H, T, D = q_BHTD.shape
    num_groups = k_BGTD.shape[1]
    mixed_BTHD = q_BHTD.new_empty(B, T, H, D)
    sums_BTH = q_BHTD.new_empty(B, T, H, dtype=torch.float32)
    for span, q, k, v in _operands(q_BHTD, k_BGTD, v_BGTD, documents_BT):
        mixed, sums = _forward(q, k, v, 0.0, True)
        _rows(mixed_BTHD.transpose(1, 2), span, num_groups).copy_(mixed)
        _rows(sums_BTH.transpose(1, 2)[..., None], span, num_groups).copy_(sums[..., None])
    return mixed_BTHD, sums_BTH


@fused.register_fake
def _(q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor) -> tuple[Tensor, Tensor]:
    B, H, T, D = q_BHTD.shape
    return q_BHTD.new_empty(B, T, H, D), q_BHTD.new_empty(B, T, H, dtype=torch.float32)


@torch.library.custom_op("headrace::document_attention_backward", mutates_args=())
def fused_backward(
    grad_BTHD: Tensor,
    q_BHTD: Tensor,
    k_BGTD: Tensor,
    v_BGTD: Tensor,
    documents_BT: Tensor,
    mixed_BTHD: Tensor,
    sums_BTH: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of queries, keys and values, token by token.  -> (B, T, H, D), 2 x (B, T, G, D)"""
    B, H, T, D = q_BHTD.shape
    num_groups = k_BGTD.shape[1]
    grad_q_BTHD = q_BHTD.new_empty(B, T, H, D)
    grad_k_BTGD, grad_v_BTGD = (k_BGTD.new_empty(B, T, num_groups, D) for _ in range(2))
    for span, q, k, v in _operands(q_BHTD, k_BGTD, v_BGTD, documents_BT):
        row, start, end = span
        grad, mixed = (_rows(x.transpose(1, 2), span, num_groups) for x in (grad_BTHD, mixed_BTHD))
        sums = _rows(sums_BTH.transpose(1, 2)[..., None], span, num_groups)[..., 0]
        grad_q, grad_k, grad_v = _backward(grad, q, k, v, mixed, sums, 0.0, True)
        _rows(grad_q_BTHD.transpose(1, 2), span, num_groups).copy_(grad_q)
        for whole, part in ((grad_k_BTGD, grad_k), (grad_v_BTGD, grad_v)):
            torch.sum(part, 1, out=whole[row, start:end].transpose(0, 1))
    return grad_q_BTHD, grad_k_BTGD, grad_v_BTGD


@fused_backward.register_fake
def _(
    grad_BTHD: Tensor,
    q_BHTD: Tensor,
    k_BGTD: Tensor,
    v_BGTD: Tensor,
    documents_BT: Tensor,
    mixed_BTHD: Tensor,
    sums_BTH: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    B, H, T, D = q_BHTD.shape
    G = k_BGTD.shape[1]
    return q_BHTD.new_empty(B, T, H, D), k_BGTD.new_empty(B, T, G, D), k_BGTD.new_empty(B, T, G, D)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, *output)


def _differentiate(ctx: Any, grad_BTHD: Tensor, grad_sums: Tensor | None) -> tuple[Tensor | None, ...]:
    grads = fused_backward(grad_BTHD, *ctx.saved_tensors)
    return (*(grad.transpose(1, 2) for grad in grads), None)


fused.register_autograd(_differentiate, setup_context=_keep)


@register_flop_formula(torch.ops.headrace.document_attention)
def _(q_BHTD: tuple[int, ...], *others: Any, **named: Any) -> int:
    """Counted over all pairs of a sequence, as is usual for models."""
    B, H, T, D = q_BHTD
    return 2 * 2 * B * H * T * T * D


@register_flop_formula(torch.ops.headrace.document_attention_backward)
def _(grad_BTHD: tuple[int, ...], *others: Any, **named: Any) -> int:
    B, T, H, D = grad_BTHD
    return 4 * 2 * B * H * T * T * D


def fits_kernel(q_BHTD: Tensor) -> bool:
    """Can the CPU kernel take these queries?"""
    return q_BHTD.device.type == "cpu" and q_BHTD.dtype in {torch.float32, torch.bfloat16, torch.float64}


def document_attention(q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor) -> Tensor:
    """Each token attends to itself and the earlier ones of its document, on the CPU.  -> (B, H, T, D)

    `documents_BT`: numbers that stay the same over a document's tokens, which lie side by side.
    """
    return fused(q_BHTD, k_BGTD, v_BGTD, documents_BT)[0].transpose(1, 2)


def document_attention_reference(q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor) -> Tensor:
    """The same under a mask over all pairs."""
    T = documents_BT.shape[1]
    causal_TT = torch.ones(T, T, dtype=torch.bool, device=documents_BT.device).tril()
    mask_B1TT = ((documents_BT[:, :, None] == documents_BT[:, None, :]) & causal_TT)[:, None]
    return functional.scaled_dot_product_attention(q_BHTD, k_BGTD, v_BGTD, attn_mask=mask_B1TT, enable_gqa=True)
