"""A row of JSONL or Parquet -> a record: `text` (or `content`), optional `url` and `id`, the rest as metadata."""

from typing import Any

import orjson

from workers.curation.document import RawRecord
from workers.curation.readers._shared import RejectError, record_id
from workers.specs.curation import Limits

TEXT_FIELDS = ("text", "content")


def row_record(row: dict[str, Any], source: str, limits: Limits) -> RawRecord:
    """Raises RejectError `no_text`, `empty`, `too_large`."""
    name = next((field for field in TEXT_FIELDS if isinstance(row.get(field), str)), None)
    if name is None:
        raise RejectError("no_text", "no string field `text` or `content`")
    content = row[name].encode("utf-8", "replace")
    if not content.strip():
        raise RejectError("empty")
    if len(content) > limits.max_document_bytes:
        raise RejectError("too_large", f"more than {limits.max_document_bytes} bytes")
    url = row.get("url")
    metadata = {key: _plain(value) for key, value in row.items() if key not in {name, "url"} and value is not None}
    return RawRecord(
        id=record_id(source),
        source=source,
        media_type="text/plain",
        content=content,
        url=url if isinstance(url, str) else None,
        charset="utf-8",
        metadata=metadata,
    )


def _plain(value: object) -> str:
    return (
        value if isinstance(value, str) else orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    )
