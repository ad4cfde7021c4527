"""HOME/stack.json: what the supervisor of the embedded stack tells the others; HOME/stack.lock: that it lives.

The lock is an flock(2): the kernel drops it with the process, so there is no stale state after a kill or a crash.
"""

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from app.services.files import write_text

PartPhase = Literal["waiting", "starting", "healthy", "unhealthy", "restarting", "done", "failed", "stopped"]


@dataclass
class PartState:
    """One part as the supervisor sees it."""

    phase: PartPhase = "waiting"
    pid: int | None = None
    since: float = 0.0
    """Unix seconds of the last change of phase."""
    restarts: int = 0
    detail: str = ""
    """Why it is not healthy, or how the last process of it ended."""
    url: str | None = None


@dataclass
class StackState:
    """The whole stack. `ports` outlive it: the next start takes them again."""

    pid: int = 0
    error: str = ""
    """Why the stack gave up; empty while it runs."""
    ports: dict[str, int] = field(default_factory=dict)
    parts: dict[str, PartState] = field(default_factory=dict)
    url: str = ""
    """Where people and workers reach it."""

    @property
    def healthy(self) -> bool:
        """Are all parts up?"""
        return bool(self.parts) and all(part.phase in {"healthy", "done"} for part in self.parts.values())

    def write(self, home: Path) -> None:
        """Write HOME/stack.json, atomically."""
        write_text(home / "stack.json", json.dumps(asdict(self), indent=2) + "\n")


def read_state(home: Path) -> StackState:
    """The last written state; an empty one when there is none or it cannot be read."""
    try:
        data: dict[str, Any] = json.loads((home / "stack.json").read_text())
        parts = {name: PartState(**part) for name, part in data.pop("parts").items()}
        return StackState(parts=parts, **data)
    except (OSError, ValueError, TypeError, KeyError):
        return StackState()


def take_lock(home: Path) -> int | None:
    """The lock as an open file descriptor, or None when a supervisor of this home lives."""
    home.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(home / "stack.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(descriptor)
        return None
    return descriptor


def is_running(home: Path) -> bool:
    """Does a supervisor of this home live?"""
    if not (home / "stack.lock").exists():
        return False
    descriptor = take_lock(home)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False
