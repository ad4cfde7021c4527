"""What is asked of runs beside their launch, and its answers."""

from datetime import datetime
from typing import Literal

from app.schemas import Schema


class OperationStatus(Schema):
    """Something that takes time."""

    id: str
    kind: Literal["delete_run"]
    target: str
    """Id of what it is done to."""
    name: str
    state: Literal["running", "done"]
    detail: str
    """What is left to do, in words."""
    author: str
    created_at: datetime
    finished_at: datetime | None
