"""What stands in where nobody watches, and where nobody listens (all ranks but the first)."""

from collections.abc import Mapping
from typing import Any, Literal

from workers.monitoring.telemetry import Decision, Settings, Telemetry
from workers.specs.events import Artifact, Command, Finding, Intervention, RunState
from workers.specs.monitoring import Mode


class NoWatch:
    """A `Watch` that never acts: monitoring is off."""

    def __init__(self) -> None:
        self.mode: Mode = "off"
        self.lr_scale = 1.0
        self.clip_scale = 1.0
        self.settings = Settings()
        self.hold: str | None = None
        self.reminder_seconds = float("inf")

    def before_update(self, telemetry: Telemetry) -> Decision:
        return Decision()

    def after_update(self, telemetry: Telemetry) -> Decision:
        return Decision()

    def rolled_back(self, to_step: int | None) -> list[Intervention]:
        return []

    def stage_changed(self, step: int) -> None: ...

    def answer(self, intervention_id: str, approved: bool, author: str, step: int) -> Decision:
        raise ValueError("monitoring is off: nothing waits for an answer")

    def resumed(self) -> list[Intervention]:
        self.hold = None
        return []

    def set_mode(self, mode: Mode, step: int) -> list[Intervention]:
        if mode != "off":
            raise ValueError("the run was launched with monitoring.mode=off: it has no controller to switch on")
        return []

    def state_dict(self) -> dict[str, object]:
        return {"lr_scale": self.lr_scale, "clip_scale": self.clip_scale}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        self.lr_scale, self.clip_scale = float(state["lr_scale"]), float(state["clip_scale"])


class NoReporter:
    """A `Reporter` that says nothing: rank 0 speaks for all."""

    takes_commands = False

    def metrics(self, step: int, values: Mapping[str, float], branch: int = 0) -> None: ...

    def event(self, kind: str, message: str = "", step: int | None = None, **data: Any) -> None: ...

    def progress(self, stage: str, done: float, total: float, unit: str = "") -> None: ...

    def log(self, message: str, level: Literal["debug", "info", "warning", "error"] = "info") -> None: ...

    def finding(self, finding: Finding) -> None: ...

    def intervention(self, intervention: Intervention) -> None: ...

    def artifact(self, artifact: Artifact) -> None: ...

    def commands(self) -> list[Command]:
        return []

    def ack(self, command_id: str) -> None: ...

    def state(self, state: RunState, error: str | None = None) -> None: ...

    def flush(self, timeout_seconds: float = 60.0) -> None: ...
