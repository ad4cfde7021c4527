"""Webhooks out, their delivery log, and the notices that they tell."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession

from app.notice_schemas import Delivery, Notice, Webhook, WebhookChange, WebhookCreated, WebhookRequest
from app.routes.deps import DatabaseOf, IfMatch, SessionOf, SettingsOf, require
from app.routes.runs import Key
from app.schemas import Page
from app.services import idempotency, webhooks
from app.services.auth import Principal
from app.services.dispatcher import Dispatcher

router = APIRouter(prefix="/api/v1", tags=["webhooks"])
Admin = Annotated[Principal, Depends(require("admin", everywhere=True))]
admins = [Depends(require("admin", everywhere=True))]
IdPath = Annotated[str, Path(max_length=64, description="Id of the webhook.")]
Cursor = Annotated[str | None, Query(max_length=2000, description="`next_cursor` of the page before.")]
Limit = Annotated[int, Query(ge=1, le=200)]


def dispatcher(request: Request) -> Dispatcher:
    """What delivers."""
    found: Dispatcher = request.app.state.dispatcher
    return found


@router.get("/webhooks", operation_id="list_webhooks", summary="List webhooks", dependencies=admins)
async def list_webhooks(session: SessionOf) -> Page[Webhook]:
    """Without their secrets."""
    return Page(items=await webhooks.list_webhooks(session))


@router.post(
    "/webhooks",
    operation_id="create_webhook",
    summary="Make a webhook",
    status_code=201,
    response_model=WebhookCreated,
)
async def create_webhook(
    body: WebhookRequest, principal: Admin, database: DatabaseOf, settings: SettingsOf, key: Key = None
) -> JSONResponse:
    """The answer holds its secret, this once. 422 for an address in a private network, unless the settings allow it."""

    async def make(session: AsyncSession) -> dict[str, Any]:
        return (await webhooks.create(session, body, principal.name, settings)).model_dump(mode="json")

    request_hash = idempotency.hash_request("POST /webhooks", body.model_dump(mode="json"))
    answer = await idempotency.once(database, principal.token_id, key, request_hash, make)
    headers = {"Location": f"{router.prefix}/webhooks/{answer.body['id']}", "Cache-Control": "no-store"}
    return JSONResponse(answer.body, 201, headers | ({"Idempotent-Replayed": "true"} if answer.replayed else {}))


@router.get("/webhooks/{webhook_id}", operation_id="get_webhook", summary="One webhook", dependencies=admins)
async def get_webhook(webhook_id: IdPath, session: SessionOf, response: Response) -> Webhook:
    """Its `ETag` is needed to edit it."""
    row = await webhooks.get(session, webhook_id)
    response.headers["ETag"] = webhooks.etag_of(row)
    return Webhook.model_validate(row)


@router.patch("/webhooks/{webhook_id}", operation_id="edit_webhook", summary="Edit a webhook", dependencies=admins)
async def edit_webhook(
    webhook_id: IdPath, body: WebhookChange, session: SessionOf, settings: SettingsOf, if_match: IfMatch = None
) -> Webhook:
    """Fields that are left out stay. Needs `If-Match` (428 without)."""
    return await webhooks.change(session, webhook_id, if_match, body, settings)


@router.delete(
    "/webhooks/{webhook_id}",
    operation_id="delete_webhook",
    summary="Delete a webhook",
    status_code=204,
    dependencies=admins,
)
async def delete_webhook(webhook_id: IdPath, session: SessionOf) -> Response:
    """With its delivery log; what waits for it is not sent any more."""
    await webhooks.delete(session, webhook_id)
    return Response(status_code=204)


@router.post(
    "/webhooks/{webhook_id}/secret",
    operation_id="renew_webhook_secret",
    summary="A new secret",
    dependencies=admins,
)
async def renew_webhook_secret(webhook_id: IdPath, session: SessionOf, response: Response) -> WebhookCreated:
    """It is shown this once; the old one signs nothing from now on."""
    response.headers["Cache-Control"] = "no-store"
    return await webhooks.renew_secret(session, webhook_id)


@router.post("/webhooks/{webhook_id}/test", operation_id="test_webhook", summary="Send a test")
async def test_webhook(webhook_id: IdPath, principal: Admin, database: DatabaseOf, request: Request) -> Delivery:
    """A notice of type `test` goes out at once, with one try; the answer says how it went."""
    return await webhooks.test(database, dispatcher(request), webhook_id, principal.name)


@router.get(
    "/webhooks/{webhook_id}/deliveries",
    operation_id="list_deliveries",
    summary="Delivery log",
    dependencies=admins,
)
async def list_deliveries(
    webhook_id: IdPath, session: SessionOf, cursor: Cursor = None, limit: Limit = 50
) -> Page[Delivery]:
    """The newest first; kept for 30 days."""
    return await webhooks.list_deliveries(session, webhook_id, cursor, limit)


@router.post(
    "/webhooks/{webhook_id}/deliveries/{delivery_id}/retry",
    operation_id="retry_delivery",
    summary="Send it again",
    status_code=202,
    dependencies=admins,
)
async def retry_delivery(
    webhook_id: IdPath, delivery_id: Annotated[int, Path(ge=1, lt=2**63)], session: SessionOf
) -> Delivery:
    """It is due now, with all its tries before it. The receiver knows it by its `webhook-id`, which stays."""
    return await webhooks.send_again(session, webhook_id, delivery_id)


@router.get("/notices", operation_id="list_notices", summary="What was told", dependencies=[Depends(require("viewer"))])
async def list_notices(session: SessionOf, cursor: Cursor = None, limit: Limit = 50) -> Page[Notice]:
    """The newest first, also those that nobody was sent; kept for 30 days."""
    return await webhooks.list_notices(session, cursor, limit)
