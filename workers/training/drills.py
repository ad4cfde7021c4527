"""Planted faults, so that the controller can be seen at work. See `workers.specs.training.drills`."""

import math
from dataclasses import replace

import torch
from torch import Tensor

from workers.specs.training.drills import Drill, LrTimes, NanGradient, PoisonedBatches
from workers.training.batches import IGNORED, Sequences


class Drills:
    """The drills of a run. `finished` (numbers of drills) travels in checkpoints and outlives roll-backs."""

    def __init__(self, drills: list[Drill], vocab_size: int, seed: int) -> None:
        self.drills, self.vocab_size, self.seed = drills, vocab_size, seed
        self.finished: set[int] = set()

    def lr_factor(self, step: int) -> float:
        """What the learning rate is multiplied by at `step`. The fault stays: the controller has to make up for it."""
        return math.prod(d.factor for d in self.drills if isinstance(d, LrTimes) and step >= d.step)

    def poison(self, index: int, rank: int, batch: Sequences) -> Sequences:
        """Random tokens in place of a poisoned batch. Tied to the batch index, so leaving the batch out helps."""
        if not any(isinstance(d, PoisonedBatches) and d.step <= index < d.step + d.num_batches for d in self.drills):
            return batch
        generator = torch.Generator().manual_seed(self.seed * 1_000_003 + index * 1_009 + rank)
        shape = batch.tokens.shape
        tokens, targets = (torch.randint(self.vocab_size, shape, generator=generator) for _ in range(2))
        targets[batch.targets == IGNORED] = IGNORED
        return replace(batch, tokens=tokens, targets=targets)

    def spoil(self, step: int, grads: list[Tensor]) -> None:
        """Put a NaN into the gradient at its step, once."""
        for number, drill in enumerate(self.drills):
            if isinstance(drill, NanGradient) and step == drill.step and number not in self.finished:
                grads[0].view(-1)[0] = float("nan")
                self.finished.add(number)
