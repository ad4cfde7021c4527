"""Packing: splits, mixing, the manifest's figures, and a digest that hangs on the content alone."""

import hashlib
import random
from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import numpy as np
import orjson
import pytest
import zstandard

from workers.curation.heldout import id_hash
from workers.curation.lines import FrameWriter, write_json, write_lines
from workers.curation.pack import pack
from workers.curation.plan import Plan
from workers.data.documents import INDEX, SCHEMA, DocumentWriter, read_documents, text_hash
from workers.data.shards import TokenDataset
from workers.data.tokenizer import Tokenizer
from workers.reporter import MemoryReporter
from workers.specs.curation import CurationSpec, TokenizerTraining
from workers.storage import describe_folder

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
    with FrameWriter(folder / "documents.jsonl.zst") as writer:
        writer.write(zstandard.compress(b"".join(orjson.dumps(one) + b"\n" for one in [*documents(counts), *more])))
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
        digests.add(describe_folder(tmp_path / name / "out", "dataset", "d", {})[0].digest)
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


def with_metadata(document: dict[str, object], **metadata: object) -> dict[str, object]:
    return document | {"metadata": metadata, "language_score": 0.91, "url": f"https://example.org/{document['id']}"}


def stored(folder: Path, more: tuple[dict[str, object], ...]) -> Path:
    """A curated folder with these documents alone."""
    return curated(folder, {}, more)


def test_polars_and_datasets_read_the_documents_as_they_were_packed(tmp_path: Path) -> None:
    import datasets
    import polars

    made = [with_metadata(d, cluster_size=3, copies=2) for d in documents({"en": 40, "fr": 9})]
    made[4] = with_metadata(made[4], cluster_size=3, copies=2, quality_score=3.25, quality_bucket=3)
    out = tmp_path / "out"
    info = pack(SPEC, documents=stored(tmp_path / "in", tuple(made)), out=out, reporter=MemoryReporter())
    frame = polars.read_parquet(out / "documents-*.parquet")
    table = datasets.load_dataset(
        "parquet", data_files=str(out / "documents-*.parquet"), split="train", cache_dir=str(tmp_path / "cache")
    )
    assert frame.columns == table.column_names == SCHEMA.names
    assert frame.to_dicts() == list(table)
    by_id = {row["id"]: row for row in frame.to_dicts()}
    assert {id_: row["text"] for id_, row in by_id.items()} == {str(d["id"]): d["text"] for d in made}
    tokenizer = Tokenizer.load(out / "tokenizer.json")
    heldout = set(texts_of(out, "heldout"))
    for document in made:
        row = by_id[str(document["id"])]
        assert row["split"] == ("heldout" if document["text"] in heldout else "train")
        assert row["num_tokens"] == len(tokenizer.encode(row["text"])) + 1
        assert (row["url"], row["language_score"], row["cluster_size"]) == (document["url"], 0.91, 3)
        assert row["copies"] == (1 if row["split"] == "heldout" else row_copies(document))
    scored = by_id[str(made[4]["id"])]
    assert (scored["quality_score"], scored["quality_bucket"]) == (3.25, 3)
    assert sum(row["quality_score"] is None for row in by_id.values()) == len(made) - 1
    assert sum(info["histograms"]["quality_score"]["documents"]["en"]) == 1
    assert info["quality_buckets"]["3"]["documents"] == 1


def row_copies(document: dict[str, object]) -> int:
    metadata = document["metadata"]
    assert isinstance(metadata, dict)
    return int(metadata.get("copies", 1))


def test_copies_are_trained_on_apart_from_one_another_and_never_held_out(tmp_path: Path) -> None:
    made = [with_metadata(d, copies=1 + n % 3) for n, d in enumerate(documents({"en": 60}))]
    out = tmp_path / "out"
    info = pack(SPEC, documents=stored(tmp_path / "in", tuple(made)), out=out, reporter=MemoryReporter())
    train, heldout = texts_of(out, "train"), texts_of(out, "heldout")
    wanted = {str(d["text"]): row_copies(d) for d in made}
    assert Counter(heldout) == Counter(set(heldout))
    assert Counter(train) == Counter({text: n for text, n in wanted.items() if text not in set(heldout)})
    assert info["copies"]["documents"] == len(train) - len(set(train)) > 0
    assert sum(info["documents"]["en"].values()) == 60  # documents are counted once
    neighbours = sum(left == right for left, right in pairwise(train))
    assert neighbours <= 3
    origins = TokenDataset(out, "train").origins
    keys = {text: int(key) for text, key in zip(train, origins["key"], strict=True)}
    assert [keys[text] for text in train] == origins["key"].tolist()
    assert set(origins["language"].tolist()) == {b"en"}


