"""What is a duplicate, what is kept in its stead, and what is said about it."""

import random
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from workers.curation.dedup import Deduplicator, Verdict, build_signer
from workers.curation.dedup.exact import normalize_url
from workers.curation.document import Document
from workers.curation.text import Text
from workers.specs.curation import Dedup


def words(count: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return ["".join(rng.choices("abcdefghij", k=6)) for _ in range(count)]


def changed(text: list[str], share: float, seed: int) -> str:
    """The text with a share of its words replaced."""
    rng = random.Random(seed)
    return " ".join(word if rng.random() > share else "".join(rng.choices("klmnop", k=7)) for word in text)


def page(
    text: str, language: str = "en", url: str | None = None, source: str = "crawl/a.warc"
) -> tuple[Document, Text]:
    return Document("id", source, text, "text/html", url, language), Text(text, language)


def run(pages: list[tuple[Document, Text] | str], spec: Dedup, work: Path) -> list[Verdict]:
    signer, deduplicator = build_signer(spec), Deduplicator(spec, work)
    for item in pages:
        document, text = page(item) if isinstance(item, str) else item
        deduplicator.add(signer.sign(document, text))
    verdicts = list(deduplicator.verdicts())
    assert len(verdicts) == len(pages)
    return verdicts


def rules(verdicts: list[Verdict]) -> list[str | None]:
    return [verdict.drop.rule if verdict.drop else None for verdict in verdicts]


def test_exact_duplicates_differ_in_case_blanks_and_composition_only(tmp_path: Path) -> None:
    texts = ["Caf\u00e9 au lait", "cafe\u0301  au\nLAIT", "Cafe au lait", "Caf\u00e9 au lait!"]
    verdicts = run(list(texts), Dedup(minhash=False), tmp_path / "work")
    assert rules(verdicts) == [None, "dedup.exact", None, None]
    assert [v.cluster_size for v in verdicts] == [2, 2, 1, 1]
    assert [v.cluster_id for v in verdicts] == [0, 0, 2, 3]
    assert [v.copies for v in verdicts] == [1, 0, 1, 1]


def test_near_duplicates_keep_the_first_and_tell_how_similar_they_are(tmp_path: Path) -> None:
    base = words(400, 1)
    pages = [" ".join(words(400, 2)), " ".join(base), changed(base, 0.01, 3), " ".join(base), changed(base, 0.01, 4)]
    verdicts = run(list(pages), Dedup(), tmp_path / "work")
    assert rules(verdicts) == [None, None, "dedup.minhash", "dedup.exact", "dedup.minhash"]
    assert [v.cluster_id for v in verdicts] == [0, 1, 1, 1, 1]
    assert [v.cluster_size for v in verdicts] == [1, 4, 4, 4, 4]
    drop = verdicts[2].drop
    assert drop is not None
    assert drop.threshold == pytest.approx((1 / 14) ** (1 / 8))
    left, right = ({tuple(t.split()[i : i + 5]) for i in range(396)} for t in (pages[1], pages[2]))
    assert drop.figure == pytest.approx(len(left & right) / len(left | right), abs=0.13)  # 3 sigma of 112 hashes


def test_half_rewritten_is_no_duplicate(tmp_path: Path) -> None:
    base = words(400, 1)
    assert rules(run([" ".join(base), changed(base, 0.5, 5)], Dedup(), tmp_path / "work")) == [None, None]


def test_a_chain_of_neighbours_is_one_cluster(tmp_path: Path) -> None:
    chain = [words(300, 1)]
    for step in range(1, 7):  # each replaces ten more words at its own place
        chain.append([*chain[-1][: step * 10], *words(10, 100 + step), *chain[-1][step * 10 + 10 :]])
    verdicts = run([" ".join(text) for text in chain], Dedup(), tmp_path / "work")
    assert {v.cluster_id for v in verdicts} == {0}
    assert verdicts[0].cluster_size == len(chain)


def test_languages_are_apart_for_near_duplicates_alone(tmp_path: Path) -> None:
    base = words(300, 1)
    near = [page(" ".join(base), "en"), page(changed(base, 0.01, 2), "de")]
    assert rules(run(list(near), Dedup(), tmp_path / "work")) == [None, None]
    same = [page(" ".join(base), "en"), page(" ".join(base), "de")]
    assert rules(run(list(same), Dedup(), tmp_path / "work")) == [None, "dedup.exact"]


def test_snapshots_are_apart_when_told_so(tmp_path: Path) -> None:
    base, near = " ".join(words(300, 1)), changed(words(300, 1), 0.01, 2)
    pages = [
        page(base, url="https://a.example/", source="2024/x.warc"),
        page(base, url="https://b.example/", source="2025/x.warc"),
        page(near, url="https://c.example/", source="2025/y.warc"),
        page("quite another", url="http://a.example", source="2025/y.warc"),
    ]
    across = run(list(pages), Dedup(url=True), tmp_path / "work")
    assert rules(across) == [None, "dedup.exact", "dedup.minhash", "dedup.url"]
    within = run(list(pages), Dedup(url=True, scope="snapshot"), tmp_path / "work")
    assert rules(within) == [None, None, "dedup.minhash", None]
    assert [v.cluster_id for v in within] == [0, 1, 1, 3]


def test_an_address_found_again_is_dropped_and_takes_no_other_page_with_it(tmp_path: Path) -> None:
    first, second = " ".join(words(200, 1)), " ".join(words(200, 2))
    pages = [
        page(first, url="https://a.example/x?utm_source=mail#top"),
        page(second, url="http://a.example:80/x"),
        page(second, url="https://a.example/y"),
        page(second),
    ]
    verdicts = run(list(pages), Dedup(url=True), tmp_path / "work")
    # The second text is lost with its address; the third page has it too, and stays.
    assert rules(verdicts) == [None, "dedup.url", None, "dedup.exact"]
    assert [v.cluster_size for v in verdicts] == [2, 2, 2, 2]
    assert verdicts[1].drop is not None
    assert verdicts[1].drop.figure == pytest.approx(0, abs=0.1)  # the texts have nothing in common


def test_switched_off_it_keeps_everything(tmp_path: Path) -> None:
    verdicts = run(["same text here and here again"] * 3, Dedup(exact=False, minhash=False), tmp_path / "work")
    assert verdicts == [Verdict(None, position, 1, 1) for position in range(3)]


def test_texts_shorter_than_a_shingle_have_no_near_duplicates(tmp_path: Path) -> None:
    texts = [
        "four words are few",
        "Four words are few!",
        "...",
        "",
        "five words are just enough",
        "5 words. are: just enough",
    ]
    assert rules(run(list(texts), Dedup(exact=False), tmp_path / "work")) == [None] * 6
    texts = ["five words are just enough", "FIVE words, are: just enough!"]
    assert rules(run(list(texts), Dedup(exact=False), tmp_path / "work")) == [None, "dedup.minhash"]


def test_rehydration_follows_the_size_of_the_cluster(tmp_path: Path) -> None:
    texts = [text for size in (1, 2, 4, 7, 100, 1000) for text in [f"page of {size} copies"] * size]
    verdicts = run(list(texts), Dedup(minhash=False, rehydrate=True), tmp_path / "work")
    kept = {v.cluster_size: v.copies for v in verdicts if v.drop is None}
    assert kept == {1: 1, 2: 2, 4: 3, 7: 5, 100: 8, 1000: 1}
    assert {v.copies for v in verdicts if v.drop} == {0}
    assert {v.copies for v in run(list(texts[:8]), Dedup(minhash=False), tmp_path / "work") if v.drop is None} == {1}


def test_no_documents_is_no_error(tmp_path: Path) -> None:
    deduplicator = Deduplicator(Dedup(url=True), tmp_path / "work")
    assert list(deduplicator.verdicts()) == []
    assert deduplicator.statistics()["documents"] == 0
    deduplicator.close()
    assert not (tmp_path / "work").exists()


def test_a_document_after_the_verdicts_is_refused(tmp_path: Path) -> None:
    deduplicator = Deduplicator(Dedup(), tmp_path / "work")
    list(deduplicator.verdicts())
    with pytest.raises(ValueError, match="judged already"):
        deduplicator.add(build_signer(Dedup()).sign(*page("a text")))


def test_more_documents_than_positions_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="split the input"):
        Deduplicator(Dedup(), tmp_path / "work", num_documents=2**32)


