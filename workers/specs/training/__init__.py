"""Training: a dataset version -> checkpoints."""

from typing import Literal, Self

from pydantic import Field, model_validator

from workers.specs.base import Digest, Name, Resources, Spec
from workers.specs.monitoring import Monitoring
from workers.specs.training.clipping import Clipping, GlobalNorm
from workers.specs.training.distillation import Distillation
from workers.specs.training.drills import Drill
from workers.specs.training.mixture import MixtureSource
from workers.specs.training.model import Model
from workers.specs.training.mtp import MtpWeight
from workers.specs.training.optimizers import AdamW, Optimizer
from workers.specs.training.replay import Replay
from workers.specs.training.schedules import Schedule, Wsd
from workers.specs.training.stages import BatchSize, PlannedStage, Stage, count_steps
from workers.specs.training.telemetry import LayerTelemetry


class Checkpointing(Spec):
    """When checkpoints are written, and which are kept."""

    every_steps: int = Field(100, ge=1)
    keep: int = Field(3, ge=2)
    """The newest so many stay; the last of a run always does."""
    keep_every_steps: int | None = Field(None, ge=1)
    """Those of each so many steps stay too, for good. None: no others."""
    keep_best: bool = True
    """So does the one with the lowest held-out loss, among those whose step measured it."""
    asynchronous: bool = True
    """Write beside the training, from a copy in memory as large as the checkpoint. Off: training waits for the disk."""
    on_failure: Literal["continue", "stop"] = "continue"
    """What a checkpoint that cannot be written means: a warning and another try at the next one, or the run's end. The
    first and the last one of a run must be written in any case."""

    @model_validator(mode="after")
    def _kept_steps_have_checkpoints(self) -> Self:
        if self.keep_every_steps and self.keep_every_steps % self.every_steps:
            raise ValueError(
                f"keep_every_steps {self.keep_every_steps} is no multiple of every_steps {self.every_steps}: "
                "at most of these steps there would be no checkpoint to keep"
            )
        return self


class HeldOut(Spec):
    """Loss on held-out text during training."""

    every_steps: int = Field(100, ge=1)
    num_batches: int = Field(8, ge=1)
    """Each as large as that of a step."""


