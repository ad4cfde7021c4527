"""A factor that the controller lowers, and that climbs back once the run is verified good."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(slots=True)
class Scale:
    """Of the learning rate, or of the limits of clipping. It climbs by equal ratios: the same share each step."""

    value: float = 1.0
    goal: float = 1.0
    """Where the climb ends."""
    ratio: float = 1.0
    """Of one step to the one before it; 1: it stands still."""
    waiting_steps: int = 0
    """Length of the climb that begins when the run is verified good; 0: none waits."""
    num_climbs: int = 0
    """Climbs begun so far."""
    start: float = 1.0
    """Where the last climb began: a value that was verified good."""

    def move(self, value: float, recover_steps: int) -> None:
        """Go to `value` at once. Without `recover_steps` it stays there; with them it will climb to where it was."""
        self.goal = max(self.goal, self.value) if recover_steps else value
        self.value, self.ratio, self.waiting_steps = value, 1.0, recover_steps

    def pin(self, value: float) -> None:
        """A person sets it: nothing moves it but the next intervention."""
        self.move(value, 0)

    def rewarm(self, steps: int, least: float) -> None:
        """Begin again at a tenth, and climb to the present value."""
        if steps:
            top, start = self.value, max(self.value / 10, min(least, self.value))
            self.goal = max(self.goal, top) if self.waiting_steps else top
            self.value, self.ratio = start, (top / start) ** (1 / steps)

    def release(self) -> None:
        """The run is verified good: the climb that waits begins."""
        if self.waiting_steps and self.value < self.goal:
            self.ratio = (self.goal / self.value) ** (1 / self.waiting_steps)
            self.num_climbs, self.start = self.num_climbs + 1, self.value
        self.waiting_steps = 0

    def fall_back(self) -> bool:
        """Trouble on the way up: back to where the climb began, for good. False when it did not climb."""
        if self.ratio == 1.0 or not self.num_climbs:
            return False
        self.move(self.start, 0)
        return True

    def advance(self) -> None:
        """One step was made."""
        if self.ratio > 1.0:
            self.value *= self.ratio
            if self.value >= self.goal * (1 - 1e-9):
                self.value, self.ratio = self.goal, 1.0

    def state_dict(self) -> dict[str, Any]:
        """JSON-able."""
        return asdict(self)

    @classmethod
    def from_state(cls, state: Mapping[str, Any]) -> "Scale":
        """The inverse of `state_dict`."""
        return cls(**state)
