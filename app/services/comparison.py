"""Two dataset versions side by side: which documents are in one of them alone, and which have another text.

A version's index (`documents-*.index`, see `workers.data.documents`) has 16 bytes a document, sorted by the document's
key. Shards that both versions share hold the same documents, so only the others are fetched and compared.

Shapes: N documents of one version.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from app.dataset_schemas import DatasetComparison, DocumentCounts, DocumentExamples, Pair, RulePair, SpecChange
from app.models import DatasetVersion as Row
from app.schemas import DatasetVersion, Sample
from app.services.dataset_files import DatasetFiles, damaged
from app.services.problems import ProblemError
from workers.specs.events import File

INDEX = np.dtype([("key", "<u8"), ("text", "<u8")])
_MAX_INDEX_BYTES = 1 << 30
_MAX_EXAMPLES = 10
_MAX_EXAMPLE_SHARDS = 3
_MAX_CHARS = 4000
_MAX_REMEMBERED = 16
Index = npt.NDArray[np.void]
Rows = npt.NDArray[np.int64]


@dataclass(slots=True)
class Difference:
    """Row numbers of each side's index, and how many documents are on both."""

    only_left: Rows
    only_right: Rows
    num_both: int
    num_changed: int


def compare_indexes(left_N: Index, right_N: Index) -> Difference:
    """Set operations over two sorted indexes."""
    only_left, changed = _missing(left_N, right_N)
    only_right, _ = _missing(right_N, left_N)
    return Difference(only_left, only_right, len(left_N) - len(only_left), changed)


def _missing(ours_N: Index, theirs_N: Index) -> tuple[Rows, int]:
    """Rows of ours that theirs has not, and how many of the others have another text there."""
    if not len(theirs_N):
        return np.arange(len(ours_N), dtype=np.int64), 0
    places = np.minimum(np.searchsorted(theirs_N["key"], ours_N["key"]), len(theirs_N) - 1)
    found = theirs_N["key"][places] == ours_N["key"]
    changed = found & (theirs_N["text"][places] != ours_N["text"])
    return np.flatnonzero(~found).astype(np.int64), int(changed.sum())


class Comparer:
    """Compares versions; remembers the last few results, which never change. One a process."""

    def __init__(self, files: DatasetFiles) -> None:
        self._files = files
        self._known: OrderedDict[tuple[str, str], tuple[DocumentCounts, DocumentExamples]] = OrderedDict()

    async def compare(
        self, left: Row, right: Row, left_spec: dict[str, Any] | None, right_spec: dict[str, Any] | None
    ) -> DatasetComparison:
        """Both versions, their specs where known. Raises ProblemError for what is too large or damaged."""
        counts, examples = await self._documents(left, right)
        return DatasetComparison(
            left=DatasetVersion.model_validate(left),
            right=DatasetVersion.model_validate(right),
            spec=compare_specs(left_spec, right_spec) if left_spec and right_spec else [],
            documents=counts,
            tokens=_compare_totals(left.statistics.get("tokens"), right.statistics.get("tokens")),
            rules=[
                RulePair(rule=rule, left=pair.left, right=pair.right)
                for rule, pair in _compare_totals(
                    left.statistics.get("dropped"), right.statistics.get("dropped")
                ).items()
            ],
            examples=examples,
        )

    async def _documents(self, left: Row, right: Row) -> tuple[DocumentCounts | None, DocumentExamples]:
        sides = [_Side.of(left.files), _Side.of(right.files)]
        if not all(side.indexes for side in sides):
            return None, DocumentExamples(only_left=[], only_right=[])
        pair = (left.digest, right.digest)
        if pair not in self._known:
            self._known[pair] = await self._compare_sides(*sides)
            while len(self._known) > _MAX_REMEMBERED:
                self._known.popitem(last=False)
        return self._known[pair]

    async def _compare_sides(self, left: "_Side", right: "_Side") -> tuple[DocumentCounts, DocumentExamples]:
        common = {file.sha256 for file in left.indexes} & {file.sha256 for file in right.indexes}
        num_common = sum(f.num_bytes for f in left.indexes if f.sha256 in common) // INDEX.itemsize
        left_index, right_index = [await self._read(side, common) for side in (left, right)]
        found = await asyncio.to_thread(compare_indexes, left_index, right_index)
        counts = DocumentCounts(
            only_left=len(found.only_left),
            only_right=len(found.only_right),
            both=num_common + found.num_both,
            changed=found.num_changed,
        )
        examples = DocumentExamples(
            only_left=await self._examples(left, found.only_left),
            only_right=await self._examples(right, found.only_right),
        )
        return counts, examples

    async def _read(self, side: "_Side", common: set[str]) -> Index:
        """The index without the shards that both sides have; `side` notes which shards those rows are of."""
        wanted = [number for number, file in enumerate(side.indexes) if file.sha256 not in common]
        if sum(side.indexes[number].num_bytes for number in wanted) > _MAX_INDEX_BYTES:
            raise ProblemError(422, "too-large", "Too large", "These versions differ in too many documents to compare.")
        parts = [np.zeros(0, dtype=INDEX)]
        for number in wanted:
            path = await self._files.path(side.indexes[number])
            parts.append(await asyncio.to_thread(np.fromfile, path, INDEX))
        lengths = [len(part) for part in parts[1:]]
        side.shard_of = np.repeat(np.array(wanted, dtype=np.int64), lengths)
        side.row_of = np.concatenate([np.zeros(0, np.int64), *(np.arange(n, dtype=np.int64) for n in lengths)])
        whole: Index = np.concatenate(parts)
        return whole

    async def _examples(self, side: "_Side", rows: Rows) -> list[Sample]:
        """Some of the documents, spread evenly over a few shards."""
        if not len(rows):
            return []
        shards = np.unique(side.shard_of[rows])
        shards = shards[np.linspace(0, len(shards) - 1, min(len(shards), _MAX_EXAMPLE_SHARDS)).astype(np.int64)]
        rows = rows[np.isin(side.shard_of[rows], shards)]
        rows = rows[np.linspace(0, len(rows) - 1, min(len(rows), _MAX_EXAMPLES)).astype(np.int64)]
        found: list[Sample] = []
        for shard in np.unique(side.shard_of[rows]):
            path = await self._files.path(side.documents[int(shard)])
            here = side.row_of[rows[side.shard_of[rows] == shard]]
            found += await asyncio.to_thread(_read_samples, path, here.tolist())
        return found


