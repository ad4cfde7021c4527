"""Losses: each a file with one module, (model, hidden states, batch) -> a mean in nats per token."""

from workers.specs.training import TrainingSpec
from workers.training.losses._shared import Loss
from workers.training.losses.cross_entropy import CrossEntropy


def build_losses(spec: TrainingSpec) -> list[Loss]:
    """The losses that a spec asks for. The first is always the cross-entropy of the next token."""
    return [CrossEntropy()]
