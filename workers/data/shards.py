"""Packed token shards: flat little-endian token files beside the offsets at which documents begin.

Layout of a dataset folder:
    train-00000.tokens      uint16 (vocabulary <= 65,536) or uint32, document after document
    train-00000.documents   uint64 offsets of each document's first token within the shard
    heldout-00000.tokens    the same for the held-out part
    heldout.jsonl           held-out documents as text: {"id", "language", "text"}
    tokenizer.json          Hugging Face `tokenizers` file
    dataset.json            {"vocab_size", "dtype", "eos_token_id", "num_tokens": {"train", "heldout"}, ...statistics}
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

Split = Literal["train", "heldout"]
Tokens = npt.NDArray[np.int64]


def token_dtype(vocab_size: int) -> np.dtype[np.unsignedinteger]:
    """Smallest type that holds the vocabulary."""
    return np.dtype("<u2") if vocab_size <= 1 << 16 else np.dtype("<u4")


class ShardWriter:
    """Writes documents into shards of about `shard_tokens`; a shard appears under its name only when whole."""

    def __init__(self, folder: Path, split: Split, vocab_size: int, shard_tokens: int) -> None:
        self.folder, self.split, self.shard_tokens = folder, split, shard_tokens
        self.dtype = token_dtype(vocab_size)
        self.num_tokens = 0
        self._shard = 0
        self._documents: list[npt.NDArray[np.unsignedinteger]] = []
        self._pending = 0

    def add(self, token_ids: Iterable[int]) -> None:
        """Append one document, its end token included."""
        document = np.fromiter(token_ids, dtype=self.dtype)
        self._documents.append(document)
        self._pending += len(document)
        self.num_tokens += len(document)
        if self._pending >= self.shard_tokens:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        if self._documents:
            self._flush()

    def _flush(self) -> None:
        lengths = np.array([len(d) for d in self._documents], dtype="<u8")
        offsets = np.concatenate([np.zeros(1, "<u8"), np.cumsum(lengths)[:-1]]).astype("<u8")
        stem = f"{self.split}-{self._shard:05d}"
        _write(self.folder / f"{stem}.documents", offsets.tobytes())
        _write(self.folder / f"{stem}.tokens", np.concatenate(self._documents).tobytes())
        self._documents, self._pending, self._shard = [], 0, self._shard + 1


def _write(path: Path, content: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


class TokenDataset:
    """Memory-mapped reader of one split. Windows run over shard borders; each token knows its document."""

    def __init__(self, folder: Path, split: Split) -> None:
        """Raises FileNotFoundError when the folder has no dataset, ValueError when the split is empty or torn."""
        self.info = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        self.vocab_size = int(self.info["vocab_size"])
        dtype = np.dtype(self.info["dtype"])
        paths = sorted(folder.glob(f"{split}-*.tokens"))
        self._shards = [np.memmap(path, dtype=dtype, mode="r") for path in paths]
        self._starts = np.concatenate([[0], np.cumsum([len(s) for s in self._shards])]).astype(np.int64)
        self.num_tokens = int(self._starts[-1])
        expected = int(self.info["num_tokens"][split])
        if self.num_tokens != expected:
            raise ValueError(f"{folder}: {split} has {self.num_tokens} tokens, its manifest says {expected}")
        if not self.num_tokens:
            raise ValueError(f"{folder}: the {split} part is empty")
        bounds = [
            np.fromfile(path.with_suffix(".documents"), dtype="<u8").astype(np.int64) + start
            for path, start in zip(paths, self._starts[:-1], strict=True)
        ]
        self.document_starts: Tokens = np.concatenate(bounds)

    def window(self, start: int, length: int) -> tuple[Tokens, Tokens]:
        """Tokens and document numbers at [start, start + length), going round at the end.  (length,), (length,)"""
        positions = (np.arange(start, start + length, dtype=np.int64)) % self.num_tokens
        shards = np.searchsorted(self._starts, positions, side="right") - 1
        tokens = np.empty(length, dtype=np.int64)
        for shard in np.unique(shards):
            here = shards == shard
            tokens[here] = self._shards[shard][positions[here] - self._starts[shard]]
        documents = np.searchsorted(self.document_starts, positions, side="right") - 1
        return tokens, documents
