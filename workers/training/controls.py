"""Commands of a person to a running training, carried out at a step boundary and acknowledged."""

import time
from collections.abc import Callable
from typing import Any

from accelerate.utils import broadcast_object_list

from workers.monitoring.telemetry import Decision
from workers.specs.events import Command, Intervention
from workers.training.engine import Engine
from workers.training.errors import TrainingStopped

POLL_SECONDS = 0.2
Rollback = Callable[[int], bool]
CarryOut = Callable[[Decision], None]


class Controls:
    """Reads commands (rank 0), shares them with all processes, and carries them out."""

    def __init__(self, engine: Engine, go_back: Rollback, follow: CarryOut) -> None:
        self.engine, self.go_back, self.follow = engine, go_back, follow
        self.paused = False
        self._hold: tuple[str, float] | None = None
        """The hold that was told, and when to remind of it."""

    def obey(self) -> None:
        """Carry out what has come. While paused, wait here. Raises TrainingStopped on `stop`."""
        while True:
            for command in self._shared_commands():
                self._carry_out(command)
            self._tell_hold()
            if not self.paused and self._hold is None:
                return
            time.sleep(POLL_SECONDS)

    def _tell_hold(self) -> None:
        """When the controller waits for a person: a checkpoint and a message, and after a time a reminder.

        Raises TrainingStopped when there is nobody to ask.
        """
        engine, hold, now = self.engine, self.engine.watch.hold, time.monotonic()
        if hold is None:
            self._hold = None
        elif self._hold is None or self._hold[0] != hold:
            someone = self._someone_answers()
            engine.save(wait=not someone)
            if not someone:
                raise TrainingStopped(hold)
            engine.reporter.event("warning", hold, step=engine.state.step, hold=True)
            self._hold = (hold, now + engine.watch.reminder_seconds)
        elif now > self._hold[1]:
            engine.reporter.event("warning", f"still paused: {hold}", step=engine.state.step, hold=True)
            self._hold = (hold, float("inf"))

    def _someone_answers(self) -> bool:
        """Can a person reach this training? Rank 0 knows."""
        box = [self.engine.reporter.takes_commands]
        if self.engine.accelerator.num_processes > 1:
            broadcast_object_list(box)
        return bool(box[0])

    def _shared_commands(self) -> list[Command]:
        own = self.engine.reporter.commands() if self.engine.accelerator.is_main_process else []
        if self.engine.accelerator.num_processes == 1:
            return own
        box: list[Any] = [[command.model_dump(mode="json") for command in own]]
        broadcast_object_list(box)
        return [Command.model_validate(command) for command in box[0]]

    def _carry_out(self, command: Command) -> None:
        engine, step = self.engine, self.engine.state.step
        try:
            if command.kind == "stop":
                engine.save(wait=True)
                engine.reporter.ack(command.id)
                raise TrainingStopped(f"stopped by request after {step} steps", by_person=True)
            if command.kind == "checkpoint":
                engine.save()
            elif command.kind in {"pause", "resume"}:
                self.paused = command.kind == "pause"
                if command.kind == "resume":
                    self._report(engine.watch.resumed())
                engine.reporter.event("note", f"{command.kind}d at step {step}", step=step)
            elif command.kind in {"approve", "reject"}:
                self._answer(command)
            elif command.kind == "rollback":
                self.go_back(int(command.arguments.get("step", step)))
            elif command.kind in {"skip", "set_mode"}:
                self._steer(command)
            else:
                self._scale(command)
        except (ValueError, TypeError) as error:
            engine.reporter.event("warning", f"command {command.kind} was not carried out: {error}", step=step)
        engine.reporter.ack(command.id)

    def _answer(self, command: Command) -> None:
        """`approve` or `reject` {"intervention": its id}: what the controller has proposed."""
        engine = self.engine
        name, author = str(command.arguments.get("intervention", "")), str(command.arguments.get("author", "person"))
        self.follow(engine.watch.answer(name, command.kind == "approve", author, engine.state.step))
        self._tell_hold()

    def _report(self, interventions: list[Intervention]) -> None:
        for intervention in interventions:
            self.engine.reporter.intervention(intervention)

    def _steer(self, command: Command) -> None:
        """`skip` {"batches": how many come next}, `set_mode` {"mode": `shadow`, `approve` or `auto`}."""
        engine, step = self.engine, self.engine.state.step
        if command.kind == "set_mode":
            engine.watch.set_mode(str(command.arguments.get("mode")))
            engine.reporter.event(
                "note", f"controller mode is {command.arguments['mode']} from step {step} on", step=step
            )
            return
        count = command.arguments.get("batches")
        if not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError('it needs {"batches": a whole number above 0}')
        engine.state.skip_next(count)
        self._tell(command, "skip_batches", f"skip {count}", {}, {"skip_batches": count})

    def _scale(self, command: Command) -> None:
        """`set_lr_scale` {"value": factor of the scheduled rate}, `set_clip` {"value": the limit of the clipping}."""
        engine = self.engine
        value = float(command.arguments["value"]) if "value" in command.arguments else float("nan")
        if not (0 < value < float("inf") or (value == 0 and command.kind == "set_lr_scale")):
            raise ValueError('it needs {"value": a positive number}')
        if command.kind == "set_lr_scale":
            name, before, after = "lr_scale", engine.watch.lr_scale, value
            engine.watch.lr_scale = value
        else:
            name, before, after = "clip_scale", engine.watch.clip_scale, value / engine.spec.clipping.limit
            engine.watch.clip_scale = after
        action = "scale_lr" if name == "lr_scale" else "tighten_clip"
        self._tell(command, action, f"{command.kind} {value:g}", {name: before}, {name: after})

    def _tell(self, command: Command, action: str, rule: str, before: dict[str, Any], after: dict[str, Any]) -> None:
        """Report what a person has done; there is nothing to be verified."""
        step = self.engine.state.step
        self.engine.reporter.intervention(
            Intervention(
                id=f"command-{command.id}",
                step=step,
                action=action,
                author=str(command.arguments.get("author", "person")),
                rule=rule,
                before=before,
                after=after,
                cost_steps=int(after.get("skip_batches", 0)),
                outcome="recovered",
                outcome_step=step,
            )
        )