def test_statistics_count_verdicts_and_clusters(tmp_path: Path) -> None:
    base = words(200, 1)
    pages = [" ".join(base), " ".join(base), changed(base, 0.01, 3), " ".join(words(200, 2))]
    deduplicator, signer = Deduplicator(Dedup(), tmp_path / "work"), build_signer(Dedup())
    for text in pages:
        deduplicator.add(signer.sign(*page(text)))
    statistics = deduplicator.statistics()
    assert (statistics["documents"], statistics["kept"]) == (4, 2)
    assert (statistics["exact"], statistics["minhash"], statistics["url"]) == (1, 1, 0)
    assert statistics["clusters"] == {"1": 1, "2": 0, "3": 1, "5": 0, "10": 0, "100": 0, "1000": 0}
    assert statistics["different_texts"] == 3
    assert len(list(deduplicator.verdicts())) == 4


def test_copies_without_an_answer_for_a_single_document_are_refused() -> None:
    with pytest.raises(ValidationError, match="1 must be among them"):
        Dedup(copies={2: 2})
    with pytest.raises(ValidationError, match="at least one copy"):
        Dedup(copies={1: 1, 5: 0})


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("HTTP://Example.ORG", "https://example.org/"),
        ("https://example.org:443/a/../b/./c", "http://example.org/b/c"),
        ("https://example.org/%7euser?x=%c3%a9&utm_medium=x", "https://example.org/~user?x=é"),
        ("https://example.org/?fbclid=1", "https://example.org#part"),
    ],
)
def test_addresses_that_are_the_same(left: str, right: str) -> None:
    assert normalize_url(left) == normalize_url(right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("https://example.org/A", "https://example.org/a"),
        ("https://example.org/a%2Fb", "https://example.org/a/b"),
        ("https://example.org/%E9", "https://example.org/%E8"),
        ("https://example.org/?a=1", "https://example.org/?a=2"),
        ("https://example.org:8080/", "https://example.org/"),
        ("https://example.org/a", "https://example.org/a/"),
    ],
)
def test_addresses_that_are_not(left: str, right: str) -> None:
    assert normalize_url(left) != normalize_url(right)


@given(st.text(alphabet="htps:/.%a2é?#&=[]@ \ud800", max_size=40))
def test_normal_addresses_stay_as_they_are_and_bad_ones_do_no_harm(url: str) -> None:
    assert normalize_url(normalize_url(url)) == normalize_url(url)
