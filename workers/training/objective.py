"""What training minimises: the model and its losses in one module.

This module is what is compiled, wrapped for several processes, and called: so a loss may work on hidden states, hold
weights of its own, and share the pass through the model with the others.

Each loss is a mean over places. A step may have several passes and processes, with unequal numbers of places: each mean
then counts by its pass's share of the step's places, so that the step's gradient is that of one mean over all of them.

Shapes: B sequences, T tokens, C model width, V vocabulary, K terms of all losses, M of one.
"""

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from workers.model.trace import Trace
from workers.model.transformer import Transformer
from workers.training.lesson import Lesson
from workers.training.losses._shared import Loss, TeacherLoss


class Objective(nn.Module):
    """A model under a weighted sum of losses."""

    def __init__(self, model: Transformer, losses: Iterable[Loss]) -> None:
        super().__init__()
        self.model = model
        self.losses = nn.ModuleList(losses)
        teacher_losses = [loss for loss in self.losses if isinstance(loss, TeacherLoss)]
        self._hidden_layers = frozenset[int]().union(*(loss.hidden_layers for loss in teacher_losses))
        self._attention_layers = frozenset[int]().union(*(loss.attention_layers for loss in teacher_losses))

    def count_places(self, targets_BT: Tensor, documents_BT: Tensor) -> Tensor:
        """Places that each term is a mean over.  -> (K,) fp64"""
        counts = [loss.count_places(targets_BT, documents_BT).double().reshape(-1) for loss in self.losses]
        return torch.cat(counts)

    def set_progress(self, share: float) -> None:
        """Tell each loss what share of all steps is done."""
        for loss in self.losses:
            loss.set_progress(share)

    def hidden(self, tokens_BT: Tensor, documents_BT: Tensor, trace: Trace | None = None) -> Tensor:
        """The model's hidden states.  -> (B, T, C)"""
        return self.model.hidden(tokens_BT, documents_BT, trace=trace)

    def logits(self, tokens_BT: Tensor, documents_BT: Tensor) -> Tensor:
        """The model's logits, fp32.  -> (B, T, V)"""
        logits_BTV: Tensor = self.model(tokens_BT, documents_BT)
        return logits_BTV

    def forward(
        self,
        tokens_BT: Tensor,
        targets_BT: Tensor,
        documents_BT: Tensor,
        shares_K: Tensor,
        lesson: Lesson | None = None,
    ) -> tuple[Tensor, dict[str, Tensor], Tensor]:
        """The sum to differentiate; each term by its name; the first loss summed over each sequence.

        `shares_K`: what part of the step's places of each loss these sequences hold. Terms and sums are detached, terms
        multiplied by their share. `lesson`: what the teacher says of them, where a loss compares with one.
        -> (), {name: ()}, (B,), fp32
        """
        trace = Trace(self._hidden_layers, self._attention_layers)
        hidden_BTC = self.model.hidden(tokens_BT, documents_BT, trace=trace)
        total = torch.zeros((), device=hidden_BTC.device)
        terms: dict[str, Tensor] = {}
        sums_B = torch.zeros(len(tokens_BT), device=hidden_BTC.device)
        begin = 0
        for loss in self.losses:
            shares_M = shares_K[begin : begin + len(loss.names)]
            begin += len(loss.names)
            if isinstance(loss, TeacherLoss):
                value = loss.compare(self.model, hidden_BTC, targets_BT, trace, _given(lesson))
            else:
                value = loss(self.model, hidden_BTC, tokens_BT, targets_BT, documents_BT)
            if isinstance(value, tuple):
                value, sums_B = value[0], value[1].detach()
            parts_M = shares_M * value.reshape(-1)
            total = total + loss.weight * parts_M.sum()
            terms |= dict(zip(loss.names, parts_M.detach(), strict=True))
        return total, terms, sums_B


def _given(lesson: Lesson | None) -> Lesson:
    if lesson is None:
        raise ValueError("a loss compares with a teacher, and no lesson of one was given")
    return lesson
