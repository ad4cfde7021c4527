"""Stages: one run after another in one run, each on its own data, at its own length and learning rate.

SmolLM3's recipe is one: https://huggingface.co/blog/smollm3
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from pydantic import Field, model_validator

from workers.specs.base import Name, Spec
from workers.specs.training.mixture import MixtureSource
from workers.specs.training.schedules import Schedule


class BatchSize(Spec):
    """How much text one step sees."""

    sequence_tokens: int = Field(256, ge=8)
    """Length of one packed sequence."""
    micro_batch_sequences: int = Field(16, ge=1)
    """Sequences in one forward pass of one process."""
    accumulation: int = Field(1, ge=1)
    """Forward passes before an update."""

    @property
    def sequences(self) -> int:
        """Sequences of one step in one process."""
        return self.micro_batch_sequences * self.accumulation


class Stage(Spec):
    """A part of the run. What it leaves out is as the run has it."""

    name: Name
    num_steps: int | None = Field(None, ge=1)
    """Its length in steps; or give `num_tokens`."""
    num_tokens: int | None = Field(None, ge=1)
    """Its length in tokens, rounded up to whole steps."""
    mixture: list[MixtureSource] = Field(default_factory=list, max_length=64)
    """Its data; empty: that of the run. A source that an earlier stage had too goes on where that stage left it."""
    batch: BatchSize | None = None
    """Its sequence length and batch size."""
    lr: float | None = Field(None, ge=0, le=10)
    """Its peak learning rate."""
    schedule: Schedule | None = None
    """A schedule of its own, over its steps. The run's `schedule` goes over all stages that have none."""
    rope_theta: float | None = Field(None, gt=1)
    """Base of the rotary positions from this stage on: larger for longer sequences. None: as in the stage before."""

    @model_validator(mode="after")
    def _has_one_length(self) -> Self:
        if (self.num_steps is None) == (self.num_tokens is None):
            raise ValueError(f"stage {self.name!r} needs num_steps or num_tokens, and not both")
        return self


@dataclass(slots=True, frozen=True)
class PlannedStage:
    """A stage with everything filled in."""

    number: int
    name: str
    first_step: int
    num_steps: int
    batch: BatchSize
    tokens_per_step: int
    dataset: str | None
    mixture: tuple[MixtureSource, ...]
    """Empty: the whole of `dataset`."""
    rope_theta: float
    lr: float
    schedule: Schedule
    schedule_start: int
    """Steps of the schedule that lie before `first_step`."""
    schedule_steps: int
    """Steps of the schedule in all."""

    @property
    def end_step(self) -> int:
        """First step after it."""
        return self.first_step + self.num_steps

    def schedule_step(self, step: int) -> int:
        """Where in its schedule the run's step `step` stands."""
        return step - self.first_step + self.schedule_start


def count_steps(stage: Stage, tokens_per_step: int) -> int:
    """Steps of a stage."""
    return stage.num_steps or -(-(stage.num_tokens or 0) // tokens_per_step)


def stage_at(plan: Sequence[PlannedStage], step: int) -> PlannedStage:
    """The stage that the run's step `step` belongs to; the last one also after its end."""
    return next((stage for stage in plan if step < stage.end_step), plan[-1])
