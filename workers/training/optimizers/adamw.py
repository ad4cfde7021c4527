"""AdamW, fused. No weight decay on embeddings, head and norms. arXiv 1711.05101"""

import torch
from torch import nn

from workers.specs.training.optimizers import AdamW
from workers.training.optimizers._shared import OptimizerSet, group_parameters


def build(spec: AdamW, model: nn.Module) -> OptimizerSet:
    """AdamW over all parameters of `model`."""
    groups = group_parameters(model, lr=spec.lr, weight_decay=spec.weight_decay, eps=spec.eps)
    adamw = torch.optim.AdamW(groups, lr=spec.lr, betas=(spec.beta1, spec.beta2), eps=spec.eps, fused=True)
    return OptimizerSet(model, {"adamw": adamw})
