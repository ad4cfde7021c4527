"""Attention maps of chosen layers follow the teacher's: arXiv 1612.03928; by KL of each row as in arXiv 2002.10957.

Shapes: B sequences, T tokens, H heads.
"""

import torch
from torch import Tensor

from workers.model.trace import Trace
from workers.model.transformer import Transformer
from workers.specs.training.distillation import AttentionTransfer
from workers.specs.training.model import Model
from workers.training.errors import InputError
from workers.training.lesson import Lesson
from workers.training.losses._shared import TeacherLoss, mean_weights
from workers.training.teacher_model import TeacherShape


class AttentionTransferLoss(TeacherLoss):
    """KL(teacher || student) of where each place looks, the mean over heads and pairs of layers."""

    name = "loss/attention_transfer"

    def __init__(self, spec: AttentionTransfer) -> None:
        super().__init__()
        self.weight, self.by_head = spec.weight, spec.heads == "each"
        self.pairs = [(pair.student, pair.teacher) for pair in spec.layers]
        self.attention_layers = frozenset(student for student, _ in self.pairs)

    def compare(
        self, model: Transformer, hidden_BTC: Tensor, targets_BT: Tensor, trace: Trace, lesson: Lesson
    ) -> Tensor:
        """-> () fp32"""
        kl_BT = torch.zeros(targets_BT.shape, device=targets_BT.device)
        for student, teacher in self.pairs:
            ours_BHTT, theirs_BHTT = trace.attention[student], lesson.attention[teacher].float()
            if not self.by_head:
                ours_BHTT, theirs_BHTT = ours_BHTT.mean(1, keepdim=True), theirs_BHTT.mean(1, keepdim=True)
            kl_BT = kl_BT + _divergence(theirs_BHTT, ours_BHTT).mean(1)
        return (kl_BT * mean_weights(targets_BT)).sum() / len(self.pairs)


def _divergence(p_BHTT: Tensor, q_BHTT: Tensor) -> Tensor:
    """KL(p || q) of each row; where p is 0 nothing is added.  -> (B, H, T)"""
    tiny = torch.finfo(torch.float32).tiny  # where neither may look, both are 0
    return (p_BHTT * (p_BHTT.clamp(min=tiny).log() - q_BHTT.clamp(min=tiny).log())).sum(-1)


def build(spec: AttentionTransfer, student: Model, teacher: TeacherShape | None) -> AttentionTransferLoss:
    """The loss as `spec` says. Raises InputError when the teacher has not such layers or heads."""
    if teacher is None:
        raise InputError("attention_transfer needs a teacher beside the student: teacher.kind online")
    teacher.check_layers(pair.teacher for pair in spec.layers)
    if spec.heads == "each" and teacher.num_heads != student.num_heads:
        raise InputError(
            f"the teacher has {teacher.num_heads} heads and the student {student.num_heads}: "
            "attention_transfer.heads `each` needs as many, use `mean`"
        )
    return AttentionTransferLoss(spec)
