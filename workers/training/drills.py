"""Planted faults, so that the controller can be seen at work. See `workers.specs.training.drills`.

Faults in the data are tied to the number of the batch, so that leaving the batch out helps. Others strike once, and a
roll-back does not call them again, but for those of a bad setting, which stay.
"""

import math
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from workers.model.attention import Attention
from workers.model.transformer import Transformer
from workers.specs.training.drills import (
    BitFlip,
    CorruptedShard,
    Drill,
    LrTimes,
    MomentsLost,
    NanGradient,
    PoisonedBatches,
    QkGrowth,
    RepeatedToken,
    SourceBurst,
)
from workers.training.batches import IGNORED, BatchOrder, Sequences
from workers.training.errors import InputError
from workers.training.optimizers import OptimizerSet
from workers.training.stage_order import StageOrder

DataDrill = PoisonedBatches | RepeatedToken | CorruptedShard | SourceBurst


class Drills:
    """The drills of a run. `finished` (numbers of drills) travels in checkpoints and outlives roll-backs."""

    def __init__(self, drills: list[Drill], vocab_size: int, seed: int, order: BatchOrder | StageOrder) -> None:
        """Raises InputError when a drill names a source that the run has not."""
        self.drills, self.vocab_size, self.seed = drills, vocab_size, seed
        self.finished: set[int] = set()
        self._order = order
        num_sources = len(order.streams) if isinstance(order, StageOrder) else 0
        for drill in drills:
            if isinstance(drill, SourceBurst) and drill.source >= num_sources:
                raise InputError(
                    f"the drill source_burst wants source {drill.source}; the run has a mixture of {num_sources}"
                )

    def lr_factor(self, step: int) -> float:
        """What the learning rate is multiplied by at `step`. The fault stays: the controller has to make up for it."""
        return math.prod(d.factor for d in self.drills if isinstance(d, LrTimes) and step >= d.step)

    def poison(self, index: int, rank: int, batch: Sequences) -> Sequences:
        """The batch, or what a drill puts in its place."""
        for drill in self.drills:
            if isinstance(drill, DataDrill) and drill.step <= index < drill.step + drill.num_batches:
                generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index * 1_009 + rank)
                batch = self._replace(drill, batch, generator)
        return batch

    def _replace(self, drill: DataDrill, batch: Sequences, generator: torch.Generator) -> Sequences:
        shape = batch.tokens.shape
        if isinstance(drill, SourceBurst):
            return self._of_source(drill.source, batch, generator)
        if isinstance(drill, RepeatedToken):
            token = int(np.random.default_rng([self.seed, drill.step]).integers(self.vocab_size))
            return replace(batch, tokens=torch.full(shape, token), targets=torch.full(shape, token))
        tokens, targets = (torch.randint(self.vocab_size, shape, generator=generator) for _ in range(2))
        if isinstance(drill, CorruptedShard):
            sound = (torch.rand(shape[0], generator=generator) >= drill.share)[:, None]
            tokens, targets = torch.where(sound, batch.tokens, tokens), torch.where(sound, batch.targets, targets)
        targets[batch.targets == IGNORED] = IGNORED
        return replace(batch, tokens=tokens, targets=targets)

    def _of_source(self, source: int, batch: Sequences, generator: torch.Generator) -> Sequences:
        assert isinstance(self._order, StageOrder)  # noqa: S101  checked at the beginning
        stream, length = self._order.streams[source], batch.tokens.shape[1]
        places = torch.randint(stream.num_units, (batch.tokens.shape[0],), generator=generator).tolist()
        rows = [stream.sequence(place * self._order.unit_tokens, length) for place in places]
        names = ("tokens", "targets", "documents", *(("positions",) if rows[0].positions is not None else ()))
        values = {name: torch.cat([getattr(row, name) for row in rows]) for name in names}
        return replace(batch, **values, sources=torch.full((len(rows),), source))

    def spoil(self, step: int, grads: list[Tensor]) -> None:
        """Put a NaN into the gradient at its step, once."""
        for drill in self._striking(step):
            if isinstance(drill, NanGradient):
                grads[0].view(-1)[0] = float("nan")

    def disturb(self, step: int, model: Transformer, optimizers: OptimizerSet) -> None:
        """What strikes weights and optimizer before the step."""
        for drill in self.drills:
            if isinstance(drill, QkGrowth) and drill.step <= step < drill.step + drill.num_steps:
                grow_queries(model, drill.factor)
        for drill in self._striking(step, BitFlip, MomentsLost):
            if isinstance(drill, BitFlip):
                flip_bit(model, drill.bit, self.seed)
            else:
                optimizers.forget()

    def _striking(self, step: int, *kinds: type) -> list[Drill]:
        """Drills that strike once, now; they are finished by it."""
        wanted = kinds or (NanGradient,)
        found = [
            (number, drill)
            for number, drill in enumerate(self.drills)
            if isinstance(drill, wanted) and step == drill.step and number not in self.finished
        ]
        self.finished |= {number for number, _ in found}
        return [drill for _, drill in found]


@torch.no_grad()
def grow_queries(model: Transformer, factor: float) -> None:
    """Multiply the queries of all heads; with QK-norm the norms' gains."""
    for layer in (module for module in model.modules() if isinstance(module, Attention)):
        layer.scale_logits(torch.full((layer.num_heads,), factor, device=layer.qkv.weight.device))


@torch.no_grad()
def flip_bit(model: Transformer, bit: int, seed: int) -> None:
    """Turn over one bit of one weight of a hidden matrix, drawn by the seed."""
    generator = np.random.default_rng([seed, bit])
    matrices = [p for name, p in model.named_parameters() if name.startswith("blocks.") and p.ndim == 2]
    chosen = matrices[int(generator.integers(len(matrices)))]
    chosen.view(torch.int32).view(-1)[int(generator.integers(chosen.numel()))] ^= 1 << bit