@dataclass(slots=True)
class _Side:
    """Shards of one version, and which shard and row each row of the index read is of."""

    indexes: list[File]
    documents: list[File]
    shard_of: Rows
    row_of: Rows

    @classmethod
    def of(cls, files: list[dict[str, Any]]) -> "_Side":
        shards = sorted(
            (File.model_validate(f) for f in files if str(f.get("path")).startswith("documents-")), key=lambda f: f.path
        )
        none = np.zeros(0, dtype=np.int64)
        indexes = [file for file in shards if file.path.endswith(".index")]
        return cls(indexes, [file for file in shards if file.path.endswith(".parquet")], none, none)


def _read_samples(path: Path, rows: list[int]) -> list[Sample]:
    """Rows of a Parquet shard; ascending. Only the row groups that hold them are read."""
    import pyarrow.parquet as pq

    found: list[Sample] = []
    columns = ["id", "source", "url", "language", "text"]
    try:
        with pq.ParquetFile(path) as file:
            start = 0
            for number in range(file.num_row_groups):
                stop = start + file.metadata.row_group(number).num_rows
                here = [row - start for row in rows if start <= row < stop]
                if here:
                    found += map(_sample, file.read_row_group(number, columns=columns).take(here).to_pylist())
                start = stop
    except (OSError, ValueError) as error:  # pyarrow's own errors are these
        raise damaged(path.name, str(error)) from None
    return found


def _sample(row: dict[str, Any]) -> Sample:
    text = row["text"]
    return Sample(
        document_id=row["id"], source=row["source"], url=row["url"], language=row["language"], rule=None, figure=None,
        threshold=None, span=None, text=text[:_MAX_CHARS], truncated=len(text) > _MAX_CHARS,
    )  # fmt: skip


def compare_specs(left: Any, right: Any, pointer: str = "") -> list[SpecChange]:
    """The leaves in which two specs differ, by JSON pointer."""
    if isinstance(left, dict) and isinstance(right, dict):
        keys = [*left, *(key for key in right if key not in left)]
        return [c for key in keys for c in compare_specs(left.get(key), right.get(key), f"{pointer}/{_escaped(key)}")]
    if isinstance(left, list) and isinstance(right, list):
        pairs = enumerate(zip_longest(left, right))
        return [c for i, (ours, theirs) in pairs for c in compare_specs(ours, theirs, f"{pointer}/{i}")]
    return [] if left == right else [SpecChange(pointer=pointer or "/", left=left, right=right)]


def _escaped(key: str) -> str:
    return str(key).replace("~", "~0").replace("/", "~1")


def _compare_totals(left: Any, right: Any) -> dict[str, Pair]:
    """Sums of tables `{name: {part: number}}`, by name."""
    sums = [
        {str(name): sum(parts.values()) if isinstance(parts, dict) else 0 for name, parts in table.items()}
        if isinstance(table, dict)
        else {}
        for table in (left, right)
    ]
    return {name: Pair(left=sums[0].get(name, 0), right=sums[1].get(name, 0)) for name in sorted(sums[0] | sums[1])}
