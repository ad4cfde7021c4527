"""Where each document of a dataset goes: its split and its place, both by hash, and which texts train the tokenizer.

Memory holds some 60 bytes a document; the documents lie in a file beside, in the order in which they came.
"""

from array import array
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt
import orjson

from workers.curation.heldout import choose_heldout, id_hash
from workers.data.balance import byte_budgets
from workers.data.chat import CHAT_MEDIA_TYPE, words_of
from workers.data.shards import Split

_MAX_SOURCES = 10_000
OTHER = "other"


@dataclass(slots=True, frozen=True)
class Item:
    """One writing of a document: the first has its place in the index, further copies are for training alone."""

    row: int
    """Number of the document, in the order of the input."""
    place: int
    """64 bits of hash: the order of all items."""
    copy: int


class _Table:
    """Columns that grow while the documents are read."""

    def __init__(self) -> None:
        self.starts, self.lengths, self.text_bytes = array("Q"), array("L"), array("L")
        self.keys, self.ranks = array("Q"), array("Q")
        self.languages, self.sources, self.copies = array("H"), array("H"), array("H")
        self.copy_rows, self.copy_places, self.copy_numbers = array("Q"), array("Q"), array("H")
        self.num_chats = 0

    def array(self, name: str) -> npt.NDArray[Any]:
        column: array[int] = getattr(self, name)
        return np.frombuffer(column, dtype=np.dtype(column.typecode)) if len(column) else np.zeros(0, np.int64)


class Plan:
    """The documents in packing order."""

    def __init__(self, table: _Table, languages: list[str], sources: list[str], path: Path) -> None:
        self.path, self.language_names, self.source_names = path, languages, sources
        self._starts, self._lengths = table.array("starts"), table.array("lengths")
        self.text_bytes = table.array("text_bytes")
        self.keys, self.ranks = table.array("keys"), table.array("ranks")
        self.languages, self.sources = table.array("languages"), table.array("sources")
        self.copies = table.array("copies")
        self.num_chats = table.num_chats
        self._more = [table.array(name) for name in ("copy_rows", "copy_places", "copy_numbers")]
        self.heldout = np.zeros(len(self.keys), dtype=np.bool_)
        self._file = path.open("rb")

    @classmethod
    def make(cls, lines: Iterable[bytes], path: Path, heldout_share: float, heldout_ids: Collection[str] = ()) -> Self:
        """Write the lines down and decide; with `heldout_ids`, it is decided. Raises ValueError for an empty split."""
        languages, sources = _Names(1 << 16), _Names(_MAX_SOURCES)
        table = _Table()
        with path.open("wb") as file:
            for line in lines:
                _note(table, orjson.loads(line), (file.tell(), len(line)), languages, sources)
                file.write(line)
        if len(table.keys) < 2:
            raise ValueError(
                f"a dataset needs at least 2 documents, one to learn from and one held out; got {len(table.keys)}"
            )
        plan = cls(table, languages.names, sources.names, path)
        if heldout_ids:
            plan.heldout = np.isin(plan.keys, np.array([id_hash("order", id_) for id_ in heldout_ids], dtype=np.uint64))
            if plan.heldout.all():
                raise ValueError("every document repeats the given held-out texts: nothing is left to train on")
            return plan
        plan.heldout = choose_heldout(plan.languages, plan.ranks, plan.text_bytes, plan.texts, heldout_share)
        return plan

    def __len__(self) -> int:
        return len(self.keys)

    def split(self, row: int) -> Split:
        """The split of a document."""
        return "heldout" if self.heldout[row] else "train"

    def order(self) -> npt.NDArray[np.int64]:
        """Documents in packing order."""
        return np.lexsort((np.arange(len(self)), self.keys))

    def items(self) -> Iterator[Item]:
        """All writings in packing order: each document once, and training documents once more for each further copy.

        A copy has a place of its own, so that it is not seen right after the first.
        """
        rows, places, numbers = self._more
        wanted = ~self.heldout[rows.astype(np.int64)] if len(rows) else np.zeros(0, np.bool_)
        all_rows = np.concatenate([np.arange(len(self), dtype=np.int64), rows[wanted].astype(np.int64)])
        all_places = np.concatenate([self.keys, places[wanted].astype(np.uint64)])
        all_numbers = np.concatenate([np.zeros(len(self), np.int64), numbers[wanted].astype(np.int64)])
        for i in np.lexsort((all_numbers, all_rows, all_places)):
            yield Item(int(all_rows[i]), int(all_places[i]), int(all_numbers[i]))

    def num_items(self) -> int:
        """How many `items` gives."""
        rows = self._more[0].astype(np.int64)
        return len(self) + int((~self.heldout[rows]).sum()) if len(rows) else len(self)

    def document(self, row: int) -> dict[str, Any]:
        """The fields of a document, as curation wrote them."""
        self._file.seek(int(self._starts[row]))
        found: dict[str, Any] = orjson.loads(self._file.read(int(self._lengths[row])))
        return found

    def texts(self, rows: Iterable[int]) -> Iterator[str]:
        """Texts of documents; of conversations without the template's marks."""
        documents = (self.document(int(row)) for row in rows)
        return (words_of(document["text"], document.get("media_type")) for document in documents)

    def remove_lines(self) -> None:
        """Close and delete the file of documents."""
        self._file.close()
        self.path.unlink()


class _Names:
    """Numbers for names; beyond `most` of them all are `other`."""

    def __init__(self, most: int) -> None:
        self.most, self.names = most, list[str]()
        self._numbers: dict[str, int] = {}

    def number(self, name: str) -> int:
        if len(self.names) >= self.most - 1:
            name = name if name in self._numbers else OTHER
        if name not in self._numbers:
            self._numbers[name] = len(self.names)
            self.names.append(name)
        return self._numbers[name]


def _note(table: _Table, document: dict[str, Any], span: tuple[int, int], languages: _Names, sources: _Names) -> None:
    id_ = document["id"]
    table.num_chats += document.get("media_type") == CHAT_MEDIA_TYPE
    table.starts.append(span[0])
    table.lengths.append(span[1])
    table.text_bytes.append(len(document["text"].encode("utf-8")))
    table.keys.append(id_hash("order", id_))
    table.ranks.append(id_hash("heldout", id_))
    table.languages.append(languages.number(document["language"]))
    table.sources.append(sources.number(document["source"].partition("/")[0]))
    copies = min(int(document.get("metadata", {}).get("copies", 1)), 1 << 15)
    table.copies.append(copies)
    for number in range(1, copies):
        table.copy_rows.append(len(table.keys) - 1)
        table.copy_places.append(id_hash(f"order copy {number}", id_))
        table.copy_numbers.append(number)


def training_rows(plan: Plan, max_bytes_per_language: int, weights: Mapping[str, float] | None = None) -> list[int]:
    """Training documents for the tokenizer, in packing order: of each language about the bytes of its budget."""
    train = plan.order()
    train = train[~plan.heldout[train]]
    languages, num_bytes = plan.languages[train], plan.text_bytes[train].astype(np.int64)
    present = np.unique(languages)
    sizes = {plan.language_names[i]: int(num_bytes[languages == i].sum()) for i in present}
    budgets = byte_budgets(sizes, max_bytes_per_language, weights)
    chosen = np.zeros(len(train), dtype=np.bool_)
    for language in present:
        of_it = languages == language
        before = np.cumsum(num_bytes[of_it]) - num_bytes[of_it]
        chosen[of_it] = before < budgets[plan.language_names[language]]
    return [int(row) for row in train[chosen]]
