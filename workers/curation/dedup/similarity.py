"""Signatures on disk, for the estimated similarity of a dropped document to the one that stays.

The low 32 bits of each hash are enough: two different hashes agree in them once in 4e9.
Shapes: N documents of a block; H hashes.
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import xxhash

from workers.curation.dedup.spill import DamagedSpillError

Rows = npt.NDArray[np.uint32]


class SignatureFile:
    """Rows of H uint32, one a document, written in blocks. A row of zeros is a document without signature."""

    def __init__(self, path: Path, num_hashes: int, block_documents: int) -> None:
        self.path, self.num_hashes, self.block_documents = path, num_hashes, block_documents
        self._row_bytes = num_hashes * 4
        self._checksums: list[int] = []
        self._file = path.open("wb+")

    def append(self, minima_NH: npt.NDArray[np.uint64]) -> None:
        """Write the next block; only the last one may be shorter than `block_documents`."""
        data = minima_NH.astype(np.uint32).data
        self._checksums.append(xxhash.xxh3_64_intdigest(data))
        self._file.write(data)

    def block(self, number: int, num_rows: int) -> Rows:
        """Rows of a block, (N, H). Raises DamagedSpillError when they are not as they were written."""
        self._file.flush()
        self._file.seek(number * self.block_documents * self._row_bytes)
        data = self._file.read(num_rows * self._row_bytes)
        if xxhash.xxh3_64_intdigest(data) != self._checksums[number]:
            raise DamagedSpillError(self.path, f"block {number} has another checksum than was written")
        return np.frombuffer(data, dtype=np.uint32).reshape(num_rows, self.num_hashes)

    def rows(self, documents: list[int]) -> Rows:
        """Rows of some documents, (N, H)."""
        found_NH: Rows = np.empty((len(documents), self.num_hashes), dtype=np.uint32)
        for row_H, document in zip(found_NH, documents, strict=True):
            self._file.seek(document * self._row_bytes)
            if self._file.readinto(row_H) != self._row_bytes:  # type: ignore[arg-type]  # an array is a buffer
                raise DamagedSpillError(self.path, "it ends too early")
        return found_NH

    def close(self) -> None:
        """Close the file; it stays where it is."""
        self._file.close()


def similarities(left_NH: Rows, right_NH: Rows) -> list[float | None]:
    """Estimated Jaccard similarity of each pair: the share of hashes that agree. None where one has no signature."""
    both_N = left_NH.any(axis=1) & right_NH.any(axis=1)
    shares_N = (left_NH == right_NH).mean(axis=1)
    return [float(share) if both else None for share, both in zip(shares_N, both_N, strict=True)]
