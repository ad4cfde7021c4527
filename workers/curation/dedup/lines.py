"""Lines that many documents of a language share (menus, notices) are taken out, as CCNet does (arXiv 1911.00359).

Two lines are the same when their words are, whatever their case, numbers, punctuation and accents. A line counts once a
document, and only documents that dedup keeps count: else a page that stands there six times would lose all its lines.
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import numpy.typing as npt
import xxhash
from numba import njit

from workers.curation.dedup.normal import normal_words
from workers.curation.dedup.spill import DamagedSpillError, Spill
from workers.curation.dedup.tables import FREE, Table, count_up, is_in_split, passes
from workers.curation.text import Text
from workers.specs.curation.dedup import LineDedup

Hashes = npt.NDArray[np.uint64]

_LOW = np.uint64(0xFFFFFFFF)
_HEADER_BYTES = 16
_BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(slots=True, frozen=True)
class Removed:
    """What line dedup took out of a text."""

    num_lines: int = 0
    share: float = 0.0
    """Of the text's characters."""


def line_hash(line: str, language: str, min_chars: int) -> int | None:
    """64 bits of a line's words; None for a line that is too short, or without words."""
    stripped = line.strip()
    if len(stripped) < min_chars:
        return None
    words = normal_words(language).join(stripped)
    return xxhash.xxh64_intdigest(words, seed=xxhash.xxh64_intdigest(language.encode())) if words else None


def line_hashes(text: Text, spec: LineDedup) -> Hashes:
    """Hashes of a text's different lines, ascending."""
    found = {line_hash(line, text.language, spec.min_chars) for line in text.text.split("\n")}
    return np.array(sorted(found - {None}), dtype="<u8")  # type: ignore[type-var]  # None is out


class LineIndex:
    """The lines that go."""

    def __init__(self, hashes: Hashes, spec: LineDedup) -> None:
        self._hashes, self.spec = hashes, spec

    @classmethod
    def open(cls, path: Path, spec: LineDedup) -> Self:
        """Map the file that `Deduplicator.line_index` named. Raises DamagedSpillError when it is not as written."""
        header = np.fromfile(path, dtype=np.uint64, count=2)
        if len(header) < 2 or path.stat().st_size != _HEADER_BYTES + 8 * int(header[0]):
            raise DamagedSpillError(path, "another length than was written")
        hashes: Hashes = np.zeros(0, dtype=np.uint64)
        if header[0]:
            hashes = np.memmap(path, dtype=np.uint64, mode="r", offset=_HEADER_BYTES)
        if xxhash.xxh3_64_intdigest(hashes.data) != int(header[1]):
            raise DamagedSpillError(path, "another checksum than was written")
        return cls(hashes, spec)

    def __len__(self) -> int:
        return len(self._hashes)

    def remove(self, text: Text) -> tuple[Text, Removed]:
        """The text without shared lines (itself when none is found), and what was removed."""
        lines = text.text.split("\n")
        hashes = [line_hash(line, text.language, self.spec.min_chars) for line in lines]
        known = self._known([h for h in hashes if h is not None])
        kept = [line for line, h in zip(lines, hashes, strict=True) if h not in known]
        if len(kept) == len(lines):
            return text, Removed()
        rest = _BLANK_LINES.sub("\n\n", "\n".join(kept)).strip()
        return Text(rest, text.language), Removed(len(lines) - len(kept), 1 - len(rest) / len(text.text))

    def _known(self, hashes: list[int]) -> set[int]:
        if not hashes or not len(self._hashes):
            return set()
        wanted = np.array(hashes, dtype=np.uint64)
        places = np.minimum(np.searchsorted(self._hashes, wanted), len(self._hashes) - 1)
        return set(wanted[self._hashes[places] == wanted].tolist())


def write_line_index(path: Path, spill: Spill, kept_D: npt.NDArray[np.bool_], most: int, memory_bytes: int) -> int:
    """Write the hashes of lines that more than `most` kept documents hold, ascending. Returns how many."""
    partial = path.with_suffix(".partial")
    checksum, count = xxhash.xxh3_64(), 0
    with partial.open("wb") as file:
        file.write(bytes(_HEADER_BYTES))
        for hashes in _shared_lines(spill, kept_D, most, memory_bytes):
            checksum.update(hashes.data)
            file.write(hashes.data)
            count += len(hashes)
        file.seek(0)
        file.write(np.array([count, checksum.intdigest()], dtype=np.uint64).data)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
    return count


def _shared_lines(spill: Spill, kept_D: npt.NDArray[np.bool_], most: int, memory_bytes: int) -> Iterator[Hashes]:
    """Ascending arrays; one after the other they ascend too, as ranges are cut by the highest bits."""
    table = Table(max(int(spill.counts.sum()), 1), memory_bytes)
    for first, last, num_splits in passes(spill, 0, table.num_keys):
        found = []
        for split in range(num_splits):
            table.clear()
            for block_N2 in spill.read(0, first, last):
                count_lines(block_N2, split, num_splits, kept_D, table.keys_C, table.values_C)
            shared = (table.values_C != FREE) & (table.values_C > np.uint64(most))
            found.append(table.keys_C[shared])
        yield np.sort(np.concatenate(found))


@njit(cache=True)
def count_lines(block_N2, split, num_splits, kept_D, keys_C, values_C):  # type: ignore[no-untyped-def]
    """Count each line of a kept document."""
    for n in range(len(block_N2)):
        key, payload = block_N2[n]
        d = np.int64(payload & _LOW)
        if d < len(kept_D) and kept_D[d] and (num_splits == 1 or is_in_split(key, split, num_splits)):
            count_up(keys_C, values_C, key)
