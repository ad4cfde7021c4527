"""SQL of artifacts, by digest."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import select, text
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Artifact


async def files_of(session: AsyncSession, digest: str) -> list[dict[str, Any]] | None:
    """Files of a committed artifact; None when no run has committed it."""
    found: list[dict[str, Any]] | None = await session.scalar(
        select(Artifact.files).where(Artifact.digest == digest).limit(1)
    )
    return found


async def known(session: AsyncSession, digests: Sequence[str]) -> Sequence[str]:
    """Those of these artifacts that the caller sees."""
    return (await session.scalars(select(Artifact.digest).where(Artifact.digest.in_(digests)).distinct())).all()


async def known_anywhere(session: AsyncSession, digests: Sequence[str]) -> Sequence[str]:
    """Those of these artifacts that any project has. As text, so that the caller's projects do not narrow it."""
    query = text("SELECT DISTINCT digest FROM artifacts WHERE digest = ANY(:digests)")
    return (await session.scalars(query, {"digests": list(digests)})).all()
