"""Variants of a dataset hold out the same texts, and train on nothing that repeats them."""

import random
from pathlib import Path

import orjson
import pytest
import zstandard

from workers.curation.lines import FrameWriter, write_json, write_lines
from workers.curation.pack import pack
from workers.data.shards import TokenDataset
from workers.data.tokenizer import Tokenizer
from workers.reporter import MemoryReporter
from workers.specs.curation import CurationSpec, TokenizerTraining

SPEC = CurationSpec(tokenizer=TokenizerTraining(vocab_size=400), heldout_share=0.2)
DIGEST = "sha256:" + "a" * 64


def prose(seed: str, num_words: int = 60) -> str:
    rng = random.Random(seed)
    return " ".join("".join(rng.choices("abcdefgh", k=rng.randrange(3, 7))) for _ in range(num_words))


def row(id_: str, text: str, language: str = "en") -> dict[str, object]:
    return {"id": id_, "source": f"s/{id_}", "language": language, "text": text, "metadata": {}}


def curated(folder: Path, rows: list[dict[str, object]]) -> Path:
    folder.mkdir(parents=True)
    with FrameWriter(folder / "documents.jsonl.zst") as writer:
        writer.write(zstandard.compress(b"".join(orjson.dumps(one) + b"\n" for one in rows)))
    write_lines(folder / "samples.jsonl", [])
    write_lines(folder / "inputs.jsonl", [])
    write_json(folder / "statistics.json", {"documents": {"read": 9}, "dropped": {}, "rejects": {}, "funnel": []})
    return folder


def texts(folder: Path, split: str) -> list[str]:
    dataset = TokenDataset(folder, split)  # type: ignore[arg-type]  # the test passes both literals
    tokenizer = Tokenizer.load(folder / "tokenizer.json")
    ends = [*dataset.document_starts[1:], dataset.num_tokens]
    windows = [dataset.window(int(a), int(b - a))[0] for a, b in zip(dataset.document_starts, ends, strict=True)]
    return [tokenizer.decode(window.tolist()) for window in windows]


@pytest.fixture
def base(tmp_path: Path) -> Path:
    rows = [row(f"{i:02d}", prose(str(i)), "en" if i % 3 else "de") for i in range(30)]
    pack(SPEC, documents=curated(tmp_path / "documents", rows), out=tmp_path / "base", reporter=MemoryReporter())
    return tmp_path / "base"


def heldout_texts(base: Path) -> list[str]:
    return [orjson.loads(line)["text"] for line in (base / "heldout.jsonl").read_bytes().splitlines()]


def test_a_variant_has_the_same_held_out_part_and_nothing_that_repeats_it(base: Path, tmp_path: Path) -> None:
    held = heldout_texts(base)
    words = held[0].split()
    variant = [row(f"{i:02d}", prose(str(i)), "en" if i % 3 else "de") for i in range(0, 30, 2)]
    repeats = [
        row("copy", held[0].upper()),
        row("holds", f"{prose('x')} {held[1]} {prose('y')}"),
        row("two thirds", f"{' '.join(words[:40])} {prose('z', 300)}"),
        row("excerpt", " ".join(held[2].split()[10:40])),
    ]
    fresh = [
        row("a third", f"{' '.join(words[:24])} {prose('w', 300)}"),
        row("new", prose("new")),
    ]
    source = curated(tmp_path / "variant-documents", variant + repeats + fresh)
    spec = SPEC.model_copy(update={"heldout_dataset": DIGEST, "tokenizer": TokenizerTraining(dataset=DIGEST)})
    out = tmp_path / "variant"
    tokenizer = base / "tokenizer.json"
    info = pack(
        spec, documents=source, out=out, reporter=MemoryReporter(), tokenizer=tokenizer, heldout=base / "heldout.jsonl"
    )
    assert (out / "heldout.jsonl").read_bytes() == (base / "heldout.jsonl").read_bytes()
    assert sorted(texts(out, "heldout")) == sorted(held)
    expected = [str(r["text"]) for r in [*variant, *fresh] if r["text"] not in held]
    assert sorted(texts(out, "train")) == sorted(expected)
    assert info["heldout"]["dataset"] == DIGEST
    assert info["heldout"]["left_out"] == len(variant) + len(fresh) + len(repeats) - len(expected)
    assert (out / "tokenizer.json").read_bytes() == tokenizer.read_bytes()


def test_without_the_file_or_anything_to_train_on_it_says_so(base: Path, tmp_path: Path) -> None:
    spec = SPEC.model_copy(update={"heldout_dataset": DIGEST})
    source = curated(tmp_path / "same", [row(f"x{i}", text) for i, text in enumerate(heldout_texts(base))])
    with pytest.raises(ValueError, match="--heldout FILE"):
        pack(spec, documents=source, out=tmp_path / "o", reporter=MemoryReporter())
    with pytest.raises(ValueError, match="nothing is left to train on"):
        pack(spec, documents=source, out=tmp_path / "o", reporter=MemoryReporter(), heldout=base / "heldout.jsonl")
    (tmp_path / "empty.jsonl").write_bytes(b"")
    with pytest.raises(ValueError, match="holds no text out"):
        pack(spec, documents=source, out=tmp_path / "o", reporter=MemoryReporter(), heldout=tmp_path / "empty.jsonl")
    assert not (tmp_path / "o").exists()
