"""Layers' outputs follow the teacher's through a learned projection, whatever the two widths. arXiv 1909.10351

TinyBERT takes the mean square error. Here it is divided by the teacher's own mean square at the place: outputs grow
with depth, and at the first token of a text by a thousand times, so that a few places would be all of the loss.

Shapes: B sequences, T tokens, C width of the student, D width of the teacher.
"""

import torch
from torch import Tensor, nn

from workers.model.trace import Trace
from workers.model.transformer import Transformer
from workers.specs.training.distillation import HiddenStates
from workers.specs.training.model import Model
from workers.training.errors import InputError
from workers.training.lesson import Lesson
from workers.training.losses._shared import TeacherLoss, mean_weights
from workers.training.teacher_model import TeacherShape


class HiddenStatesLoss(TeacherLoss):
    """Relative square error, the mean over pairs of layers; 1 is what a projection to zero would have."""

    name = "loss/hidden_states"

    def __init__(self, spec: HiddenStates, student_width: int, teacher_width: int) -> None:
        super().__init__()
        self.weight = spec.weight
        self.pairs = [(pair.student, pair.teacher) for pair in spec.layers]
        self.hidden_layers = frozenset(student for student, _ in self.pairs)
        self.projections = nn.ModuleList(nn.Linear(student_width, teacher_width, bias=False) for _ in self.pairs)

    def compare(
        self, model: Transformer, hidden_BTC: Tensor, targets_BT: Tensor, trace: Trace, lesson: Lesson
    ) -> Tensor:
        """-> () fp32"""
        error_BT = torch.zeros(targets_BT.shape, device=targets_BT.device)
        for (student, teacher), project in zip(self.pairs, self.projections, strict=True):
            theirs_BTD = lesson.hidden[teacher].float()
            difference_BTD = project(trace.hidden[student]).float() - theirs_BTD
            size_BT = theirs_BTD.square().sum(-1).clamp(min=torch.finfo(torch.float32).tiny)
            error_BT = error_BT + difference_BTD.square().sum(-1) / size_BT
        return (error_BT * mean_weights(targets_BT)).sum() / len(self.pairs)


def build(spec: HiddenStates, student: Model, teacher: TeacherShape | None) -> HiddenStatesLoss:
    """The loss as `spec` says. Raises InputError when the teacher has not such layers."""
    if teacher is None:
        raise InputError("hidden_states needs a teacher beside the student: teacher.kind online")
    teacher.check_layers(pair.teacher for pair in spec.layers)
    return HiddenStatesLoss(spec, student.d_model, teacher.width)
