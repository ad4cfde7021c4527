"""A checkpoint as a Hugging Face folder: `SmolLM3ForCausalLM` weights and config, fast tokenizer, generation config.

https://huggingface.co/docs/transformers/model_doc/smollm3
"""

import json
import shutil
from pathlib import Path
from typing import Any

import safetensors.torch
import torch

from workers.data.tokenizer import Tokenizer
from workers.model.checkpoint import write_file
from workers.model.hugging_face import hf_config, to_hf_state_dict
from workers.model.transformer import Transformer

CHAT_TOKENS = ("<|im_start|>", "<|im_end|>")


def write_folder(folder: Path, model: Transformer, tokenizer_file: Path, context_tokens: int) -> None:
    """Write everything that `transformers` loads into `folder`, weights in fp32."""
    tokenizer = Tokenizer.load(tokenizer_file)
    folder.mkdir(parents=True, exist_ok=True)
    weights = {name: tensor.float().contiguous() for name, tensor in to_hf_state_dict(model).items()}
    write_file(folder / "model.safetensors", safetensors.torch.save(weights, metadata={"format": "pt"}))
    _write_json(folder / "config.json", build_config(model, tokenizer, context_tokens))
    shutil.copyfile(tokenizer_file, folder / "tokenizer.json")
    for name, content in tokenizer_configs(tokenizer, context_tokens).items():
        _write_json(folder / name, content)
    generation = {"bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    _write_json(folder / "generation_config.json", generation)


def build_config(model: Transformer, tokenizer: Tokenizer, context_tokens: int) -> dict[str, Any]:
    """Contents of config.json. `context_tokens` is the length the model was trained on."""
    return hf_config(model.spec, model.vocab_size) | {
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "max_position_embeddings": context_tokens,
        "layer_types": ["full_attention"] * model.spec.num_layers,
    }


def tokenizer_configs(tokenizer: Tokenizer, context_tokens: int) -> dict[str, dict[str, Any]]:
    """Contents of tokenizer_config.json and special_tokens_map.json."""
    named = {
        "eos_token": tokenizer.fast.id_to_token(tokenizer.eos_token_id),
        "pad_token": tokenizer.fast.id_to_token(tokenizer.pad_token_id),
    }
    chat = [token for token in CHAT_TOKENS if tokenizer.fast.token_to_id(token) is not None]
    config = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": context_tokens,
        "clean_up_tokenization_spaces": False,
        "padding_side": "right",
        "additional_special_tokens": chat,
        **named,
    }
    return {"tokenizer_config.json": config, "special_tokens_map.json": named | {"additional_special_tokens": chat}}


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
    """`SmolLM3ForCausalLM` in fp32 on the CPU. Raises ValueError when weights do not fit the config."""
    from transformers import SmolLM3ForCausalLM  # here: it takes seconds to import

    model, info = SmolLM3ForCausalLM.from_pretrained(folder, dtype=torch.float32, output_loading_info=True)
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


def _write_json(path: Path, content: dict[str, Any]) -> None:
    write_file(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
