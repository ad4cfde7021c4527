"""A model for decoding on the CPU: weights of all projections in oneDNN's own layout.

With one token a projection reads each weight once and is bound by memory. The usual layout costs twice the time from
two tokens on; packed, four tokens cost a fifth more than one, which is what makes speculation pay, and the rows of a
result do not depend on how many there are.

Heads that draft tokens are packed in bfloat16 where the CPU multiplies it: half of the bytes are read, and what they
say is checked anyway.
"""

import copy

import torch
from torch import Tensor, nn

from workers.model.capabilities import has_fast_bfloat16
from workers.model.transformer import Transformer

_ROWS = 8
"""Rows that the layout is chosen for. Chosen for 1, it costs half as much again from two rows on; one is no slower."""


class PackedLinear(nn.Module):
    """`nn.Linear` without bias for a few rows; the weight is a packed copy, which is multiplied in `dtype`."""

    def __init__(self, weight_OI: Tensor, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.dtype = dtype
        self.packed = torch.ops.mkldnn._reorder_linear_weight(weight_OI.detach().to(dtype).contiguous(), _ROWS)  # type: ignore[no-untyped-call]

    def forward(self, x: Tensor) -> Tensor:
        """(..., I) -> (..., O), in the type of x"""
        product: Tensor = torch.ops.mkldnn._linear_pointwise(x.to(self.dtype), self.packed, None, "none", [], "")
        return product.to(x.dtype)


def pack(model: Transformer) -> Transformer:
    """The same model, ready to decode; where there is no packed layout (not fp32, not CPU) the model itself.

    It shares norms and embeddings with `model` and holds the other weights once more. Later changes of the weights do
    not reach it.
    """
    weight = model.embedding.weight
    if weight.device.type != "cpu" or weight.dtype != torch.float32 or not torch.backends.mkldnn.is_available():
        return model
    packed = copy.deepcopy(model, memo={id(parameter): parameter for parameter in model.parameters()}).eval()
    draft_type = torch.bfloat16 if has_fast_bfloat16(weight.device) else torch.float32
    drafting = set() if packed.mtp is None else set(packed.mtp.modules())
    for module in list(packed.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Linear) and child is not packed.head:
                setattr(module, name, PackedLinear(child.weight, draft_type if module in drafting else torch.float32))
    packed.packed_head = PackedLinear(packed.head_weight_VC)
    if drafting and draft_type != torch.float32:
        packed.packed_draft_head = PackedLinear(packed.head_weight_VC, draft_type)
    return packed
