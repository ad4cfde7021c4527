"""Parquet: one document a row. https://parquet.apache.org"""

from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from workers.curation.document import RawRecord, Reject
from workers.curation.readers._rows import TEXT_FIELDS, row_record
from workers.curation.readers._shared import RejectError, guard_ratio
from workers.specs.curation import Limits

_BATCH_ROWS = 64


def read(path: Path, source: str, limits: Limits, start: int = 0) -> Iterator[RawRecord | Reject]:
    """A record for each row from the `start`-th on; `bad_parquet` where the file cannot be decoded (any further)."""
    number = start
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            text = _check(file, limits)
            if not file.metadata.num_rows and not start:
                yield Reject(source=source, reason="empty")
        for number, batch in _rows(path, text, start):
            yield _read_row(batch, f"{source}#{number}", limits)
    except RejectError as error:
        if not start:
            yield error.at(source)
    except OSError as error:  # pyarrow's own input errors are OSError too
        reason = "bad_parquet" if path.is_file() else "unreadable"
        yield Reject(source=f"{source}#{number + 1}", reason=reason, detail=str(error)[:300])
    except (pa.ArrowException, ValueError, OverflowError, MemoryError) as error:
        yield Reject(source=f"{source}#{number + 1}", reason="bad_parquet", detail=str(error)[:300])


def count(path: Path, limits: Limits) -> int:
    """Number of records and rejects that `read` gives, by the footer alone."""
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            _check(file, limits)
            return max(1, file.metadata.num_rows)
    except (RejectError, OSError, pa.ArrowException, ValueError, OverflowError, MemoryError):
        return 1


def _rows(path: Path, text: str, start: int) -> Iterator[tuple[int, pa.RecordBatch]]:
    """Rows with their numbers from 1; row groups before `start` are not touched."""
    # read_dictionary: a repeated text stays one copy until its row is reached
    with pq.ParquetFile(path, memory_map=True, read_dictionary=[text]) as file:
        number = 0
        groups = range(file.metadata.num_row_groups)
        while groups and number + file.metadata.row_group(groups[0]).num_rows <= start:
            number += file.metadata.row_group(groups[0]).num_rows
            groups = groups[1:]
        for batch in file.iter_batches(batch_size=_BATCH_ROWS, row_groups=list(groups), use_threads=False):
            for index in range(batch.num_rows):
                number += 1
                if number > start:
                    yield number, batch.slice(index, 1)


def _check(file: pq.ParquetFile, limits: Limits) -> str:
    """Name of the text column. Raises RejectError `bad_schema`, `compression_bomb`."""
    schema = file.schema_arrow
    found = ", ".join(f"{field.name} ({field.type})" for field in schema)[:300]
    types = {field.name: field.type for field in schema if schema.names.count(field.name) == 1}
    text = next((name for name in TEXT_FIELDS if name in types and _is_text(types[name])), None)
    if text is None:
        wanted = " or ".join(f"`{name}`" for name in TEXT_FIELDS)
        raise RejectError("bad_schema", f"wanted is one column {wanted} of strings; found: {found or 'none'}")
    for index in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(index)
        for column in (group.column(number) for number in range(group.num_columns)):
            guard_ratio(column.total_compressed_size, column.total_uncompressed_size, limits)
    return text


def _is_text(kind: pa.DataType) -> bool:
    kind = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _read_row(batch: pa.RecordBatch, source: str, limits: Limits) -> RawRecord | Reject:
    try:
        return row_record(batch.to_pylist()[0], source, limits)
    except RejectError as error:
        return error.at(source)
    except ValueError as error:  # bytes that are no UTF-8 in a string column
        return Reject(source=source, reason="undecodable_text", detail=str(error)[:300])
