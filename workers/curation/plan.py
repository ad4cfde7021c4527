"""Where each document of a dataset goes: its split and its place, both by hash, and which texts train the tokenizer."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import orjson

from workers.curation.heldout import choose_heldout, id_hash
from workers.data.shards import Split


@dataclass(slots=True, frozen=True)
class Entry:
    """A document: its id and language, and where its text lies in the file of texts (bytes)."""

    id: str
    language: str
    start: int
    length: int
    split: Split = "train"


class Plan:
    """Entries in packing order, and their texts in one file beside, so that memory holds a few numbers a document."""

    def __init__(self, entries: list[Entry], texts: Path) -> None:
        self.entries, self.texts = entries, texts
        self._file = texts.open("rb")

    @classmethod
    def make(cls, lines: Iterable[bytes], texts: Path, heldout_share: float) -> Self:
        """Write the texts down and decide. Raises ValueError when a split would stay empty."""
        found: list[Entry] = []
        with texts.open("wb") as file:
            for line in lines:
                document = orjson.loads(line)
                text = document["text"].encode("utf-8")
                found.append(Entry(document["id"], document["language"], file.tell(), len(text)))
                file.write(text)
        if len(found) < 2:
            raise ValueError(
                f"a dataset needs at least 2 documents, one to learn from and one held out; got {len(found)}"
            )
        plan = cls(sorted(found, key=lambda entry: (id_hash("order", entry.id), entry.start)), texts)
        documents = [(entry.id, entry.language) for entry in plan.entries]
        heldout = choose_heldout(documents, lambda: ((e.id, plan.text(e)) for e in found), heldout_share)
        plan.entries = [replace(entry, split="heldout") if entry.id in heldout else entry for entry in plan.entries]
        return plan

    def of(self, split: Split) -> list[Entry]:
        """Entries of a split, in packing order."""
        return [entry for entry in self.entries if entry.split == split]

    def text(self, entry: Entry) -> str:
        """The document's text."""
        self._file.seek(entry.start)
        return self._file.read(entry.length).decode("utf-8")

    def remove_texts(self) -> None:
        """Close and delete the file of texts."""
        self._file.close()
        self.texts.unlink()


def training_texts(plan: Plan, max_bytes_per_language: int) -> list[Entry]:
    """Training documents for the tokenizer, about equally many bytes a language, in packing order.

    The smallest language sets the measure, but one with less than a tenth of the largest does not: it gives all it has.
    """
    sizes: dict[str, int] = defaultdict(int)
    train = plan.of("train")
    for entry in train:
        sizes[entry.language] += entry.length
    budget = min(max_bytes_per_language, max(min(sizes.values()), max(sizes.values()) // 10))
    left = dict.fromkeys(sizes, budget)
    chosen = []
    for entry in train:
        if left[entry.language] > 0:
            left[entry.language] -= entry.length
            chosen.append(entry)
    return chosen


def heldout_entries(plan: Plan) -> Iterator[dict[str, Any]]:
    """Lines of heldout.jsonl."""
    return ({"id": e.id, "language": e.language, "text": plan.text(e)} for e in plan.of("heldout"))
