"""The norm of a model: RMSNorm (arXiv 1910.07467) or LayerNorm (arXiv 1607.06450)."""

from torch import nn

from workers.specs.training.model import Model


def build_norm(model: Model) -> nn.Module:
    """A norm over the model's width."""
    kind = nn.LayerNorm if model.norm == "layernorm" else nn.RMSNorm
    return kind(model.d_model, eps=model.norm_eps)
