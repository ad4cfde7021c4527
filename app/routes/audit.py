"""The audit log."""

from typing import Annotated

from fastapi import APIRouter, Depends, Query
from pydantic import AwareDatetime

from app.access_schemas import AuditRecord
from app.routes.deps import SessionOf, require
from app.schemas import Page
from app.services import audit

router = APIRouter(prefix="/api/v1/audit", tags=["audit"], dependencies=[Depends(require("admin"))])


@router.get("", operation_id="list_audit", summary="Who changed what")
async def list_audit(
    session: SessionOf,
    actor: Annotated[str | None, Query(max_length=200, description="Name of the token or user.")] = None,
    action: Annotated[list[audit.Action] | None, Query(description="Any of these actions.")] = None,
    target: Annotated[str | None, Query(max_length=600, description="Id of what was changed.")] = None,
    since: Annotated[AwareDatetime | None, Query(description="Not before this moment.")] = None,
    cursor: Annotated[str | None, Query(max_length=1000, description="`next_cursor` of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[AuditRecord]:
    """Every change that was made through the API, the newest first. Rows are never changed or deleted."""
    return await audit.list_entries(session, actor, action or [], target, since, cursor, limit)
