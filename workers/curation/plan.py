"""Where each document of a dataset goes: its split and its place, both by hash, and which texts train the tokenizer."""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import orjson

from workers.data.shards import Split


@dataclass(slots=True, frozen=True)
class Entry:
    """A document: its id and language, and where its text lies in the file of texts (bytes)."""

    id: str
    language: str
    start: int
    length: int
    split: Split


class Plan:
    """Entries in packing order, and their texts in one file beside, so that memory holds a few numbers a document."""

    def __init__(self, entries: list[Entry], texts: Path) -> None:
        self.entries, self.texts = entries, texts
        self._file = texts.open("rb")

    @classmethod
    def make(cls, lines: Iterable[bytes], texts: Path, heldout_share: float) -> Self:
        """Write the texts down and decide. Raises ValueError when a split would stay empty."""
        found: list[tuple[str, str, int, int]] = []
        with texts.open("wb") as file:
            for line in lines:
                document = orjson.loads(line)
                text = document["text"].encode("utf-8")
                found.append((document["id"], document["language"], file.tell(), len(text)))
                file.write(text)
        if len(found) < 2:
            raise ValueError(
                f"a dataset needs at least 2 documents, one to learn from and one held out; got {len(found)}"
            )
        heldout = _choose_heldout([(id_, language) for id_, language, _, _ in found], heldout_share)
        entries = [Entry(*item, split="heldout" if item[0] in heldout else "train") for item in found]
        return cls(sorted(entries, key=lambda entry: (_hash("order", entry.id), entry.start)), texts)

    def of(self, split: Split) -> list[Entry]:
        """Entries of a split, in packing order."""
        return [entry for entry in self.entries if entry.split == split]

    def text(self, entry: Entry) -> str:
        """The document's text."""
        self._file.seek(entry.start)
        return self._file.read(entry.length).decode("utf-8")


def _hash(purpose: str, id_: str) -> int:
    """64 bits; a purpose of its own makes them independent of those for other purposes."""
    return int.from_bytes(hashlib.blake2b(f"{purpose}:{id_}".encode(), digest_size=8).digest(), "big")


def _choose_heldout(documents: list[tuple[str, str]], share: float) -> set[str]:
    """Ids whose hash falls under the share; in each language of at least two documents at least one, and never all."""
    by_language: dict[str, list[tuple[int, str]]] = defaultdict(list)
    for id_, language in documents:
        by_language[language].append((_hash("heldout", id_), id_))
    if all(len(items) == 1 for items in by_language.values()):  # then one of them all
        by_language = {"": [item for items in by_language.values() for item in items]}  # type: ignore[assignment] # read only
    chosen: set[str] = set()
    for items in by_language.values():
        items.sort()
        count = sum(hash_ < share * 2**64 for hash_, _ in items)
        chosen.update(id_ for _, id_ in items[: min(max(1, count), len(items) - 1)])
    return chosen


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
