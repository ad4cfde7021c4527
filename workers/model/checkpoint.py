"""Weights on disk: `model.safetensors` beside `model.json` ({"model": spec, "vocab_size": n}). No pickle."""

import json
import os
from pathlib import Path

import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError

from workers.model.transformer import Transformer
from workers.specs.training.model import Model


def save_model(folder: Path, model: Transformer, model_spec: Model, vocab_size: int) -> None:
    """Write the weights and their description into `folder` (made when missing), each file atomically."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.detach().cpu().contiguous() for name, tensor in model.state_dict().items()}
    write_file(folder / "model.safetensors", safetensors.torch.save(weights))
    description = {"model": model_spec.model_dump(), "vocab_size": vocab_size}
    write_file(folder / "model.json", json.dumps(description, indent=2).encode())


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


def write_file(path: Path, content: bytes) -> None:
    """Write beside, fsync, rename: the file is there whole or not at all."""
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    finally:
        partial.unlink(missing_ok=True)