class TrainingSpec(Spec):
    """From a dataset version to a checkpoint."""

    kind: Literal["training"] = "training"
    name: Name = "training"
    dataset: Digest | None = None
    """Digest of the dataset version. A pipeline fills it in."""
    mixture: list[MixtureSource] = Field(default_factory=list, max_length=64)
    """Several versions, or parts of versions, with weights. Sources that name no version are parts of `dataset`."""
    stages: list[Stage] = Field(default_factory=list, max_length=32)
    """Parts of the run with data, length, learning rate or rotary base of their own; empty: the run is one stage."""
    model: Model = Model()
    initial_weights: str | None = Field(None, min_length=1, max_length=4096)
    """Where weights start; none: drawn by `seed`. A digest (`sha256:...`) of a checkpoint or release, or on the worker
    a checkpoint's folder, a Hugging Face folder (Llama, Qwen3, SmolLM3), a GGUF file, `smollm2-135m-instruct`."""
    mtp_weight: MtpWeight = MtpWeight()
    """Weight of the loss of `model.mtp` over training."""
    optimizer: Optimizer = AdamW()
    schedule: Schedule = Wsd()
    clipping: Clipping = GlobalNorm()
    batch: BatchSize = BatchSize()
    z_loss_weight: float = Field(0.0, ge=0, le=1)
    """Weight of the squared log of the softmax's sum, which keeps logits from drifting; PaLM has 1e-4. 0: without."""
    distillation: Distillation | None = None
    """A teacher to learn from beside the text; none: the text alone."""
    num_steps: int = Field(600, ge=1)
    """With `stages` it is the sum of theirs."""
    seed: int = Field(0, ge=0, lt=2**63)
    dtype: Literal["auto", "bfloat16", "float32"] = "auto"
    """Type of the matrix products; weights and optimizer stay in float32. `auto`: bfloat16 where hardware has it."""
    compile: bool = False
    """torch.compile: pays on long runs."""
    parallel: Literal["ddp", "fsdp2"] = "ddp"
    """Several processes: each holds the whole model (DDP), or a share of weights, gradients and optimizer (FSDP2)."""
    deterministic: bool = True
    """Deterministic algorithms: a resumed run equals an uninterrupted one bit for bit."""
    checkpointing: Checkpointing = Checkpointing()
    heldout: HeldOut = HeldOut()
    monitoring: Monitoring = Monitoring()
    telemetry: LayerTelemetry = LayerTelemetry()
    drills: list[Drill] = Field(default_factory=list)
    replay: Replay | None = None
    """Not a training of its own, but an intervention of another one tried with and without."""
    resources: Resources = Resources()

    @model_validator(mode="after")
    def _lengths_fit(self) -> Self:
        if self.stages:
            total = sum(count_steps(stage, self._tokens_per_step(self._batch(stage))) for stage in self.stages)
            if self.num_steps not in {total, type(self).model_fields["num_steps"].default}:
                raise ValueError(f"num_steps is {self.num_steps}, the stages have {total}: leave num_steps out")
            self.__dict__["num_steps"] = total  # a spec is frozen once it is made; this is its making
        for stage in self.plan:
            if stage.schedule.warmup_steps >= stage.schedule_steps:
                of = f"the {stage.schedule_steps} steps of stage {stage.name!r}" if self.stages else ""
                raise ValueError(
                    f"warmup_steps {stage.schedule.warmup_steps} leave nothing of {of or f'num_steps {self.num_steps}'}"
                )
        shortest = min(stage.batch.sequence_tokens for stage in self.plan)
        for stage in self.plan:
            if stage.batch.sequence_tokens % shortest:
                raise ValueError(
                    f"sequence_tokens {stage.batch.sequence_tokens} of stage {stage.name!r} is no multiple of the "
                    f"shortest, {shortest}: a stage could not go on where another stopped"
                )
        return self

    @model_validator(mode="after")
    def _one_kind_of_data(self) -> Self:
        if self.dataset and self.mixture and all(source.dataset for source in self.mixture):
            raise ValueError("give `dataset` or `mixture`, not both: a mixture names its own dataset versions")
        return self

    @model_validator(mode="after")
    def _distilled_layers_exist(self) -> Self:
        layers = self.distillation.student_layers() if self.distillation else set()
        if beyond := sorted(layer for layer in layers if layer >= self.model.num_layers):
            raise ValueError(
                f"distillation names layer {beyond[0]} of a student whose layers are 0 to {self.model.num_layers - 1}"
            )
        return self

    @model_validator(mode="after")
    def _can_be_shared_out(self) -> Self:
        if self.parallel == "ddp":
            return self
        if self.optimizer.kind != "adamw":
            raise ValueError(
                f"optimizer {self.optimizer.kind} works on whole matrices, which parallel fsdp2 shares out: "
                "take adamw, or parallel ddp"
            )
        if self.clipping.kind not in {"global_norm", "zclip"}:
            raise ValueError(
                f"clipping {self.clipping.kind} measures tensor by tensor, which parallel fsdp2 shares out: take "
                "global_norm or zclip, or parallel ddp"
            )
        if wrong := [drill.kind for drill in self.drills if drill.kind in {"bit_flip", "qk_growth"}]:
            raise ValueError(f"drill {wrong[0]} changes whole weights, which parallel fsdp2 shares out")
        return self

    @model_validator(mode="after")
    def _sources_differ(self) -> Self:
        for stage in self.plan:
            if len({source.selection for source in stage.mixture}) < len(stage.mixture):
                raise ValueError(f"stage {stage.name!r} names a source twice: add up the weights")
        return self

    @property
    def warnings(self) -> list[str]:
        """What a person should know before the first step."""
        reasons = self.model.own_format_reasons
        if not reasons:
            return []
        return [
            f"no class of transformers can express this model ({', '.join(reasons)}): it will be released in our own "
            "format, with the code that loads it, and tools that read Hugging Face models will not take it"
        ]

    @property
    def plan(self) -> tuple[PlannedStage, ...]:
        """The stages in full; one where none is given."""
        stages = self.stages or [Stage(name=self.name, num_steps=self.num_steps)]
        lengths = [count_steps(stage, self._tokens_per_step(self._batch(stage))) for stage in stages]
        shared = sum(length for stage, length in zip(stages, lengths, strict=True) if stage.schedule is None)
        planned: list[PlannedStage] = []
        first_step = shared_before = 0
        theta = self.model.rope_theta
        for number, (stage, length) in enumerate(zip(stages, lengths, strict=True)):
            theta = stage.rope_theta or theta
            planned.append(
                PlannedStage(
                    number=number,
                    name=stage.name,
                    first_step=first_step,
                    num_steps=length,
                    batch=self._batch(stage),
                    tokens_per_step=self._tokens_per_step(self._batch(stage)),
                    dataset=self.dataset,
                    mixture=tuple(self._named(source) for source in stage.mixture or self.mixture),
                    rope_theta=theta,
                    lr=self.optimizer.lr if stage.lr is None else stage.lr,
                    schedule=stage.schedule or self.schedule,
                    schedule_start=0 if stage.schedule else shared_before,
                    schedule_steps=length if stage.schedule else shared,
                )
            )
            first_step += length
            shared_before += 0 if stage.schedule else length
        return tuple(planned)

    @property
    def has_mixture(self) -> bool:
        """Does any stage read a mixture?"""
        return any(stage.mixture for stage in self.plan)

    @property
    def datasets(self) -> list[str]:
        """Digests of the dataset versions to train on, each once. Empty: `dataset` is still to be filled in."""
        named: list[str | None] = []
        for stage in self.plan:
            named += [source.dataset for source in stage.mixture] or [self.dataset]
        return [] if None in named else list(dict.fromkeys(digest for digest in named if digest))

    @property
    def num_tokens(self) -> int:
        """Tokens of the whole run."""
        return sum(stage.num_steps * stage.tokens_per_step for stage in self.plan)

    @property
    def tokens_per_step(self) -> int:
        """Tokens one update sees over all processes; with stages in the first of them."""
        return self.plan[0].tokens_per_step

    def _named(self, source: MixtureSource) -> MixtureSource:
        return source if source.dataset else source.model_copy(update={"dataset": self.dataset})

    def _batch(self, stage: Stage) -> BatchSize:
        return stage.batch or self.batch

    def _tokens_per_step(self, batch: BatchSize) -> int:
        return batch.sequence_tokens * batch.sequences * self.resources.num_processes
