"""KL between the teacher's and the student's next token, at a temperature, times its square. arXiv 1503.02531

Shapes: B sequences, T tokens, N places (B x T), C width of the student.
"""

from torch import Tensor

from workers.kernels.distillation import distill_full, distill_top
from workers.model.trace import Trace
from workers.model.transformer import Transformer
from workers.specs.training.distillation import LogitDistillation
from workers.specs.training.model import Model
from workers.training.lesson import Lesson, TopLogits
from workers.training.losses._shared import TeacherLoss, mean_weights
from workers.training.teacher_model import TeacherShape


class DistillationLoss(TeacherLoss):
    """From all logits of a teacher beside the student, or from the likeliest tokens that it wrote to disk."""

    name = "loss/distillation"

    def __init__(self, spec: LogitDistillation) -> None:
        super().__init__()
        self.weight = spec.weight
        self.temperature, self.chunk_tokens = spec.temperature, spec.chunk_tokens

    def compare(
        self, model: Transformer, hidden_BTC: Tensor, targets_BT: Tensor, trace: Trace, lesson: Lesson
    ) -> Tensor:
        """-> () fp32"""
        student = (hidden_BTC.flatten(0, 1), model.head_weight_VC, mean_weights(targets_BT).flatten())
        how = {"temperature": self.temperature, "chunk_tokens": self.chunk_tokens}
        if isinstance(lesson.logits, TopLogits):
            return distill_top(*student, *(part.flatten(0, 1) for part in lesson.logits), **how)
        return distill_full(*student, lesson.logits.hidden.flatten(0, 1), lesson.logits.head, **how)


def build(spec: LogitDistillation, student: Model, teacher: TeacherShape | None) -> DistillationLoss:
    """The loss as `spec` says."""
    return DistillationLoss(spec)
