"""Packing: splits, mixing, the manifest's figures, and a digest that hangs on the content alone."""

import hashlib
import random
from collections import Counter
from itertools import pairwise
from pathlib import Path

import orjson
import pytest

from workers.curation.lines import LineWriter, write_json, write_lines
from workers.curation.pack import pack
from workers.data.shards import TokenDataset
from workers.data.tokenizer import Tokenizer
from workers.reporter import MemoryReporter
from workers.specs.curation import CurationSpec, TokenizerTraining
from workers.storage import FolderStorage, put_folder

SPEC = CurationSpec(tokenizer=TokenizerTraining(vocab_size=400), heldout_share=0.1, shard_tokens=2000)


def documents(counts: dict[str, int]) -> list[dict[str, object]]:
    """So many different documents in each language."""
    found: list[dict[str, object]] = []
    for language, count in counts.items():
        for number in range(count):
            source = f"{language}/{number}"
            rng = random.Random(source)
            text = " ".join("".join(rng.choices("abcdefgh", k=rng.randrange(2, 6))) for _ in range(60)) + " é.\n\nEnd."
            id_ = hashlib.sha256(source.encode()).hexdigest()
            found.append({"id": id_, "source": source, "language": language, "text": text, "metadata": {}})
    return found


def curated(folder: Path, counts: dict[str, int], more: tuple[dict[str, object], ...] = ()) -> Path:
    """A folder as `curate` leaves it."""
    folder.mkdir(parents=True)
    with LineWriter(folder / "documents.jsonl.zst") as writer:
        for document in [*documents(counts), *more]:
            writer.write(orjson.dumps(document) + b"\n")
    write_lines(folder / "samples.jsonl", [{"rule": None}])
    write_lines(folder / "inputs.jsonl", [{"path": "a"}])
    statistics = {"documents": {"read": 9}, "dropped": {}, "rejects": {}, "funnel": [{"stage": "read"}]}
    write_json(folder / "statistics.json", statistics | {"lineage": {"fingerprint": "f" * 64}})
    return folder


def texts_of(folder: Path, split: str) -> list[str]:
    """Texts of a split, read back from its shards."""
    dataset = TokenDataset(folder, split)  # type: ignore[arg-type] # the test passes both literals
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    ends = [*dataset.document_starts[1:], dataset.num_tokens]
    found = []
    for start, end in zip(dataset.document_starts, ends, strict=True):
        tokens = dataset.window(int(start), int(end - start))[0].tolist()
        assert tokens[-1] == tokenizer.eos_token_id
        assert tokenizer.eos_token_id not in tokens[:-1]
        found.append(tokenizer.decode(tokens))
    return found


def test_every_document_is_in_one_split_and_comes_back_whole(tmp_path: Path) -> None:
    counts = {"en": 60, "de": 30}
    info = pack(SPEC, documents=curated(tmp_path / "in", counts), out=tmp_path / "out", reporter=MemoryReporter())
    train, heldout = texts_of(tmp_path / "out", "train"), texts_of(tmp_path / "out", "heldout")
    assert Counter(train + heldout) == Counter(str(d["text"]) for d in documents(counts))
    lines = [orjson.loads(line) for line in (tmp_path / "out" / "heldout.jsonl").read_bytes().splitlines()]
    assert [line["text"] for line in lines] == heldout
    assert {line["language"] for line in lines} == {"en", "de"}
    assert 2 <= len(heldout) <= 20
    assert sum(info["documents"]["en"].values()) == 60
    assert info["documents"]["de"]["train"] + info["documents"]["en"]["train"] == len(train)


