"""A tiny dataset with something to learn, and specs small enough for a unit test."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from workers.data.shards import ShardWriter, token_dtype
from workers.specs.training import TrainingSpec

VOCAB_SIZE = 64


def write_dataset(
    folder: Path, num_train: int = 20_000, num_heldout: int = 2_000, vocab_size: int = VOCAB_SIZE
) -> Path:
    """Documents of a noisy counting language: the next token is mostly the last one plus 3, token 0 ends a document."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(5)
    num_tokens = {}
    for split, wanted in (("train", num_train), ("heldout", num_heldout)):
        writer = ShardWriter(folder, split, vocab_size, shard_tokens=max(num_train // 3, 1))
        while writer.num_tokens < wanted:
            length = int(rng.integers(10, 80))
            steps = np.where(rng.random(length) < 0.8, 3, rng.integers(0, vocab_size, length))
            document = 1 + (int(rng.integers(vocab_size)) + np.cumsum(steps)) % (vocab_size - 1)
            writer.add([*document.tolist(), 0])
        writer.close()
        num_tokens[split] = writer.num_tokens
    info = {
        "vocab_size": vocab_size,
        "dtype": token_dtype(vocab_size).str,
        "eos_token_id": 0,
        "num_tokens": num_tokens,
    }
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


@pytest.fixture(scope="session")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_dataset(tmp_path_factory.mktemp("training") / "dataset")


@pytest.fixture
def make_spec() -> Callable[..., TrainingSpec]:
    def make(**changes: Any) -> TrainingSpec:
        values = {
            "model": {"d_model": 32, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 64},
            "optimizer": {"kind": "adamw", "lr": 5e-3},
            "schedule": {"kind": "wsd", "warmup_steps": 2},
            "batch": {"sequence_tokens": 32, "micro_batch_sequences": 4, "accumulation": 2},
            "num_steps": 12,
            "checkpointing": {"every_steps": 6, "keep": 3},
            "heldout": {"every_steps": 6, "num_batches": 4},
            "monitoring": {"mode": "off"},
            "dtype": "float32",
        }
        return TrainingSpec.model_validate(values | changes)

    return make


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
