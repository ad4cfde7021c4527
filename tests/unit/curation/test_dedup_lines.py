"""Lines that too many documents share go; what one document says, or copies of it, stays."""

from pathlib import Path

import numpy as np
import pytest

from workers.curation.dedup import DamagedSpillError, Deduplicator, LineIndex, build_signer
from workers.curation.dedup.estimates import DistinctCounter
from workers.curation.document import Document
from workers.curation.text import Text
from workers.specs.curation import Dedup
from workers.specs.curation.dedup import LineDedup

LINES = LineDedup(max_documents=3, min_chars=20)
SPEC = Dedup(minhash=False, lines=LINES)
MENU = "Home | Products | About us | Contact"


def own(number: int) -> str:
    return f"Paragraph {'abcdefghijklmnop'[number] * 5} says what no other page of the site says."


def index(texts: list[Text], work: Path, spec: Dedup = SPEC) -> tuple[Deduplicator, LineIndex]:
    deduplicator, signer = Deduplicator(spec, work), build_signer(spec)
    for text in texts:
        deduplicator.add(signer.sign(Document("id", "s", text.text, "text/html"), text))
    path = deduplicator.line_index()
    assert path is not None
    return deduplicator, LineIndex.open(path, LINES)


def test_a_menu_goes_and_the_rest_stays_as_it_was(tmp_path: Path) -> None:
    texts = [Text(f"{MENU}\n\n{own(n)}\n\n{MENU}\n\nShort line\n") for n in range(4)]
    deduplicator, lines = index(texts, tmp_path / "work")
    assert len(lines) == 1
    text, removed = lines.remove(texts[0])
    assert text.text == f"{own(0)}\n\nShort line"
    assert text.language == "en"
    assert removed.num_lines == 2
    assert removed.share == pytest.approx(1 - len(text.text) / len(texts[0].text))
    statistics = deduplicator.statistics()
    assert statistics["shared_lines"] == 1
    assert statistics["different_lines"] == 5


def test_a_line_in_as_many_documents_as_allowed_stays(tmp_path: Path) -> None:
    texts = [Text(f"{MENU}\n{MENU}\n{own(n)}") for n in range(3)]  # twice in each: it counts once
    _, lines = index(texts, tmp_path / "work")
    text, removed = lines.remove(texts[0])
    assert text is texts[0]
    assert (removed.num_lines, removed.share) == (0, 0)


def test_case_numbers_and_accents_make_no_other_line(tmp_path: Path) -> None:
    variants = ["Publicado às 3 horas pela redação", "publicado as 17 horas pela REDACAO!"]
    texts = [Text(f"{variants[n % 2]}\n{own(n)}", "pt") for n in range(4)]
    _, lines = index(texts, tmp_path / "work")
    assert [lines.remove(text)[0].text for text in texts] == [own(n) for n in range(4)]


def test_copies_of_a_page_do_not_take_its_lines(tmp_path: Path) -> None:
    page = Text("\n".join(own(n) for n in range(5)))
    _, lines = index([page] * 10, tmp_path / "work")
    assert len(lines) == 0
    assert lines.remove(page)[0] is page


def test_languages_count_apart(tmp_path: Path) -> None:
    texts = [Text(f"{MENU}\n{own(n)}", language) for n, language in enumerate(["en", "en", "de", "de", "fr"])]
    _, lines = index(texts, tmp_path / "work")
    assert len(lines) == 0


def test_a_page_of_shared_lines_alone_is_left_empty(tmp_path: Path) -> None:
    texts = [Text(MENU), *(Text(f"{MENU}\n{own(n)}") for n in range(4))]
    _, lines = index(texts, tmp_path / "work")
    text, removed = lines.remove(texts[0])
    assert text.text == ""
    assert removed.share == 1.0


def test_counts_equal_those_in_memory_when_memory_is_small(tmp_path: Path) -> None:
    class Tiny(Deduplicator):
        block_documents = 7

        @staticmethod
        def memory_bytes(spec: Dedup) -> int:
            return 2000

    rng = np.random.default_rng(4)
    words = ["".join(rng.choice(list("abcdefgh"), 24)) for _ in range(900)]
    pages = [sorted(set(rng.zipf(1.3, 60).clip(max=900).tolist())) for _ in range(300)]
    texts = [Text("\n".join(words[line - 1] for line in page)) for page in pages]
    signer, tiny = build_signer(SPEC), Tiny(SPEC, tmp_path / "work")
    for text in texts:
        tiny.add(signer.sign(Document("id", "s", text.text, "text/html"), text))
    verdicts = list(tiny.verdicts())
    path = tiny.line_index()
    assert len(list((tmp_path / "work").glob("lines-*.run"))) > 20
    lines = LineIndex.open(path, LINES)
    kept = [page for page, verdict in zip(pages, verdicts, strict=True) if verdict.drop is None]
    counts = np.bincount([line for page in kept for line in page], minlength=901)
    shared = {words[line - 1] for line in range(1, 901) if counts[line] > 3}
    assert 10 < len(shared) == len(lines)
    for text in texts[:40]:
        assert lines.remove(text)[0].text == "\n".join(w for w in text.text.split("\n") if w not in shared)


def test_a_damaged_index_is_found(tmp_path: Path) -> None:
    deduplicator, _ = index([Text(f"{MENU}\n{own(n)}") for n in range(4)], tmp_path / "work")
    path = deduplicator.line_index()
    data = path.read_bytes()
    path.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(DamagedSpillError, match="checksum"):
        LineIndex.open(path, LINES)
    path.write_bytes(data[:-8])
    with pytest.raises(DamagedSpillError, match="length"):
        LineIndex.open(path, LINES)


def test_estimates_are_near() -> None:
    rng, counter = np.random.default_rng(5), DistinctCounter()
    hashes = rng.integers(0, 2**64, 200_000, dtype=np.uint64)
    for block in np.split(np.concatenate([hashes, hashes[:50_000]]), 25):
        counter.add(block)
    assert counter.estimate() == pytest.approx(200_000, rel=0.03)
    assert DistinctCounter().estimate() == 0


def test_estimates_are_those_of_datasketch() -> None:
    from datasketch import HyperLogLogPlusPlus

    rng, counter = np.random.default_rng(6), DistinctCounter()
    hashes = rng.integers(0, 2**64, 3000, dtype=np.uint64)
    theirs = HyperLogLogPlusPlus(p=14, hashfunc=int)
    for value in [*hashes.tolist(), 0, 2**64 - 1]:
        theirs.update(value)
    counter.add(np.append(hashes, np.array([0, 2**64 - 1], dtype=np.uint64)))
    assert counter.estimate() == round(theirs.count())
    assert (counter._sketch.reg == theirs.reg).all()
