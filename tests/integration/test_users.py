"""Users: roles by project, tokens that never may more than their user, login links and sessions."""

import httpx
import pytest

SPEC = {"spec": {"kind": "training", "name": "toy"}}


@pytest.fixture
async def ada(api):
    for project in ("left", "right", "third"):
        await api.post("/api/v1/projects", json={"id": project})
    body = {"name": "Ada", "email": "ada@example.org", "roles": {"left": "operator", "right": "viewer"}}
    made = await api.post("/api/v1/users", json=body)
    assert made.status_code == 201, made.text
    return made.json()


def client(core, token=None, agent="a browser"):
    headers = {"User-Agent": agent} | ({"Authorization": f"Bearer {token}"} if token else {})
    transport = httpx.ASGITransport(core, raise_app_exceptions=False)
    return httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)


async def token_of(api, user, **more):
    body = {"name": "laptop", "role": "admin", "user_id": user["id"]} | more
    made = await api.post("/api/v1/tokens", json=body)
    assert made.status_code == 201, made.text
    return made.json()["token"]


async def log_in(core, api, user, agent="a browser"):
    link = (await api.post(f"/api/v1/users/{user['id']}/login-link")).json()
    browser = client(core, agent=agent)
    assert (await browser.get(f"/login?code={link['code']}")).status_code == 303
    session = (await browser.get("/api/v1/auth/session")).json()
    browser.headers["X-CSRF-Token"] = session["csrf_token"]
    return browser, session


async def test_a_token_may_what_its_user_may_and_no_more(api, core, ada):
    hers = client(core, await token_of(api, ada))
    assert (await hers.get("/api/v1/auth/session")).json()["roles"] == {"left": "operator", "right": "viewer"}
    run = await hers.post("/api/v1/runs", json=SPEC)
    assert (run.status_code, run.json()["project"]) == (201, "left")
    assert (await hers.post("/api/v1/runs?project=right", json=SPEC)).status_code == 403
    assert (await hers.get("/api/v1/tokens")).status_code == 403
    theirs = (await api.post("/api/v1/runs?project=right", json=SPEC)).json()["id"]
    hidden = (await api.post("/api/v1/runs?project=third", json=SPEC)).json()["id"]
    assert (await hers.get(f"/api/v1/runs/{theirs}")).status_code == 200
    assert (await hers.get(f"/api/v1/runs/{hidden}")).status_code == 404
    refused = await hers.post(f"/api/v1/runs/{theirs}/cancel")
    assert refused.status_code == 404
    assert "where your role allows this" in refused.json()["detail"]
    narrow = client(core, await token_of(api, ada, role="viewer", project="left"))
    assert (await narrow.get("/api/v1/auth/session")).json()["roles"] == {"left": "viewer"}


async def test_a_changed_role_holds_from_the_next_request_on(api, core, ada):
    hers = client(core, await token_of(api, ada))
    await api.patch(f"/api/v1/users/{ada['id']}", json={"roles": {"left": "viewer"}}, headers={"If-Match": "*"})
    assert (await hers.post("/api/v1/runs", json=SPEC)).status_code == 403
    changed = await api.patch(f"/api/v1/users/{ada['id']}", json={"is_admin": True}, headers={"If-Match": "*"})
    assert changed.json()["roles"] == {"left": "viewer"}  # what is left out stays
    assert (await hers.get("/api/v1/users")).status_code == 200
    await api.patch(f"/api/v1/users/{ada['id']}", json={"is_admin": False, "roles": {}}, headers={"If-Match": "*"})
    assert (await hers.get("/api/v1/runs")).status_code == 401


async def test_a_login_link_makes_a_session_of_the_user(api, core, ada):
    browser, session = await log_in(core, api, ada)
    assert (session["name"], session["roles"]["left"]) == ("Ada", "operator")
    assert (await browser.post("/api/v1/runs", json=SPEC)).status_code == 201
    made = (await api.get("/api/v1/audit", params={"actor": "Ada"})).json()["items"]
    assert [row["action"] for row in made] == ["run.launch", "session.start"]
    link = (await browser.post("/api/v1/auth/login-link")).json()  # a second browser, by herself
    second = client(core)
    await second.get(f"/login?code={link['code']}")
    assert (await second.get("/api/v1/auth/session")).json()["name"] == "Ada"


