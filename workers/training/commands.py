"""What people ask of a running training, carried out: each command is an intervention with its author.

One that cannot be carried out is an intervention too, with the outcome `refused` and the reason.
"""

import math
from collections.abc import Callable
from typing import Any, Literal, get_args

from workers.monitoring.telemetry import Decision
from workers.specs.events import Command, Intervention
from workers.specs.monitoring import Mode
from workers.training.engine import Engine
from workers.training.errors import TrainingStopped
from workers.training.schedules import scheduled_lr

Rollback = Callable[[int], bool]
CarryOut = Callable[[Decision], None]
Change = tuple[str, dict[str, Any], dict[str, Any]]
"""Action, what it found, what it left behind."""
CHANGING = frozenset({"rollback", "set_lr", "set_lr_scale", "set_clip", "skip"})
"""What a replay can do again, or leave out."""
ANSWERS = frozenset({"approve", "reject"})
"""They answer an intervention of the controller's, which names who answered it."""


class Commands:
    """Carries out one command after the other, at a step boundary."""

    def __init__(self, engine: Engine, go_back: Rollback, follow: CarryOut) -> None:
        self.engine, self.go_back, self.follow = engine, go_back, follow
        self._kinds: dict[str, Callable[[Command], Change]] = {
            "checkpoint": self._checkpoint,
            "pause": self._pause,
            "resume": self._resume,
            "rollback": self._roll_back,
            "set_lr": self._set_lr,
            "set_lr_scale": self._set_lr_scale,
            "set_clip": self._set_clip,
            "skip": self._skip,
            "set_mode": self._set_mode,
        }

    def carry_out(self, command: Command) -> None:
        """Do it, report it and acknowledge it. Raises TrainingStopped on `stop`."""
        engine = self.engine
        if command.kind == "stop":
            self._stop(command)
        step = engine.state.step
        record = Intervention(id=f"command-{command.id}", step=step, action=command.kind, author=command.author)
        record.evidence |= {"kind": command.kind, "arguments": command.arguments}
        if command.kind in CHANGING:
            engine.pin(record, step)
        try:
            if command.kind in ANSWERS:
                self._answer(command)
            else:
                record.action, record.before, record.after = self._kinds[command.kind](command)
                gone = record.action == "rollback" and "step" not in record.after
                self._report(command, record, "no_checkpoint" if gone else "done")
        except (ValueError, TypeError) as error:
            message = f"command {command.kind} was not carried out: {error}"
            engine.reporter.event("warning", message, step=step)
            record.evidence["error"] = str(error)
            self._report(command, record, "refused")
        engine.reporter.ack(command.id)

    def _stop(self, command: Command) -> None:
        engine, step = self.engine, self.engine.state.step
        engine.save(wait=True)
        record = Intervention(id=f"command-{command.id}", step=step, action="stop", author=command.author)
        self._report(command, record, "done")
        engine.reporter.ack(command.id)
        raise TrainingStopped(f"stopped by request after {step} steps", by_person=True)

    def _checkpoint(self, command: Command) -> Change:
        self.engine.save()
        return "checkpoint_now", {}, {"step": self.engine.state.step}

    def _pause(self, command: Command) -> Change:
        """It is kept in a checkpoint: a new attempt pauses too."""
        state, before = self.engine.state, self.engine.state.paused
        state.paused = True
        self.engine.save()
        return "pause", {"paused": before}, {"paused": True}

    def _resume(self, command: Command) -> Change:
        engine, before = self.engine, self.engine.state.paused or self.engine.watch.hold is not None
        engine.state.paused = False
        for intervention in engine.watch.resumed():
            engine.reporter.intervention(intervention)
        engine.save()
        return "resume", {"paused": before}, {"paused": False}

    def _roll_back(self, command: Command) -> Change:
        at = self.engine.state.step
        to = _whole_number(command, "step", 0) if "step" in command.arguments else at
        if to > at:
            raise ValueError(f"training is at step {at}: it cannot go back to step {to}")
        went = self.go_back(to)
        return "rollback", {"step": at}, {"step": self.engine.state.step} if went else {}

    def _set_lr(self, command: Command) -> Change:
        """The rate of now; the schedule goes on from it."""
        value, stage, step = _number(command), self.engine.stage, self.engine.state.step
        scheduled = scheduled_lr(stage, step)
        if scheduled <= 0:
            raise ValueError(f"the schedule's rate at step {step} is 0, and no factor makes {value:g} of it")
        return self._move_lr(value / scheduled, {"lr": value})

    def _set_lr_scale(self, command: Command) -> Change:
        return self._move_lr(_number(command, zero=True), {})

    def _move_lr(self, scale: float, more: dict[str, Any]) -> Change:
        watch = self.engine.watch
        before, watch.lr_scale = watch.lr_scale, scale
        return "scale_lr", {"lr_scale": before}, {"lr_scale": scale} | more

    def _set_clip(self, command: Command) -> Change:
        engine, value = self.engine, _number(command)
        before, engine.watch.clip_scale = engine.watch.clip_scale, value / engine.spec.clipping.limit
        return "set_clip", {"clip_scale": before}, {"clip_scale": engine.watch.clip_scale, "limit": value}

    def _skip(self, command: Command) -> Change:
        num_batches = _whole_number(command, "batches", 1)
        first = self.engine.state.skip_next(num_batches)
        return "skip_batches", {"next_batch": first}, {"skip_batches": num_batches}

    def _set_mode(self, command: Command) -> Change:
        mode, watch = command.arguments.get("mode"), self.engine.watch
        if mode not in get_args(Mode):
            raise ValueError(f"mode is one of {', '.join(get_args(Mode))}, not {mode!r}")
        before = watch.mode
        for intervention in watch.set_mode(mode, self.engine.state.step):
            self.engine.reporter.intervention(intervention)
        step = self.engine.state.step
        self.engine.reporter.event("note", f"controller mode is {mode} from step {step} on", step=step)
        return "set_mode", {"mode": before}, {"mode": watch.mode}

    def _answer(self, command: Command) -> None:
        """`approve` or `reject` {"intervention": its id}: what the controller has proposed."""
        engine = self.engine
        name = str(command.arguments.get("intervention", ""))
        self.follow(engine.watch.answer(name, command.kind == "approve", command.author, engine.state.step))

    def _report(
        self, command: Command, record: Intervention, outcome: Literal["done", "refused", "no_checkpoint"]
    ) -> None:
        words = " ".join(f"{name}={value}" for name, value in command.arguments.items())
        record.rule = f"{command.kind} {words}".rstrip()
        left_out = int(record.after.get("skip_batches", 0))
        record.cost_steps = max(record.step - self.engine.state.step, left_out)
        record.outcome, record.outcome_step = outcome, self.engine.state.step
        self.engine.reporter.intervention(self.engine.pins.note(record))


def _number(command: Command, *, zero: bool = False) -> float:
    value = command.arguments.get("value")
    good = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if not good or not (value > 0 or (zero and value == 0)):
        raise ValueError('it needs {"value": a positive number}')
    return float(value)


def _whole_number(command: Command, name: str, least: int) -> int:
    value = command.arguments.get(name)
    if not isinstance(value, int) or isinstance(value, bool) or value < least:
        raise ValueError(f'it needs {{"{name}": a whole number from {least} on}}')
    return value
