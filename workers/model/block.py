"""One layer: attention and a feed-forward block, each with a residual around it and norms where the spec wants them.

SwiGLU and GeGLU: arXiv 2002.05202. Squared ReLU: arXiv 2109.08668. Placement of norms: pre arXiv 2002.04745, post arXiv
1706.03762, sandwich arXiv 2105.13290.

Shapes: B batch, T tokens, C model width, F feed-forward width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.model.attention import Attention, Documents
from workers.model.cache import Cache
from workers.model.norm import build_norm
from workers.model.parametrization import Multipliers
from workers.model.trace import Trace
from workers.specs.training.model import Model


class FeedForward(nn.Module):
    """Gated, with fused gate and up projections, or a squared ReLU between two projections."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.kind = model.ffn
        if model.ffn == "relu2":
            self.up = nn.Linear(model.d_model, model.d_ffn, bias=False)
        else:
            self.gate_up = nn.Linear(model.d_model, 2 * model.d_ffn, bias=False)
        self.down = nn.Linear(model.d_ffn, model.d_model, bias=False)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        if self.kind == "relu2":
            return self.down(functional.relu(self.up(x_BTC)).square())
        gate_BTF, up_BTF = self.gate_up(x_BTC).chunk(2, dim=-1)
        bend = functional.silu if self.kind == "swiglu" else functional.gelu
        return self.down(bend(gate_BTF) * up_BTF)


class Block(nn.Module):
    """Transformer layer."""

    def __init__(self, model: Model, layer: int) -> None:
        super().__init__()
        self.placement = model.norm_placement
        self.residual = Multipliers.of(model).residual
        self.attention_norm = build_norm(model)
        self.attention = Attention(model, layer)
        self.ffn_norm = build_norm(model)
        self.ffn = FeedForward(model)
        sandwich = model.norm_placement == "sandwich"
        self.attention_out_norm = build_norm(model) if sandwich else None
        self.ffn_out_norm = build_norm(model) if sandwich else None

    def forward(
        self,
        x_BTC: Tensor,
        table: tuple[Tensor, Tensor],
        mask_BHTS: Tensor | Documents | None,
        cache: Cache | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        if self.placement == "post":
            x_BTC = self.attention_norm(self._add(x_BTC, self.attention(x_BTC, table, mask_BHTS, cache, trace)))
            return self.ffn_norm(self._add(x_BTC, self.ffn(x_BTC)))
        mixed_BTC = self.attention(self.attention_norm(x_BTC), table, mask_BHTS, cache, trace)
        if self.attention_out_norm is not None:
            mixed_BTC = self.attention_out_norm(mixed_BTC)
        x_BTC = self._add(x_BTC, mixed_BTC)
        fed_BTC = self.ffn(self.ffn_norm(x_BTC))
        if self.ffn_out_norm is not None:
            fed_BTC = self.ffn_out_norm(fed_BTC)
        return self._add(x_BTC, fed_BTC)

    def _add(self, x_BTC: Tensor, new_BTC: Tensor) -> Tensor:
        return torch.add(x_BTC, new_BTC, alpha=self.residual)
