"""Handshakes of workers: only one whose specs have our version may take runs."""

from importlib.metadata import version

from sqlalchemy.ext.asyncio import AsyncSession

from app.queries import workers as queries
from app.schemas import HelloReply, Worker, WorkerGoodbye, WorkerHello
from app.services.problems import conflict
from workers.specs import SPEC_VERSION

PREFECT_PATH = "/api/v1/prefect/api"


async def greet(session: AsyncSession, hello: WorkerHello) -> HelloReply:
    """Note that a worker is alive. Raises ProblemError (409) when its specs have another version."""
    if hello.spec_version != SPEC_VERSION:
        raise conflict("spec-version", _who_upgrades(hello))
    await queries.greet(session, hello)
    return HelloReply(accepted=True, spec_version=SPEC_VERSION, prefect_api_url=PREFECT_PATH)


async def leave(session: AsyncSession, goodbye: WorkerGoodbye) -> None:
    """Note that a worker ends in order."""
    await queries.leave(session, goodbye.pool, goodbye.name)


async def list_workers(session: AsyncSession) -> list[Worker]:
    """All workers, those online first."""
    found = []
    for row, online in await queries.workers(session):
        state = "online" if online else "offline"
        found.append(Worker.model_validate({**row.__dict__, "state": state}))
    return found


def _who_upgrades(hello: WorkerHello) -> str:
    ours = version("headrace")
    speaks = (
        f"The worker {hello.name} on {hello.host} (Headrace {hello.version}) speaks spec version {hello.spec_version}, "
        f"this service (Headrace {ours}) speaks {SPEC_VERSION}."
    )
    if hello.spec_version < SPEC_VERSION:
        return f"{speaks} Upgrade the worker to Headrace {ours}, then start it again."
    return f"{speaks} Upgrade the service to Headrace {hello.version}, or install Headrace {ours} on the worker."
