"""What both forms of a release share: the tokenizer's files."""

import json
import shutil
from pathlib import Path
from typing import Any

from workers.data.chat import END, START, TEMPLATE
from workers.data.tokenizer import Tokenizer
from workers.model.checkpoint import write_file

CHAT_TOKENS = (START, END)


def write_tokenizer(folder: Path, tokenizer_file: Path, context_tokens: int) -> Tokenizer:
    """Write tokenizer.json and what transformers reads beside it; `context_tokens` is the length trained on."""
    tokenizer = Tokenizer.load(tokenizer_file)
    shutil.copyfile(tokenizer_file, folder / "tokenizer.json")
    for name, content in tokenizer_configs(tokenizer, context_tokens).items():
        write_json(folder / name, content)
    return tokenizer


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
        **({"chat_template": TEMPLATE} if len(chat) == len(CHAT_TOKENS) else {}),
        **named,
    }
    return {"tokenizer_config.json": config, "special_tokens_map.json": named | {"additional_special_tokens": chat}}


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Readable JSON, written atomically."""
    write_file(path, (json.dumps(content, indent=2, ensure_ascii=False) + "\n").encode())
