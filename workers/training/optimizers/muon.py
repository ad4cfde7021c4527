"""Muon for hidden matrices, AdamW for embeddings, head and norms. https://kellerjordan.github.io/posts/muon/

Muon's update is scaled to AdamW's RMS (arXiv 2502.16982), so one learning rate serves both.
"""

import torch
from torch import nn

from workers.specs.training.optimizers import Muon
from workers.training.devices import has_fast_bfloat16
from workers.training.optimizers._newton_schulz import Float32Muon
from workers.training.optimizers._shared import OptimizerSet, split_parameters


def build(spec: Muon, model: nn.Module) -> OptimizerSet:
    """Muon and AdamW over all parameters of `model`."""
    hidden, rest = split_parameters(model)
    device = next(model.parameters()).device
    kind = torch.optim.Muon if has_fast_bfloat16(device) else Float32Muon
    muon = kind(
        list(hidden.values()),
        lr=spec.lr,
        weight_decay=spec.weight_decay,
        momentum=spec.momentum,
        ns_steps=spec.num_ns_steps,
        adjust_lr_fn="match_rms_adamw",
    )
    adamw = torch.optim.AdamW(
        list(rest.values()), lr=spec.lr, betas=(spec.beta1, spec.beta2), eps=spec.eps, weight_decay=0.0, fused=True
    )
    return OptimizerSet(model, {"muon": muon, "adamw": adamw})
