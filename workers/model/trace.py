"""What goes on inside a forward pass, kept for those that ask: outputs of layers, and where attention looks.

Shapes: B batch, T tokens, S all tokens, H query heads, G key-value heads, D head width, C model width.
"""

from collections.abc import Collection
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass
class Trace:
    """Hand it to `Transformer.hidden`. Gradients flow through what it holds."""

    hidden_layers: Collection[int] = ()
    attention_layers: Collection[int] = ()
    hidden: dict[int, Tensor] = field(default_factory=dict)
    """Output of each layer asked for, (B, T, C); of the last one after the final norm."""
    attention: dict[int, Tensor] = field(default_factory=dict)
    """Attention map of each layer asked for, (B, H, T, S) fp32; rows add up to 1."""

    def add_hidden(self, layer: int, x_BTC: Tensor) -> None:
        """A layer's output passes by."""
        if layer in self.hidden_layers:
            self.hidden[layer] = x_BTC

    def add_attention(self, layer: int, q_BHTD: Tensor, k_BGSD: Tensor, mask_BHTS: Tensor | None) -> None:
        """A layer's queries and keys pass by, as they are multiplied."""
        if layer in self.attention_layers:
            self.attention[layer] = attention_map(q_BHTD, k_BGSD, mask_BHTS)


def attention_map(q_BHTD: Tensor, k_BGSD: Tensor, mask_BHTS: Tensor | None) -> Tensor:
    """Softmax of q.k / sqrt(D) over where each token may look, fp32; without a mask: causal.  -> (B, H, T, S)"""
    B, H, T, D = q_BHTD.shape
    G, S = k_BGSD.shape[1:3]
    with torch.autocast(q_BHTD.device.type, enabled=False):
        q_BGRD = q_BHTD.float().reshape(B, G, H // G * T, D)
        scores_BHTS = (q_BGRD @ k_BGSD.float().mT).view(B, H, T, S) / D**0.5
        if mask_BHTS is None:
            mask_BHTS = torch.ones(T, S, dtype=torch.bool, device=q_BHTD.device).tril(S - T)
        return scores_BHTS.masked_fill(~mask_BHTS, float("-inf")).softmax(dim=-1)
