"""Muon for hidden matrices, AdamW for embeddings, head and norms. https://kellerjordan.github.io/posts/muon/

Muon's update is scaled to AdamW's RMS (arXiv 2502.16982), so one learning rate serves both.
"""

from torch import nn

from workers.specs.training.optimizers import Muon
from workers.training.optimizers._muon import muon_parts
from workers.training.optimizers._shared import OptimizerSet


def build(spec: Muon, model: nn.Module) -> OptimizerSet:
    """Muon and AdamW over all parameters of `model`."""
    return OptimizerSet(model, muon_parts(spec, model))
