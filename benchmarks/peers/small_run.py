"""The training that several benchmarks measure: 18.9 M parameters in bfloat16, and random text in two languages."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from workers.data.shards import Origin, ShardWriter, token_dtype
from workers.specs.training import TrainingSpec

VOCAB_SIZE = 16384
SHAPE = {"d_model": 384, "num_layers": 8, "num_heads": 6, "num_kv_heads": 2, "d_ffn": 1024}


def build_spec(num_steps: int, **changes: Any) -> TrainingSpec:
    """Steps of 2,048 tokens."""
    values: dict[str, Any] = {
        "model": SHAPE,
        "optimizer": {"kind": "adamw", "lr": 1e-3},
        "schedule": {"kind": "wsd", "warmup_steps": 1},
        "batch": {"sequence_tokens": 512, "micro_batch_sequences": 4},
        "num_steps": num_steps,
        "heldout": {"every_steps": num_steps, "num_batches": 1},
        "monitoring": {"mode": "off"},
        "telemetry": {"every_steps": 0},
    }
    return TrainingSpec.model_validate(values | changes)


def write_dataset(folder: Path, num_tokens: int) -> Path:
    """Documents of random tokens, every third of them German, the others English."""
    folder.mkdir(parents=True)
    rng, counts = np.random.default_rng(1), {}
    for split, wanted in (("train", num_tokens), ("heldout", 20_000)):
        writer = ShardWriter(folder, split, VOCAB_SIZE, shard_tokens=1 << 20)
        number = 0
        while writer.num_tokens < wanted:
            document = rng.integers(1, VOCAB_SIZE, int(rng.integers(50, 1500)))
            writer.add([*document.tolist(), 0], Origin(number, "de" if number % 3 == 0 else "en"))
            number += 1
        writer.close()
        counts[split] = writer.num_tokens
    info = {"vocab_size": VOCAB_SIZE, "dtype": token_dtype(VOCAB_SIZE).str, "eos_token_id": 0, "num_tokens": counts}
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder
