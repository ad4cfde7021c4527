"""SQL of artifacts, by digest."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Artifact


async def files_of(session: AsyncSession, digest: str) -> list[dict[str, Any]] | None:
    """Files of a committed artifact; None when no run has committed it."""
    found: list[dict[str, Any]] | None = await session.scalar(
        select(Artifact.files).where(Artifact.digest == digest).limit(1)
    )
    return found
