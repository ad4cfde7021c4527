"""KL(teacher || student) of the next token on the output projection, by chunks: one chunk's logits are held at most.

The gradient is made in the forward pass, chunk by chunk, beside the loss; the backward pass only scales it. With
u = logits / tau and q = softmax(u), d KL / d u = q - p. arXiv 1503.02531

Where only the teacher's k likeliest tokens are known, the rest of the vocabulary is one class: KL over k + 1 classes,
and p holds the class's probability spread over its tokens as the student itself spreads its own.

Shapes: N places, n places of a chunk, V vocabulary, C width of the student, D width of the teacher, K tokens kept.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from workers.kernels.chunk_loss import reduce_rows

Compared = tuple[Tensor, Tensor]
"""KL of each place, (n,), and its gradient by u, (n, V)."""


def distill_full(
    student_NC: Tensor,
    head_VC: Tensor,
    weights_N: Tensor,
    teacher_ND: Tensor,
    teacher_head_VD: Tensor,
    temperature: float = 1.0,
    chunk_tokens: int = 512,
) -> Tensor:
    """tau^2 sum_n w_n KL(teacher || student) at temperature tau, fp32; gradients to the student alone.  -> ()

    Both distributions are softmax(hidden @ head^T / tau).
    """
    teacher = (teacher_ND, teacher_head_VD)
    value: Tensor = _ChunkedKl.apply(student_NC, head_VC, weights_N, temperature, chunk_tokens, _compare_full, *teacher)
    return value


def distill_top(
    student_NC: Tensor,
    head_VC: Tensor,
    weights_N: Tensor,
    tokens_NK: Tensor,
    logprobs_NK: Tensor,
    tails_N: Tensor,
    temperature: float = 1.0,
    chunk_tokens: int = 512,
) -> Tensor:
    """The same over k + 1 classes: the tokens `tokens_NK`, and all others together.  -> ()

    logprobs_NK: the teacher's log-probabilities at temperature 1. tails_N: log of the sum over all other tokens of
    exp(log-probability / tau); minus infinity where there are none.
    """
    teacher = (tokens_NK, logprobs_NK, tails_N)
    value: Tensor = _ChunkedKl.apply(student_NC, head_VC, weights_N, temperature, chunk_tokens, _compare_top, *teacher)
    return value


def top_classes(logits_NV: Tensor, top_k: int, temperature: float) -> tuple[Tensor, Tensor, Tensor]:
    """What `distill_top` needs of a teacher's logits.  (N, V) -> (N, K) int64, (N, K) fp32, (N,) fp32"""
    logprobs_NV = functional.log_softmax(logits_NV.float(), dim=-1)
    logprobs_NK, tokens_NK = logprobs_NV.topk(top_k, dim=-1)
    rest_NV = (logprobs_NV / temperature).scatter_(1, tokens_NK, float("-inf"))
    return tokens_NK, logprobs_NK, rest_NV.logsumexp(dim=-1)


class _ChunkedKl(torch.autograd.Function):
    """Sum over chunks of what `compare` gives for the student's logits and the teacher's tensors."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any,
        student_NC: Tensor,
        head_VC: Tensor,
        weights_N: Tensor,
        temperature: float,
        chunk_tokens: int,
        compare: Callable[..., Compared],
        *teacher: Tensor,
    ) -> Tensor:
        total = torch.zeros((), dtype=torch.float32, device=student_NC.device)
        wanted = ctx.needs_input_grad[0] or ctx.needs_input_grad[1]
        student_grad_NC = torch.empty_like(student_NC) if wanted else None
        head_grad_VC = torch.zeros_like(head_VC) if wanted else None
        for start in range(0, len(student_NC), chunk_tokens):
            rows = slice(start, start + chunk_tokens)
            u_nV = functional.linear(student_NC[rows], head_VC).float().div_(temperature)
            kl_n, grad_nV = compare(u_nV, rows, temperature, *teacher)
            total = total + temperature**2 * (weights_N[rows] * kl_n).sum()
            if student_grad_NC is not None and head_grad_VC is not None:
                # The weights on the narrow side: a pass over the logits costs more than the product itself.
                scale_n1, grad_nV = temperature * weights_N[rows, None], grad_nV.to(student_NC.dtype)
                student_grad_NC[rows] = (grad_nV @ head_VC.to(grad_nV.dtype)).mul_(scale_n1).to(student_NC.dtype)
                head_grad_VC += grad_nV.mT @ (student_NC[rows] * scale_n1).to(grad_nV.dtype)
        ctx.save_for_backward(student_grad_NC, head_grad_VC)
        return total

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        student_grad_NC, head_grad_VC = ctx.saved_tensors
        return (student_grad_NC * grads[0], head_grad_VC * grads[0], *[None] * (len(ctx.needs_input_grad) - 2))


def _compare_full(
    u_nV: Tensor, rows: slice, temperature: float, teacher_ND: Tensor, teacher_head_VD: Tensor
) -> Compared:
    logits_nV = functional.linear(teacher_ND[rows], teacher_head_VD).float()
    if u_nV.is_cuda:
        weights_n = torch.ones(len(u_nV), device=u_nV.device)
        losses = reduce_rows(u_nV, teacher_nV=logits_nV.div_(temperature), kl_weights_n=weights_n)
        return losses.kl_n, u_nV
    log_p_nV = functional.log_softmax(logits_nV / temperature, dim=-1)
    log_q_nV = functional.log_softmax(u_nV, dim=-1)
    p_nV = log_p_nV.exp()
    return (p_nV * (log_p_nV - log_q_nV)).sum(-1), log_q_nV.exp_().sub_(p_nV)


def _compare_top(
    u_nV: Tensor, rows: slice, temperature: float, tokens_NK: Tensor, logprobs_NK: Tensor, tails_N: Tensor
) -> Compared:
    """Works in the place of `u_nV`, with as few passes over it as there can be."""
    tokens_nK = tokens_NK[rows]
    classes = torch.cat((logprobs_NK[rows] / temperature, tails_N[rows, None]), dim=1)
    log_p_nc = functional.log_softmax(classes, dim=-1)  # K tokens and, last, the class of all others
    u_nV.sub_(u_nV.amax(dim=-1, keepdim=True))
    log_kept_nK = u_nV.gather(1, tokens_nK)
    kept_nK = log_kept_nK.exp()
    e_nV = u_nV.exp_().scatter_(1, tokens_nK, 0.0)
    # Summed, not taken from 1: where the student is sure of the tokens kept, little is left.
    rest_n1 = e_nV.sum(dim=-1, keepdim=True).clamp_(min=torch.finfo(torch.float32).tiny)
    norm_n1 = rest_n1 + kept_nK.sum(dim=-1, keepdim=True)
    log_q_nc = torch.cat((log_kept_nK, rest_n1.log()), dim=1) - norm_n1.log()
    p_nc = log_p_nc.exp()
    # An empty class costs nothing: 0 log 0 = 0.
    kl_n = (p_nc * (log_p_nc - log_q_nc)).masked_fill(p_nc == 0, 0.0).sum(-1)
    grad_nV = e_nV.mul_(1 / norm_n1 - p_nc[:, -1:] / rest_n1)
    return kl_n, grad_nV.scatter_(1, tokens_nK, kept_nK / norm_n1 - p_nc[:, :-1])
