"""Exact and near duplicates: what is found, what is kept, and that the clusters are those of datasketch's own LSH."""

import random

import pytest
from datasketch import MinHash, MinHashLSH

from workers.curation.dedup import Deduplicator, Verdicts, build_signer
from workers.curation.text import Text
from workers.specs.curation import Dedup


def words(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("abcdefghij", k=6)) for _ in range(count)]


def changed(text: list[str], share: float, seed: int) -> str:
    """The text with a share of its words replaced."""
    rng = random.Random(seed)
    return " ".join(word if rng.random() > share else f"new{rng.random()}" for word in text)


def run(texts: list[str], spec: Dedup | None = None, languages: list[str] | None = None) -> Verdicts:
    spec = spec or Dedup()
    signer, deduplicator = build_signer(spec), Deduplicator(spec)
    for text, language in zip(texts, languages or ["en"] * len(texts), strict=True):
        deduplicator.add(signer.sign(Text(text, language)))
    return deduplicator.verdicts()


def rules(verdicts: Verdicts) -> list[str | None]:
    return [drop.rule if drop else None for drop in verdicts.drops]


def test_exact_duplicates_differ_in_case_blanks_and_composition_only() -> None:
    verdicts = run(
        ["Caf\u00e9 au lait", "cafe\u0301  au\nLAIT", "Cafe au lait", "Caf\u00e9 au lait!"], Dedup(minhash=False)
    )
    assert rules(verdicts) == [None, "dedup.exact", None, None]
    assert verdicts.cluster_sizes == [2, 0, 1, 1]


def test_near_duplicates_keep_the_first_and_count_the_cluster() -> None:
    page = words(400, 1)
    verdicts = run(
        [" ".join(words(400, 2)), " ".join(page), changed(page, 0.01, 3), " ".join(page), changed(page, 0.01, 4)]
    )
    assert rules(verdicts) == [None, None, "dedup.minhash", "dedup.exact", "dedup.minhash"]
    assert verdicts.cluster_sizes == [1, 4, 0, 0, 0]
    drop = verdicts.drops[2]
    assert drop is not None
    assert drop.figure is not None
    assert drop.threshold == pytest.approx((1 / 14) ** (1 / 8))
    assert drop.figure > drop.threshold


def test_half_rewritten_is_no_duplicate() -> None:
    page = words(400, 1)
    assert rules(run([" ".join(page), changed(page, 0.5, 5)])) == [None, None]


def test_a_chain_of_neighbours_is_one_cluster() -> None:
    page = words(300, 1)
    chain = [page]
    for step in range(1, 7):  # each replaces ten more words at its own place
        chain.append([*chain[-1][: step * 10], *words(10, 100 + step), *chain[-1][step * 10 + 10 :]])
    verdicts = run([" ".join(text) for text in chain])
    assert verdicts.cluster_sizes[0] == len(chain)
    assert verdicts.num_kept == 1


def test_languages_are_apart_for_minhash_alone() -> None:
    page = words(300, 1)
    near = changed(page, 0.01, 2)
    assert rules(run([" ".join(page), near], languages=["en", "de"])) == [None, None]
    assert rules(run([" ".join(page)] * 2, languages=["en", "de"])) == [None, "dedup.exact"]


def test_switched_off_it_keeps_everything() -> None:
    verdicts = run(["same text here"] * 3, Dedup(exact=False, minhash=False))
    assert verdicts.num_kept == 3
    assert verdicts.cluster_sizes == [1, 1, 1]


def test_texts_shorter_than_an_ngram_and_without_words() -> None:
    spec = Dedup(exact=False)
    assert rules(run(["two words", "two words", "other words"], spec)) == [None, "dedup.minhash", None]
    assert rules(run(["...", "!!!", "word"], spec)) == [None, "dedup.minhash", None]


def test_components_equal_those_of_datasketch_lsh() -> None:
    spec = Dedup(exact=False)
    rng = random.Random(7)
    pages = [words(80, seed) for seed in range(12)]
    texts = [changed(rng.choice(pages), rng.choice([0.0, 0.01, 0.03, 0.06]), seed) for seed in range(120)]
    signer = build_signer(spec)
    lsh = MinHashLSH(params=(spec.num_buckets, spec.hashes_per_bucket), num_perm=112)
    cluster = list(range(len(texts)))
    for position, text in enumerate(texts):
        minhash = MinHash(num_perm=112, scheme="affine64", hashfunc=int, hashvalues=signer.sign(Text(text)).minhash)
        for other in [cluster[found] for found in lsh.query(minhash)]:
            low, high = sorted((cluster[position], other))
            cluster = [low if member == high else member for member in cluster]
        lsh.insert(position, minhash)
    dropped = [drop is not None for drop in run(texts, spec).drops]
    assert dropped == [cluster[position] != position for position in range(len(texts))]
    assert 12 <= dropped.count(False) < 60


def test_signatures_do_not_hang_on_what_was_signed_before() -> None:
    fresh, used = build_signer(Dedup()), build_signer(Dedup())
    used.sign(Text("other words first and more of them"))
    left, right = fresh.sign(Text("a text of six words here")), used.sign(Text("a text of six words here"))
    assert left.digest == right.digest
    assert left.minhash is not None
    assert right.minhash is not None
    assert left.minhash.tolist() == right.minhash.tolist()
