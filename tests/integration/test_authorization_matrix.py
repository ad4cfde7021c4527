"""Every route x method x role: who is let in. A route without a decision fails, and so does a new public one."""

import re
from collections.abc import Iterator

import httpx
import pytest
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute, Route

PUBLIC = {
    ("GET", "/login"),
    ("GET", "/api/v1/health"),
    ("GET", "/{path:path}"),  # the UI: it holds no data
}
OWN_CHECK = {"/api/v1/prefect/api/{path:path}"}
"""Takes Prefect's Basic scheme; tested by itself below."""
ROLES = ("viewer", "operator", "admin", "worker")
RANK = {"viewer": 1, "operator": 2, "admin": 3}
WORKER_ONLY = {"/api/v1/ingest/", "/api/v1/workers/hello"}


def flat(routes: list[BaseRoute]) -> Iterator[BaseRoute]:
    """All routes, also those of routers inside routers."""
    for route in routes:
        inner = getattr(route, "routes", None) or getattr(getattr(route, "original_router", None), "routes", None)
        if inner and not isinstance(route, APIRoute):
            yield from flat(inner)
        else:
            yield route


def decisions(route: APIRoute) -> list[tuple[str, ...]]:
    """What the dependencies of a route decide; one entry for each `require` and `public`."""
    found, waiting = [], [route.dependant]
    while waiting:
        dependant = waiting.pop()
        if hasattr(dependant.call, "roles"):
            found.append(tuple(dependant.call.roles))
        waiting += dependant.dependencies
    return found


def guarded(app) -> list[tuple[str, APIRoute, list[tuple[str, ...]]]]:
    return [
        (method, route, decisions(route))
        for route in flat(app.routes)
        if isinstance(route, APIRoute) and route.path not in OWN_CHECK
        for method in sorted(route.methods)
    ]


def may(role: str, wanted: tuple[str, ...]) -> bool:
    if role == "admin":
        return True
    if role == "worker":
        return "worker" in wanted
    return any(RANK[role] >= RANK[one] for one in wanted if one != "worker")


async def test_every_route_has_a_decision(app):
    found = guarded(app)
    assert len(found) > 30
    undecided = [(method, route.path) for method, route, wanted in found if not wanted]
    assert undecided == []
    public = {(method, route.path) for method, route, wanted in found if not any(wanted)}
    assert public == PUBLIC
    others = [route.path for route in flat(app.routes) if type(route) is Route]
    assert set(others) <= {"/api/v1/openapi.json"}  # the document of the API: the same for all


async def test_the_listing_sees_the_routes_that_the_document_has(app):
    document = {
        (method.upper(), path) for path, methods in app.openapi()["paths"].items() for method in methods
        if method in {"get", "put", "post", "delete", "patch", "head"}
    }  # fmt: skip
    seen = {(method, re.sub(r":\w+}", "}", route.path)) for method, route, _ in guarded(app)}
    assert document <= seen


@pytest.fixture
async def tokens(admin):
    made = {}
    for role in ROLES:
        made[role] = (await admin.post("/api/v1/tokens", json={"name": role, "role": role})).json()["token"]
    return made


async def test_roles_get_in_where_the_decision_says_so(app, tokens):
    transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=20) as client:
        for method, route, wanted in guarded(app):
            if not any(wanted) or route.path == "/api/v1/stream":
                continue
            path = re.sub(r"{\w+(:\w+)?}", "0" * 64, route.path)
            assert (await client.request(method, path)).status_code == 401, (method, path)
            bad = {"Authorization": "Bearer hr_" + "x" * 43}
            assert (await client.request(method, path, headers=bad)).status_code == 401, (method, path)
            for role in ROLES:
                headers = {"Authorization": f"Bearer {tokens[role]}"}
                answer = await client.request(method, path, headers=headers)
                let_in = answer.status_code not in {401, 403}
                assert let_in is all(may(role, one) for one in wanted), (method, path, role, answer.text)
                assert answer.status_code != 500, (method, path, role)


async def test_the_stream_is_for_viewers(app, tokens, anonymous):
    url = "/api/v1/stream?types=nothing"  # 422 once it is let in: a real stream does not end
    assert (await anonymous.get(url)).status_code == 401
    for role, status in [("viewer", 422), ("operator", 422), ("admin", 422), ("worker", 403)]:
        headers = {"Authorization": f"Bearer {tokens[role]}"}
        assert (await anonymous.get(url, headers=headers)).status_code == status


async def test_only_workers_report(app):
    for method, route, wanted in guarded(app):
        if any(route.path.startswith(prefix) for prefix in WORKER_ONLY):
            assert wanted == [("worker",)], (method, route.path)


async def test_the_door_to_prefect_is_for_workers(app, tokens, anonymous):
    url = "/api/v1/prefect/api/health"
    assert (await anonymous.get(url)).status_code == 401
    for role, status in [("viewer", 401), ("operator", 401), ("worker", 503)]:  # 503: let in, and no Prefect behind it
        answer = await anonymous.get(url, auth=("worker", tokens[role]))
        assert answer.status_code == status, role
