"""A run's points or events as a file: CSV, JSON lines or Parquet, streamed page by page.

No connection is held between pages, and only one page is in memory.
"""

import asyncio
import io
import re
from collections.abc import AsyncIterator
from typing import TYPE_CHECKING, Any, Literal, Protocol

import orjson

from app.db import Database
from app.queries import charts, export, runs
from app.queries.binary_copy import EPOCH_SECONDS
from app.services.problems import conflict, not_found

if TYPE_CHECKING:
    import pyarrow as pa

Format = Literal["csv", "jsonl", "parquet"]
What = Literal["metrics", "events"]
MEDIA_TYPES: dict[Format, str] = {
    "csv": "text/csv; charset=utf-8",
    "jsonl": "application/x-ndjson",
    "parquet": "application/vnd.apache.parquet",
}
_POINTS_A_PAGE = 50_000
_EVENTS_A_PAGE = 2_000
_FORMULA = re.compile(r"^[\s]*[=+\-@\t\r]")


class Writer(Protocol):
    """Turns pages into the bytes of a file."""

    def write(self, page: "pa.Table") -> bytes:
        """The bytes of one more page."""
        ...

    def end(self) -> bytes:
        """What comes last."""
        ...


async def export_run(
    database: Database, run_id: str, what: What, form: Format, keys: list[str]
) -> tuple[str, AsyncIterator[bytes]]:
    """The run's name, and the file in pieces. `keys` names the series, none: all.

    Raises problems before anything is sent: 404 for an unknown run or series, 409 when its points were deleted.
    """
    async with database.begin() as session:
        run = await runs.get(session, run_id)
        if run is None:
            raise not_found("run", run_id)
        series = await charts.all_series(session, run_id) if what == "metrics" else []
    if what == "metrics" and run.raw_deleted_at:
        words = f"The points of run {run.name!r} were deleted on {run.raw_deleted_at:%Y-%m-%d}: only roll-ups are left."
        raise conflict("raw-deleted", words)
    if missing := sorted(set(keys) - {row.key for row in series}):
        raise not_found("series", missing[0])
    chosen = [(row.id, row.key, row.branch) for row in series if not keys or row.key in keys]
    pages = _metric_pages(database, chosen) if what == "metrics" else _event_pages(database, run_id)
    return run.name, _written(pages, await asyncio.to_thread(_writer, form, what))


async def _written(pages: AsyncIterator["pa.Table"], writer: Writer) -> AsyncIterator[bytes]:
    async for page in pages:
        yield await asyncio.to_thread(writer.write, page)
    yield await asyncio.to_thread(writer.end)


async def _metric_pages(database: Database, series: list[tuple[int, str, int]]) -> AsyncIterator["pa.Table"]:
    schema = _schema("metrics")
    for series_id, key, branch in series:
        after = -1
        while True:
            async with database.begin() as session:
                rows = await export.points(session, series_id, after, _POINTS_A_PAGE)
            if not len(rows):
                break
            after = int(rows["step"][-1])
            yield _table(
                schema,
                key=[key] * len(rows),
                branch=[branch] * len(rows),
                step=rows["step"].astype("i8"),
                value=rows["value"].astype("f8"),
                time=rows["time"].astype("i8") + EPOCH_SECONDS * 1_000_000,
            )


async def _event_pages(database: Database, run_id: str) -> AsyncIterator["pa.Table"]:
    schema, after = _schema("events"), 0
    while True:
        async with database.begin() as session:
            rows = await export.events(session, run_id, after, _EVENTS_A_PAGE)
        if not rows:
            return
        after = rows[-1].id
        columns = {name: [getattr(row, name) for row in rows] for name in schema.names if name != "data"}
        yield _table(schema, **columns, data=[orjson.dumps(row.data).decode() for row in rows])


def _schema(what: What) -> "pa.Schema":
    import pyarrow as pa  # here: it takes 0.2 s to load, and the service seldom needs it

    moment = ("time", pa.timestamp("us", tz="UTC"))
    if what == "metrics":
        return pa.schema(
            [("key", pa.string()), ("branch", pa.int64()), ("step", pa.int64()), ("value", pa.float64()), moment]
        )
    texts = [(name, pa.string()) for name in ("kind", "level", "message", "data")]
    return pa.schema([("id", pa.int64()), ("attempt", pa.int64()), moment, ("step", pa.int64()), *texts])


def _table(schema: "pa.Schema", **columns: Any) -> "pa.Table":
    import pyarrow as pa

    return pa.table({name: pa.array(columns[name], schema.field(name).type) for name in schema.names}, schema)


def _writer(form: Format, what: What) -> Writer:
    if form == "jsonl":
        return _JsonLines()
    return _Csv(_schema(what)) if form == "csv" else _Parquet(_schema(what))


class _JsonLines:
    """One object a line. NaN and infinities are words, as in the protocol of workers."""

    def write(self, page: "pa.Table") -> bytes:
        lines = [orjson.dumps(row, default=str) for row in map(_worded, page.to_pylist())]
        return b"\n".join(lines) + b"\n"

    def end(self) -> bytes:
        return b""


def _worded(row: dict[str, Any]) -> dict[str, Any]:
    value = row.get("value")
    if value is not None and value - value != 0:  # NaN, or an infinity
        row["value"] = "NaN" if value != value else "Infinity" if value > 0 else "-Infinity"  # noqa: PLR0124
    return row


class _Csv:
    """With a head line. A text that a spreadsheet would take for a formula gets an apostrophe before it.

    https://owasp.org/www-community/attacks/CSV_Injection
    """

    def __init__(self, schema: "pa.Schema") -> None:
        self._head: bytes = (",".join(schema.names) + "\n").encode()

    def write(self, page: "pa.Table") -> bytes:
        import pyarrow as pa
        import pyarrow.csv

        for i, field in enumerate(page.schema):
            if field.type == pa.string():
                known: dict[str, str] = {}
                texts = [
                    known.setdefault(text, f"'{text}" if _FORMULA.match(text) else text)
                    for text in page.column(i).to_pylist()
                ]
                page = page.set_column(i, field, pa.array(texts, pa.string()))
        out = io.BytesIO(self._head)
        out.seek(0, io.SEEK_END)
        self._head = b""
        pyarrow.csv.write_csv(page, out, pyarrow.csv.WriteOptions(include_header=False))
        return out.getvalue()

    def end(self) -> bytes:
        return self._head


class _Parquet:
    """A row group a page, compressed with zstd."""

    def __init__(self, schema: "pa.Schema") -> None:
        import pyarrow as pa
        import pyarrow.parquet

        self._out = _Sink()
        self._writer = pyarrow.parquet.ParquetWriter(pa.PythonFile(self._out, mode="w"), schema, compression="zstd")

    def write(self, page: "pa.Table") -> bytes:
        self._writer.write_table(page)
        return self._out.take()

    def end(self) -> bytes:
        self._writer.close()
        return self._out.take()


class _Sink(io.RawIOBase):
    """Takes what is written until it is taken away."""

    def __init__(self) -> None:
        super().__init__()
        self._parts: list[bytes] = []
        self._position = 0

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        part = bytes(content)
        self._parts.append(part)
        self._position += len(part)
        return len(part)

    def tell(self) -> int:
        return self._position

    def take(self) -> bytes:
        taken, self._parts = b"".join(self._parts), []
        return taken
