"""A tiny dataset with something to learn, and specs small enough for a unit test."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from counting_language import write_dataset

from workers.specs.training import TrainingSpec


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
