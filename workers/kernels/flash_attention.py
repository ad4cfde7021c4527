"""Causal attention within documents on GPUs, forward and backward, which also gives the largest logit of each head.

Tiles and the online softmax are those of FlashAttention-2, arXiv 2307.08691. Documents lie side by side, so each token
knows where its own begins and ends, and tiles of other documents are never loaded. The largest logit (S_h of QK-clip,
arXiv 2507.20534) falls out of the forward pass: asked for apart, it costs all the products again.

Shapes: B sequences, T tokens, H query heads, G key-value heads, D head width; q queries and k keys of a tile.
"""

from typing import Any

import torch
import triton
import triton.language as tl
from torch import Tensor

TILE_Q, TILE_K = 64, 64
MAX_WIDTH = 128


@triton.jit
def _tile(base, places, num_places, num_tokens, width, WIDTH: tl.constexpr):
    """Rows `places` of a (T, D) matrix, zeros where there are none."""
    columns = tl.arange(0, WIDTH)
    inside = (places < num_tokens)[:, None] & (columns < width)[None, :]
    return tl.load(base + places[:, None] * num_places + columns[None, :], mask=inside, other=0.0)


@triton.jit
def _keep_tile(base, value, places, num_places, num_tokens, width, WIDTH: tl.constexpr):
    columns = tl.arange(0, WIDTH)
    inside = (places < num_tokens)[:, None] & (columns < width)[None, :]
    tl.store(base + places[:, None] * num_places + columns[None, :], value.to(base.dtype.element_ty), mask=inside)


