"""Packed token shards: flat little-endian token files beside the offsets at which documents begin.

Layout of a dataset folder:
    train-00000.tokens        uint16 (vocabulary <= 65,536) or uint32, document after document
    train-00000.documents     uint64 offsets of each document's first token within the shard
    train-00000.origins       which document each is: ORIGIN records, in the same order
    train-00000.counted       uint8 a token: 0 where no loss hangs on it (chats); without it all count
    heldout-00000.*           the same for the held-out part
    documents-00000.parquet   the documents themselves (`workers.data.documents`), with an index beside
    heldout.jsonl             held-out documents as text: {"id", "language", "text"}, and for chats "media_type"
    tokenizer.json            Hugging Face `tokenizers` file
    dataset.json              {"vocab_size", "dtype", "eos_token_id", "num_tokens": {"train", "heldout"}, ...statistics}
"""

import json
import os
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
import numpy.typing as npt

from workers.data.cuts import Cutter

Split = Literal["train", "heldout"]
Tokens = npt.NDArray[np.int64]
ORIGIN = np.dtype([("key", "<u8"), ("language", "S3"), ("bucket", "i1")])
"""Key of the document in the index of documents, its language, its quality bucket (-1: none)."""
NO_BUCKET = -1


class Origin(NamedTuple):
    """Which document a run of tokens is."""

    key: int
    language: str
    bucket: int = NO_BUCKET


def token_dtype(vocab_size: int) -> np.dtype[np.unsignedinteger]:
    """Smallest type that holds the vocabulary."""
    return np.dtype("<u2") if vocab_size <= 1 << 16 else np.dtype("<u4")


class ShardWriter:
    """Writes documents into shards of about `shard_tokens`; a shard appears under its name only when whole.

    Documents with an origin are cut where `Cutter` says, others as soon as a shard is full.
    """

    def __init__(self, folder: Path, split: Split, vocab_size: int, shard_tokens: int) -> None:
        self.folder, self.split, self.shard_tokens = folder, split, shard_tokens
        self.dtype = token_dtype(vocab_size)
        self.num_tokens = 0
        self._cutter = Cutter(shard_tokens)
        self._shard = 0
        self._documents: list[npt.NDArray[np.unsignedinteger]] = []
        self._origins: list[tuple[int, bytes, int]] = []
        self._counted: list[npt.NDArray[np.uint8]] = []
        self._pending = 0

    def add(
        self,
        token_ids: Iterable[int],
        origin: Origin | None = None,
        place: int | None = None,
        counted: Iterable[bool] | None = None,
    ) -> None:
        """Append one document, its end token included. `place` is its place in the order, where not the origin's key.

        `counted`: which tokens are to be learnt; all documents of a dataset have it, or none.
        Raises OverflowError for a token that the type cannot hold, ValueError for a `counted` of another length.
        """
        document = np.fromiter(token_ids, dtype=self.dtype)
        self._documents.append(document)
        self._pending += len(document)
        self.num_tokens += len(document)
        if counted is not None:
            self._counted.append(np.fromiter(counted, dtype=np.uint8))
            if len(self._counted[-1]) != len(document):
                raise ValueError(f"{len(self._counted[-1])} flags for {len(document)} tokens")
        full = self._pending >= self.shard_tokens
        if origin is not None:
            self._origins.append((origin.key, origin.language.encode("ascii"), origin.bucket))
            full = self._cutter.ends(origin.key if place is None else place, len(document))
        if full:
            self._flush()

    def close(self) -> None:
        """Write what is left."""
        if self._documents:
            self._flush()

    def _flush(self) -> None:
        lengths = np.array([len(d) for d in self._documents], dtype="<u8")
        offsets = np.concatenate([np.zeros(1, "<u8"), np.cumsum(lengths)[:-1]]).astype("<u8")
        stem = f"{self.split}-{self._shard:05d}"
        write_bytes(self.folder / f"{stem}.documents", offsets.tobytes())
        if len(self._origins) == len(self._documents):
            write_bytes(self.folder / f"{stem}.origins", np.array(self._origins, dtype=ORIGIN).tobytes())
        if len(self._counted) == len(self._documents):
            write_bytes(self.folder / f"{stem}.counted", np.concatenate(self._counted).tobytes())
        write_bytes(self.folder / f"{stem}.tokens", np.concatenate(self._documents).tobytes())
        self._documents, self._origins, self._counted = [], [], []
        self._pending, self._shard = 0, self._shard + 1


