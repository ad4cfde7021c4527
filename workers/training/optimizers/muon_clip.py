"""MuonClip: Muon, and after each step QK-clip: heads whose attention logits grew beyond tau get smaller queries.

Kimi K2, arXiv 2507.20534, section 2.1. Keys are shared by the query heads of a group (GQA), so a head is scaled at its
queries alone, by gamma = tau / S: RoPE is linear, the logits of the head shrink by exactly gamma, and no other head of
the group changes. With QK-norm the size of queries and keys is that of the norms' gains, which all heads of a layer
share: those are scaled, by the smallest gamma of the layer.

Shapes: H query heads, D head width.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, distributed, nn

from workers.model.attention import Attention
from workers.specs.training.optimizers import MuonClip
from workers.training.optimizers._muon import muon_parts
from workers.training.optimizers._shared import OptimizerSet


class MuonClipSet(OptimizerSet):
    """Muon's parts with QK-clip after their step."""

    def __init__(self, model: nn.Module, parts: Mapping[str, torch.optim.Optimizer], max_logit: float) -> None:
        super().__init__(model, parts)
        self.max_logit = max_logit
        self._layers = [module for module in model.modules() if isinstance(module, Attention)]
        for layer in self._layers:
            layer.watch_logits()
        self._seen: dict[str, float] = {}

    def step(self) -> None:
        """Apply the gradients, then clip by the logits that the forward passes before it have seen."""
        super().step()
        pairs = [clip_queries(layer, self.max_logit) for layer in self._layers]
        largest, smallest = torch.stack([torch.stack((seen.max(), -gamma.min())) for seen, gamma in pairs]).amax(0)
        self._seen = {"max_attention_logit": float(largest), "min_qk_gamma": -float(smallest)}

    def telemetry(self) -> dict[str, float]:
        """Largest attention logit before the step, and the smallest factor that a head's queries got."""
        return self._seen


@torch.no_grad()
def clip_queries(layer: Attention, max_logit: float) -> tuple[Tensor, Tensor]:
    """Scale the logits of each head by gamma = min(1, tau / S), and begin a new measurement.  -> S, gamma (H,)"""
    seen_H = layer.take_max_logits()
    if distributed.is_initialized():
        distributed.all_reduce(seen_H, op=distributed.ReduceOp.MAX)
    gamma_H = (max_logit / seen_H.clamp(min=max_logit)).to(layer.qkv.weight.dtype)
    layer.scale_logits(gamma_H)
    return seen_H, gamma_H


def build(spec: MuonClip, model: nn.Module) -> MuonClipSet:
    """Muon and AdamW over all parameters of `model`, with QK-clip on its attention layers."""
    return MuonClipSet(model, muon_parts(spec, model), spec.max_logit)
