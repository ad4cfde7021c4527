"""Workers: their handshake, and who is there."""

from fastapi import APIRouter, Depends, Response

from app.routes.deps import SessionOf, require
from app.schemas import HelloReply, Page, Worker, WorkerGoodbye, WorkerHello
from app.services import workers

router = APIRouter(prefix="/api/v1/workers", tags=["workers"])


@router.post("/hello", operation_id="worker_hello", dependencies=[Depends(require("worker"))])
async def worker_hello(body: WorkerHello, session: SessionOf) -> HelloReply:
    """A worker joins, or is still alive. 409 when its specs have another version than the service's."""
    return await workers.greet(session, body)


@router.post("/goodbye", operation_id="worker_goodbye", status_code=204, dependencies=[Depends(require("worker"))])
async def worker_goodbye(body: WorkerGoodbye, session: SessionOf) -> Response:
    """A worker ends in order: its silence from now on is no alarm."""
    await workers.leave(session, body)
    return Response(status_code=204)


@router.get("", operation_id="list_workers", dependencies=[Depends(require("viewer", "worker"))])
async def list_workers(session: SessionOf) -> Page[Worker]:
    """Workers of the last week; online are those seen within 30 s."""
    return Page(items=await workers.list_workers(session))
