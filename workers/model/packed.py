"""A model for decoding on the CPU: weights of all projections in oneDNN's own layout.

With one token a projection reads each weight once and is bound by memory. The usual layout costs twice the time from
two tokens on; packed, four tokens cost a fifth more than one, which is what makes speculation pay, and the rows of a
result do not depend on how many there are.
"""

import copy

import torch
from torch import Tensor, nn

from workers.model.transformer import Transformer

_ROWS = 8
"""Rows that the layout is chosen for. Chosen for 1, it costs half as much again from two rows on; one is no slower."""


class PackedLinear(nn.Module):
    """`nn.Linear` without bias for a few rows; the weight is a packed copy."""

    def __init__(self, weight_OI: Tensor) -> None:
        super().__init__()
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight_OI.detach().contiguous(), _ROWS)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O)"""
        return torch.ops.mkldnn._linear_pointwise(x, self.packed, None, "none", [], "")


def pack(model: Transformer) -> Transformer:
    """The same model, ready to decode; where there is no packed layout (not fp32, not CPU) the model itself.

    It shares norms and embeddings with `model` and holds the other weights once more. Later changes of the weights do
    not reach it.
    """
    weight = model.embedding.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return model
    packed = copy.deepcopy(model, memo={id(parameter): parameter for parameter in model.parameters()}).eval()
    for module in list(packed.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear) and child is not packed.head:
                setattr(module, name, PackedLinear(child.weight))
    packed.packed_head = PackedLinear(packed.head_weight_VC)
    return packed
