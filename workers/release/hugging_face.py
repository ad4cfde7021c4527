"""A checkpoint as a Hugging Face folder: weights and config of Llama, Qwen3 or SmolLM3, tokenizer, generation config.

https://huggingface.co/docs/transformers/model_doc/smollm3
"""

import json
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from workers.data.chat import END
from workers.data.tokenizer import Tokenizer
from workers.model.checkpoint import write_file
from workers.model.hugging_face import hf_config, to_hf_state_dict
from workers.model.transformer import Transformer
from workers.release._shared import write_json, write_tokenizer


def write_folder(folder: Path, model: Transformer, tokenizer_file: Path, context_tokens: int) -> None:
    """Write everything that `transformers` loads into `folder`, weights in fp32."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.float().contiguous() for name, tensor in to_hf_state_dict(model).items()}
    write_file(folder / "model.safetensors", safetensors.torch.save(weights, metadata={"format": "pt"}))
    tokenizer = write_tokenizer(folder, tokenizer_file, context_tokens)
    write_json(folder / "config.json", build_config(model, tokenizer, context_tokens))
    ends = [tokenizer.eos_token_id, tokenizer.fast.token_to_id(END)]  # of a document, of a turn
    ends = [token for token in ends if token is not None]
    generation = {"bos_token_id": None, "eos_token_id": ends, "pad_token_id": tokenizer.pad_token_id}
    write_json(folder / "generation_config.json", generation)


def build_config(model: Transformer, tokenizer: Tokenizer, context_tokens: int) -> dict[str, Any]:
    """Contents of config.json. `context_tokens` is the length the model was trained on."""
    return hf_config(model.spec, model.vocab_size) | {
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "max_position_embeddings": context_tokens,
    }


@torch.inference_mode()
def largest_logit_difference(folder: Path, model: Transformer, sequences: list[list[int]]) -> float:
    """Load the folder with transformers and compare its fp32 logits with the model's.

    Raises ValueError when weights are missing or left over, so that a wrong name cannot pass as random weights.
    """
    theirs = load_with_transformers(folder)
    largest = 0.0
    for tokens in sequences:
        tokens_BT = torch.tensor([tokens], dtype=torch.int64)
        difference = (theirs(tokens_BT).logits - model(tokens_BT)).abs().max()
        # max() of Python would let NaN pass; NaN must fail.
        largest = float(torch.maximum(difference, torch.tensor(largest)))
    return largest


def load_with_transformers(folder: Path) -> Any:  # a transformers model, which carries no types
    """The class that config.json names, in fp32 on the CPU. Raises ValueError when weights do not fit the config."""
    import transformers  # here: it takes seconds to import

    (name,) = json.loads((folder / "config.json").read_text(encoding="utf-8"))["architectures"]
    model, info = getattr(transformers, name).from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
    wrong = {name: sorted(map(str, info[name])) for name in ("missing_keys", "unexpected_keys", "mismatched_keys")}
    if any(wrong.values()):
        raise ValueError(f"the weights in {folder} do not fit its config: {wrong}")
    return model.eval()


@torch.inference_mode()
def generate_text(folder: Path, prompt: str, num_tokens: int) -> str:
    """Greedy continuation of `prompt` by transformers' own tokenizer and `generate`."""
    from transformers import AutoTokenizer  # here: it takes seconds to import

    tokenizer, model = AutoTokenizer.from_pretrained(folder), load_with_transformers(folder)
    inputs = tokenizer(prompt, return_tensors="pt", return_token_type_ids=False)
    tokens_BT = model.generate(**inputs, max_new_tokens=num_tokens, do_sample=False)
    text: str = tokenizer.decode(tokens_BT[0, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
    return text
