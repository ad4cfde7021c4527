"""Tokens, roles, login links and browser sessions through the real API."""

import re

import httpx
import pytest
from sqlalchemy import text

from app.services.auth import digest_of
from app.settings import Settings


async def make_token(admin, role, **fields):
    answer = await admin.post("/api/v1/tokens", json={"name": f"a {role}", "role": role, **fields})
    assert answer.status_code == 201, answer.text
    return answer.json()


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


async def test_a_token_is_shown_once_and_kept_as_a_hash(admin, database):
    made = await make_token(admin, "viewer")
    assert re.fullmatch(r"hr_[\w-]{43}", made["token"])
    listed = (await admin.get("/api/v1/tokens")).json()["items"]
    assert made["id"] in {token["id"] for token in listed}
    assert made["token"] not in str(listed)
    async with database.begin() as session:
        stored = (await session.execute(text("SELECT * FROM tokens"))).all()
    assert made["token"] not in str(stored)
    assert digest_of(made["token"]) in str(stored)


async def test_roles_are_ordered_and_worker_stands_apart(admin, anonymous):
    for role, may_list_workers, may_make_tokens in [
        ("viewer", True, False),
        ("operator", True, False),
        ("admin", True, True),
        ("worker", True, False),
    ]:
        headers = bearer((await make_token(admin, role))["token"])
        answer = await anonymous.get("/api/v1/workers", headers=headers)
        assert (answer.status_code == 200) is may_list_workers, role
        answer = await anonymous.get("/api/v1/tokens", headers=headers)
        assert answer.status_code == (200 if may_make_tokens else 403), role


async def test_a_viewer_cannot_speak_as_a_worker(admin, anonymous):
    headers = bearer((await make_token(admin, "operator"))["token"])
    hello = {"name": "w", "pool": "cpu", "host": "h", "version": "1", "spec_version": 1}
    assert (await anonymous.post("/api/v1/workers/hello", json=hello, headers=headers)).status_code == 403


async def test_revoked_and_expired_tokens_are_refused(admin, anonymous, database):
    made = await make_token(admin, "viewer")
    assert (await anonymous.get("/api/v1/workers", headers=bearer(made["token"]))).status_code == 200
    assert (await admin.delete(f"/api/v1/tokens/{made['id']}")).status_code == 204
    assert (await anonymous.get("/api/v1/workers", headers=bearer(made["token"]))).status_code == 401
    assert (await admin.delete(f"/api/v1/tokens/{made['id']}")).status_code == 404

    old = await make_token(admin, "viewer", expires_at="2020-01-01T00:00:00Z")
    assert (await anonymous.get("/api/v1/workers", headers=bearer(old["token"]))).status_code == 401


async def test_bad_credentials_get_401_and_say_how(anonymous):
    for header in (b"Bearer", b"Bearer hr_", b"Bearer nonsense", b"Basic aHI6aHI=", b"hr_x", b"Bearer \xff"):
        answer = await anonymous.get("/api/v1/workers", headers={"Authorization": header})
        assert answer.status_code == 401, header
        assert answer.headers["www-authenticate"] == "Bearer"
        assert "headrace login" in answer.json()["detail"]


async def log_in(admin, anonymous):
    link = (await admin.post("/api/v1/auth/login-link")).json()
    answer = await anonymous.get(f"/login?code={link['code']}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/"
    return link, answer


async def test_a_login_link_works_once_and_makes_a_strict_cookie(admin, anonymous):
    link, answer = await log_in(admin, anonymous)
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert link["url"].endswith(f"/login?code={link['code']}")
    session = (await anonymous.get("/api/v1/auth/session")).json()
    assert session["role"] == "admin"
    assert session["csrf_token"]
    anonymous.cookies.clear()
    assert (await anonymous.get(f"/login?code={link['code']}")).status_code == 400
    assert (await anonymous.get("/api/v1/auth/session")).status_code == 401


async def test_an_old_login_code_is_refused(admin, anonymous, database):
    link = (await admin.post("/api/v1/auth/login-link")).json()
    async with database.begin() as session:
        await session.execute(text("UPDATE login_codes SET expires_at = now() - interval '1 second'"))
    assert (await anonymous.get(f"/login?code={link['code']}")).status_code == 400


async def test_cookie_writes_need_the_csrf_token(admin, anonymous):
    await log_in(admin, anonymous)
    csrf = (await anonymous.get("/api/v1/auth/session")).json()["csrf_token"]
    body = {"name": "x", "role": "viewer"}
    assert (await anonymous.post("/api/v1/tokens", json=body)).status_code == 403
    wrong = {"X-CSRF-Token": csrf[:-1] + ("0" if csrf[-1] != "0" else "1")}
    assert (await anonymous.post("/api/v1/tokens", json=body, headers=wrong)).status_code == 403
    assert (await anonymous.post("/api/v1/tokens", json=body, headers={"X-CSRF-Token": csrf})).status_code == 201


async def test_logout_ends_the_session_on_the_server(admin, anonymous):
    await log_in(admin, anonymous)
    session = (await anonymous.get("/api/v1/auth/session")).json()
    stolen = dict(anonymous.cookies)
    answer = await anonymous.post("/api/v1/auth/logout", headers={"X-CSRF-Token": session["csrf_token"]})
    assert answer.status_code == 204
    assert (await anonymous.get("/api/v1/auth/session")).status_code == 401
    anonymous.cookies.update(stolen)
    assert (await anonymous.get("/api/v1/auth/session")).status_code == 401


async def test_revoking_a_token_ends_its_browser_sessions(admin, anonymous):
    made = await make_token(admin, "operator")
    link = (await anonymous.post("/api/v1/auth/login-link", headers=bearer(made["token"]))).json()
    await anonymous.get(f"/login?code={link['code']}")
    assert (await anonymous.get("/api/v1/auth/session")).json()["role"] == "operator"
    await admin.delete(f"/api/v1/tokens/{made['id']}")
    assert (await anonymous.get("/api/v1/auth/session")).status_code == 401


async def test_two_services_on_one_host_keep_their_own_sessions(admin, anonymous, app):
    await log_in(admin, anonymous)
    other = httpx.AsyncClient(
        transport=httpx.ASGITransport(app=app), base_url="http://127.0.0.1:8001", cookies=anonymous.cookies
    )
    link = (await admin.post("/api/v1/auth/login-link")).json()
    await other.get(f"/login?code={link['code']}")
    assert len({cookie.name for cookie in other.cookies.jar}) == 2


async def test_a_changed_admin_token_ends_the_old_one(settings, anonymous, admin, app):
    from app.services.auth import put_bootstrap_tokens

    assert (await admin.get("/api/v1/tokens")).status_code == 200
    changed = Settings(**(settings.model_dump() | {"admin_token": "hr_" + "n" * 40, "worker_token": ""}))
    async with app.state.database.begin() as session:
        await put_bootstrap_tokens(session, changed)
    assert (await admin.get("/api/v1/tokens")).status_code == 401
    assert (await anonymous.get("/api/v1/tokens", headers=bearer("hr_" + "n" * 40))).status_code == 200


async def test_a_weak_token_in_the_settings_is_an_error(settings, app):
    from app.services.auth import put_bootstrap_tokens

    weak = Settings(**(settings.model_dump() | {"admin_token": "secret"}))
    with pytest.raises(ValueError, match="HEADRACE_ADMIN_TOKEN must begin with hr_"):
        async with app.state.database.begin() as session:
            await put_bootstrap_tokens(session, weak)
