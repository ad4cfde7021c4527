"""Detectors of the run as a whole: its loss, its clipping, its data, its speed and its memory."""

from typing import Literal

from pydantic import Field

from workers.specs.base import Spec


class Plateau(Spec):
    """The loss has stopped falling, at a learning rate that is not small."""

    kind: Literal["plateau"] = "plateau"
    window_steps: int = Field(1000, ge=40)
    """Steps whose second half is held against the first."""
    min_gain: float = Field(0.001, ge=0)
    """Fall of the loss from half to half, as a share, below which it counts as flat."""
    min_lr_share: float = Field(0.5, ge=0, le=1)
    """Share of the highest scheduled rate so far below which it does not judge: a decay ends in a plateau by plan."""


class ClipSaturation(Spec):
    """Clipping fires at almost every step: it has become the learning rate."""

    kind: Literal["clip_saturation"] = "clip_saturation"
    window_steps: int = Field(200, ge=20)
    """Steps that are counted."""
    share: float = Field(0.98, gt=0, le=1)
    """Share of them in which it fired that counts."""
    min_cut: float = Field(0.5, ge=0, lt=1)
    """Share of the gradient's norm that it must take away, in the middle: a limit close by does no harm."""


class SourceLoss(Spec):
    """The loss on one source of the mixture leaves the others."""

    kind: Literal["source_loss"] = "source_loss"
    window_steps: int = Field(128, ge=16)
    """Length of the past it compares with, in steps that had the source."""
    recent_steps: int = Field(8, ge=3)
    """Steps with the source whose median is judged."""
    rise: float = Field(0.25, gt=0)
    """Rise against the loss of all, as a share, that counts."""
    threshold: float = Field(6.0, gt=0)
    """Robust standard errors that it must rise too."""


class RepeatedBatch(Spec):
    """A batch comes again, token by token: the order of the data is broken. A new epoch shuffles anew."""

    kind: Literal["repeated_batch"] = "repeated_batch"
    window_steps: int = Field(1024, ge=1)
    """Steps that it remembers."""


class ThroughputFall(Spec):
    """Steps take much longer than they used to."""

    kind: Literal["throughput_fall"] = "throughput_fall"
    window_steps: int = Field(256, ge=32)
    """Length of the past it compares with."""
    recent_steps: int = Field(48, ge=4)
    """Steps whose median is judged."""
    factor: float = Field(0.4, gt=0, lt=1)
    """Share of the usual speed that counts."""


class DataStarvation(Spec):
    """Training waits for its data."""

    kind: Literal["data_starvation"] = "data_starvation"
    window_steps: int = Field(32, ge=4)
    """Steps whose median is judged."""
    share: float = Field(0.3, gt=0, lt=1)
    """Share of a step's time spent in waiting that counts."""
    min_seconds: float = Field(0.05, ge=0)
    """Waits that are shorter do no harm."""


class MemoryGrowth(Spec):
    """The process takes more and more memory, step by step, long after its start."""

    kind: Literal["memory_growth"] = "memory_growth"
    window_steps: int = Field(400, ge=40)
    """Steps over which it must grow; quarters of them are compared."""
    min_steps: int = Field(200, ge=0)
    """Steps left out at the start, when buffers are made."""
    growth: float = Field(0.1, gt=0)
    """Growth over the window, as a share, that counts; it must grow from quarter to quarter."""


class Straggler(Spec):
    """One process is slower than the others, which wait for it at each step."""

    kind: Literal["straggler"] = "straggler"
    window_steps: int = Field(32, ge=4)
    """Steps whose median is judged, for each process."""
    factor: float = Field(1.5, gt=1)
    """Times the median of all processes that counts."""
