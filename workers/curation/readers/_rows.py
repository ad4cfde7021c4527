"""A row of JSONL or Parquet -> a record: `text` (or `content`, or a chat), optional `url` and `id`, the rest metadata.

A chat is `messages`, a list of `{"role", "content"}`, with `enable_thinking` where its turns do not tell the mode.
"""

from typing import Any

import orjson

from workers.curation.document import RawRecord
from workers.curation.readers._shared import RejectError, record_id
from workers.data.chat import CHAT_MEDIA_TYPE, ChatError, read_chat, show_chat
from workers.specs.curation import Limits

TEXT_FIELDS = ("text", "content")
CHAT_FIELD = "messages"
_MODE_FIELD = "enable_thinking"


def row_record(row: dict[str, Any], source: str, limits: Limits) -> RawRecord:
    """Raises RejectError `no_text`, `empty`, `too_large`, `bad_chat`."""
    name = next((field for field in TEXT_FIELDS if isinstance(row.get(field), str)), None)
    is_chat = name is None and row.get(CHAT_FIELD) is not None
    if name is None and not is_chat:
        raise RejectError("no_text", "no string field `text` or `content`, and no list `messages`")
    content = (_chat(row) if is_chat else row[name or ""]).encode("utf-8", "replace")
    if not content.strip():
        raise RejectError("empty")
    if len(content) > limits.max_document_bytes:
        raise RejectError("too_large", f"more than {limits.max_document_bytes} bytes")
    url = row.get("url")
    used = {CHAT_FIELD, _MODE_FIELD, "url"} if is_chat else {name, "url"}
    metadata = {key: _plain(value) for key, value in row.items() if key not in used and value is not None}
    return RawRecord(
        id=record_id(source),
        source=source,
        media_type=CHAT_MEDIA_TYPE if is_chat else "text/plain",
        content=content,
        url=url if isinstance(url, str) else None,
        charset="utf-8",
        metadata=metadata,
    )


def _chat(row: dict[str, Any]) -> str:
    mode = row.get(_MODE_FIELD)
    try:
        return show_chat(read_chat(row[CHAT_FIELD], mode if isinstance(mode, bool) else None))
    except ChatError as error:
        raise RejectError("bad_chat", str(error)) from error


def _plain(value: object) -> str:
    return (
        value if isinstance(value, str) else orjson.dumps(value, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
    )
