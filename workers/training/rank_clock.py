"""How long each process works by itself in a step, waits for data, and how much memory it holds.

The processes wait for one another in the backward pass, so that their steps all take the same time; what one does
alone, reading its data and the forward passes, tells who is slow. On a GPU it is measured by events on the stream.

Shapes: R processes.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from torch import Tensor

from workers.training.speed import peak_memory_bytes

_FIELDS = ("own_seconds", "data_wait_seconds", "step_seconds", "memory_bytes")


class RankClock:
    """The figures of the last whole step, shared with all processes in the sum that each step makes anyway."""

    def __init__(self, accelerator: Accelerator) -> None:
        self._device = accelerator.device
        self._rank, self._num_ranks = accelerator.process_index, accelerator.num_processes
        self.data_wait_seconds = 0.0
        """Of the step of now."""
        self._forward_seconds = 0.0
        self._events: list[tuple[torch.cuda.Event, torch.cuda.Event]] = []
        self._finished: tuple[float, float, float] | None = None
        """Own, waiting and whole seconds of the last step of this process."""

    def begin(self, data_wait_seconds: float) -> None:
        """A step has its data."""
        self.data_wait_seconds, self._forward_seconds, self._events = data_wait_seconds, 0.0, []

    @contextmanager
    def forward(self) -> Iterator[None]:
        """Around a forward pass."""
        if self._device.type != "cuda":
            began = time.perf_counter()
            yield
            self._forward_seconds += time.perf_counter() - began
            return
        pair = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        pair[0].record()
        yield
        pair[1].record()
        self._events.append(pair)

    def finish(self, step_seconds: float) -> None:
        """The step is done, and what was begun on the GPU too."""
        on_gpu = sum(start.elapsed_time(stop) for start, stop in self._events) / 1000
        own = self.data_wait_seconds + self._forward_seconds + on_gpu
        self._finished = own, self.data_wait_seconds, step_seconds

    def figures(self) -> Tensor:
        """The last step of this process, in its own place; to be added up over all.  -> (4R,) fp64"""
        figures_R4 = torch.zeros(self._num_ranks, len(_FIELDS), dtype=torch.float64)
        if self._finished:
            own = (*self._finished, peak_memory_bytes(self._device))
            figures_R4[self._rank] = torch.tensor(own, dtype=torch.float64)
        return figures_R4.flatten().to(self._device)

    def read(self, added: list[float]) -> dict[str, float]:
        """Series of the last step, from the sum: the slowest and the largest count. Empty at the first step."""
        rows = [added[start : start + len(_FIELDS)] for start in range(0, len(added), len(_FIELDS))]
        if not all(row[_FIELDS.index("step_seconds")] for row in rows):
            return {}
        found = {name: max(row[number] for row in rows) for number, name in enumerate(_FIELDS) if number}
        if len(rows) > 1:
            found |= {f"own_seconds/rank-{rank}": row[0] for rank, row in enumerate(rows)}
        return found
