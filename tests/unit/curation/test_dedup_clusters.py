"""Clusters found from disk in a small memory are those of comparing all pairs."""

from collections import defaultdict
from itertools import combinations
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.curation.dedup import Deduplicator, Signature, Verdict
from workers.curation.dedup.clusters import NEAR, SAME_TEXT, Forest
from workers.curation.dedup.similarity import similarities
from workers.curation.dedup.spill import Spill
from workers.curation.dedup.tables import Table, passes
from workers.specs.curation import Dedup

SPEC = Dedup(num_buckets=3, hashes_per_bucket=2, url=True)
RULES = {"dedup.url": "url", "dedup.exact": "digest", "dedup.minhash": "minhash"}


class TinyDeduplicator(Deduplicator):
    """A few documents a block, a few records in memory: a small input takes every way that a large one does."""

    block_documents = 5

    @staticmethod
    def memory_bytes(spec: Dedup) -> int:
        return 400


def digests(letter: str) -> st.SearchStrategy[bytes | None]:
    return st.none() | st.integers(0, 12).map(lambda n: letter.encode() * 15 + bytes([n]))


minima = st.none() | st.lists(st.integers(0, 3), min_size=6, max_size=6).map(lambda row: np.array(row, "<u8").tobytes())
signatures = st.lists(
    st.builds(Signature, st.integers(0, 1), st.integers(0, 2), digests("d"), digests("u"), minima), max_size=60
)


def brute_force(documents: list[Signature]) -> list[tuple[str | None, int, int]]:
    """Rule, position of the one kept and cluster size, by comparing all pairs."""
    parents, rules = list(range(len(documents))), [None] * len(documents)

    def root(d: int) -> int:
        return d if parents[d] == d else root(parents[d])

    for rule, field in (("dedup.url", "url"), ("dedup.exact", "digest")):
        for right, document in enumerate(documents):
            for left, other in enumerate(documents[:right]):
                value = getattr(document, field)
                left_out = rules[left] or rules[right]
                if not left_out and value and value == getattr(other, field) and document.scope == other.scope:
                    parents[right], rules[right] = left, rule
    there = [d for d, document in enumerate(documents) if document.minhash and not rules[d]]
    for left, right in combinations(there, 2):
        a, b = documents[left], documents[right]
        rows = [np.frombuffer(s.minhash, "<u8").reshape(3, 2) for s in (a, b)]
        if a.group == b.group and (rows[0] == rows[1]).all(axis=1).any():
            low, high = sorted((root(left), root(right)))
            parents[high] = low
    roots = [root(d) for d in range(len(documents))]
    found = [rule or ("dedup.minhash" if roots[d] != d else None) for d, rule in enumerate(rules)]
    return [(rule, r, roots.count(r)) for rule, r in zip(found, roots, strict=True)]


def judge(kind: type[Deduplicator], documents: list[Signature], work: Path) -> list[Verdict]:
    deduplicator = kind(SPEC, work)
    for document in documents:
        deduplicator.add(document)
    verdicts = list(deduplicator.verdicts())
    deduplicator.close()
    return verdicts


@settings(max_examples=150, deadline=None)
@given(signatures)
def test_verdicts_equal_those_of_all_pairs(documents: list[Signature]) -> None:
    with TemporaryDirectory() as folder:
        tiny = judge(TinyDeduplicator, documents, Path(folder) / "tiny")
        roomy = judge(Deduplicator, documents, Path(folder) / "roomy")
    assert tiny == roomy
    assert [(v.drop and v.drop.rule, v.cluster_id, v.cluster_size) for v in tiny] == brute_force(documents)
    rows = [np.frombuffer(d.minhash, "<u8") if d.minhash else None for d in documents]
    for position, verdict in enumerate(tiny):
        own, kept = rows[position], rows[verdict.cluster_id]
        # A row of zeros stands for no signature; no real signature is one.
        if verdict.drop and verdict.drop.rule == "dedup.minhash" and own.any() and kept.any():
            assert verdict.drop.figure == pytest.approx(np.mean(own == kept))


def test_a_small_memory_writes_many_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    deduplicator = TinyDeduplicator(SPEC, tmp_path / "work")
    for number in range(100):
        row = rng.integers(0, 2**60, 6, dtype=np.uint64)
        deduplicator.add(Signature(0, 0, number.to_bytes(16, "big"), None, row.tobytes()))
    deduplicator.statistics()
    assert len(list((tmp_path / "work").glob("keys-*.run"))) >= 20
    assert (tmp_path / "work" / "parents.bin").stat().st_size == 400


def test_a_range_of_keys_larger_than_the_table_is_read_in_shares(tmp_path: Path) -> None:
    """All keys in one range (their highest bits are 0), four times as many as the least table takes."""
    rng = np.random.default_rng(2)
    keys = rng.integers(0, 2**57, 10_000, dtype=np.uint64)[rng.integers(0, 10_000, 20_000)]
    checks = rng.integers(0, 2, 20_000, dtype=np.uint64) << np.uint64(32)
    spill = Spill(tmp_path, "keys", 1, 100_000)
    for start in range(0, 20_000, 1000):
        numbers = np.arange(start, start + 1000, dtype=np.uint64)
        spill.add(0, np.stack([keys[start : start + 1000], checks[start : start + 1000] | numbers], axis=1))
    spill.finish()
    table = Table(20_000, 1)
    assert [(first, last) for first, last, splits in passes(spill, 0, table.num_keys) if splits > 4] == [(0, 1)]
    firsts: dict[tuple[int, int], int] = {}
    wanted = [firsts.setdefault(pair, d) for d, pair in enumerate(zip(keys.tolist(), checks.tolist(), strict=True))]
    for reason in (NEAR, SAME_TEXT):
        forest = Forest(20_000, tmp_path, 1)
        forest.join(spill, range(1), reason, 1)
        forest.count()
        assert forest.parents_D.tolist() == wanted


def test_passes_cover_every_range_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    spill = Spill(tmp_path, "keys", 2, 1 << 20)
    for band in range(2):
        spill.add(band, rng.integers(0, 2**64, (5000, 2), dtype=np.uint64))
    spill.finish()
    assert spill.counts.sum() == 10_000
    for num_keys in (10**6, 1000, 10):
        covered: dict[int, int] = defaultdict(int)
        for first, last, splits in passes(spill, 1, num_keys):
            total = int(spill.counts[1, first:last].sum())
            assert -(-total // splits) <= num_keys
            for number in range(first, last):
                covered[number] += 1
        assert set(covered.values()) == {1}
        assert sum(int(spill.counts[1, number]) for number in covered) == 5000


def test_similarity_of_documents_without_a_signature_is_unknown() -> None:
    left = np.array([[1, 2, 3, 4], [0, 0, 0, 0], [1, 2, 3, 4]], dtype=np.uint32)
    right = np.array([[1, 2, 9, 4], [1, 2, 3, 4], [0, 0, 0, 0]], dtype=np.uint32)
    assert similarities(left, right) == [0.75, None, None]
