"""What training minimises: the model and its losses in one module.

This module is what is compiled, wrapped for several processes, and called: so a loss may work on hidden states, hold
weights of its own, and share the pass through the model with the others.

Shapes: B sequences, T tokens.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from workers.model.transformer import Transformer
from workers.training.losses._shared import Loss


class Objective(nn.Module):
    """A model under a weighted sum of losses."""

    def __init__(self, model: Transformer, losses: Iterable[Loss]) -> None:
        super().__init__()
        self.model = model
        self.losses = nn.ModuleList(losses)

    def forward(self, tokens_BT: Tensor, targets_BT: Tensor, documents_BT: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The sum to differentiate, and each term by its name, detached.  -> (), {name: ()}, fp32"""
        hidden_BTC = self.model.hidden(tokens_BT, documents_BT)
        total = torch.zeros((), device=hidden_BTC.device)
        terms: dict[str, Tensor] = {}
        for loss in self.losses:
            value = loss(self.model, hidden_BTC, tokens_BT, targets_BT, documents_BT)
            total = total + loss.weight * value
            terms[loss.name] = value.detach()
        return total, terms