async def test_sessions_are_listed_and_ended(api, core, ada):
    first, _ = await log_in(core, api, ada, agent="Firefox")
    second, _ = await log_in(core, api, ada, agent="Safari")
    eve = (await api.post("/api/v1/users", json={"name": "Eve", "roles": {"left": "admin"}})).json()
    stranger, _ = await log_in(core, api, eve)
    listed = (await first.get("/api/v1/auth/sessions")).json()["items"]
    assert {(row["agent"], row["current"]) for row in listed} == {("Firefox", True), ("Safari", False)}
    other = next(row["id"] for row in listed if not row["current"])
    assert (await stranger.delete(f"/api/v1/auth/sessions/{other}")).status_code == 404
    assert (await first.delete(f"/api/v1/auth/sessions/{other}")).status_code == 204
    assert (await second.get("/api/v1/runs")).status_code == 401
    assert (await first.get("/api/v1/runs")).status_code == 200
    assert {row["name"] for row in (await api.get("/api/v1/auth/sessions")).json()["items"]} == {"Ada", "Eve"}


async def test_a_disabled_user_is_out_at_once(api, core, ada):
    browser, _ = await log_in(core, api, ada)
    hers = client(core, await token_of(api, ada))
    await api.patch(f"/api/v1/users/{ada['id']}", json={"disabled": True}, headers={"If-Match": "*"})
    for caller in (browser, hers):
        assert (await caller.get("/api/v1/runs")).status_code == 401
    assert (await api.post(f"/api/v1/users/{ada['id']}/login-link")).status_code == 409
    await api.patch(f"/api/v1/users/{ada['id']}", json={"disabled": False}, headers={"If-Match": "*"})
    assert (await hers.get("/api/v1/runs")).status_code == 200
    assert (await browser.get("/api/v1/runs")).status_code == 401  # its session has ended
    assert (await api.delete(f"/api/v1/users/{ada['id']}")).status_code == 204
    assert (await hers.get("/api/v1/runs")).status_code == 401
    assert (await api.delete(f"/api/v1/users/{ada['id']}")).status_code == 404


async def test_nobody_makes_a_token_above_themselves(api, core, ada):
    made = (await api.post("/api/v1/tokens", json={"name": "l", "role": "admin", "project": "left"})).json()
    left = client(core, made["token"])
    own = await left.post("/api/v1/tokens", json={"name": "x", "role": "viewer"})
    assert own.status_code == 201
    listed = (await left.get("/api/v1/tokens")).json()["items"]
    assert {row["project"] for row in listed} == {"left"}
    assert (
        await left.post("/api/v1/tokens", json={"name": "x", "role": "viewer", "project": "right"})
    ).status_code == 403
    assert (await left.post("/api/v1/tokens", json={"name": "x", "role": "worker"})).status_code == 422
    theirs = {"name": "x", "role": "viewer", "user_id": ada["id"]}
    assert (await left.post("/api/v1/tokens", json=theirs)).status_code == 422
    assert (await left.post("/api/v1/users", json={"name": "x"})).status_code == 403
    assert (await left.post("/api/v1/gc", json={"apply": False})).status_code == 403
    proxy = await client(core).get("/api/v1/prefect/api/health", auth=("worker", made["token"]))
    assert proxy.status_code == 401


async def test_wrong_users_are_refused_with_the_field(api, ada):
    for body, pointer in [
        ({"name": ""}, "/name"),
        ({"name": "x", "email": "nobody"}, "/email"),
        ({"name": "x", "roles": {"left": "worker"}}, "/roles/left"),
        ({"name": "x", "roles": {"nowhere": "viewer"}}, "/roles/nowhere"),
    ]:
        answer = await api.post("/api/v1/users", json=body)
        assert answer.status_code == 422, body
        assert answer.json()["errors"][0]["pointer"] == pointer
    assert (await api.post("/api/v1/users", json={"name": "Ada"})).status_code == 409
