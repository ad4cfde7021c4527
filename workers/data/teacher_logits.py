"""A teacher's likeliest next tokens for every token of a dataset's training split, on disk.

    DATASET.teacher-<key>/            beside the dataset's folder; the key is a hash of `teacher.json`'s description
        logits-00000.teacher          rows of `row_type`, one for each token of the split, in its order
        teacher.json                  {"description": {...}, "num_tokens", "shard_rows"}, written last

Row p holds what the teacher expects after the token at position p of the split, so that any order of batches finds it.
**What the teacher saw**: with stride s = context_tokens - overlap_tokens, the rows [i s, (i + 1) s) come from one
window that begins `overlap_tokens` before them; there each token saw the earlier ones of its own document. With windows
as long as the student's and no overlap, a student that reads whole windows of the split in place sees exactly as much;
one that begins elsewhere (parts of a mixture, longer or shorter sequences) has less or more context than its teacher.

Shapes: N tokens, K tokens kept.
"""

import hashlib
import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from workers.data.shards import write_bytes

_MANIFEST = "teacher.json"


class Rows(NamedTuple):
    """The teacher's word at some positions."""

    tokens: npt.NDArray[np.int64]
    """(N, K), the likeliest first."""
    logprobs: npt.NDArray[np.float32]
    """(N, K), at temperature 1."""
    tails: npt.NDArray[np.float32]
    """(N,): log of the sum over all other tokens of exp(log-probability / temperature)."""


def row_type(vocab_size: int, top_k: int) -> np.dtype[np.void]:
    """What is written for one token."""
    token = "<u2" if vocab_size <= 1 << 16 else "<u4"
    return np.dtype([("tokens", token, (top_k,)), ("logprobs", "<f4", (top_k,)), ("tail", "<f4")])


def logits_folder(dataset: Path, description: dict[str, Any]) -> Path:
    """Where the logits of this description lie or are to lie: equal descriptions, one place."""
    key = hashlib.sha256(json.dumps(description, sort_keys=True).encode()).hexdigest()[:16]
    return dataset.with_name(f"{dataset.name}.teacher-{key}")


class LogitsWriter:
    """Writes shards in their order. A shard appears under its name only when whole, so a repeat goes on after it."""

    def __init__(self, folder: Path, description: dict[str, Any], num_tokens: int, shard_rows: int) -> None:
        self.folder, self.description = folder, description
        self.num_tokens, self.shard_rows = num_tokens, shard_rows
        self.dtype = row_type(int(description["vocab_size"]), int(description["top_k"]))
        folder.mkdir(parents=True, exist_ok=True)
        for partial in folder.glob("*.partial"):
            partial.unlink()

    @property
    def shards(self) -> list[tuple[int, int]]:
        """First and last position (exclusive) of each shard."""
        starts = range(0, self.num_tokens, self.shard_rows)
        return [(start, min(start + self.shard_rows, self.num_tokens)) for start in starts]

    def has(self, number: int) -> bool:
        """Is the shard there, whole?"""
        start, stop = self.shards[number]
        path = shard_path(self.folder, number)
        return path.is_file() and path.stat().st_size == (stop - start) * self.dtype.itemsize

    def write(self, number: int, rows: Rows) -> None:
        """Write one shard."""
        content = np.empty(len(rows.tails), dtype=self.dtype)
        content["tokens"], content["logprobs"], content["tail"] = rows
        write_bytes(shard_path(self.folder, number), content.tobytes())

    def close(self) -> None:
        """Write the manifest: from now on it is to be used."""
        manifest = {"description": self.description, "num_tokens": self.num_tokens, "shard_rows": self.shard_rows}
        write_bytes(self.folder / _MANIFEST, json.dumps(manifest, indent=1).encode())


class TeacherLogits:
    """Memory-mapped reader."""

    def __init__(self, folder: Path) -> None:
        """Raises FileNotFoundError when it is not (wholly) written, ValueError when a shard is torn."""
        manifest = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))
        self.description: dict[str, Any] = manifest["description"]
        self.num_tokens, self._shard_rows = int(manifest["num_tokens"]), int(manifest["shard_rows"])
        dtype = row_type(int(self.description["vocab_size"]), int(self.description["top_k"]))
        num_shards = -(-self.num_tokens // self._shard_rows)
        try:
            self._shards = [np.memmap(shard_path(folder, n), dtype=dtype, mode="r") for n in range(num_shards)]
        except ValueError as error:
            raise ValueError(f"{folder}: a shard is torn: {error}. Delete the folder, it is written anew") from error
        found = sum(len(shard) for shard in self._shards)
        if found != self.num_tokens:
            raise ValueError(f"{folder} has {found} rows, its manifest says {self.num_tokens}: delete it, then resume")

    def read(self, positions: npt.NDArray[np.int64]) -> Rows:
        """Rows at these positions of the split.  (N,) -> (N, K), (N, K), (N,)"""
        numbers, places = np.divmod(positions, self._shard_rows)
        rows = np.empty(len(positions), dtype=self._shards[0].dtype)
        for number in np.unique(numbers):
            here = numbers == number
            rows[here] = self._shards[number][places[here]]
        return Rows(rows["tokens"].astype(np.int64), rows["logprobs"].copy(), rows["tail"].copy())


def shard_path(folder: Path, number: int) -> Path:
    """File of a shard."""
    return folder / f"logits-{number:05d}.teacher"
