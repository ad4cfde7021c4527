"""Which documents go, by their signatures, within a memory budget: keys go to disk, clusters are found from there.

Addresses first, then texts, then near-duplicates (LSH: a pair that shares all hashes of one bucket; clusters are the
connected components, as in FineWeb); each looks only at documents that the one before it left. Documents of one text
are joined whatever their language, near-duplicates within a language.
Memory: `spec.memory_mb` holds keys that wait to be written, or the hash table of the pass under way, and 9 bytes a
document; where those 9 bytes are more than a quarter of it they are mapped from files. On disk: 16 bytes a document and
bucket, and 4 a document and hash.
"""

import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from workers.curation.dedup.clusters import MAX_DOCUMENTS, NEAR, SAME_TEXT, SAME_URL, Forest
from workers.curation.dedup.estimates import DistinctCounter
from workers.curation.dedup.keys import band_keys, digest_keys, line_keys
from workers.curation.dedup.lines import write_line_index
from workers.curation.dedup.signature import Signature
from workers.curation.dedup.similarity import SignatureFile, similarities
from workers.curation.dedup.spill import Spill
from workers.curation.document import Drop
from workers.specs.curation import Dedup

_URL_BAND, _TEXT_BAND, _FIRST_BUCKET = 0, 1, 2


@dataclass(slots=True, frozen=True)
class Verdict:
    """What becomes of one document."""

    drop: Drop | None
    """None: it stays. The figure is the estimated similarity to the document that stays in its stead."""
    cluster_id: int
    """Position of that document: how many were added before it. Its own where it stays."""
    cluster_size: int
    """Documents of the cluster, the one that stays included."""
    copies: int
    """How often it stands in the result: 0 when dropped, 1 when kept, more where `rehydrate` says so."""


