"""A held-out part that is given, not chosen: variants of a dataset are compared on the same texts.

A variant with looser filters or without dedup has documents that repeat those texts. They are left out of it, or it
would be trained on what it is measured by: by id, and where a document holds over half of the 13-grams of a held-out
text, or half of its own stand in held-out texts (the bound of `workers.curation.heldout`).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from workers.curation.heldout import MAX_COVERED, NGRAM
from workers.curation.overlap import OverlapIndex

_SOURCE = "heldout"


class GivenHeldout:
    """Held-out documents of another dataset version, and what of a stream of documents repeats them."""

    def __init__(self, path: Path) -> None:
        """`path`: heldout.jsonl of that version. Raises ValueError when it holds none."""
        self.documents: list[dict[str, Any]] = [orjson.loads(line) for line in path.read_bytes().splitlines() if line]
        if not self.documents:
            raise ValueError(f"{path}: the given dataset version holds no text out")
        self.ids = {str(document["id"]) for document in self.documents}
        self.num_left_out = 0
        self._index = OverlapIndex([document["text"] for document in self.documents], NGRAM)

    def lines(self, lines: Iterable[bytes]) -> Iterator[bytes]:
        """The documents (JSON) that repeat nothing, then the held-out ones."""
        for line in lines:
            document = orjson.loads(line)
            if document["id"] in self.ids or self._repeats(document["text"]):
                self.num_left_out += 1
            else:
                yield line
        for document in self.documents:
            yield orjson.dumps({**document, "source": _SOURCE}) + b"\n"

    def _repeats(self, text: str) -> bool:
        found = self._index.find(text)
        if not found:
            return False
        return max(one.share for one in found) > MAX_COVERED or self._index.covered(text) > MAX_COVERED
