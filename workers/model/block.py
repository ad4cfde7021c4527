"""One layer: attention and SwiGLU, each behind an RMSNorm with a residual around it. arXiv 2002.05202, 1910.07467

Shapes: B batch, T tokens, C model width, F feed-forward width.
"""

from torch import Tensor, nn
from torch.nn import functional

from workers.model.attention import Attention, Documents
from workers.model.cache import Cache
from workers.model.trace import Trace
from workers.specs.training.model import Model


class FeedForward(nn.Module):
    """SwiGLU with fused gate and up projections."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.gate_up = nn.Linear(model.d_model, 2 * model.d_ffn, bias=False)
        self.down = nn.Linear(model.d_ffn, model.d_model, bias=False)

    def forward(self, x_BTC: Tensor) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        gate_BTF, up_BTF = self.gate_up(x_BTC).chunk(2, dim=-1)
        return self.down(functional.silu(gate_BTF) * up_BTF)


class Block(nn.Module):
    """Pre-norm transformer layer."""

    def __init__(self, model: Model, layer: int) -> None:
        super().__init__()
        self.attention_norm = nn.RMSNorm(model.d_model, eps=model.norm_eps)
        self.attention = Attention(model, layer)
        self.ffn_norm = nn.RMSNorm(model.d_model, eps=model.norm_eps)
        self.ffn = FeedForward(model)

    def forward(
        self,
        x_BTC: Tensor,
        table: tuple[Tensor, Tensor],
        mask_BHTS: Tensor | Documents | None,
        cache: Cache | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """(B, T, C) -> (B, T, C)"""
        x_BTC = x_BTC + self.attention(self.attention_norm(x_BTC), table, mask_BHTS, cache, trace)
        return x_BTC + self.ffn(self.ffn_norm(x_BTC))
