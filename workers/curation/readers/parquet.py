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


def read(path: Path, source: str, limits: Limits) -> Iterator[RawRecord | Reject]:
    """A record for each row; `bad_parquet` where the file cannot be decoded (any further)."""
    number = 0
    try:
        with pq.ParquetFile(path, memory_map=True) as file:
            text = _check(file, limits)
            if not file.metadata.num_rows:
                yield Reject(source=source, reason="empty")
            # a repeated text stays one copy until its row is reached
            with pq.ParquetFile(path, memory_map=True, read_dictionary=[text]) as rows:
                for batch in rows.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
                    for index in range(batch.num_rows):
                        number += 1
                        yield _read_row(batch.slice(index, 1), f"{source}#{number}", limits)
    except RejectError as error:
        yield error.at(source)
    except OSError as error:  # pyarrow's own input errors are OSError too
        reason = "bad_parquet" if path.is_file() else "unreadable"
        yield Reject(source=f"{source}#{number + 1}", reason=reason, detail=str(error)[:300])
    except (pa.ArrowException, ValueError, OverflowError, MemoryError) as error:
        yield Reject(source=f"{source}#{number + 1}", reason="bad_parquet", detail=str(error)[:300])


def _check(file: pq.ParquetFile, limits: Limits) -> str:
    """Name of the text column. Raises RejectError `no_text`, `compression_bomb`."""
    names = file.schema_arrow.names
    text = next((name for name in TEXT_FIELDS if name in names), None)
    if text is None:
        raise RejectError("no_text", f"no column `text` or `content` among: {', '.join(names)[:200]}")
    for index in range(file.metadata.num_row_groups):
        group = file.metadata.row_group(index)
        for column in (group.column(number) for number in range(group.num_columns)):
            guard_ratio(column.total_compressed_size, column.total_uncompressed_size, limits)
    return text


def _read_row(batch: pa.RecordBatch, source: str, limits: Limits) -> RawRecord | Reject:
    try:
        return row_record(batch.to_pylist()[0], source, limits)
    except RejectError as error:
        return error.at(source)
    except ValueError as error:  # bytes that are no UTF-8 in a string column
        return Reject(source=source, reason="undecodable_text", detail=str(error)[:300])
