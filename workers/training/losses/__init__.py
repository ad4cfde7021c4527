"""Losses: each a file with one module, (model, hidden states, batch) -> a mean in nats per token."""

from collections.abc import Callable
from typing import Any

from workers.specs.training import TrainingSpec
from workers.specs.training.model import Model
from workers.training.losses import attention_transfer, distillation, hidden_states
from workers.training.losses._shared import Loss, TeacherLoss
from workers.training.losses.cross_entropy import CrossEntropy
from workers.training.losses.mtp import MtpLoss
from workers.training.losses.z_loss import ZLoss
from workers.training.teacher_model import TeacherShape

_TEACHER_LOSSES: dict[str, Callable[[Any, Model, TeacherShape | None], TeacherLoss]] = {
    "distillation": distillation.build,
    "attention_transfer": attention_transfer.build,
    "hidden_states": hidden_states.build,
}


def build_losses(spec: TrainingSpec, teacher: TeacherShape | None = None) -> list[Loss]:
    """The losses that a spec asks for. The first is always the cross-entropy of the next token.

    `teacher`: the shape of the teacher, where it runs beside the student.
    """
    losses: list[Loss] = [CrossEntropy()]
    if spec.z_loss_weight:
        losses.append(ZLoss(spec.z_loss_weight))
    if spec.model.mtp is not None:
        losses.append(MtpLoss(spec.model.mtp.num_heads, spec.mtp_weight))
    if spec.distillation is not None:
        losses[0].weight = spec.distillation.cross_entropy_weight
        losses += [_TEACHER_LOSSES[term.kind](term, spec.model, teacher) for term in spec.distillation.terms]
    return losses
