"""Where a training run stands: everything that a checkpoint keeps beside weights, optimizer and random generators."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workers.specs.training import TrainingSpec
from workers.specs.training.mixture import MixtureSource
from workers.specs.training.model import Model
from workers.specs.training.stages import BatchSize

Span = tuple[int, int, int]
"""Stage, and its batches [start, stop)."""


@dataclass(slots=True, frozen=True)
class Place:
    """Where a batch stands: the n-th of its stage. With what earlier stages used, it fixes what the batch holds."""

    number: int
    stage: int = 0
    earlier: tuple[int, ...] = ()
    """Batches that each stage before it used."""

    @property
    def index(self) -> int:
        """Number of the batch in the run."""
        return sum(self.earlier) + self.number


@dataclass
class TrainerState:
    """Counts and positions. JSON-able."""

    step: int = 0
    """Updates done, which is also the number of the next step."""
    stage_batches: list[int] = field(default_factory=lambda: [0])
    """Batches that each stage so far has used, taken or left out; the last is the stage of now."""
    branch: int = 0
    tokens: int = 0
    """Training tokens on the way to these weights."""
    skipped: list[Span] = field(default_factory=list)
    """Batches left out."""
    paused: bool = False
    """A person has paused it; who takes up the checkpoint waits too."""
    num_interventions: int = 0
    num_rollbacks: int = 0
    first_loss: float | None = None
    last_loss: float | None = None
    seconds: float = 0.0
    """Time spent in steps."""
    heldout: tuple[int, float] | None = None
    """Updates done when the held-out loss was last measured, and what it was."""

    @property
    def stage(self) -> int:
        """Number of the stage of now."""
        return len(self.stage_batches) - 1

    @property
    def last_place(self) -> Place:
        """Where the batch taken last stands."""
        return Place(max(self.stage_batches[-1] - 1, 0), self.stage, tuple(self.stage_batches[:-1]))

    def begin_stage(self) -> None:
        """Go on to the next stage."""
        self.stage_batches.append(0)

    def take_batch(self) -> Place:
        """The batch for this step; counts on past it and past what is left out."""
        number = self.stage_batches[-1]
        spans = [(start, stop) for stage, start, stop in self.skipped if stage == self.stage]
        while span := next((s for s in spans if s[0] <= number < s[1]), None):
            number = span[1]
        self.stage_batches[-1] = number + 1
        return Place(number, self.stage, tuple(self.stage_batches[:-1]))

    def skip(self, start: Place, through: Place, num_batches: int) -> None:
        """Leave out `num_batches` from `start` on, and more if need be up to `through`, which is not before it.

        Where a stage began in between, each stage leaves out its own: their data differ.
        """
        number, left = start.number, num_batches
        for stage in range(start.stage, through.stage):
            stop = max(self.stage_batches[stage], number)
            self._skip(stage, number, stop)
            number, left = 0, left - (stop - number)
        self._skip(through.stage, number, max(number + left, through.number + 1))

    def _skip(self, stage: int, start: int, stop: int) -> None:
        if stop > start:
            self.skipped.append((stage, start, stop))

    def skip_next(self, num_batches: int) -> int:
        """Leave out the next `num_batches` batches of this stage. Returns the number of the first."""
        first = self.stage_batches[-1]
        self._skip(self.stage, first, first + num_batches)
        return first

    def left_out(self, stage: int) -> set[int]:
        """Batches of a stage that were left out."""
        return {number for at, start, stop in self.skipped if at == stage for number in range(start, stop)}

    def go_back(self, saved: "TrainerState") -> None:
        """Take up the place of an earlier checkpoint on a new branch; what was learnt since is kept."""
        self.step, self.stage_batches, self.tokens = saved.step, list(saved.stage_batches), saved.tokens
        self.last_loss, self.heldout = saved.last_loss, saved.heldout
        self.branch += 1
        self.num_rollbacks += 1

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainerState":
        """The inverse of `to_json`; also of states from before there were stages."""
        values = dict(values)
        if "next_batch" in values:
            values["stage_batches"] = [values.pop("next_batch")]
        spans = [(0, *span) if len(span) == 2 else tuple(span) for span in values.pop("skipped")]
        heldout = values.pop("heldout", None)
        return cls(**values, skipped=spans, heldout=tuple(heldout) if heldout else None)


def identity(
    spec: TrainingSpec, dataset: Path | Mapping[str, Path], dtype: str, teacher: Mapping[str, Any]
) -> dict[str, Any]:
    """What must be equal for a checkpoint to be continued: all that decides the numbers, by its path in the spec."""
    fields = spec.model_dump(
        mode="json", include={"model", "optimizer", "schedule", "clipping", "batch", "num_steps", "seed"}
    )
    flat = {
        f"{name}.{key}": value for name, part in fields.items() if isinstance(part, dict) for key, value in part.items()
    }
    flat |= {name: value for name, value in fields.items() if not isinstance(value, dict)}
    flat = {name: value for name, value in flat.items() if not name.startswith("batch.")}
    flat |= {f"batch.{name}": value for name, value in _batch_identity(spec, spec.batch).items()}
    if spec.model.mtp is not None:
        flat["mtp_weight"] = spec.mtp_weight.model_dump(mode="json")
    if spec.z_loss_weight:
        flat["z_loss_weight"] = spec.z_loss_weight
    return flat | {
        "dtype": dtype,
        **teacher,
        **_data_identity(spec, dataset),
    }


def _data_identity(spec: TrainingSpec, dataset: Path | Mapping[str, Path]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if isinstance(dataset, Path):
        found["dataset"] = hashlib.sha256((dataset / "dataset.json").read_bytes()).hexdigest()
    if spec.mixture:
        found["mixture"] = [_source_identity(spec, source) for source in spec.mixture]
    if spec.stages:
        found["stages"] = [stage.model_dump(mode="json", exclude={"name", "mixture"}) for stage in spec.stages]
        for stage, values in zip(spec.stages, found["stages"], strict=True):
            values["batch"] = stage.batch and _batch_identity(spec, stage.batch)
            values["mixture"] = [_source_identity(spec, source) for source in stage.mixture]
    if spec.stages and spec.dataset and "dataset" not in found:
        found["dataset"] = spec.dataset
    return found


def _batch_identity(spec: TrainingSpec, batch: BatchSize) -> dict[str, int]:
    """What fixes the text of each step. How passes and processes share it out only changes the order of sums."""
    return _shared_batch(batch.model_dump(), spec.resources.num_processes)


def _shared_batch(batch: Mapping[str, int], num_processes: int) -> dict[str, int]:
    sequences = batch["micro_batch_sequences"] * batch["accumulation"] * num_processes
    return {"sequence_tokens": batch["sequence_tokens"], "sequences": sequences}


def _source_identity(spec: TrainingSpec, source: MixtureSource) -> dict[str, Any]:
    values = source.model_dump(mode="json", exclude={"name"})
    return values | {"dataset": source.dataset or spec.dataset}


def saved_identity(trainer: Mapping[str, Any]) -> dict[str, Any]:
    """The identity in a checkpoint; fields that models did not have then stand as if left out of the spec."""
    defaults = {f"model.{name}": value for name, value in Model().model_dump(mode="json").items()}
    return defaults | _without_processes(trainer["identity"])


def _without_processes(saved: Mapping[str, Any]) -> dict[str, Any]:
    """The same of a checkpoint from when a run was bound to its number of processes."""
    if "resources.num_processes" not in saved:
        return dict(saved)
    found = {name: value for name, value in saved.items() if not name.startswith(("batch.", "resources."))}
    num_processes = saved["resources.num_processes"]
    batch = {name.removeprefix("batch."): value for name, value in saved.items() if name.startswith("batch.")}
    found |= {f"batch.{name}": value for name, value in _shared_batch(batch, num_processes).items()}
    if "stages" in saved:
        found["stages"] = [
            stage | {"batch": stage["batch"] and _shared_batch(stage["batch"], num_processes)}
            for stage in saved["stages"]
        ]
    return found


def differences(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Fields in which two identities differ, in words."""
    hints = {
        "batch.sequences": " (of one step over all processes: with another resources.num_processes, change "
        "batch.accumulation or batch.micro_batch_sequences so that it stays)"
    }
    return [
        f"{name} is {saved.get(name)!r} in the checkpoint and {wanted.get(name)!r} now{hints.get(name, '')}"
        for name in sorted(saved.keys() | wanted.keys())
        if saved.get(name) != wanted.get(name)
    ]
