"""The audit log: each change through the API leaves one row, in its transaction; nobody alters it; only admins read."""

import asyncio

import pytest
from sqlalchemy import text

from app.services.audit import ACTIONS

DOCUMENT = "d1"


class Cases:
    """One change for each operation that is audited: makes it, and returns the id of what was changed."""

    def __init__(self, api, launch, report, store_dataset):
        self.api, self.launch, self.report, self.store_dataset = api, launch, report, store_dataset

    async def _ok(self, method, path, **more):
        answer = await self.api.request(method, f"/api/v1{path}", **more)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    async def launch_run(self):
        return (await self.launch(name="audited"))["id"]

    async def cancel_run(self):
        run = await self.launch()
        await self._ok("POST", f"/runs/{run['id']}/cancel")
        return run["id"]

    async def retry_run(self):
        run = await self.launch()
        await self._ok("POST", f"/runs/{run['id']}/cancel")
        return (await self._ok("POST", f"/runs/{run['id']}/retry"))["id"]

    async def send_command(self):
        run = await self.launch()
        await self.report(run["id"], state="running")
        await self._ok("POST", f"/runs/{run['id']}/commands", json={"kind": "set_lr_scale", "arguments": {"value": 2}})
        return run["id"]

    async def delete_run(self):
        run = await self.launch(name="to be deleted")
        await self._ok("POST", f"/runs/{run['id']}/cancel")
        await self._ok("DELETE", f"/runs/{run['id']}", params={"confirm": "to be deleted"})
        return run["id"]

    async def acknowledge_finding(self):
        run = await self.launch()
        finding = {"id": "f1", "detector": "spike", "step": 1, "message": "a spike"}
        await self.report(run["id"], state="running", findings=[finding])
        await self._ok("PUT", f"/runs/{run['id']}/findings/f1/acknowledgement")
        return f"{run['id']}/f1"

    async def withdraw_acknowledgement(self):
        target = await self.acknowledge_finding()
        await self._ok("DELETE", f"/runs/{target.replace('/', '/findings/')}/acknowledgement")
        return target

    async def create_token(self):
        return (await self._ok("POST", "/tokens", json={"name": "t", "role": "viewer"}))["id"]

    async def revoke_token(self):
        token_id = await self.create_token()
        await self._ok("DELETE", f"/tokens/{token_id}")
        return token_id

    async def create_login_link(self):
        await self._ok("POST", "/auth/login-link")
        return "bootstrap-admin"

    async def log_out(self):
        link = await self._ok("POST", "/auth/login-link")
        assert (await self.api.get(f"/login?code={link['code']}")).status_code == 303
        session_id = (await self._ok("GET", "/auth/sessions"))["items"][0]["id"]
        await self._ok("POST", "/auth/logout")
        return session_id

    async def end_session(self):
        link = await self._ok("POST", "/auth/login-link")
        await self.api.get(f"/login?code={link['code']}")
        session_id = (await self._ok("GET", "/auth/sessions"))["items"][0]["id"]
        await self._ok("DELETE", f"/auth/sessions/{session_id}")
        return session_id

    async def create_user_login_link(self):
        user_id = await self.create_user()
        await self._ok("POST", f"/users/{user_id}/login-link")
        return user_id

    async def create_project(self):
        return (await self._ok("POST", "/projects", json={"id": "tides"}))["id"]

    async def change_project(self):
        project = await self.create_project()
        await self._ok("PATCH", f"/projects/{project}", json={"max_running": 3}, headers={"If-Match": "*"})
        return project

    async def delete_project(self):
        project = await self.create_project()
        await self._ok("DELETE", f"/projects/{project}")
        return project

    async def create_user(self):
        return (await self._ok("POST", "/users", json={"name": "Ada", "roles": {"default": "viewer"}}))["id"]

    async def change_user(self):
        user_id = await self.create_user()
        await self._ok("PATCH", f"/users/{user_id}", json={"disabled": True}, headers={"If-Match": "*"})
        return user_id

    async def delete_user(self):
        user_id = await self.create_user()
        await self._ok("DELETE", f"/users/{user_id}")
        return user_id

    async def put_label(self):
        digest = await self.store_dataset()
        await self._ok("POST", "/labels", json={"dataset": digest, "document_id": DOCUMENT, "score": 4})
        return f"{digest}/{DOCUMENT}"

    async def delete_label(self):
        target = await self.put_label()
        await self._ok("DELETE", f"/labels/{target}")
        return target

    async def delete_dataset_version(self):
        digest = await self.store_dataset()
        await self._ok("DELETE", f"/datasets/versions/{digest}", params={"confirm": "pages@1"})
        return digest

    async def collect_garbage(self):
        await self._ok("POST", "/gc", json={"apply": True, "grace_hours": 1000})
        return "store"

    async def create_webhook(self):
        body = {"name": "chat", "url": "https://93.184.216.34/hook", "events": ["run.failed"]}
        return (await self._ok("POST", "/webhooks", json=body))["id"]

    async def edit_webhook(self):
        webhook_id = await self.create_webhook()
        await self._ok("PATCH", f"/webhooks/{webhook_id}", json={"enabled": False}, headers={"If-Match": "*"})
        return webhook_id

    async def delete_webhook(self):
        webhook_id = await self.create_webhook()
        await self._ok("DELETE", f"/webhooks/{webhook_id}")
        return webhook_id

    async def renew_webhook_secret(self):
        webhook_id = await self.create_webhook()
        await self._ok("POST", f"/webhooks/{webhook_id}/secret")
        return webhook_id

    async def test_webhook(self):
        webhook_id = await self.create_webhook()
        await self._ok("POST", f"/webhooks/{webhook_id}/test")
        return webhook_id

    async def retry_delivery(self):
        webhook_id = await self.test_webhook()
        (row,) = (await self._ok("GET", f"/webhooks/{webhook_id}/deliveries"))["items"]
        await self._ok("POST", f"/webhooks/{webhook_id}/deliveries/{row['id']}/retry")
        return webhook_id


