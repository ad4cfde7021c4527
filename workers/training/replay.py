"""Counterfactual replay: from the checkpoint before an intervention, train a window with it, without it, otherwise.

All curves begin with the same weights, optimizer, generators and data. There is this one checkpoint: where the run went
back further, `with` tells of an action that had no checkpoint. `with` lets the controller do again what it did
(or gives a person's command again), `without` has the controller off, `other` has another policy. Held-out loss at
the end gives the verdict.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workers.reporter import MemoryReporter, Reporter
from workers.specs.events import Command
from workers.specs.training import TrainingSpec
from workers.specs.training.replay import Replay
from workers.training.checkpoints import open_checkpoint
from workers.training.devices import determinism
from workers.training.engine import Engine, build_engine
from workers.training.errors import InputError, TrainingStopped
from workers.training.loop import Loop
from workers.training.publisher import Publisher
from workers.training.sources import Folders

MARGIN = 0.01
"""Difference of held-out losses, as a share, below which an intervention made none."""


@dataclass(slots=True)
class Curve:
    """What one way led to."""

    losses: dict[int, float]
    """By step; of steps done again the last."""
    heldout_loss: float
    """NaN when it did not get to the end."""
    num_steps: int
    """Steps trained, those done again too."""
    interventions: list[str]
    stopped: str | None = None


class WindowEnd(Exception):  # noqa: N818  not an error
    """The window is over."""


class _Ear(MemoryReporter):
    """Keeps the losses of one way, ends it, and hands out a person's command at its step."""

    def __init__(self, name: str, end: int, start: int, parent: Reporter, command: tuple[int, Command] | None) -> None:
        super().__init__()
        self.name, self.end, self.start, self.parent = name, end, start, parent
        self.losses: dict[int, float] = {}
        self.num_steps, self._next = 0, start
        self._command = command

    def metrics(self, step: int, values: Any, branch: int = 0) -> None:
        if "loss" not in values:
            return
        self.losses[step] = values["loss"]
        self.num_steps, self._next = self.num_steps + 1, step + 1
        self.parent.metrics(step, {f"replay/{self.name}": values["loss"]}, branch)

    def progress(self, stage: str, done: float, total: float, unit: str = "") -> None:
        self.parent.progress(f"replay {self.name}", max(done - self.start, 0), self.end - self.start, "steps")

    def commands(self) -> list[Command]:
        if self._next >= self.end:
            raise WindowEnd
        if self._command and self._next >= self._command[0]:
            command, self._command = self._command[1], None
            return [command]
        return []


def replay(spec: TrainingSpec, *, dataset: Folders, checkpoint: Path, out: Path, reporter: Reporter) -> dict[str, Any]:
    """Train the curves of `spec.replay` and compare them. The summary; curves as series `replay/...`.

    Raises InputError for what cannot be replayed, CheckpointError when the checkpoint cannot be read.
    """
    wanted = spec.replay
    if wanted is None:
        raise InputError("the spec has no `replay`: say which intervention")
    if spec.resources.num_processes > 1:
        raise InputError("a replay trains in one process; runs of several processes cannot be replayed")
    start = open_checkpoint(checkpoint).step
    end = min(max(wanted.step, start) + wanted.window_steps, spec.num_steps)
    if end <= start:
        raise InputError(f"the checkpoint is of step {start}: there is nothing left to train in the window")
    ways = ["with", "without", *(["other"] if wanted.policy else [])]
    curves = {way: _train(spec, wanted, way, (start, end), dataset, checkpoint, out / way, reporter) for way in ways}
    found = {
        "run": wanted.run,
        "intervention": wanted.intervention,
        "verdict": verdict(curves["with"].heldout_loss, curves["without"].heldout_loss),
        "first_step": start,
        "last_step": end,
        "curves": {way: _told(curve, start, end) for way, curve in curves.items()},
    }
    if "other" in curves:
        found["other_verdict"] = verdict(curves["other"].heldout_loss, curves["without"].heldout_loss)
    return {"replay": found}


def verdict(with_it: float, without: float) -> str:
    """`helped`, `harmless` or `harmful`, by held-out losses; a way that led nowhere has none (NaN)."""
    if not math.isfinite(without):
        return "helped" if math.isfinite(with_it) else "harmless"
    if not math.isfinite(with_it) or with_it > without * (1 + MARGIN):
        return "harmful"
    return "helped" if with_it < without * (1 - MARGIN) else "harmless"


def _train(
    spec: TrainingSpec,
    wanted: Replay,
    way: str,
    window: tuple[int, int],
    dataset: Folders,
    checkpoint: Path,
    out: Path,
    reporter: Reporter,
) -> Curve:
    if way == "other" and wanted.policy:
        monitoring = spec.monitoring.model_copy(update={"policy": wanted.policy})
        spec = spec.model_copy(update={"monitoring": monitoring})
    again = None
    if way == "with" and wanted.command:
        again = wanted.step, Command.model_validate({**wanted.command, "id": "again", "author": "replay"})
    ear = _Ear(way, window[1], window[0], reporter, again)
    with determinism(spec.deterministic):
        engine = build_engine(spec, dataset, out, ear, Publisher(None, ear))
        stopped = None
        try:
            engine.state = engine.load(open_checkpoint(checkpoint))
            engine.load_controls(open_checkpoint(checkpoint))
            _steer(engine, way, by_person=wanted.command is not None)
            engine.use_stage()
            engine.save(wait=True)
            Loop(engine).run()
        except WindowEnd:
            pass
        except TrainingStopped as error:
            stopped = str(error)
        loss = math.nan if stopped else engine.heldout.loss(engine.objective, engine.accelerator, engine.dtype)
        engine.saver.settle()
    ear.flush()
    acted = {i.id: f"{i.step}: {i.action}, {i.outcome}" for i in ear.batch.interventions}
    return Curve(ear.losses, loss, ear.num_steps, list(acted.values()), stopped)


def _steer(engine: Engine, way: str, *, by_person: bool) -> None:
    """Let the controller act or not. What a person did is judged with the controller as it was in both curves."""
    engine.state.paused = False
    for told in engine.watch.resumed():
        engine.reporter.intervention(told)
    if way == "without" and not by_person:
        engine.watch.set_mode("off", engine.state.step)
    elif engine.watch.mode in {"approve", "shadow"}:
        engine.watch.set_mode("auto", engine.state.step)


def _told(curve: Curve, start: int, end: int) -> dict[str, Any]:
    """As JSON, which has no NaN: no more than some 200 finite points, and None for a loss that is none."""
    steps = [step for step, loss in sorted(curve.losses.items()) if start <= step < end and math.isfinite(loss)]
    thinned = steps[:: max(-(-len(steps) // 200), 1)]
    return {
        "heldout_loss": curve.heldout_loss if math.isfinite(curve.heldout_loss) else None,
        "steps": thinned,
        "losses": [round(curve.losses[step], 5) for step in thinned],
        "num_steps": curve.num_steps,
        "interventions": curve.interventions,
        "stopped": curve.stopped,
    }
