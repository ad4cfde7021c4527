"""What a fixed batch shows of each layer: dead units, attention entropy, effective rank, and how fast features change.

The batch is the first of the stage, so that a resumed run and every process have the same. It is looked at apart from
the pass that trains, draws no random number and changes nothing. Effective rank: Roy and Vetterli 2007,
https://ieeexplore.ieee.org/document/7098875; attention entropy: arXiv 2303.06296.

Shapes: B sequences, T tokens, N tokens looked at, C model width, F feed-forward width, H heads, L layers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from workers.model.trace import Trace, attention_map
from workers.training.batches import BatchOrder
from workers.training.devices import ComputeType, autocast
from workers.training.objective import Objective
from workers.training.stage_order import StageOrder
from workers.training.state import Place, TrainerState

MAX_SEQUENCES, MAX_SEQUENCE_TOKENS, MAX_TOKENS = 4, 512, 256
"""Sequences that are looked at, the length to which they are cut, and the tokens whose hidden states are kept."""
DEAD_SHARE = 0.01
"""A unit whose largest answer is below this share of its layer's RMS is dead."""
SERIES = ("dead_units", "attention_entropy", "effective_rank", "feature_speed")


@dataclass
class _Look(Trace):
    """Keeps figures instead of whole attention maps and hidden states, which would not fit for a long time."""

    features: list[Tensor] = field(default_factory=list)
    """Of each layer, (N, C) fp32."""
    entropies: list[Tensor] = field(default_factory=list)

    def add_hidden(self, layer: int, x_BTC: Tensor) -> None:
        self.features.append(_spread(x_BTC))

    def add_attention(self, layer: int, q_BHTD: Tensor, k_BGSD: Tensor, mask_BHTS: Tensor | None) -> None:
        self.entropies.append(attention_entropy(attention_map(q_BHTD, k_BGSD, mask_BHTS)))


class FeatureProbe:
    """Measures the bare model; keeps the hidden states of the last time."""

    def __init__(
        self, objective: Objective, order: BatchOrder | StageOrder, every_steps: int, dtype: ComputeType
    ) -> None:
        self._objective, self._model = objective, objective.model
        self._order, self._every, self._dtype = order, every_steps, dtype
        self._batch: tuple[int, Tensor, Tensor] | None = None
        self._last: tuple[int, list[Tensor]] | None = None

    def due(self, step: int) -> bool:
        """Is this step measured?"""
        return self._every > 0 and step % self._every == 0

    @torch.no_grad()
    def measure(self, state: TrainerState) -> dict[str, list[float]]:
        """Series by layer. No `feature_speed` the first time, after a resume and after a roll-back.  -> {name: (L,)}"""
        tokens_BT, documents_BT = self._take_batch(state)
        look = _Look()
        dead: list[Tensor] = []
        hooks = [block.ffn.down.register_forward_pre_hook(_note_dead(dead)) for block in self._model.blocks]
        self._model.eval()  # what watches training must not see this batch
        try:
            with autocast(self._dtype, tokens_BT.device):
                self._objective.hidden(tokens_BT, documents_BT, trace=look)
        finally:
            self._model.train()
            for hook in hooks:
                hook.remove()
        figures = {
            "dead_units": torch.stack(dead),
            "attention_entropy": torch.stack(look.entropies),
            "effective_rank": torch.stack([effective_rank(x_NC) for x_NC in look.features]),
        }
        if self._last is not None and self._last[0] < state.step:
            pairs = zip(look.features, self._last[1], strict=True)
            figures["feature_speed"] = torch.stack([(now - old).norm() / old.norm() for now, old in pairs])
        self._last = (state.step, look.features)
        return {name: values_L.tolist() for name, values_L in figures.items()}

    def _take_batch(self, state: TrainerState) -> tuple[Tensor, Tensor]:
        """Some sequences of the first batch of the stage.  -> 2 x (B, T)"""
        if self._batch is None or self._batch[0] != state.stage:
            first = self._order.part(Place(0, state.stage, tuple(state.stage_batches[:-1])), 0, 1)
            rows, device = (slice(MAX_SEQUENCES), slice(MAX_SEQUENCE_TOKENS)), self._model.embedding.weight.device
            self._batch = (state.stage, first.tokens[rows].to(device), first.documents[rows].to(device))
            self._last = None
        return self._batch[1], self._batch[2]


def _spread(x_BTC: Tensor) -> Tensor:
    """Some tokens, evenly spread over all.  -> (N, C) fp32"""
    x_NC = x_BTC.flatten(0, 1)
    return x_NC[:: -(-len(x_NC) // MAX_TOKENS)].float()


def effective_rank(x_NC: Tensor) -> Tensor:
    """exp of the entropy of the normalised singular values of the centred features; 1 when all are alike.  -> ()"""
    centred_NC = x_NC.double() - x_NC.double().mean(0)
    wide = centred_NC.shape[1] > centred_NC.shape[0]
    gram = centred_NC @ centred_NC.T if wide else centred_NC.T @ centred_NC
    if not bool(gram.isfinite().all()):
        return torch.tensor(float("nan"), device=x_NC.device, dtype=torch.float64)
    singular = torch.linalg.eigvalsh(gram).clamp(min=0).sqrt()
    shares = singular / singular.sum().clamp(min=1e-300)
    return torch.special.entr(shares).sum().exp()


def attention_entropy(map_BHTS: Tensor) -> Tensor:
    """Entropy of attention over the largest possible, as a mean over heads and over tokens with a choice.  -> ()"""
    choices_BHT = (map_BHTS > 0).sum(-1)
    entropy_BHT = torch.special.entr(map_BHTS).sum(-1)
    # Places whose weight has underflowed count as forbidden: compare with all places seen by any head.
    most_BHT = choices_BHT.amax(1, keepdim=True).expand_as(entropy_BHT)
    chosen = most_BHT > 1
    if not bool(chosen.any()):
        return torch.tensor(1.0, device=map_BHTS.device)
    return (entropy_BHT[chosen] / most_BHT[chosen].double().log()).mean()


def _note_dead(into: list[Tensor]) -> Callable[[nn.Module, Any], None]:
    """A hook before the last projection of a feed-forward layer: the share of its units that answer to no token."""

    def note(module: nn.Module, arguments: Any) -> None:
        answers_BTF = arguments[0].float()
        largest_F = answers_BTF.abs().amax((0, 1))
        into.append((largest_F <= DEAD_SHARE * answers_BTF.square().mean().sqrt()).double().mean())

    return note
