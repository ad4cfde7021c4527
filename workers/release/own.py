"""A checkpoint in our own form: model.json, safetensors, tokenizer, and `modeling.py`, which needs PyTorch alone."""

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import torch

from workers.data.tokenizer import Tokenizer
from workers.model.checkpoint import save_model, write_file
from workers.model.parametrization import Multipliers
from workers.model.transformer import Transformer
from workers.release import standalone
from workers.release._shared import write_tokenizer

LOADER = "modeling.py"


def write_folder(folder: Path, model: Transformer, tokenizer_file: Path, context_tokens: int) -> None:
    """Write weights in fp32, what describes them, and the code that loads them."""
    save_model(folder, model, model.spec, model.vocab_size)
    factors = Multipliers.of(model.spec)
    description = {
        "model": model.spec.model_dump(mode="json"),
        "factors": {
            "query_factor": factors.query,
            "residual_factor": factors.residual,
            "logits_factor": factors.logits,
        },
        "vocab_size": model.vocab_size,
        "context_tokens": context_tokens,
    }
    write_file(folder / "model.json", json.dumps(description, indent=2).encode())
    write_file(folder / LOADER, Path(standalone.__file__).read_bytes())
    write_tokenizer(folder, tokenizer_file, context_tokens)


@torch.inference_mode()
def largest_logit_difference(folder: Path, model: Transformer, sequences: list[list[int]]) -> float:
    """Load the folder with its own code and compare its fp32 logits with the model's."""
    theirs = _open_loader(folder).load(folder)
    largest = torch.zeros(())
    for tokens in sequences:
        tokens_BT = torch.tensor([tokens], dtype=torch.int64)
        # torch.maximum carries NaN on; max() of Python would let it pass.
        largest = torch.maximum(largest, (theirs(tokens_BT) - model(tokens_BT)).abs().max())
    return float(largest)


def generate_text(folder: Path, prompt: str, num_tokens: int) -> str:
    """Greedy continuation of `prompt` by the folder's own code."""
    loader, tokenizer = _open_loader(folder), Tokenizer.load(folder / "tokenizer.json")
    tokens = tokenizer.encode(prompt)
    found: list[int] = loader.generate(loader.load(folder), tokens, num_tokens, tokenizer.eos_token_id)
    text: str = tokenizer.fast.decode(found)
    return text


def _open_loader(folder: Path) -> ModuleType:
    """The code as it lies in the folder: what a user will run."""
    spec = importlib.util.spec_from_file_location("released_modeling", folder / LOADER)
    if spec is None or spec.loader is None:
        raise ValueError(f"{folder / LOADER} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
