"""A run's points and events as a file."""

import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.responses import StreamingResponse

from app.routes.deps import DatabaseOf, require
from app.services import export

router = APIRouter(prefix="/api/v1/runs/{run_id}", tags=["runs"], dependencies=[Depends(require("viewer"))])
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_FILES = {media_type: {"schema": {"type": "string", "format": "binary"}} for media_type in export.MEDIA_TYPES.values()}


@router.get(
    "/export",
    operation_id="export_run",
    summary="Points or events as a file",
    response_class=StreamingResponse,
    responses={200: {"description": "The file, streamed.", "content": _FILES}},
)
async def export_run(
    run_id: str,
    database: DatabaseOf,
    format: Annotated[export.Format, Query(description="What the file is.")] = "csv",
    what: Annotated[export.What, Query(description="Points of the series, or events with the log.")] = "metrics",
    keys: Annotated[list[str] | None, Query(description="Only these series.", max_length=200)] = None,
) -> StreamingResponse:
    """Columns `key`, `branch`, `step`, `value`, `time`; of events `id`, `attempt`, `time`, `step` and their texts.

    In CSV a text that a spreadsheet would take for a formula begins with an apostrophe.
    """
    name, chunks = await export.export_run(database, run_id, what, format, keys or [])
    file_name = f"{_UNSAFE.sub('-', name)[:80].strip('-.') or 'run'}-{what}.{format}"
    headers = {"Content-Disposition": f'attachment; filename="{file_name}"'}
    return StreamingResponse(chunks, headers=headers, media_type=export.MEDIA_TYPES[format])
