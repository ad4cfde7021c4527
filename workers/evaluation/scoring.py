"""Log-likelihoods of token sequences, in padded batches of like lengths, fp32.

Shapes: B batch, T tokens, N places that are scored, C model width, V vocabulary.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from workers.model.transformer import Transformer

MAX_LOGITS = 1 << 25
"""Numbers in one batch of logits: 128 MB in fp32."""


@dataclass(slots=True, frozen=True)
class Request:
    """Score `continuation` as it follows `context`. Both are token ids; the context must not be empty."""

    context: list[int]
    continuation: list[int]


@dataclass(slots=True, frozen=True)
class _Window:
    request: int
    tokens: list[int]
    num_scored: int
    """The last so many tokens are scored; the others are context."""


def score(
    model: Transformer,
    requests: Sequence[Request],
    *,
    context_tokens: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> list[float]:
    """Log-likelihood (nats) of each request's continuation.

    The model never sees more than `context_tokens` at once: longer requests are scored in windows that overlap by
    half, so that each token has at least half a window before it. Raises ValueError for an empty part.
    """
    if context_tokens < 2:
        raise ValueError(f"context_tokens must be at least 2; got {context_tokens}")
    for number, request in enumerate(requests):
        if not request.context or not request.continuation:
            raise ValueError(f"request {number} has an empty context or continuation")
    windows = [w for number, request in enumerate(requests) for w in _windows(number, request, context_tokens)]
    windows.sort(key=lambda w: len(w.tokens), reverse=True)
    totals, done = [0.0] * len(requests), 0
    for batch in _batches(windows, model.vocab_size):
        for window, log_likelihood in zip(batch, _score_batch(model, batch), strict=True):
            totals[window.request] += log_likelihood
        done += len(batch)
        if on_progress:
            on_progress(done, len(windows))
    return totals


def _windows(number: int, request: Request, context_tokens: int) -> Iterator[_Window]:
    tokens = request.context + request.continuation
    start, width = len(request.context), context_tokens + 1  # the last token is only a target
    while start < len(tokens):
        room_for_context = max(width - (len(tokens) - start), width // 2)
        first = start - min(start, room_for_context)
        end = min(len(tokens), first + width)
        yield _Window(number, tokens[first:end], end - start)
        start = end


def _batches(windows: list[_Window], vocab_size: int) -> Iterator[list[_Window]]:
    start = 0
    while start < len(windows):
        size = max(1, MAX_LOGITS // (len(windows[start].tokens) * vocab_size))
        yield windows[start : start + size]
        start += size


@torch.inference_mode()
def _score_batch(model: Transformer, windows: list[_Window]) -> list[float]:
    length = max(len(w.tokens) for w in windows)
    device = model.embedding.weight.device
    # Padding stands on the right: causal attention never looks at it from the left.
    tokens_BT = torch.zeros(len(windows), length, dtype=torch.int64)
    scored_BT = torch.zeros(len(windows), length - 1, dtype=torch.bool)
    for row, window in enumerate(windows):
        tokens_BT[row, : len(window.tokens)] = torch.tensor(window.tokens)
        scored_BT[row, len(window.tokens) - 1 - window.num_scored : len(window.tokens) - 1] = True
    # Of a long context only the places that are scored go through the output layer.
    hidden_NC = model.hidden(tokens_BT[:, :-1].to(device))[scored_BT.to(device)]
    log_likelihood_N = _gather(model.logits(hidden_NC).float(), tokens_BT[:, 1:][scored_BT].to(device))
    return [float(part.double().sum()) for part in log_likelihood_N.split([w.num_scored for w in windows])]


def _gather(logits_NV: Tensor, targets_N: Tensor) -> Tensor:
    """Log-probability of each target.  (N, V), (N,) -> (N,)"""
    return logits_NV.gather(-1, targets_N[:, None]).squeeze(-1) - logits_NV.logsumexp(-1)