def blobs(folder: Path, pattern: str) -> set[str]:
    return {hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.glob(pattern)}


def test_a_version_with_one_document_more_shares_nearly_all_shards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.curation.pack.DocumentWriter", lambda folder: DocumentWriter(folder, 3000))
    first = tmp_path / "first"
    pack(SPEC, documents=curated(tmp_path / "a", {"en": 300}), out=first, reporter=MemoryReporter())
    again = SPEC.model_copy(update={"tokenizer": TokenizerTraining(dataset="sha256:" + "1" * 64)})
    second, source = tmp_path / "second", curated(tmp_path / "b", {"en": 301})
    with pytest.raises(ValueError, match="--tokenizer FILE"):
        pack(again, documents=source, out=second, reporter=MemoryReporter())
    pack(again, documents=source, out=second, reporter=MemoryReporter(), tokenizer=first / "tokenizer.json")
    assert (first / "tokenizer.json").read_bytes() == (second / "tokenizer.json").read_bytes()
    for pattern in ("documents-*.parquet", "documents-*.index", "train-*.tokens", "train-*.origins"):
        old, new = blobs(first, pattern), blobs(second, pattern)
        assert len(old) > 8, pattern
        assert len(new - old) <= 3, pattern


def test_index_and_documents_stand_in_the_same_order(tmp_path: Path) -> None:
    out = tmp_path / "out"
    pack(SPEC, documents=curated(tmp_path / "in", {"en": 50}), out=out, reporter=MemoryReporter())
    index = np.concatenate([np.fromfile(path, dtype=INDEX) for path in sorted(out.glob("documents-*.index"))])
    assert (np.diff(index["key"].astype(object)) > 0).all()
    rows = list(read_documents(out, ["id", "text"]))
    assert [text_hash(row["text"].encode()) for row in rows] == index["text"].tolist()
    assert [id_hash("order", row["id"]) for row in rows] == index["key"].tolist()


def test_files_of_curation_travel_along_when_they_are_there(tmp_path: Path) -> None:
    source = curated(tmp_path / "in", {"en": 10})
    (source / "clusters.jsonl").write_bytes(b'{"cluster_id": 1}\n')
    pack(SPEC, documents=source, out=tmp_path / "out", reporter=MemoryReporter())
    assert (tmp_path / "out" / "clusters.jsonl").read_bytes() == b'{"cluster_id": 1}\n'
    assert not (tmp_path / "out" / "histograms.json").exists()


def test_many_sources_end_in_a_short_table(tmp_path: Path) -> None:
    many = tuple(d | {"source": f"file{n}.txt"} for n, d in enumerate(documents({"en": 120})))
    info = pack(SPEC, documents=stored(tmp_path / "in", many), out=tmp_path / "out", reporter=MemoryReporter())
    assert len(info["sources"]) == 51
    assert sum(amounts["documents"] for amounts in info["sources"].values()) == 120
    assert info["sources"]["other"]["documents"] == 70
    assert sum(info["histograms"]["length_tokens"]["documents"]["en"]) == 120


def test_memory_grows_by_numbers_not_by_documents(tmp_path: Path) -> None:
    """Of many tiny documents: the plan holds arrays of well under 100 bytes a document."""
    import tracemalloc

    rng = random.Random(1)
    words = ["".join(rng.choices("abcdefghij", k=4)) for _ in range(500)]

    def lines() -> Iterator[bytes]:
        for number in range(20_000):
            text = " ".join(rng.choices(words, k=3))
            yield orjson.dumps({"id": f"{number:064x}", "source": f"s/{number}", "language": "en", "text": text})

    tracemalloc.start()
    plan = Plan.make(lines(), tmp_path / "lines", 0.0001)
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(plan) == 20_000
    assert held < 100 * 20_000
    assert peak < 250 * 20_000
    assert sum(1 for _ in plan.items()) == plan.num_items() == 20_000
