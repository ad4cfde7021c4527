"""What to lower, and by how much, when a device's memory does not hold a run."""

import resource
from pathlib import Path

import psutil
import torch

from workers.specs.estimate import estimate
from workers.specs.training import TrainingSpec
from workers.specs.training.stages import BatchSize
from workers.training.errors import InputError
from workers.training.sources import Folders, open_data

GIB = 2**30
MARGIN = 0.9
"""Share of the device's memory that a run may be estimated at: the allocator needs room of its own."""
_MIN_TOKENS = 8
_CPU_MESSAGES = ("DefaultCPUAllocator", "can't allocate memory", "not enough memory")


def is_out_of_memory(error: BaseException) -> bool:
    """Did an allocation fail, on a GPU or on the CPU?"""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(text in str(error) for text in _CPU_MESSAGES)


def advise(spec: TrainingSpec, dataset: Folders, error: BaseException) -> str:
    """What failed and what to change, by the estimate of the run's memory."""
    on_gpu = isinstance(error, torch.OutOfMemoryError)
    try:
        vocab_size = open_data(spec, dataset).vocab_size
    except InputError:
        vocab_size = 1
    what = "the GPU's memory" if on_gpu else "the memory of this machine"
    first_line = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return f"{what} does not hold this run: {suggest(spec, vocab_size, capacity_bytes(on_gpu), on_gpu)}. ({first_line})"


def capacity_bytes(on_gpu: bool) -> float:
    """What there is in all: of the GPU, or of this machine within the limits of this process."""
    if on_gpu:
        return float(torch.cuda.mem_get_info()[1])
    limits = [psutil.virtual_memory().total]
    if (soft := resource.getrlimit(resource.RLIMIT_AS)[0]) != resource.RLIM_INFINITY:
        limits.append(soft)
    group = Path("/sys/fs/cgroup/memory.max")
    if group.is_file() and (text := group.read_text().strip()) != "max":
        limits.append(int(text))
    return float(min(limits))


def suggest(spec: TrainingSpec, vocab_size: int, capacity: float, on_gpu: bool) -> str:
    """The smallest change that fits into `capacity` bytes, with the text of a step as it is where that is possible."""
    stage = max(spec.plan, key=lambda stage: stage.batch.sequence_tokens * stage.batch.micro_batch_sequences)
    where = f" of stage {stage.name!r}" if spec.stages else ""
    batch = stage.batch
    for micro in _divisors_below(batch):
        passes = batch.sequences // micro
        smaller = batch.model_copy(update={"micro_batch_sequences": micro, "accumulation": passes})
        needed = _memory_bytes(spec, smaller, vocab_size, on_gpu)
        if needed < MARGIN * capacity:
            return (
                f"lower batch.micro_batch_sequences{where} from {batch.micro_batch_sequences} to {micro} and raise "
                f"batch.accumulation from {batch.accumulation} to {passes}, which is the same batch in smaller passes "
                f"and needs about {needed / GIB:.1f} GiB of {capacity / GIB:.1f}"
            )
    one = batch.model_copy(update={"micro_batch_sequences": 1})
    for length in (batch.sequence_tokens >> halvings for halvings in range(1, 32)):
        shorter = one.model_copy(update={"sequence_tokens": length})
        if length >= _MIN_TOKENS and _memory_bytes(spec, shorter, vocab_size, on_gpu) < MARGIN * capacity:
            return (
                f"a pass of one sequence is too large: lower batch.sequence_tokens{where} from {batch.sequence_tokens} "
                f"to {length} and batch.micro_batch_sequences to 1"
            )
    needed = _memory_bytes(spec, one, vocab_size, on_gpu)
    return (
        f"even passes of one sequence need about {needed / GIB:.1f} GiB of {capacity / GIB:.1f}: the model is "
        f"{needed / (MARGIN * capacity):.1f} times too large, lower model.num_layers, model.d_model or model.d_ffn"
    )


def _divisors_below(batch: BatchSize) -> list[int]:
    """Sizes of a pass smaller than now that share the same batch out evenly, the largest first."""
    return [n for n in range(batch.micro_batch_sequences - 1, 0, -1) if batch.sequences % n == 0]


def _memory_bytes(spec: TrainingSpec, batch: BatchSize, vocab_size: int, on_gpu: bool) -> float:
    alone = spec.model_copy(update={"batch": batch, "stages": []})
    return estimate(alone, vocab_size, "gpu" if on_gpu else "cpu").memory_bytes
