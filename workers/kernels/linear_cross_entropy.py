"""Cross-entropy of a linear output layer, in chunks of places, so that the logits of all places are never held.

The forward pass already makes the gradients of a chunk while its logits are in the cache: the backward pass only scales
them, and nothing is computed twice. The idea is that of Liger's fused linear cross-entropy, arXiv 2410.10989.

Shapes: N places, n places of a chunk, C width, V vocabulary.
"""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional
from torch.utils.flop_counter import register_flop_formula

from workers.kernels.chunk_loss import reduce_rows

CHUNK_LOGITS = 1 << 24
"""Logits held at once: 64 MB. Smaller chunks stay in the cache, but each reads and writes the weight gradient."""
MIN_CHUNK_PLACES = 128


@torch.library.custom_op("headrace::add_product", mutates_args={"sum_VC"})
def add_product(sum_VC: Tensor, left_nV: Tensor, right_nC: Tensor) -> None:
    """sum += left.T @ right, in place: a compiler would copy the sum for each product."""
    if sum_VC.dtype == left_nV.dtype:
        sum_VC.addmm_(left_nV.T, right_nC)
    else:
        sum_VC.add_(left_nV.T @ right_nC)


@register_flop_formula(torch.ops.headrace.add_product)
def _(sum_VC: tuple[int, int], left_nV: tuple[int, int], *others: Any, **named: Any) -> int:
    return 2 * left_nV[0] * sum_VC[0] * sum_VC[1]


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, hidden_NC: Tensor, weight_VC: Tensor, targets_N: Tensor, ignored: int, z_weight: float
    ) -> tuple[Tensor, Tensor]:
        """Sum over the places, and the cross-entropy of each without z-loss.  -> (), (N,) fp32"""
        dtype = _compute_type(hidden_NC)
        total_type = torch.promote_types(dtype, torch.float32)
        h_NC, w_VC = hidden_NC.to(dtype), weight_VC.to(dtype)
        size = max(CHUNK_LOGITS // len(weight_VC), MIN_CHUNK_PLACES)
        grad_VC: Tensor | None = None
        grads_nC, losses_n, totals = [], [], []
        for h_nC, targets_n in zip(h_NC.split(size), targets_N.split(size), strict=True):
            logits_nV = functional.linear(h_nC, w_VC)
            loss_n, z_n, grad_nV = _measure_chunk(logits_nV, targets_n, ignored, z_weight, total_type)
            grads_nC.append(grad_nV @ w_VC)
            if grad_VC is None:
                grad_VC = (grad_nV.T @ h_nC).to(total_type)
            else:
                add_product(grad_VC, grad_nV, h_nC)
            losses_n.append(loss_n)
            totals.append((loss_n + z_n).sum())
        losses_N = torch.cat(losses_n)
        ctx.save_for_backward(torch.cat(grads_nC).to(hidden_NC.dtype), grad_VC.to(weight_VC.dtype))  # type: ignore[union-attr]
        ctx.mark_non_differentiable(losses_N)
        return torch.stack(totals).sum(), losses_N

    @staticmethod
    def backward(ctx: Any, grad: Tensor, grad_losses_N: Tensor) -> tuple[Tensor | None, ...]:  # type: ignore[override]
        """Scale what the forward pass has made."""
        grad_NC, grad_VC = ctx.saved_tensors
        return grad_NC * grad.to(grad_NC.dtype), grad_VC * grad.to(grad_VC.dtype), None, None, None


def _measure_chunk(
    logits_nV: Tensor, targets_n: Tensor, ignored: int, z_weight: float, total_type: torch.dtype
) -> tuple[Tensor, Tensor, Tensor]:
    """Cross-entropy and z-loss of each place, and their gradient by the logits in the logits' type."""
    if logits_nV.is_cuda and total_type == torch.float32:
        losses = reduce_rows(logits_nV, targets_n, ignored, z_weight)
        return losses.cross_entropy_n, losses.z_n, logits_nV
    dtype, logits_nV = logits_nV.dtype, logits_nV.to(total_type)
    counted_n1 = (targets_n != ignored)[:, None]
    places_n1 = targets_n.clamp(min=0)[:, None]
    sums_n1 = logits_nV.logsumexp(-1, keepdim=True)
    loss_n1 = torch.where(counted_n1, sums_n1 - logits_nV.gather(1, places_n1), 0.0)
    z_n1 = torch.where(counted_n1, z_weight * sums_n1.square(), 0.0)
    grad_nV = (logits_nV - sums_n1).exp() * torch.where(counted_n1, 1 + 2 * z_weight * sums_n1, 0.0)
    columns_V = torch.arange(logits_nV.shape[1], device=targets_n.device)
    grad_nV = torch.where(counted_n1 & (columns_V == places_n1), grad_nV - 1, grad_nV).to(dtype)
    return loss_n1[:, 0], z_n1[:, 0], grad_nV


def _compute_type(x: Tensor) -> torch.dtype:
    """What a linear layer would multiply in."""
    if torch.is_autocast_enabled(x.device.type):
        return torch.get_autocast_dtype(x.device.type)
    return x.dtype


def linear_cross_entropy(
    hidden_NC: Tensor, weight_VC: Tensor, targets_N: Tensor, ignored: int = -100, z_weight: float = 0.0
) -> tuple[Tensor, Tensor]:
    """Sum over all places of cross-entropy and `z_weight` times the squared log of the softmax's sum; and the former by
    place, without a gradient. Places whose target is `ignored` count nothing.  -> () fp32, (N,) fp32
    """
    total, losses_N = _Fused.apply(hidden_NC, weight_VC, targets_N, ignored, z_weight)
    return total, losses_N


def linear_cross_entropy_reference(
    hidden_NC: Tensor, weight_VC: Tensor, targets_N: Tensor, ignored: int = -100, z_weight: float = 0.0
) -> tuple[Tensor, Tensor]:
    """The same with all logits at once."""
    logits_NV = functional.linear(hidden_NC, weight_VC)
    losses_N = functional.cross_entropy(logits_NV, targets_N, ignore_index=ignored, reduction="none")
    z_N = torch.where(targets_N != ignored, z_weight * logits_NV.logsumexp(-1).square(), 0.0)
    return (losses_N + z_N).sum(), losses_N.detach()
