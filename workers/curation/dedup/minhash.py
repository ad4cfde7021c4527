"""MinHash near-duplicates: datasketch signatures, banded into buckets, joined into clusters. https://ekzhu.com/datasketch

Documents that share a bucket (all hashes of one band) are in one cluster, and clusters are connected components, as in
FineWeb. A bucket remembers its first document only: joining each later one with it gives the same components as
comparing all pairs, in linear time where a licence text fills one bucket with thousands of pages.
"""

import numpy as np
import numpy.typing as npt
from datasketch import MinHash

from workers.curation.shingles import Shingler

Vector = npt.NDArray[np.uint64]
_SEED = 1
_CHUNK = 4096


class Signer:
    """Signs word n-grams with `num_hashes` 64-bit minima. Lower case, punctuation left out."""

    def __init__(self, num_hashes: int, ngram: int) -> None:
        self.shingler = Shingler(ngram)
        self._base = MinHash(num_perm=num_hashes, seed=_SEED, scheme="affine64", hashfunc=int)

    def sign(self, words: list[str]) -> Vector:
        """Signature of a document, (num_hashes,). One of fewer words than an n-gram is one n-gram."""
        shingles = self.shingler.shingles(words).tolist()
        minhash = self._base.copy()
        for start in range(0, len(shingles), _CHUNK):
            minhash.update_batch(shingles[start : start + _CHUNK])
        vector: Vector = minhash.hashvalues.astype(np.uint64)
        return vector


class MinhashIndex:
    """Clusters of the documents of one language. Positions must grow."""

    def __init__(self, num_buckets: int, hashes_per_bucket: int) -> None:
        self.num_buckets, self.hashes_per_bucket = num_buckets, hashes_per_bucket
        self.threshold = (1 / num_buckets) ** (1 / hashes_per_bucket)
        """Jaccard similarity at which a pair is more likely found than not, nearly."""
        self._buckets: list[dict[bytes, int]] = [{} for _ in range(num_buckets)]
        self._parents: dict[int, int] = {}
        self._signatures: dict[int, Vector] = {}

    def add(self, position: int, signature: Vector) -> None:
        """Take a document and join it with those that share a bucket."""
        self._parents[position] = position
        self._signatures[position] = signature
        width = self.hashes_per_bucket
        for band, bucket in enumerate(self._buckets):
            key = signature[band * width : (band + 1) * width].tobytes()
            self._join(bucket.setdefault(key, position), position)

    def keeper(self, position: int) -> int:
        """First document of the cluster."""
        root = position
        while self._parents[root] != root:
            root = self._parents[root]
        while self._parents[position] != root:
            self._parents[position], position = root, self._parents[position]
        return root

    def similarity(self, position: int) -> float:
        """Estimated Jaccard similarity to the document that is kept in its stead."""
        kept = self._signatures[self.keeper(position)]
        return float(np.mean(kept == self._signatures[position]))

    def _join(self, left: int, right: int) -> None:
        left, right = self.keeper(left), self.keeper(right)
        self._parents[max(left, right)] = min(left, right)
