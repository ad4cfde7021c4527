"""A model from a folder or file of any of the forms that we read: our own, Hugging Face's, GGUF.

Only safetensors and GGUF are read, and no code of the folder runs.
"""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from pydantic import ValidationError
from safetensors import SafetensorError
from torch import Tensor

from workers.model import checkpoint, pretrained
from workers.model.hugging_face import from_hf_state_dict, model_of_config
from workers.model.transformer import Transformer

_INDEX = "model.safetensors.index.json"


def open_any_model(path: Path) -> Transformer:
    """The model in fp32 on the CPU, in evaluation mode.

    path: a folder with model.json (ours) or config.json (Hugging Face), or a GGUF file.
    Raises ValueError when it is damaged or our model cannot express it, FileNotFoundError when a file is missing.
    """
    if (path / "model.json").is_file():
        return checkpoint.load_model(path)[0].float()
    if path.is_file():
        theirs, _ = pretrained.load_model(path, "cpu")
        return build(theirs.config.to_dict(), theirs.state_dict(), path)
    return build(_read_json(path / "config.json"), read_weights(path), path)


def build(config: dict[str, Any], weights: dict[str, Tensor], path: Path) -> Transformer:
    """Our model of a Hugging Face config and weights. Raises ValueError naming `path`."""
    try:
        spec, vocab_size = model_of_config(config), int(config["vocab_size"])
        own = from_hf_state_dict(spec, weights)
        with torch.device("meta"):
            model = Transformer(spec, vocab_size)
        model.load_state_dict(own, assign=True)
    except KeyError as error:
        raise ValueError(f"{path}: config.json has no {error}") from error
    except (RuntimeError, ValueError, ValidationError) as error:
        raise ValueError(f"{path} does not fit our model: {error}") from error
    return model.eval()


def read_weights(folder: Path) -> dict[str, Tensor]:
    """All weights of a Hugging Face folder, in one file or in several with an index."""
    names = ["model.safetensors"]
    if (folder / _INDEX).is_file():
        names = sorted(set(_read_json(folder / _INDEX)["weight_map"].values()))
    weights: dict[str, Tensor] = {}
    for name in names:
        path = folder / Path(name).name  # an index must not lead out of the folder
        if not path.is_file():
            raise FileNotFoundError(f"{folder} has no {name}: weights are read from safetensors alone")
        try:
            weights |= safetensors.torch.load_file(path)
        except SafetensorError as error:
            raise ValueError(f"{path} is damaged: {error}") from error
    return weights


def _read_json(path: Path) -> dict[str, Any]:
    if not path.is_file():
        raise FileNotFoundError(f"{path.parent} has no {path.name}")
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error
    return content
