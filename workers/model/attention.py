"""Grouped-query attention with rotary positions, documents masked from one another.

GQA: arXiv 2305.13245. RoPE (rotate-half form): arXiv 2104.09864. NoPE layers: arXiv 2501.18795, as in SmolLM3.
QK-norm: arXiv 2302.05442, per head and before RoPE as in Qwen3.

Shapes: B batch, T new tokens, S all tokens (past and new), H query heads, G key-value heads, D head width, C model
width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

from workers.kernels.document_attention import document_attention, fits_kernel
from workers.kernels.flash_attention import fits_gpu, flash_attention
from workers.model.cache import Cache
from workers.model.parametrization import Multipliers
from workers.model.trace import Trace
from workers.specs.training.model import Model

_LOGIT_BLOCK = 128


def rotary_table(positions_T: Tensor, width: int, theta: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotation at each position, fp32.  (T,) -> 2 x (T, D)"""
    exponents = torch.arange(0, width, 2, dtype=torch.float32, device=positions_T.device) / width
    angles = torch.outer(positions_T.float(), theta**-exponents)
    angles_TD = torch.cat((angles, angles), dim=-1)
    return angles_TD.cos(), angles_TD.sin()


def rotate(x_BHTD: Tensor, cos_TD: Tensor, sin_TD: Tensor) -> Tensor:
    """Turn each pair (i, i + D/2) by its position's angle.  (B, H, T, D) -> (B, H, T, D)"""
    cos_TD, sin_TD = cos_TD.to(x_BHTD.dtype), sin_TD.to(x_BHTD.dtype)
    first, second = x_BHTD.chunk(2, dim=-1)
    return x_BHTD * cos_TD + torch.cat((-second, first), dim=-1) * sin_TD


def document_mask(documents_BT: Tensor) -> Tensor:
    """Who may look at whom: earlier tokens of the same document.  (B, T) -> (B, 1, T, T) bool"""
    length = documents_BT.shape[1]
    causal_TT = torch.ones(length, length, dtype=torch.bool, device=documents_BT.device).tril()
    same_BTT = documents_BT[:, :, None] == documents_BT[:, None, :]
    return (same_BTT & causal_TT)[:, None]


class Documents:
    """The document of each token, and the mask that follows, which is made when it is asked for.

    It holds T x T entries a sequence: where a kernel masks by documents itself, nobody asks.
    """

    def __init__(self, numbers_BT: Tensor) -> None:
        self.numbers_BT = numbers_BT
        self._mask_BHTT: Tensor | None = None

    @property
    def mask_BHTT(self) -> Tensor:
        """(B, 1, T, T) bool, the same for all layers."""
        if self._mask_BHTT is None:
            self._mask_BHTT = document_mask(self.numbers_BT)
        return self._mask_BHTT


