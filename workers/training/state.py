"""Where a training run stands: everything that a checkpoint keeps beside weights, optimizer and random generators."""

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from workers.specs.training import TrainingSpec

Span = tuple[int, int]


@dataclass
class TrainerState:
    """Counts and positions. JSON-able."""

    step: int = 0
    """Updates done, which is also the number of the next step."""
    next_batch: int = 0
    """Index of the next batch."""
    branch: int = 0
    tokens: int = 0
    """Training tokens on the way to these weights."""
    skipped: list[Span] = field(default_factory=list)
    """Batches left out, as [start, stop)."""
    num_interventions: int = 0
    num_rollbacks: int = 0
    first_loss: float | None = None
    last_loss: float | None = None
    seconds: float = 0.0
    """Time spent in steps."""

    def take_batch(self) -> int:
        """Index of the batch for this step; counts on past it and past what is left out."""
        index = self.next_batch
        while span := next((s for s in self.skipped if s[0] <= index < s[1]), None):
            index = span[1]
        self.next_batch = index + 1
        return index

    def skip(self, start: int, stop: int) -> None:
        """Leave out the batches [start, stop)."""
        if stop > start:
            self.skipped.append((start, stop))

    def go_back(self, saved: "TrainerState") -> None:
        """Take up the place of an earlier checkpoint on a new branch; what was learnt since is kept."""
        self.step, self.next_batch, self.tokens = saved.step, saved.next_batch, saved.tokens
        self.last_loss = saved.last_loss
        self.branch += 1
        self.num_rollbacks += 1

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> "TrainerState":
        """The inverse of `to_json`."""
        return cls(**{**values, "skipped": [(start, stop) for start, stop in values["skipped"]]})


def identity(spec: TrainingSpec, dataset: Path | Mapping[str, Path], dtype: str) -> dict[str, Any]:
    """What must be equal for a checkpoint to be continued: all that decides the numbers, by its path in the spec."""
    fields = spec.model_dump(
        mode="json", include={"model", "optimizer", "schedule", "clipping", "batch", "num_steps", "seed"}
    )
    flat = {
        f"{name}.{key}": value for name, part in fields.items() if isinstance(part, dict) for key, value in part.items()
    }
    flat |= {name: value for name, value in fields.items() if not isinstance(value, dict)}
    return flat | {
        "resources.num_processes": spec.resources.num_processes,
        "dtype": dtype,
        **_data_identity(spec, dataset),
    }


def _data_identity(spec: TrainingSpec, dataset: Path | Mapping[str, Path]) -> dict[str, Any]:
    if isinstance(dataset, Path):
        return {"dataset": hashlib.sha256((dataset / "dataset.json").read_bytes()).hexdigest()}
    return {"mixture": [source.model_dump(mode="json") for source in spec.mixture]}


def differences(saved: Mapping[str, Any], wanted: Mapping[str, Any]) -> list[str]:
    """Fields in which two identities differ, in words."""
    return [
        f"{name} is {saved.get(name)!r} in the checkpoint and {wanted.get(name)!r} now"
        for name in sorted(saved.keys() | wanted.keys())
        if saved.get(name) != wanted.get(name)
    ]
