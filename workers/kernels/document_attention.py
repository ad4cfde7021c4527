"""Causal attention within documents on the CPU, by blocks of queries, each a few large matrix products.

For a block of queries only the keys from the first token of their documents to the last query are multiplied: nothing
after a token, and little of other documents. The query heads of a group are rows of one product, so that no key is
copied. torch's own fused kernel for the CPU multiplies tile by tile and takes three times as long for the same.

Sequences go a few at a time, so that the weights of a block stay in the cache; the backward pass makes them again.

The reference is `scaled_dot_product_attention` under a mask.

Shapes: B sequences, T tokens, H query heads, G key-value heads, R = H / G heads of a group, D head width; in a block
of b sequences: N = b x G, t queries, M = R x t rows, S keys.
"""

import math
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

BLOCK_TOKENS = 64
"""Queries of a block: with more, more is multiplied in vain above the diagonal; with fewer, products are small."""
_MAX_BLOCKS = 128
"""oneDNN keeps the code of some 1000 products, and a sequence needs seven for each number of keys."""
_HEADS_AT_ONCE = 32


class Block(NamedTuple):
    """Some queries of some sequences, with the keys that they may look at."""

    rows: slice
    queries: slice
    keys: slice
    hidden: Tensor
    """What each query must not see of the last keys.  (t, t) or (b, 1, 1, t, S) bool"""


def first_tokens(documents_BT: Tensor) -> Tensor:
    """Place of the first token of each token's document.  (B, T) -> (B, T) int64"""
    places_T = torch.arange(documents_BT.shape[1], device=documents_BT.device)
    begins_BT = torch.ones_like(documents_BT, dtype=torch.bool)
    begins_BT[:, 1:] = documents_BT[:, 1:] != documents_BT[:, :-1]
    return torch.where(begins_BT, places_T, 0).cummax(1).values


