"""Distillation: a larger model's outputs beside the text as what the student learns from. arXiv 1503.02531"""

from typing import Annotated, Literal, Self

from pydantic import Field, field_validator, model_validator

from workers.specs.base import Spec


class OnlineTeacher(Spec):
    """The teacher runs beside the student on each batch, and sees exactly what the student sees."""

    kind: Literal["online"] = "online"
    model: str = Field(min_length=1, max_length=4096)
    """`smollm2-135m-instruct` (packaged), a Hugging Face folder, a checkpoint's folder, or a GGUF file."""


class OfflineTeacher(Spec):
    """The teacher's most likely tokens, written to disk once before the first step and read by every later run."""

    kind: Literal["offline"] = "offline"
    model: str = Field(min_length=1, max_length=4096)
    """`smollm2-135m-instruct` (packaged), a Hugging Face folder, a checkpoint's folder, or a GGUF file."""
    top_k: int = Field(64, ge=1, le=1 << 20)
    """Tokens kept at each place; the rest of the vocabulary becomes one class with their whole probability."""
    context_tokens: int = Field(0, ge=0, le=1 << 20)
    """Window of the teacher; 0: `batch.sequence_tokens`, so that it sees what the student sees."""
    overlap_tokens: int = Field(0, ge=0, le=1 << 20)
    """Tokens of each window that only give context, being written with the window before; costs the teacher's time."""
    batch_tokens: int = Field(4096, ge=1)
    """Tokens in one pass of the teacher."""

    @model_validator(mode="after")
    def _moves_on(self) -> Self:
        if self.context_tokens and self.overlap_tokens >= self.context_tokens:
            raise ValueError(
                f"overlap_tokens {self.overlap_tokens} leave nothing of context_tokens {self.context_tokens}"
            )
        return self


Teacher = Annotated[OnlineTeacher | OfflineTeacher, Field(discriminator="kind")]


class LayerPair(Spec):
    """A layer of the student and the layer of the teacher that it follows; the first layer is 0."""

    student: int = Field(ge=0, le=10_000)
    teacher: int = Field(ge=0, le=10_000)


class LogitDistillation(Spec):
    """KL(teacher || student) of the next token, both at a temperature, times its square. arXiv 1503.02531"""

    kind: Literal["distillation"] = "distillation"
    weight: float = Field(1.0, gt=0, le=1e6)
    temperature: float = Field(1.0, ge=0.05, le=100)
    """Both distributions are softened by it; above 1 unlikely tokens count for more."""
    chunk_tokens: int = Field(512, ge=1)
    """Places whose logits are held at a time."""


class AttentionTransfer(Spec):
    """KL(teacher || student) of where each token looks. arXiv 1612.03928 (transfer), 2002.10957 (KL of the maps)"""

    kind: Literal["attention_transfer"] = "attention_transfer"
    weight: float = Field(1.0, gt=0, le=1e6)
    layers: list[LayerPair] = Field(min_length=1, max_length=256)
    heads: Literal["mean", "each"] = "mean"
    """`mean`: the maps averaged over heads, of which they may have different numbers; `each`: head by head."""


class HiddenStates(Spec):
    """Layers' outputs through a learned projection: square error over the teacher's mean square. arXiv 1909.10351"""

    kind: Literal["hidden_states"] = "hidden_states"
    weight: float = Field(1.0, gt=0, le=1e6)
    layers: list[LayerPair] = Field(min_length=1, max_length=256)
    """The last layer's output counts after the final norm."""


DistillationTerm = Annotated[LogitDistillation | AttentionTransfer | HiddenStates, Field(discriminator="kind")]


class Distillation(Spec):
    """A teacher, what of it is matched, and how much of the cross-entropy of the text stays."""

    teacher: Teacher
    terms: list[DistillationTerm] = Field(default=[LogitDistillation()], min_length=1, max_length=3)
    """Each kind at most once."""
    cross_entropy_weight: float = Field(0.5, ge=0, le=1e6)
    """Weight of the cross-entropy; `loss` is shown without it."""

    @field_validator("terms")
    @classmethod
    def _kinds_differ(cls, terms: list[DistillationTerm]) -> list[DistillationTerm]:
        kinds = [term.kind for term in terms]
        if twice := sorted({kind for kind in kinds if kinds.count(kind) > 1}):
            raise ValueError(f"{', '.join(twice)} is there twice: give its layers in one term")
        return terms

    @model_validator(mode="after")
    def _offline_has_logits_alone(self) -> Self:
        inner = [term.kind for term in self.terms if not isinstance(term, LogitDistillation)]
        if inner and isinstance(self.teacher, OfflineTeacher):
            raise ValueError(f"{inner[0]} needs `teacher.kind: online`: only logits are written to disk")
        return self

    @property
    def temperature(self) -> float:
        """Temperature of the logits' term; 1 without one."""
        return next((term.temperature for term in self.terms if isinstance(term, LogitDistillation)), 1.0)

    def student_layers(self) -> set[int]:
        """Layers of the student that some term looks at."""
        return {pair.student for term in self.terms if not isinstance(term, LogitDistillation) for pair in term.layers}
