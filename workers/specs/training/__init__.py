"""Training: a dataset version -> checkpoints."""

from typing import Literal, Self

from pydantic import Field, model_validator

from workers.specs.base import Digest, Name, Resources, Spec
from workers.specs.monitoring import Monitoring
from workers.specs.training.clipping import Clipping, GlobalNorm
from workers.specs.training.drills import Drill
from workers.specs.training.mixture import MixtureSource
from workers.specs.training.model import Model
from workers.specs.training.optimizers import AdamW, Optimizer
from workers.specs.training.schedules import Schedule, Wsd


class BatchSize(Spec):
    """How much text one step sees."""

    sequence_tokens: int = Field(256, ge=8)
    """Length of one packed sequence."""
    micro_batch_sequences: int = Field(16, ge=1)
    """Sequences in one forward pass of one process."""
    accumulation: int = Field(1, ge=1)
    """Forward passes before an update."""


class Checkpointing(Spec):
    """When checkpoints are written, and which are kept."""

    every_steps: int = Field(100, ge=1)
    keep: int = Field(3, ge=2)
    """The newest so many stay; the last of a run always does."""


class HeldOut(Spec):
    """Loss on held-out text during training."""

    every_steps: int = Field(100, ge=1)
    num_batches: int = Field(8, ge=1)


class TrainingSpec(Spec):
    """From a dataset version to a checkpoint."""

    kind: Literal["training"] = "training"
    name: Name = "training"
    dataset: Digest | None = None
    """Digest of the dataset version. A pipeline fills it in."""
    mixture: list[MixtureSource] = Field(default_factory=list, max_length=64)
    """Several versions, or parts of versions, with weights; instead of `dataset`."""
    model: Model = Model()
    optimizer: Optimizer = AdamW()
    schedule: Schedule = Wsd()
    clipping: Clipping = GlobalNorm()
    batch: BatchSize = BatchSize()
    num_steps: int = Field(600, ge=1)
    seed: int = Field(0, ge=0)
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Type of the matrix products; weights and optimizer stay in float32. `auto`: bfloat16 where hardware has it."""
    compile: bool = False
    """torch.compile: pays on long runs."""
    deterministic: bool = True
    """Deterministic algorithms: a resumed run equals an uninterrupted one bit for bit."""
    checkpointing: Checkpointing = Checkpointing()
    heldout: HeldOut = HeldOut()
    monitoring: Monitoring = Monitoring()
    drills: list[Drill] = Field(default_factory=list)
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _warmup_fits(self) -> Self:
        if self.schedule.warmup_steps >= self.num_steps:
            raise ValueError(f"warmup_steps {self.schedule.warmup_steps} leave nothing of num_steps {self.num_steps}")
        return self

    @model_validator(mode="after")
    def _one_kind_of_data(self) -> Self:
        if self.dataset and self.mixture:
            raise ValueError("give `dataset` or `mixture`, not both: a mixture names its own dataset versions")
        return self

    @property
    def datasets(self) -> list[str]:
        """Digests of the dataset versions to train on, each once."""
        named = [source.dataset for source in self.mixture] or ([self.dataset] if self.dataset else [])
        return list(dict.fromkeys(named))

    @property
    def tokens_per_step(self) -> int:
        """Tokens one update sees over all processes."""
        b = self.batch
        return b.sequence_tokens * b.micro_batch_sequences * b.accumulation * self.resources.num_processes