@triton.jit
def attend_forward(
    q_BHTD, k_BGTD, v_BGTD, starts_BT, out_BHTD, sums_BHT, largest_BHn, num_heads, num_groups, num_tokens, width, scale,
    WIDTH: tl.constexpr, TILE_Q: tl.constexpr, TILE_K: tl.constexpr,
):  # fmt: skip
    """One tile of queries of one head."""
    tile, row = tl.program_id(0), tl.program_id(1)
    sequence, head = row // num_heads, row % num_heads
    group = sequence * num_groups + head // (num_heads // num_groups)
    matrix = num_tokens.to(tl.int64) * width
    places_q = tile * TILE_Q + tl.arange(0, TILE_Q)
    q_qD = _tile(q_BHTD + row * matrix, places_q, width, num_tokens, width, WIDTH)
    starts_q = tl.load(starts_BT + sequence * num_tokens + places_q, mask=places_q < num_tokens, other=num_tokens)
    top_q = tl.full([TILE_Q], float("-inf"), dtype=tl.float32)
    total_q = tl.zeros([TILE_Q], dtype=tl.float32)
    largest_q = tl.zeros([TILE_Q], dtype=tl.float32)
    mixed_qD = tl.zeros([TILE_Q, WIDTH], dtype=tl.float32)
    first = tl.load(starts_BT + sequence * num_tokens + tile * TILE_Q)
    for start in range(first // TILE_K * TILE_K, tl.minimum((tile + 1) * TILE_Q, num_tokens), TILE_K):
        places_k = start + tl.arange(0, TILE_K)
        k_kD = _tile(k_BGTD + group * matrix, places_k, width, num_tokens, width, WIDTH)
        v_kD = _tile(v_BGTD + group * matrix, places_k, width, num_tokens, width, WIDTH)
        seen_qk = (places_k[None, :] <= places_q[:, None]) & (places_k[None, :] >= starts_q[:, None])
        logits_qk = tl.dot(q_qD, tl.trans(k_kD), input_precision="ieee") * scale
        logits_qk = tl.where(seen_qk, logits_qk, float("-inf"))
        largest_q = tl.maximum(largest_q, tl.max(logits_qk, axis=1))
        new_top_q = tl.maximum(top_q, tl.max(logits_qk, axis=1))
        floor_q = tl.where(new_top_q == float("-inf"), 0.0, new_top_q)  # nothing seen yet: exp(-inf - 0) = 0
        p_qk = tl.exp(logits_qk - floor_q[:, None])
        shrink_q = tl.exp(top_q - floor_q)
        total_q = total_q * shrink_q + tl.sum(p_qk, axis=1)
        mixed_qD = mixed_qD * shrink_q[:, None] + tl.dot(p_qk.to(v_kD.dtype), v_kD, input_precision="ieee")
        top_q = new_top_q
    total_q = tl.where(total_q == 0.0, 1.0, total_q)  # of places past the end
    top_q = tl.where(top_q == float("-inf"), 0.0, top_q)
    _keep_tile(out_BHTD + row * matrix, mixed_qD / total_q[:, None], places_q, width, num_tokens, width, WIDTH)
    tl.store(sums_BHT + row * num_tokens + places_q, top_q + tl.log(total_q), mask=places_q < num_tokens)
    tl.store(largest_BHn + row * tl.num_programs(0) + tile, tl.max(largest_q, axis=0))


@triton.jit
def attend_backward_queries(
    grad_BHTD, q_BHTD, k_BGTD, v_BGTD, starts_BT, sums_BHT, dots_BHT, grad_q_BHTD, num_heads, num_groups, num_tokens,
    width, scale, WIDTH: tl.constexpr, TILE_Q: tl.constexpr, TILE_K: tl.constexpr,
):  # fmt: skip
    """Gradient of one tile of queries of one head."""
    tile, row = tl.program_id(0), tl.program_id(1)
    sequence, head = row // num_heads, row % num_heads
    group = sequence * num_groups + head // (num_heads // num_groups)
    matrix = num_tokens.to(tl.int64) * width
    places_q = tile * TILE_Q + tl.arange(0, TILE_Q)
    inside_q = places_q < num_tokens
    q_qD = _tile(q_BHTD + row * matrix, places_q, width, num_tokens, width, WIDTH)
    grad_qD = _tile(grad_BHTD + row * matrix, places_q, width, num_tokens, width, WIDTH)
    starts_q = tl.load(starts_BT + sequence * num_tokens + places_q, mask=inside_q, other=num_tokens)
    sums_q = tl.load(sums_BHT + row * num_tokens + places_q, mask=inside_q, other=0.0)
    dots_q = tl.load(dots_BHT + row * num_tokens + places_q, mask=inside_q, other=0.0)
    total_qD = tl.zeros([TILE_Q, WIDTH], dtype=tl.float32)
    first = tl.load(starts_BT + sequence * num_tokens + tile * TILE_Q)
    for start in range(first // TILE_K * TILE_K, tl.minimum((tile + 1) * TILE_Q, num_tokens), TILE_K):
        places_k = start + tl.arange(0, TILE_K)
        k_kD = _tile(k_BGTD + group * matrix, places_k, width, num_tokens, width, WIDTH)
        v_kD = _tile(v_BGTD + group * matrix, places_k, width, num_tokens, width, WIDTH)
        seen_qk = (places_k[None, :] <= places_q[:, None]) & (places_k[None, :] >= starts_q[:, None])
        logits_qk = tl.dot(q_qD, tl.trans(k_kD), input_precision="ieee") * scale
        p_qk = tl.where(seen_qk, tl.exp(logits_qk - sums_q[:, None]), 0.0)
        change_qk = p_qk * (tl.dot(grad_qD, tl.trans(v_kD), input_precision="ieee") - dots_q[:, None])
        total_qD += tl.dot(change_qk.to(k_kD.dtype), k_kD, input_precision="ieee")
    _keep_tile(grad_q_BHTD + row * matrix, total_qD * scale, places_q, width, num_tokens, width, WIDTH)


@triton.jit
def attend_backward_keys(
    grad_BHTD, q_BHTD, k_BGTD, v_BGTD, starts_BT, ends_BT, sums_BHT, dots_BHT, grad_k_BGTD, grad_v_BGTD, num_heads,
    num_groups, num_tokens, width, scale, WIDTH: tl.constexpr, TILE_Q: tl.constexpr, TILE_K: tl.constexpr,
):  # fmt: skip
    """Gradients of one tile of keys and values of one group: summed over the query heads that share them."""
    tile, row = tl.program_id(0), tl.program_id(1)
    sequence, group = row // num_groups, row % num_groups
    heads_each = num_heads // num_groups
    matrix = num_tokens.to(tl.int64) * width
    places_k = tile * TILE_K + tl.arange(0, TILE_K)
    k_kD = _tile(k_BGTD + row * matrix, places_k, width, num_tokens, width, WIDTH)
    v_kD = _tile(v_BGTD + row * matrix, places_k, width, num_tokens, width, WIDTH)
    total_k_kD = tl.zeros([TILE_K, WIDTH], dtype=tl.float32)
    total_v_kD = tl.zeros([TILE_K, WIDTH], dtype=tl.float32)
    last = tl.minimum((tile + 1) * TILE_K, num_tokens) - 1
    end = tl.load(ends_BT + sequence * num_tokens + last)
    for number in range(0, heads_each):
        head = sequence * num_heads + group * heads_each + number
        for start in range(tile * TILE_K // TILE_Q * TILE_Q, end, TILE_Q):
            places_q = start + tl.arange(0, TILE_Q)
            inside_q = places_q < num_tokens
            q_qD = _tile(q_BHTD + head * matrix, places_q, width, num_tokens, width, WIDTH)
            grad_qD = _tile(grad_BHTD + head * matrix, places_q, width, num_tokens, width, WIDTH)
            starts_q = tl.load(starts_BT + sequence * num_tokens + places_q, mask=inside_q, other=num_tokens)
            sums_q = tl.load(sums_BHT + head * num_tokens + places_q, mask=inside_q, other=0.0)
            dots_q = tl.load(dots_BHT + head * num_tokens + places_q, mask=inside_q, other=0.0)
            seen_qk = (places_k[None, :] <= places_q[:, None]) & (places_k[None, :] >= starts_q[:, None])
            logits_qk = tl.dot(q_qD, tl.trans(k_kD), input_precision="ieee") * scale
            p_qk = tl.where(seen_qk, tl.exp(logits_qk - sums_q[:, None]), 0.0)
            total_v_kD += tl.dot(tl.trans(p_qk).to(grad_qD.dtype), grad_qD, input_precision="ieee")
            change_qk = p_qk * (tl.dot(grad_qD, tl.trans(v_kD), input_precision="ieee") - dots_q[:, None])
            total_k_kD += tl.dot(tl.trans(change_qk).to(q_qD.dtype), q_qD, input_precision="ieee")
    _keep_tile(grad_k_BGTD + row * matrix, total_k_kD * scale, places_k, width, num_tokens, width, WIDTH)
    _keep_tile(grad_v_BGTD + row * matrix, total_v_kD, places_k, width, num_tokens, width, WIDTH)


def document_bounds(documents_BT: Tensor) -> tuple[Tensor, Tensor]:
    """First token, and the one after the last, of each token's document.  (B, T) -> 2 x (B, T) int32"""
    T = documents_BT.shape[1]
    places_T = torch.arange(T, device=documents_BT.device)
    new_BT = torch.ones_like(documents_BT, dtype=torch.bool)
    new_BT[:, 1:] = documents_BT[:, 1:] != documents_BT[:, :-1]
    starts_BT = torch.where(new_BT, places_T, 0).cummax(1).values
    last_BT = torch.ones_like(new_BT)
    last_BT[:, :-1] = new_BT[:, 1:]
    ends_BT = torch.where(last_BT, places_T + 1, T).flip(1).cummin(1).values.flip(1)
    return starts_BT.int(), ends_BT.int()


@torch.library.custom_op("headrace::flash_attention", mutates_args=())
def flash(
    q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, starts_BT: Tensor, ends_BT: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Mixed values, log of each softmax's sum, largest logit.  -> (B, H, T, D), (B, H, T) fp32, (H,) fp32"""
    q_BHTD, k_BGTD, v_BGTD = q_BHTD.contiguous(), k_BGTD.contiguous(), v_BGTD.contiguous()
    B, H, T, D = q_BHTD.shape
    num_tiles = triton.cdiv(T, TILE_Q)
    out_BHTD = torch.empty_like(q_BHTD)
    sums_BHT = q_BHTD.new_empty(B, H, T, dtype=torch.float32)
    largest_BHn = q_BHTD.new_empty(B, H, num_tiles, dtype=torch.float32)
    attend_forward[(num_tiles, B * H)](
        q_BHTD, k_BGTD, v_BGTD, starts_BT, out_BHTD, sums_BHT, largest_BHn, H, k_BGTD.shape[1], T, D, D**-0.5,
        WIDTH=_padded(D), TILE_Q=TILE_Q, TILE_K=TILE_K,
    )  # fmt: skip
    return out_BHTD, sums_BHT, largest_BHn.amax(dim=(0, 2))


@flash.register_fake
def _(
    q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, starts_BT: Tensor, ends_BT: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    B, H, T, D = q_BHTD.shape
    fp32 = torch.float32
    return q_BHTD.new_empty(B, H, T, D), q_BHTD.new_empty(B, H, T, dtype=fp32), q_BHTD.new_empty(H, dtype=fp32)


@torch.library.custom_op("headrace::flash_attention_backward", mutates_args=())
def flash_backward(
    grad_BHTD: Tensor,
    q_BHTD: Tensor,
    k_BGTD: Tensor,
    v_BGTD: Tensor,
    starts_BT: Tensor,
    ends_BT: Tensor,
    out_BHTD: Tensor,
    sums_BHT: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    """Gradients of queries, keys and values.  -> (B, H, T, D), 2 x (B, G, T, D)"""
    q_BHTD, k_BGTD, v_BGTD = q_BHTD.contiguous(), k_BGTD.contiguous(), v_BGTD.contiguous()
    grad_BHTD = grad_BHTD.contiguous()
    B, H, T, D = q_BHTD.shape
    G = k_BGTD.shape[1]
    dots_BHT = (grad_BHTD.float() * out_BHTD.float()).sum(-1)
    grad_q_BHTD, grad_k_BGTD, grad_v_BGTD = (torch.empty_like(x) for x in (q_BHTD, k_BGTD, v_BGTD))
    sizes = {"WIDTH": _padded(D), "TILE_Q": TILE_Q, "TILE_K": TILE_K}
    attend_backward_queries[(triton.cdiv(T, TILE_Q), B * H)](
        grad_BHTD, q_BHTD, k_BGTD, v_BGTD, starts_BT, sums_BHT, dots_BHT, grad_q_BHTD, H, G, T, D, D**-0.5, **sizes
    )
    attend_backward_keys[(triton.cdiv(T, TILE_K), B * G)](
        grad_BHTD, q_BHTD, k_BGTD, v_BGTD, starts_BT, ends_BT, sums_BHT, dots_BHT, grad_k_BGTD, grad_v_BGTD, H, G, T, D,
        D**-0.5, **sizes,
    )  # fmt: skip
    return grad_q_BHTD, grad_k_BGTD, grad_v_BGTD


@flash_backward.register_fake
def _(
    grad_BHTD: Tensor,
    q_BHTD: Tensor,
    k_BGTD: Tensor,
    v_BGTD: Tensor,
    starts_BT: Tensor,
    ends_BT: Tensor,
    out_BHTD: Tensor,
    sums_BHT: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:
    return q_BHTD.new_empty(q_BHTD.shape), k_BGTD.new_empty(k_BGTD.shape), v_BGTD.new_empty(v_BGTD.shape)


def _padded(width: int) -> int:
    return max(16, triton.next_power_of_2(width))


def _keep(ctx: Any, inputs: tuple[Tensor, ...], output: tuple[Tensor, Tensor, Tensor]) -> None:
    ctx.save_for_backward(*inputs, *output[:2])
    ctx.mark_non_differentiable(*output[1:])


def _differentiate(ctx: Any, grad_BHTD: Tensor, *others: Tensor | None) -> tuple[Tensor | None, ...]:
    return (*flash_backward(grad_BHTD, *ctx.saved_tensors), None, None)


flash.register_autograd(_differentiate, setup_context=_keep)


def fits_gpu(q_BHTD: Tensor) -> bool:
    """Can and should the kernel take these queries? In fp32 its tiles do not fit the memory of every GPU."""
    return q_BHTD.is_cuda and q_BHTD.dtype in {torch.float16, torch.bfloat16} and q_BHTD.shape[-1] <= MAX_WIDTH


def flash_attention(q_BHTD: Tensor, k_BGTD: Tensor, v_BGTD: Tensor, documents_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Each token attends to itself and the earlier ones of its document; and the largest logit of each head, 0 when all
    are negative.  (B, H, T, D), 2 x (B, G, T, D), (B, T) -> (B, H, T, D), (H,) fp32

    `documents_BT`: numbers that stay the same over a document's tokens, which lie side by side.
    """
    mixed_BHTD, _, largest_H = flash(q_BHTD, k_BGTD, v_BGTD, *document_bounds(documents_BT))
    return mixed_BHTD, largest_H
