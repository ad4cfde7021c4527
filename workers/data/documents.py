"""The documents of a dataset version as Parquet shards (zstd), and an index for telling two versions apart.

    documents-00000.parquet   rows of SCHEMA, in the order of their keys
    documents-00000.index     INDEX records of the same rows, in the same order

A key is 64 bits of a hash of the document's id, so the index files one after another are sorted, and a row of the
index is a row of the documents. Shards are cut by `workers.data.cuts`. Equal documents give equal bytes (with the same
pyarrow).
"""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from workers.data.cuts import Cutter
from workers.data.shards import write_bytes

SCHEMA = pa.schema(
    [
        ("id", pa.string()), ("text", pa.string()), ("language", pa.string()), ("language_score", pa.float64()),
        ("url", pa.string()), ("source", pa.string()), ("split", pa.string()), ("num_tokens", pa.int64()),
        ("quality_score", pa.float64()), ("quality_bucket", pa.int32()), ("cluster_size", pa.int64()),
        ("copies", pa.int32()),
    ]
)  # fmt: skip
"""`num_tokens` has the end token; `quality_*` are null where no scorer ran; `copies` is how often it is trained on."""
INDEX = np.dtype([("key", "<u8"), ("text", "<u8")])
"""Key of the document and 64 bits of a hash of its text."""
SHARD_BYTES = 32 << 20
_GROUP_ROWS = 1000
_GROUP_BYTES = 8 << 20
_LEVEL = 6


def text_hash(text: bytes) -> int:
    """64 bits of BLAKE2b of a text."""
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")


class DocumentWriter:
    """Writes documents in the order of their keys; a shard appears under its name only when whole."""

    def __init__(self, folder: Path, shard_bytes: int = SHARD_BYTES) -> None:
        self.folder = folder
        self.num_documents = 0
        self._cutter = Cutter(shard_bytes)
        self._shard = 0
        self._rows: list[dict[str, Any]] = []
        self._bytes = 0
        self._index: list[tuple[int, int]] = []
        self._writer: pq.ParquetWriter | None = None

    def add(self, row: dict[str, Any], key: int) -> None:
        """Append a document: fields of SCHEMA."""
        text = row["text"].encode("utf-8")
        self._rows.append(row)
        self._index.append((key, text_hash(text)))
        self._bytes += len(text)
        self.num_documents += 1
        if len(self._rows) >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            self._write_group()
        if self._cutter.ends(key, len(text)):
            self._finish()

    def close(self) -> None:
        """Write what is left."""
        if self._index:
            self._finish()

    def _partial(self) -> Path:
        return self.folder / f"documents-{self._shard:05d}.parquet.partial"

    def _write_group(self) -> pq.ParquetWriter:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                self._partial(), SCHEMA, compression="zstd", compression_level=_LEVEL, store_schema=False
            )
        if self._rows:
            self._writer.write_table(pa.Table.from_pylist(self._rows, schema=SCHEMA))
        self._rows, self._bytes = [], 0
        return self._writer

    def _finish(self) -> None:
        self._write_group().close()
        partial = self._partial()
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        write_bytes(self.folder / f"documents-{self._shard:05d}.index", np.array(self._index, dtype=INDEX).tobytes())
        partial.rename(partial.with_suffix(""))
        self._writer, self._index, self._shard = None, [], self._shard + 1


def read_documents(folder: Path, columns: list[str] | None = None) -> Iterator[dict[str, Any]]:
    """Rows of all shards in their order; memory holds one row group. Raises FileNotFoundError when there are none."""
    paths = sorted(folder.glob("documents-*.parquet"))
    if not paths:
        raise FileNotFoundError(f"{folder} has no documents-*.parquet: it is no dataset, or was made before there were")
    for path in paths:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=_GROUP_ROWS, columns=columns):
                yield from batch.to_pylist()
