"""Does a teacher fit into memory? Estimated from the heads of its files, before anything is loaded."""

import json
from pathlib import Path

import psutil
import torch

from workers.specs.training import TrainingSpec
from workers.specs.training.model import Model
from workers.training.errors import InputError

_STUDENT_BYTES = 20
"""A parameter of the student: weight, gradient, two moments, and the copy for the norm of the update; all fp32."""
_GIB = 1 << 30


def check_memory(spec: TrainingSpec, path: Path, vocab_size: int, device: torch.device, *, alone: bool) -> None:
    """Raises InputError when teacher and training need more than is free. `alone`: the student is not there yet."""
    teacher = count_parameters(path) * (2 if device.type == "cuda" else 4)
    if path.suffix == ".gguf":
        teacher *= 2  # transformers unpacks all of it before it fills the model
    student = 0 if alone else training_bytes(spec, vocab_size)
    free = free_bytes(device)
    copies = spec.resources.num_processes if device.type == "cpu" and not alone else 1
    if copies * (teacher + student) <= free:
        return
    times = f", {copies} times for as many processes" if copies > 1 else ""
    what = f"the teacher {path} needs about {teacher / _GIB:,.1f} GiB" + (
        "" if alone else f" and the training beside it {student / _GIB:,.1f} GiB{times}"
    )
    raise InputError(
        f"{what}, and {free / _GIB:,.1f} GiB are free: take a smaller teacher or a machine with more memory"
        + (
            ""
            if alone or teacher > free
            else ", or `teacher.kind: offline`, which loads the teacher alone before the first step"
        )
    )


def training_bytes(spec: TrainingSpec, vocab_size: int) -> int:
    """What the student's weights, optimizer and one pass's logits take."""
    batch = max((stage.batch for stage in spec.plan), key=lambda b: b.micro_batch_sequences * b.sequence_tokens)
    logits = 3 * 4 * batch.micro_batch_sequences * batch.sequence_tokens * vocab_size
    return spec.model.num_parameters(vocab_size) * _STUDENT_BYTES + logits


def count_parameters(path: Path) -> int:
    """Parameters of a teacher: a checkpoint of ours, a Hugging Face folder, or a GGUF file.

    Raises InputError when the files are none of these.
    """
    try:
        if path.suffix == ".gguf":
            return _count_gguf(path)
        if (path / "model.json").is_file():
            description = json.loads((path / "model.json").read_text(encoding="utf-8"))
            return Model.model_validate(description["model"]).num_parameters(int(description["vocab_size"]))
        return sum(_count_safetensors(file) for file in path.glob("*.safetensors"))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"the teacher {path} cannot be read: {error}") from error


def _count_gguf(path: Path) -> int:
    from gguf import GGUFReader  # here: most runs have no teacher

    return sum(int(tensor.n_elements) for tensor in GGUFReader(path).tensors)


def _count_safetensors(file: Path) -> int:
    """From the header: 8 bytes of its length, then JSON. https://huggingface.co/docs/safetensors"""
    with file.open("rb") as opened:
        header = json.loads(opened.read(int.from_bytes(opened.read(8), "little")))
    total = 0
    for name, tensor in header.items():
        if name != "__metadata__":
            size = 1
            for extent in tensor["shape"]:
                size *= int(extent)
            total += size
    return total


def free_bytes(device: torch.device) -> int:
    """Memory that can still be taken: of the GPU, or of this machine within the limit of its control group."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    free = int(psutil.virtual_memory().available)
    limit, used = (Path("/sys/fs/cgroup") / name for name in ("memory.max", "memory.current"))
    if limit.is_file() and used.is_file() and (text := limit.read_text().strip()) != "max":
        free = min(free, int(text) - int(used.read_text()))
    return free
