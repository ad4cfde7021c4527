"""Commands of people to a running training: taken in at a step boundary, by all processes; and waiting for people."""

import time
from typing import Any

from accelerate.utils import broadcast_object_list

from workers.specs.events import Command, RunState
from workers.training.commands import CarryOut, Commands, Rollback
from workers.training.engine import Engine
from workers.training.errors import TrainingStopped

POLL_SECONDS = 0.2


class Controls:
    """Reads commands (rank 0), shares them with all processes, and has them carried out."""

    def __init__(self, engine: Engine, go_back: Rollback, follow: CarryOut) -> None:
        self.engine = engine
        self._commands = Commands(engine, go_back, follow)
        self._first = True
        self._waits = False
        """What the service was told last: training waits for a person."""
        self._hold: tuple[str, float] | None = None
        """The hold that was told, and when to remind of it."""

    def obey(self) -> None:
        """Carry out what has come. While paused, wait here. Raises TrainingStopped on `stop`."""
        while True:
            for command in self._shared_commands():
                self._commands.carry_out(command)
            self._tell_hold()
            state = self.engine.state
            if self._first and state.paused and not self._someone_answers():
                state.paused = False  # it was paused elsewhere: who starts it here wants it to go on
            self._first = False
            waits = state.paused or self._hold is not None
            if waits != self._waits:
                self._tell_waiting(waits)
            if not waits:
                return
            time.sleep(POLL_SECONDS)

    def _tell_waiting(self, waits: bool) -> None:
        engine, step = self.engine, self.engine.state.step
        self._waits = waits
        engine.reporter.state(RunState.PAUSED if waits else RunState.RUNNING)
        engine.reporter.event("note", f"{'paused' if waits else 'resumed'} at step {step}", step=step)

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
