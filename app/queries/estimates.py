"""SQL of estimates: what is known of a dataset's vocabulary, and how fast runs were."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from app.models import Artifact, Run

NUM_RUNS = 5


async def vocab_size(session: AsyncSession, digest: str) -> int | None:
    """The vocabulary of a dataset version; None when it is not known here."""
    details: dict[str, Any] | None = await session.scalar(
        select(Artifact.artifact_metadata).where(Artifact.digest == digest, Artifact.kind == "dataset").limit(1)
    )
    found = ((details or {}).get("statistics") or {}).get("vocab_size")
    return int(found) if found else None


async def recent_speeds(
    session: AsyncSession, pool: str, compiled: bool, dtype: str, min_steps: int
) -> list[tuple[float, str | None]]:
    """FLOPs a second, and the type that they were in, of the newest completed trainings of a pool in the same way."""
    speed = Run.summary["flops_per_second"].as_float()
    query = (
        select(speed, Run.summary["dtype"].as_string())
        .where(
            Run.kind == "training",
            Run.state == "completed",
            Run.pool == pool,
            Run.spec["compile"].as_boolean() == compiled,
            Run.spec["dtype"].as_string() == dtype,
            Run.summary["steps"].as_integer() >= min_steps,
            speed > 0,
        )
        .order_by(Run.created_at.desc())
        .limit(NUM_RUNS)
    )
    return [(found, done_in) for found, done_in in await session.execute(query)]