class Deduplicator:
    """Takes signatures in document order, then tells which documents go. It owns the folder `work` and empties it."""

    block_documents = 4096
    """Documents whose keys are made and whose verdicts are given at a time."""

    def __init__(self, spec: Dedup, work: Path, num_documents: int | None = None) -> None:
        if num_documents is not None and num_documents > MAX_DOCUMENTS:
            raise ValueError(f"dedup takes at most {MAX_DOCUMENTS:,} documents; got {num_documents:,}: split the input")
        self.spec, self.work = spec, work
        self.num_documents = 0
        self.threshold = (1 / spec.num_buckets) ** (1 / spec.hashes_per_bucket)
        """Jaccard similarity at which a pair is more likely found than not, nearly."""
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        self._memory = self.memory_bytes(spec)
        num_bands = _FIRST_BUCKET + (spec.num_buckets if spec.minhash else 0)
        self._keys = Spill(work, "keys", num_bands, self._memory // 2)
        self._lines = Spill(work, "lines", 1, self._memory // 4)
        self._signatures = SignatureFile(
            work / "signatures.bin", spec.num_buckets * spec.hashes_per_bucket, self.block_documents
        )
        self._waiting: list[Signature] = []
        self._texts, self._different_lines = DistinctCounter(), DistinctCounter()
        self._forest: Forest | None = None
        self._num_shared_lines = 0

    @staticmethod
    def memory_bytes(spec: Dedup) -> int:
        """What it may hold."""
        return spec.memory_mb << 20

    def add(self, signature: Signature) -> None:
        """Take the next document."""
        if self._forest is not None:
            raise ValueError("dedup has judged already: a new document needs a new Deduplicator")
        self._waiting.append(signature)
        self.num_documents += 1
        if len(self._waiting) == self.block_documents:
            self._write_keys()

    def flush(self) -> None:
        """Write what waits in memory to disk; `verdicts` begins with it."""
        if self._waiting:
            self._write_keys()
        self._keys.finish()
        self._lines.finish()

    def verdicts(self) -> Iterator[Verdict]:
        """One for each document, in their order. Raises DamagedSpillError when the work folder was tampered with."""
        forest = self._resolve()
        for start in range(0, self.num_documents, self.block_documents):
            yield from self._judge(forest, start, min(start + self.block_documents, self.num_documents))

    def line_index(self) -> Path | None:
        """File for `LineIndex.open`, with the lines that go; None where line dedup is off."""
        self._resolve()
        return self.work / "lines.index" if self.spec.lines else None

    def statistics(self) -> dict[str, Any]:
        """For statistics.json: documents by verdict, clusters by size, and estimates (HyperLogLog, within 1%)."""
        forest = self._resolve()
        roots_D = forest.sizes_D > 0
        sizes = Counter(np.minimum(forest.sizes_D[roots_D], 1000).tolist())
        bounds = [1, 2, 3, 5, 10, 100, 1000]
        found: dict[str, Any] = {
            "documents": self.num_documents,
            "kept": int(roots_D.sum()),
            "url": int((forest.reasons_D == SAME_URL).sum()),
            "exact": int((forest.reasons_D == SAME_TEXT).sum()),
            "clusters": {
                str(low): sum(n for size, n in sizes.items() if low <= size < high)
                for low, high in zip(bounds, [*bounds[1:], 1001], strict=True)
            },
        }
        found["minhash"] = self.num_documents - found["kept"] - found["url"] - found["exact"]
        if self.spec.exact:
            found["different_texts"] = self._texts.estimate()
        if self.spec.lines:
            found["different_lines"] = self._different_lines.estimate()
            found["shared_lines"] = self._num_shared_lines
        return found

    def close(self) -> None:
        """Remove the work folder."""
        self._signatures.close()
        shutil.rmtree(self.work, ignore_errors=True)

    def _write_keys(self) -> None:
        """Keys of the documents that wait, a block."""
        first = self.num_documents - len(self._waiting)
        waiting, self._waiting = self._waiting, []
        urls, texts = [s.url for s in waiting], [s.digest for s in waiting]
        scopes_N = np.array([s.scope for s in waiting], dtype=np.uint64)
        self._keys.add(_URL_BAND, digest_keys(urls, scopes_N, first))
        self._keys.add(_TEXT_BAND, digest_keys(texts, scopes_N, first))
        self._texts.add(np.frombuffer(b"".join(d[:8] for d in texts if d), dtype="<u8"))
        if self.spec.minhash:
            minima_NH, found_N = self._minima(waiting)
            groups_N = np.array([s.group for s in waiting], dtype=np.uint64)
            keys_BN2 = band_keys(minima_NH, groups_N, found_N, self.spec.hashes_per_bucket, first)
            for band, keys_N2 in enumerate(keys_BN2, start=_FIRST_BUCKET):
                self._keys.add(band, keys_N2)
            self._signatures.append(minima_NH)
        if self.spec.lines:
            keys_N2 = line_keys([s.lines for s in waiting], first)
            self._lines.add(0, keys_N2)
            self._different_lines.add(keys_N2[:, 0])

    def _minima(self, waiting: list[Signature]) -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.bool_]]:
        """Signatures (N, H), zeros where there is none, and where there is one (N,)."""
        num_hashes, num_bytes = self._signatures.num_hashes, self.spec.hash_bits // 8
        none = bytes(num_hashes * num_bytes)
        joined = b"".join(s.minhash or none for s in waiting)
        minima_NH = np.frombuffer(joined, dtype=f"<u{num_bytes}").reshape(len(waiting), num_hashes)
        return minima_NH.astype(np.uint64), np.array([s.minhash is not None for s in waiting])

    def _resolve(self) -> Forest:
        if self._forest is not None:
            return self._forest
        self.flush()
        forest = Forest(self.num_documents, self.work, self._memory // 4)
        for bands, reason in (
            (range(_URL_BAND, _TEXT_BAND), SAME_URL),
            (range(_TEXT_BAND, _FIRST_BUCKET), SAME_TEXT),
            (range(_FIRST_BUCKET, self._keys.num_bands), NEAR),
        ):
            forest.join(self._keys, bands, reason, self._memory // 2)
        forest.count()
        if self.spec.lines:
            kept_D = forest.sizes_D > 0
            path, most = self.work / "lines.index", self.spec.lines.max_documents
            self._num_shared_lines = write_line_index(path, self._lines, kept_D, most, self._memory // 2)
        self._forest = forest
        return forest

    def _judge(self, forest: Forest, start: int, end: int) -> Iterator[Verdict]:
        roots = forest.parents_D[start:end].tolist()
        reasons = forest.reasons_D[start:end].tolist()
        sizes = forest.sizes_D[forest.parents_D[start:end]].tolist()
        dropped = [d for d, root in enumerate(roots, start) if d != root]
        similar = self._similarities(dropped, [roots[d - start] for d in dropped], start, end)
        for d, (root, reason, size) in enumerate(zip(roots, reasons, sizes, strict=True), start):
            if d == root:
                yield Verdict(None, d, size, self._copies(size))
            else:
                yield Verdict(self._drop(reason, similar.get(d)), root, size, 0)

    def _similarities(self, dropped: list[int], roots: list[int], start: int, end: int) -> dict[int, float | None]:
        if not dropped or not self.spec.minhash:
            return {}
        block_NH = self._signatures.block(start // self.block_documents, end - start)
        different = sorted(set(roots))
        rows_NH = self._signatures.rows(different)[np.searchsorted(different, roots)]
        own_NH = block_NH[np.array(dropped) - start]
        return dict(zip(dropped, similarities(own_NH, rows_NH), strict=True))

    def _drop(self, reason: int, similarity: float | None) -> Drop:
        if reason == SAME_URL:
            return Drop("dedup.url", similarity)
        if reason == SAME_TEXT:
            return Drop("dedup.exact", 1.0, 1.0)
        return Drop("dedup.minhash", similarity, self.threshold)

    def _copies(self, size: int) -> int:
        return self.spec.copies_of(size) if self.spec.rehydrate else 1