def split_blocks(documents_BT: Tensor, num_heads: int) -> Iterator[Block]:
    """Blocks that hold each query once."""
    B, T = documents_BT.shape
    size = BLOCK_TOKENS * max(-(-T // (BLOCK_TOKENS * _MAX_BLOCKS)), 1)
    num_rows = max(_HEADS_AT_ONCE // num_heads, 1)
    first_BT = first_tokens(documents_BT)
    of_first = first_BT[:, ::size].tolist()
    of_last = torch.cat((first_BT[:, size - 1 :: size], first_BT[:, -1:]), dim=1).tolist()
    places_T = torch.arange(T)
    later_tt = places_T[:size] > places_T[:size, None]
    for row in range(0, B, num_rows):
        rows = slice(row, min(row + num_rows, B))
        for number, start in enumerate(range(0, T, size)):
            queries = slice(start, min(start + size, T))
            # A multiple of the size: so there are few numbers of keys.
            keys = slice(min(firsts[number] for firsts in of_first[rows]) // size * size, queries.stop)
            hidden = later_tt[: queries.stop - start, : queries.stop - start]
            if any(lasts[number] > keys.start for lasts in of_last[rows]):
                before_btS = places_T[keys] < first_BT[rows, queries, None]
                hidden = (before_btS | (places_T[keys] > places_T[queries, None]))[:, None, None]
            yield Block(rows, queries, keys, hidden)


class _Operands:
    """Queries, keys and values that are cut to blocks, and room for what lies between the products of a block.

    Softmax and its gradient are in float32, the products on both sides in the type of the queries.
    """

    def __init__(self, q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor) -> None:
        _, self.num_heads, _, D = q_BHTD.shape
        self.num_groups = k_BGTD.shape[1]
        self.dtype, self.wide = q_BHTD.dtype, torch.promote_types(q_BHTD.dtype, torch.float32)
        self.scale = D**-0.5
        self.q_BHTD = q_BHTD.to(self.wide) * self.scale
        self.k_BGTD, self.v_BGTD = k_BGTD.contiguous(), v_BGTD.contiguous()
        self._rooms: dict[str, Tensor] = {}

    def queries(self, x_BHTD: Tensor, block: Block) -> Tensor:
        """-> (N, M, D)"""
        x_bHtD = x_BHTD[block.rows, :, block.queries]
        b, H, t, D = x_bHtD.shape
        return x_bHtD.reshape(b * self.num_groups, H // self.num_groups * t, D)

    def keys(self, x_BGTD: Tensor, block: Block) -> Tensor:
        """-> (N, S, D), a view"""
        return x_BGTD[block.rows, :, block.keys].flatten(0, 1)

    def multiply(self, name: str, left_NMD: Tensor, right_NSD: Tensor) -> Tensor:
        """left @ right.T, wide.  -> (N, M, S)"""
        room_NMS = self._room(name, (*left_NMD.shape[:2], right_NSD.shape[1]), self.wide)
        return torch.bmm(left_NMD.to(self.wide), right_NSD.to(self.wide).mT, out=room_NMS)

    def narrow(self, x_NMS: Tensor) -> Tensor:
        """In the type of the queries; until the next call."""
        return x_NMS if self.dtype == self.wide else self._room("narrow", x_NMS.shape, self.dtype).copy_(x_NMS)

    def weights(self, q_NMD: Tensor, block: Block) -> Tensor:
        """Softmax over the keys of a block, wide.  -> (N, M, S)"""
        scores_NMS = self.multiply("weights", q_NMD, self.keys(self.k_BGTD, block))
        t = block.queries.stop - block.queries.start
        scores_bGRtS = scores_NMS.view(-1, self.num_groups, self.num_heads // self.num_groups, t, scores_NMS.shape[2])
        scores_bGRtS[..., -block.hidden.shape[-1] :].masked_fill_(block.hidden, float("-inf"))
        return torch.softmax(scores_NMS, -1, out=scores_NMS)

    def _room(self, name: str, shape: Sequence[int], dtype: torch.dtype) -> Tensor:
        """Fresh memory for each block would cost more than a product."""
        room, num_entries = self._rooms.get(name), math.prod(shape)
        if room is None or room.numel() < num_entries:
            room = self._rooms[name] = self.q_BHTD.new_empty(num_entries, dtype=dtype)
        return room[:num_entries].view(shape)


@contextmanager
def _bfloat16_products(enabled: bool) -> Iterator[None]:
    """Products of float32 round their inputs to bfloat16, which they are already, and add up and return float32."""
    settings = torch.backends.mkldnn.matmul
    before = settings.fp32_precision
    if enabled:
        settings.fp32_precision = "bf16"
    try:
        yield
    finally:
        settings.fp32_precision = before


@torch.library.custom_op("headrace::document_attention", mutates_args=())
def blockwise(q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor) -> Tensor:
    """Mixed values, token by token.  -> (B, T, H, D)"""
    B, H, T, D = q_BHTD.shape
    mixed_BTHD = q_BHTD.new_empty(B, T, H, D)
    operands = _Operands(q_BHTD, k_BGTD, v_BGTD)
    with _bfloat16_products(q_BHTD.dtype == torch.bfloat16):
        for block in split_blocks(documents_BT, H):
            weights_NMS = operands.narrow(operands.weights(operands.queries(operands.q_BHTD, block), block))
            mixed_NMD = torch.bmm(weights_NMS, operands.keys(operands.v_BGTD, block))
            into_bHtD = mixed_BTHD.transpose(1, 2)[block.rows, :, block.queries]
            into_bHtD.copy_(mixed_NMD.view(into_bHtD.shape))
    return mixed_BTHD


@blockwise.register_fake
def _(q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor) -> Tensor:
    B, H, T, D = q_BHTD.shape
    return q_BHTD.new_empty(B, T, H, D)


@torch.library.custom_op("headrace::document_attention_backward", mutates_args=())
def blockwise_backward(
    grad_BTHD: Tensor, q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of queries, keys and values, token by token.  -> (B, T, H, D), 2 x (B, T, G, D)"""
    B, H, T, D = q_BHTD.shape
    grad_q_BTHD = q_BHTD.new_empty(B, T, H, D)
    operands = _Operands(q_BHTD, k_BGTD, v_BGTD)
    grad_k_BGTD, grad_v_BGTD = (operands.k_BGTD.new_zeros(k_BGTD.shape, dtype=operands.wide) for _ in range(2))
    with _bfloat16_products(q_BHTD.dtype == torch.bfloat16):
        for block in split_blocks(documents_BT, H):
            q_NMD = operands.queries(operands.q_BHTD, block)
            grad_NMD = operands.queries(grad_BTHD.transpose(1, 2), block)
            weights_NMS = operands.weights(q_NMD, block)
            grad_NMS = operands.multiply("gradients", grad_NMD, operands.keys(operands.v_BGTD, block))
            _add(grad_v_BGTD, block, torch.bmm(operands.narrow(weights_NMS).mT, grad_NMD))
            torch.ops.aten._softmax_backward_data.out(grad_NMS, weights_NMS, -1, operands.wide, grad_input=grad_NMS)
            grad_NMS = operands.narrow(grad_NMS)
            _add(grad_k_BGTD, block, torch.bmm(grad_NMS.mT, q_NMD.to(operands.dtype)))
            grad_q_NMD = torch.bmm(grad_NMS, operands.keys(operands.k_BGTD, block))
            into_bHtD = grad_q_BTHD.transpose(1, 2)[block.rows, :, block.queries]
            torch.mul(grad_q_NMD.view(into_bHtD.shape), operands.scale, out=into_bHtD)
    grad_k_BTGD, grad_v_BTGD = (
        x.transpose(1, 2).to(q_BHTD.dtype, memory_format=torch.contiguous_format, copy=True)
        for x in (grad_k_BGTD, grad_v_BGTD)
    )
    return grad_q_BTHD, grad_k_BTGD, grad_v_BTGD


def _add(sum_BGTD: Tensor, block: Block, part_NSD: Tensor) -> None:
    into_bGSD = sum_BGTD[block.rows, :, block.keys]
    into_bGSD.add_(part_NSD.view(into_bGSD.shape))


@blockwise_backward.register_fake
def _(
    grad_BTHD: Tensor, q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    B, H, T, D = q_BHTD.shape
    G = k_BGTD.shape[1]
    return q_BHTD.new_empty(B, T, H, D), k_BGTD.new_empty(B, T, G, D), k_BGTD.new_empty(B, T, G, D)


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs)


def _differentiate(ctx: Any, grad_BTHD: Tensor) -> tuple[Tensor | None, ...]:
    grads = blockwise_backward(grad_BTHD, *ctx.saved_tensors)
    return (*(grad.transpose(1, 2) for grad in grads), None)


blockwise.register_autograd(_differentiate, setup_context=_keep)


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
    """Can they be multiplied so?"""
    return q_BHTD.device.type == "cpu" and q_BHTD.dtype in {torch.float32, torch.bfloat16, torch.float64}


def document_attention(q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor) -> Tensor:
    """Each token attends to itself and the earlier ones of its document, on the CPU.  -> (B, H, T, D)

    `documents_BT`: numbers that stay the same over a document's tokens, which lie side by side.
    """
    mixed_BTHD: Tensor = blockwise(q_BHTD, k_BGTD, v_BGTD, documents_BT)
    return mixed_BTHD.transpose(1, 2)


def document_attention_reference(q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor) -> Tensor:
    """The same under a mask over all pairs."""
    T = documents_BT.shape[1]
    causal_TT = torch.ones(T, T, dtype=torch.bool, device=documents_BT.device).tril()
    mask_B1TT = ((documents_BT[:, :, None] == documents_BT[:, None, :]) & causal_TT)[:, None]
    return functional.scaled_dot_product_attention(q_BHTD, k_BGTD, v_BGTD, attn_mask=mask_B1TT, enable_gqa=True)