def test_figures_of_the_manifest(tmp_path: Path) -> None:
    source = curated(tmp_path / "in", {"en": 40, "fr": 12})
    pack(SPEC, documents=source, out=tmp_path / "out", reporter=MemoryReporter())
    info = orjson.loads((tmp_path / "out" / "dataset.json").read_bytes())
    for split in ("train", "heldout"):
        assert TokenDataset(tmp_path / "out", split).num_tokens == sum(n[split] for n in info["tokens"].values())
    tokenizer = Tokenizer.load(tmp_path / "out" / "tokenizer.json")
    french = [str(d["text"]) for d in documents({"fr": 12})]
    num_tokens = sum(len(tokenizer.encode(text)) + 1 for text in french)
    assert sum(info["tokens"]["fr"].values()) == num_tokens
    assert info["bytes_per_token"]["fr"] == pytest.approx(sum(len(t.encode()) for t in french) / num_tokens, abs=1e-4)
    assert info["fertility"]["fr"] == pytest.approx(num_tokens / (12 * 62), abs=1e-4)  # 60 words, "é", "End"
    assert info["vocab_size"] == tokenizer.vocab_size == 400
    assert info["lineage"]["fingerprint"] == "f" * 64
    assert (tmp_path / "out" / "samples.jsonl").read_bytes() == (source / "samples.jsonl").read_bytes()


def test_languages_are_mixed(tmp_path: Path) -> None:
    counts = {"en": 40, "de": 40}
    pack(SPEC, documents=curated(tmp_path / "in", counts), out=tmp_path / "out", reporter=MemoryReporter())
    language_of = {str(d["text"]): str(d["language"]) for d in documents(counts)}
    stream = [language_of[text] for text in texts_of(tmp_path / "out", "train")]
    changes = sum(left != right for left, right in pairwise(stream))
    assert changes > 20  # two blocks would change once


def test_equal_content_gives_an_equal_digest_wherever_it_lies(tmp_path: Path) -> None:
    digests = set()
    for name in ("one", "elsewhere/two"):
        source = curated(tmp_path / name / "in", {"en": 20, "it": 5})
        spec = SPEC.model_copy(update={"num_processes": len(name)})
        pack(spec, documents=source, out=tmp_path / name / "out", reporter=MemoryReporter())
        store = FolderStorage(tmp_path / "store")
        digests.add(put_folder(store, tmp_path / name / "out", "dataset", "d", {}).digest)
    assert len(digests) == 1
    names = {path.name for path in (tmp_path / "one" / "out").iterdir()}
    assert not [name for name in names if name.endswith(".partial") or name == "texts"]


def test_a_new_document_leaves_the_splits_of_the_others(tmp_path: Path) -> None:
    for name, count in (("small", 50), ("large", 60)):
        source = curated(tmp_path / name, {"en": count})
        pack(SPEC, documents=source, out=tmp_path / f"{name}-out", reporter=MemoryReporter())
    small, large = (set(texts_of(tmp_path / f"{name}-out", "heldout")) for name in ("small", "large"))
    assert small <= large


@pytest.mark.parametrize(("counts", "expected"), [({"en": 2}, 1), ({"en": 1, "de": 1}, 1), ({"en": 2, "de": 2}, 2)])
def test_small_sets_still_hold_something_out(tmp_path: Path, counts: dict[str, int], expected: int) -> None:
    source = curated(tmp_path / "in", counts)
    pack(SPEC, documents=source, out=tmp_path / "out", reporter=MemoryReporter())
    assert len(texts_of(tmp_path / "out", "heldout")) == expected


def test_a_single_document_is_refused_and_leaves_no_dataset(tmp_path: Path) -> None:
    source = curated(tmp_path / "in", {"en": 1})
    with pytest.raises(ValueError, match="at least 2 documents"):
        pack(SPEC, documents=source, out=tmp_path / "out", reporter=MemoryReporter())
    assert not (tmp_path / "out").exists()


def test_pages_that_a_book_repeats_are_not_held_out(tmp_path: Path) -> None:
    pages = [str(d["text"]) for d in documents({"en": 80})[:40]]
    book = {"id": "b" * 64, "source": "book.pdf", "language": "en", "text": "\n\n".join(pages), "metadata": {}}
    for name, more in (("pages", ()), ("book", (book,))):
        source = curated(tmp_path / name, {"en": 80}, more)
        pack(SPEC, documents=source, out=tmp_path / f"{name}-out", reporter=MemoryReporter())
    alone, beside = (set(texts_of(tmp_path / f"{name}-out", "heldout")) for name in ("pages", "book"))
    assert alone & set(pages)
    assert not beside & set(pages)
    assert len(beside) == len(alone)  # others took their places
    assert alone - set(pages) <= beside