@torch.no_grad()
def max_logits(q_BHTD: Tensor, k_BGSD: Tensor, mask_BHTS: Tensor | None) -> Tensor:
    """Largest q.k / sqrt(D) of each query head where it may look, fp32; 0 when all are negative.  -> (H,)

    Without a mask: causal, T = S. It goes by blocks of queries, so that no T x S matrix of all heads is held.
    """
    B, H, T, D = q_BHTD.shape
    G, S = k_BGSD.shape[1:3]
    largest_H = torch.zeros(H, dtype=torch.float32, device=q_BHTD.device)
    with torch.autocast(q_BHTD.device.type, enabled=False):
        k_BGDS = k_BGSD.float().mT
        for start in range(0, T, _LOGIT_BLOCK):
            rows = slice(start, min(start + _LOGIT_BLOCK, T))
            num_rows = rows.stop - start
            q_BGRD = q_BHTD[:, :, rows].float().reshape(B, G, H // G * num_rows, D)
            scores_BHRS = (q_BGRD @ k_BGDS).view(B, H, num_rows, S)
            if mask_BHTS is None:
                allowed = torch.ones(num_rows, S, dtype=torch.bool, device=q_BHTD.device).tril(start)
            else:
                allowed = mask_BHTS[..., rows, :]
            scores_BHRS = scores_BHRS.masked_fill(~allowed, 0.0)
            largest_H = torch.maximum(largest_H, scores_BHRS.amax(dim=(0, 2, 3)))
    return largest_H / D**0.5


def attend_by_group(q_BHTD: Tensor, k_BGSD: Tensor, v_BGSD: Tensor, mask_BHTS: Tensor | None) -> Tensor:
    """Attention with the query heads of a group as rows of one head, so that no key is copied.  -> (B, H, T, D)"""
    B, H, T, D = q_BHTD.shape
    num_groups = k_BGSD.shape[1]
    if mask_BHTS is not None:
        mask_BHTS = mask_BHTS.tile((H // num_groups, 1))
    rows_BGRD = q_BHTD.reshape(B, num_groups, H // num_groups * T, D)
    mixed_BGRD = functional.scaled_dot_product_attention(rows_BGRD, k_BGSD, v_BGSD, attn_mask=mask_BHTS)
    return mixed_BGRD.reshape(B, H, T, D)


class Attention(nn.Module):
    """One attention layer with fused query, key and value projections."""

    def __init__(self, model: Model, layer: int) -> None:
        super().__init__()
        self.layer = layer
        self.num_heads, self.num_kv_heads = model.num_heads, model.num_kv_heads
        self.head_width = model.head_width
        self.has_rotary = not model.nope_interval or (layer + 1) % model.nope_interval != 0
        self.qkv = nn.Linear(model.d_model, (self.num_heads + 2 * self.num_kv_heads) * self.head_width, bias=False)
        self.out = nn.Linear(self.num_heads * self.head_width, model.d_model, bias=False)
        self.query_factor = Multipliers.of(model).query
        self.q_norm = nn.RMSNorm(self.head_width, eps=model.norm_eps) if model.qk_norm else None
        self.k_norm = nn.RMSNorm(self.head_width, eps=model.norm_eps) if model.qk_norm else None
        # No buffer: DDP would send the first rank's to all others.
        self.max_logits_H: Tensor | None = None

    def watch_logits(self) -> None:
        """From now on, remember the largest attention logit of each head over all forward passes of training."""
        self.max_logits_H = torch.zeros(self.num_heads, dtype=torch.float32, device=self.qkv.weight.device)

    def take_max_logits(self) -> Tensor:
        """The largest logits since the last call, which begin anew.  -> (H,)

        Raises ValueError without `watch_logits`.
        """
        if self.max_logits_H is None:
            raise ValueError("the attention logits of this layer are not watched")
        seen_H = self.max_logits_H.clone()
        self.max_logits_H.zero_()
        return seen_H

    @torch.no_grad()
    def _remember(self, largest_H: Tensor) -> None:
        if self.max_logits_H is not None and self.training:
            torch.maximum(self.max_logits_H, largest_H, out=self.max_logits_H)

    @torch.no_grad()
    def scale_logits(self, factor_H: Tensor) -> None:
        """Multiply the logits of each head, by its queries alone: keys are shared by the heads of a group.

        With QK-norm the gains decide, which all heads share: queries' and keys' are scaled by the root of the smallest.
        """
        if self.q_norm is not None and self.k_norm is not None:
            root = factor_H.min().sqrt()
            self.q_norm.weight.mul_(root)
            self.k_norm.weight.mul_(root)
            return
        queries = self.qkv.weight[: self.num_heads * self.head_width]
        queries.unflatten(0, (self.num_heads, self.head_width)).mul_(factor_H[:, None, None])

    def forward(
        self,
        x_BTC: Tensor,
        table: tuple[Tensor, Tensor],
        mask_BHTS: Tensor | Documents | None,
        cache: Cache | None = None,
        trace: Trace | None = None,
    ) -> Tensor:
        """(B, T, C) -> (B, T, C). Without a mask: plain causal; with a cache the mask must cover past and new."""
        num_tokens = x_BTC.shape[1]
        heads = self.qkv(x_BTC).unflatten(-1, (-1, self.head_width)).transpose(1, 2)
        q_BHTD, k_BGTD, v_BGTD = heads.split((self.num_heads, self.num_kv_heads, self.num_kv_heads), dim=1)
        if self.q_norm is not None and self.k_norm is not None:
            q_BHTD, k_BGTD = self.q_norm(q_BHTD).type_as(v_BGTD), self.k_norm(k_BGTD).type_as(v_BGTD)
        if self.query_factor != 1:
            q_BHTD = q_BHTD * self.query_factor
        if self.has_rotary:
            q_BHTD, k_BGTD = rotate(q_BHTD, *table), rotate(k_BGTD, *table)
        if cache is not None:
            k_BGTD, v_BGTD = cache.extend(self.layer, k_BGTD, v_BGTD)
        if isinstance(mask_BHTS, Documents) and trace is None and fits_gpu(q_BHTD):
            mixed_BHTD, largest_H = flash_attention(q_BHTD, k_BGTD, v_BGTD, mask_BHTS.numbers_BT)
            self._remember(largest_H)
            return self.out(mixed_BHTD.transpose(1, 2).flatten(2))
        documents = None
        if isinstance(mask_BHTS, Documents):
            by_document = fits_kernel(q_BHTD)
            documents = mask_BHTS.numbers_BT if by_document else None
            looked_at = trace is not None or (self.max_logits_H is not None and self.training)
            mask_BHTS = mask_BHTS.mask_BHTT if looked_at or not by_document else None
        if trace is not None:
            trace.add_attention(self.layer, q_BHTD, k_BGTD, mask_BHTS)
        if self.max_logits_H is not None and self.training:
            self._remember(max_logits(q_BHTD.detach(), k_BGTD.detach(), mask_BHTS))
        if cache is not None and (mask_BHTS is not None or num_tokens == 1):
            mixed_BHTD = attend_by_group(q_BHTD, k_BGTD, v_BGTD, mask_BHTS)
            return self.out(mixed_BHTD.transpose(1, 2).flatten(2))
        if documents is not None:
            mixed_BHTD = document_attention(q_BHTD, k_BGTD, v_BGTD, documents)
            return self.out(mixed_BHTD.transpose(1, 2).flatten(2))
        group = self.num_heads // self.num_kv_heads
        k_BHSD, v_BHSD = k_BGTD.repeat_interleave(group, dim=1), v_BGTD.repeat_interleave(group, dim=1)
        mixed_BHTD = functional.scaled_dot_product_attention(
            q_BHTD, k_BHSD, v_BHSD, attn_mask=mask_BHTS, is_causal=mask_BHTS is None and num_tokens > 1
        )
        return self.out(mixed_BHTD.transpose(1, 2).flatten(2))