def write_bytes(path: Path, content: bytes) -> None:
    """Write beside, flush to disk, rename."""
    partial = path.with_name(path.name + ".partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)


def _open_shard(path: Path, dtype: np.dtype[Any]) -> npt.NDArray[Any]:
    size = path.stat().st_size
    if not size or size % dtype.itemsize:
        raise ValueError(f"{path.name} is torn: {size:,} bytes of tokens that have {dtype.itemsize} bytes each")
    return np.memmap(path, dtype=dtype, mode="r")


class TokenDataset:
    """Memory-mapped reader of one split. Windows run over shard borders; each token knows its document."""

    def __init__(self, folder: Path, split: Split) -> None:
        """Raises FileNotFoundError when the folder has no dataset, ValueError when the split is empty or torn."""
        self.folder, self.split = folder, split
        self.info = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
        self.vocab_size = int(self.info["vocab_size"])
        dtype = np.dtype(self.info["dtype"])
        self._paths = sorted(folder.glob(f"{split}-*.tokens"))
        self._shards = [_open_shard(path, dtype) for path in self._paths]
        self._starts = np.concatenate([[0], np.cumsum([len(s) for s in self._shards])]).astype(np.int64)
        self.num_tokens = int(self._starts[-1])
        expected = int(self.info["num_tokens"][split])
        if self.num_tokens != expected:
            raise ValueError(f"{folder}: {split} has {self.num_tokens} tokens, its manifest says {expected}")
        if not self.num_tokens:
            raise ValueError(f"{folder}: the {split} part is empty")
        self._counted = self._open_counted()
        bounds = [
            np.fromfile(path.with_suffix(".documents"), dtype="<u8").astype(np.int64) + start
            for path, start in zip(self._paths, self._starts[:-1], strict=True)
        ]
        self.document_starts: Tokens = np.concatenate(bounds)

    @cached_property
    def origins(self) -> npt.NDArray[np.void]:
        """ORIGIN records of the documents, in their order.

        Raises ValueError for a version that was made before there were any, or is torn.
        """
        paths = [path.with_suffix(".origins") for path in self._paths]
        if not all(path.is_file() for path in paths):
            raise ValueError(f"{self.folder} does not say which document is of which language or bucket: curate again")
        found = np.concatenate([np.fromfile(path, dtype=ORIGIN) for path in paths])
        if len(found) != len(self.document_starts):
            raise ValueError(f"{self.folder}: {len(found)} origins for {len(self.document_starts)} documents")
        return found

    def _open_counted(self) -> list[npt.NDArray[np.uint8]]:
        """Which tokens count, by shard; empty: all do. Raises ValueError when a file is torn or missing."""
        paths = [path.with_suffix(".counted") for path in self._paths]
        if not any(path.is_file() for path in paths):
            return []
        found = [np.memmap(path, dtype=np.uint8, mode="r") for path in paths if path.is_file()]
        if [len(flags) for flags in found] != [len(shard) for shard in self._shards]:
            raise ValueError(f"{self.folder}: the .counted files do not fit the tokens of {self.split}")
        return list(found)

    def counted(self, positions: Tokens) -> npt.NDArray[np.bool_]:
        """Are the tokens at these positions to be learnt?  (n,) -> (n,)"""
        return self._gather(self._counted, positions, np.bool_) if self._counted else np.ones(len(positions), np.bool_)

    def read(self, positions: Tokens) -> Tokens:
        """Tokens at these positions of the split.  (n,) -> (n,)"""
        return self._gather(self._shards, positions, np.int64)

    def _gather(self, parts: Sequence[npt.NDArray[Any]], positions: Tokens, dtype: Any) -> npt.NDArray[Any]:
        shards = np.searchsorted(self._starts, positions, side="right") - 1
        found = np.empty(len(positions), dtype=dtype)
        for shard in np.unique(shards):
            here = shards == shard
            found[here] = parts[shard][positions[here] - self._starts[shard]]
        return found

    def places(self, start: int, length: int) -> Tokens:
        """Positions in the split of the tokens at [start, start + length), going round at the end.  (length,)"""
        return np.arange(start, start + length, dtype=np.int64) % self.num_tokens

    def counted_window(self, start: int, length: int) -> npt.NDArray[np.bool_]:
        """Are the tokens at [start, start + length) to be learnt? Going round at the end.  (length,)"""
        return self.counted(self.places(start, length))

    def window(self, start: int, length: int) -> tuple[Tokens, Tokens]:
        """Tokens and document numbers at [start, start + length), going round at the end.  (length,), (length,)"""
        positions = self.places(start, length)
        documents = np.searchsorted(self.document_starts, positions, side="right") - 1
        return self.read(positions), documents
