"""A small synthetic language in token shards: enough structure to learn, fast to write."""

import json
from pathlib import Path

import numpy as np

from workers.data.shards import ShardWriter, token_dtype

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
