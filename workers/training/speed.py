"""How fast a step was: the model's FLOPs a second, their share of what matrix products alone reach, and memory."""

import resource
import statistics
import time
from collections import deque
from collections.abc import Sequence

import torch

from workers.model.capabilities import has_fast_bfloat16
from workers.specs.estimate import flops_until, training_flops_per_token
from workers.specs.training.model import Model
from workers.specs.training.stages import PlannedStage
from workers.training.devices import ComputeType

_KEPT_STEPS = 256
_TRIES = 3


class SpeedMeter:
    """Speed of the steps of this process; the peak is measured at the first step."""

    def __init__(self, model: Model, vocab_size: int, device: torch.device, dtype: ComputeType, num_ranks: int) -> None:
        self._model, self._vocab_size, self._num_ranks = model, vocab_size, num_ranks
        self._device, self._dtype = device, dtype
        self._peak: float | None = None
        self._speeds: deque[float] = deque(maxlen=_KEPT_STEPS)

    def measure(self, num_tokens: int, sequence_tokens: int, seconds: float) -> dict[str, float]:
        """Series of a step of so many tokens over all processes: `flops_per_second` and `mfu`, each by process."""
        flops = num_tokens * training_flops_per_token(self._model, self._vocab_size, sequence_tokens)
        self._speeds.append(flops / seconds / self._num_ranks)
        if self._peak is None:
            self._peak = measure_peak(self._device, self._dtype)
        return {"flops_per_second": self._speeds[-1], "mfu": self._speeds[-1] / self._peak}

    def flops_until(self, plan: Sequence[PlannedStage], num_steps: int) -> float:
        """FLOPs of the first `num_steps` steps over all processes: what curves are laid along."""
        return flops_until(plan, self._model, self._vocab_size, num_steps)

    def typical(self) -> float:
        """Median FLOPs a second of the last steps: neither compilation nor a pause counts."""
        return statistics.median(self._speeds) if self._speeds else 0.0


def measure_peak(device: torch.device, dtype: ComputeType) -> float:
    """FLOPs a second of a large matrix product, the best of a few."""
    emulated = dtype == "bfloat16" and not has_fast_bfloat16(device)
    size = 8192 if device.type == "cuda" else 128 if emulated else 1024
    left, right = (torch.ones(size, size, device=device, dtype=getattr(torch, dtype)) for _ in range(2))
    best = float("inf")
    for _ in range(_TRIES + 1):
        began = time.perf_counter()
        torch.mm(left, right)
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        best = min(best, time.perf_counter() - began)
    return 2.0 * size**3 / best


def peak_memory_bytes(device: torch.device) -> float:
    """The most memory that this process has held, on the GPU where it trains on one."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024.0
