"""Losses: each a file with one module, (model, hidden states, batch) -> a mean in nats per token."""

from workers.specs.training import TrainingSpec
from workers.training.losses._shared import Loss
from workers.training.losses.cross_entropy import CrossEntropy
from workers.training.losses.mtp import MtpLoss


def build_losses(spec: TrainingSpec) -> list[Loss]:
    """The losses that a spec asks for. The first is always the cross-entropy of the next token."""
    losses: list[Loss] = [CrossEntropy()]
    if spec.model.mtp is not None:
        losses.append(MtpLoss(spec.model.mtp.num_heads, spec.mtp_weight))
    return losses
