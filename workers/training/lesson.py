"""What a teacher says of a batch, as tensors: the form in which it reaches the losses.

Shapes: B sequences, T tokens, D teacher's width, V vocabulary, K tokens kept, H teacher's heads.
"""

from collections.abc import Mapping
from typing import NamedTuple

from torch import Tensor


class FullLogits(NamedTuple):
    """All logits, as the product of two tensors: they are multiplied in chunks where they are needed."""

    hidden: Tensor
    """Last hidden states, (B, T, D)."""
    head: Tensor
    """Output projection, (V, D)."""


class TopLogits(NamedTuple):
    """The likeliest tokens; see `workers.kernels.distillation.distill_top`."""

    tokens: Tensor
    """(B, T, K) int64"""
    logprobs: Tensor
    """(B, T, K) fp32, at temperature 1."""
    tails: Tensor
    """(B, T) fp32"""


class Lesson(NamedTuple):
    """Nothing of it carries gradients."""

    logits: FullLogits | TopLogits
    hidden: Mapping[int, Tensor] = {}
    """Output of the layers asked for, (B, T, D); of the last one after the final norm."""
    attention: Mapping[int, Tensor] = {}
    """Attention maps of the layers asked for, (B, H, T, T)."""