@pytest.fixture
def store_dataset(launch, report):
    async def call():
        run = await launch(spec={"kind": "training", "name": "pages"})
        digest = "sha256:" + "a" * 64
        artifact = {"kind": "dataset", "name": "pages", "digest": digest, "files": [], "metadata": {}}
        assert (await report(run["id"], state="running", artifacts=[artifact])).status_code == 200
        assert (await report(run["id"], state="completed")).status_code == 200
        return digest

    return call


ON_PREFECT = {"create_schedule", "edit_schedule", "delete_schedule", "run_schedule"}
"""They need a real one: test_schedules_api.py."""


@pytest.mark.parametrize("operation", sorted(ACTIONS.keys() - ON_PREFECT))
async def test_each_change_leaves_its_row(operation, api, launch, report, store_dataset):
    target = await getattr(Cases(api, launch, report, store_dataset), operation)()
    found = (await api.get("/api/v1/audit", params={"action": ACTIONS[operation]})).json()["items"]
    assert [row["target"] for row in found][:1] == [target]
    assert found[0]["actor"] == "bootstrap-admin"
    assert len(found[0]["request_id"]) == 26


async def test_a_row_says_what_was_before_and_after(api, launch):
    run = await launch()
    answer = await api.post(f"/api/v1/runs/{run['id']}/cancel")
    row = (await api.get("/api/v1/audit", params={"target": run["id"], "action": "run.cancel"})).json()["items"][0]
    assert (row["before"], row["after"]) == ({"state": "queued"}, {"state": "cancelled"})
    assert row["request_id"] == answer.headers["x-request-id"]
    await api.post(f"/api/v1/runs/{run['id']}/cancel")  # it has ended: nothing changes
    again = (await api.get("/api/v1/audit", params={"target": run["id"], "action": "run.cancel"})).json()["items"]
    assert len(again) == 1


async def test_a_refused_change_and_a_replay_leave_none(api):
    body = {"spec": {"kind": "training", "name": "toy"}}
    answers = [await api.post("/api/v1/runs", json=body, headers={"Idempotency-Key": "k"}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert (await api.post("/api/v1/runs", json={"spec": {"kind": "training", "lr": "x"}})).status_code == 422
    assert len((await api.get("/api/v1/audit", params={"action": "run.launch"})).json()["items"]) == 1


async def test_no_secret_stands_in_the_log(api, database):
    token = (await api.post("/api/v1/tokens", json={"name": "t", "role": "viewer"})).json()["token"]
    code = (await api.post("/api/v1/auth/login-link")).json()["code"]
    await api.get(f"/login?code={code}")
    async with database.begin() as session:
        rows = str((await session.execute(text("SELECT * FROM audit"))).all())
    assert "token.create" in rows
    assert token not in rows
    assert code not in rows


async def test_the_database_refuses_to_alter_the_log(api, database):
    await api.post("/api/v1/tokens", json={"name": "t", "role": "viewer"})
    for statement in ("UPDATE audit SET actor = 'another'", "DELETE FROM audit", "TRUNCATE audit"):
        with pytest.raises(Exception, match="added only"):
            async with database.begin() as session:
                await session.execute(text(statement))
    assert len((await api.get("/api/v1/audit")).json()["items"]) == 1


async def test_pages_and_filters(api, launch):
    await asyncio.gather(*(launch(name=f"r{i}") for i in range(5)))
    await api.post("/api/v1/tokens", json={"name": "t", "role": "viewer"})
    ids, cursor = [], None
    while True:
        params = {"limit": 2} | ({"cursor": cursor} if cursor else {})
        page = (await api.get("/api/v1/audit", params=params)).json()
        ids += [row["id"] for row in page["items"]]
        cursor = page["next_cursor"]
        if not cursor:
            break
    assert len(ids) == 6
    assert ids == sorted(ids, reverse=True)
    assert (await api.get("/api/v1/audit", params={"actor": "nobody"})).json()["items"] == []
    assert (await api.get("/api/v1/audit", params={"since": "2999-01-01T00:00:00Z"})).json()["items"] == []
    assert len((await api.get("/api/v1/audit", params={"action": "token.create"})).json()["items"]) == 1
    assert (await api.get("/api/v1/audit", params={"cursor": "nonsense"})).status_code == 422
    assert (await api.get("/api/v1/audit", params={"action": "run.explode"})).status_code == 422
