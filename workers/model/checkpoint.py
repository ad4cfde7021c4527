"""Weights on disk: `model.safetensors` beside `model.json` ({"model": spec, "vocab_size": n}). No pickle."""

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor

from workers.model.transformer import Transformer
from workers.specs.training.model import Model

_TYPES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""Names of types in safetensors files."""
_CHUNK = 1 << 22


def save_model(folder: Path, model: Transformer, model_spec: Model, vocab_size: int) -> None:
    """Write the weights and their description into `folder` (made when missing), each file atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    write_tensors(folder / "model.safetensors", model.state_dict())
    write_file(folder / "model.json", describe_model(model_spec, vocab_size))


def describe_model(model_spec: Model, vocab_size: int) -> bytes:
    """The content of `model.json`."""
    return json.dumps({"model": model_spec.model_dump(), "vocab_size": vocab_size}, indent=2).encode()


def load_model(folder: Path, device: str | torch.device = "cpu") -> tuple[Transformer, Model, int]:
    """Read what `save_model` wrote: the model in evaluation mode, its spec, its vocabulary size.

    Raises FileNotFoundError when a file is missing, ValueError when one is damaged or does not fit the other.
    """
    for name in ("model.json", "model.safetensors"):
        if not (folder / name).is_file():
            raise FileNotFoundError(f"{folder} is no model folder: {name} is missing")
    try:
        description = json.loads((folder / "model.json").read_text(encoding="utf-8"))
        spec, vocab_size = Model.model_validate(description["model"]), int(description["vocab_size"])
    except (ValueError, KeyError, TypeError, ValidationError) as error:
        raise ValueError(f"{folder / 'model.json'} is damaged: {error}") from error
    try:
        weights = safetensors.torch.load_file(folder / "model.safetensors", device=str(device))
    except SafetensorError as error:
        raise ValueError(f"{folder / 'model.safetensors'} is damaged: {error}") from error
    with torch.device("meta"):
        model = Transformer(spec, vocab_size)
    try:
        model.load_state_dict(weights, assign=True)
    except RuntimeError as error:
        raise ValueError(f"{folder}: the weights do not fit model.json: {error}") from error
    return model.eval(), spec, vocab_size


def write_tensors(path: Path, tensors: Mapping[str, Tensor]) -> str:
    """A safetensors file, atomically; its SHA-256 (hex). https://github.com/huggingface/safetensors#format

    Tensors go to the file piece by piece, without a second copy in memory, and hashing and writing leave Python's lock
    to others: training goes on beside it.
    """
    # Wide types first: readers want each tensor at a multiple of its own width.
    ordered = sorted(tensors.items(), key=lambda item: (-item[1].element_size(), item[0]))
    header, at = {}, 0
    for name, tensor in ordered:
        end = at + tensor.numel() * tensor.element_size()
        header[name] = {"dtype": _TYPES[tensor.dtype], "shape": list(tensor.shape), "data_offsets": [at, end]}
        at = end
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    digest = hashlib.sha256()
    with _new_file(path) as file:
        for piece in (len(text).to_bytes(8, "little"), text, *(_bytes_of(tensor) for _, tensor in ordered)):
            for start in range(0, len(piece), _CHUNK):
                chunk = piece[start : start + _CHUNK]
                digest.update(chunk)
                file.write(chunk)
    return digest.hexdigest()


def _bytes_of(tensor: Tensor) -> memoryview:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return memoryview(flat.view(torch.uint8).numpy())


def write_file(path: Path, content: bytes) -> None:
    """Write beside, fsync, rename: the file is there whole or not at all."""
    with _new_file(path) as file:
        file.write(content)


@contextmanager
def _new_file(path: Path) -> Iterator[BinaryIO]:
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
