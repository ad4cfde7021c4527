"""Health of the service and its parts."""

from fastapi import APIRouter, Depends, Request, Response

from app.routes.deps import identify, public
from app.schemas import Health
from app.services.health import VITAL, HealthCheck, without_details

router = APIRouter(tags=["health"])


@router.get("/api/v1/health", operation_id="get_health", dependencies=[Depends(public)])
async def get_health(request: Request, response: Response) -> Health:
    """Which parts are well; with a token also why not. 503 when the database or the store is away."""
    check: HealthCheck = request.app.state.health
    health = await check.look()
    ill = {part.name for part in health.parts if not part.ok}
    if ill & VITAL:
        response.status_code = 503
        response.headers["Retry-After"] = "5"
    if "database" in ill or await identify(request) is None:
        return without_details(health)
    return health
