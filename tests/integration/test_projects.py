"""Projects: every id of one crossed with the callers of another; lists, stream and specs keep apart too; places."""

import asyncio
import hashlib
import re

import httpx
import pytest
from sqlalchemy import text
from test_authorization_matrix import guarded

from app.db import SCOPE
from app.services import launch as launching

EVERYWHERE_ONLY = {
    "change_project", "delete_project", "get_user", "change_user", "delete_user", "create_user_login_link",
    "get_webhook", "edit_webhook", "delete_webhook", "renew_webhook_secret", "test_webhook", "list_deliveries",
    "retry_delivery", "stat_blob", "get_blob", "put_blob", "touch_blob", "ingest_batch", "ingest_evaluation_items",
}  # fmt: skip
"""Operations that a caller of single projects never has: 403 before anything is looked up."""
BODIES = {
    "send_command": {"kind": "stop"},
    "change_project": {"description": "x"},
    "change_user": {"is_admin": True},
}


@pytest.fixture
async def members(api, core):
    """Clients: an admin of the project `left`, and one of `right`."""
    transport = httpx.ASGITransport(core, raise_app_exceptions=False)
    found = {}
    for name in ("left", "right"):
        made = await api.post("/api/v1/projects", json={"id": name})
        assert made.status_code == 201, made.text
        token = await api.post("/api/v1/tokens", json={"name": name, "role": "admin", "project": name})
        headers = {"Authorization": f"Bearer {token.json()['token']}"}
        found[name] = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", headers=headers)
        found[f"{name}_token"] = token.json()["id"]
    return found


@pytest.fixture
async def things(api, worker_api, members, report):
    """One of everything in the project `left`, and its ids."""
    left = members["left"]
    run = (await left.post("/api/v1/runs", json={"spec": {"kind": "training", "name": "secret"}})).json()
    run_id = run["id"]
    content = b'{"text": "secret"}'
    sha256 = hashlib.sha256(content).hexdigest()
    assert (await worker_api.put(f"/api/v1/blobs/{sha256}", content=content)).status_code == 204
    digest = "sha256:" + "5" * 64
    files = [{"path": "samples.jsonl", "sha256": sha256, "num_bytes": len(content)}]
    score = {"task": "cloze", "metric": "accuracy", "value": 0.5, "low": 0.4, "high": 0.6, "num_items": 1}
    artifacts = [
        {"kind": "dataset", "name": "secret", "digest": digest, "files": files, "metadata": {}},
        {"kind": "evaluation", "name": "e", "digest": "sha256:" + "6" * 64, "files": files,
         "metadata": {"results": [score]}},
        {"kind": "checkpoint", "name": "c", "digest": "sha256:" + "7" * 64, "step": 1, "files": files, "metadata": {}},
    ]  # fmt: skip
    metrics = [{"key": "loss", "steps": [1], "values": [2.0], "times": [1.0]}]
    seen = {"id": "f1", "detector": "spike", "step": 1, "message": "secret"}
    answer = await report(run_id, state="running", metrics=metrics, artifacts=artifacts, findings=[seen])
    assert answer.status_code == 200, answer.text
    label = {"dataset": digest, "document_id": "d", "score": 3}
    assert (await left.post("/api/v1/labels", json=label)).status_code == 200
    other = (await left.post("/api/v1/runs", json={"spec": {"kind": "training", "name": "gone"}})).json()["id"]
    await left.post(f"/api/v1/runs/{other}/cancel")
    evaluation = (await left.get("/api/v1/evaluations")).json()["items"][0]["id"]
    link = (await left.post("/api/v1/auth/login-link")).json()
    await left.get(f"/login?code={link['code']}")
    session = (await left.get("/api/v1/auth/sessions")).json()["items"][0]["id"]
    left.cookies.clear()
    user = (await api.post("/api/v1/users", json={"name": "ada", "roles": {"left": "admin"}})).json()["id"]
    return {
        "run_id": run_id, "ended": other, "digest": digest, "dataset": digest, "document_id": "d", "key": "loss",
        "evaluation_id": evaluation, "path": "samples.jsonl", "name": "secret", "token_id": members["left_token"],
        "other_id": evaluation, "finding_id": "f1",
        "session_id": session, "project_id": "left", "user_id": user, "sha256": sha256,
        "webhook_id": "w", "delivery_id": "1",
    }  # fmt: skip


def fill(path, things):
    """The path with the ids of the other project. KeyError: a new kind of id; say above how it is made."""
    return re.sub(r"{(\w+)(:\w+)?}", lambda found: things[found[1]], path)


async def test_every_id_of_another_project_answers_as_if_it_were_not_there(core, members, things):
    names = {route.operation_id for _, route, _ in guarded(core)}
    assert names >= EVERYWHERE_ONLY
    tried = 0
    for method, route, _ in guarded(core):
        if "{" not in route.path or route.operation_id is None or route.path == "/{path:path}":
            continue
        if route.operation_id in {"get_operation", "get_preset"} or route.path.startswith("/api/v1/schedules/"):
            continue  # tried below; the same for all; and Prefect has them: test_schedules_api.py
        path = fill(route.path, things)
        answer = await members["right"].request(method, path, json=BODIES.get(route.operation_id))
        wanted = 403 if route.operation_id in EVERYWHERE_ONLY else 404
        assert answer.status_code == wanted, (method, path, answer.status_code, answer.text[:200])
        assert "secret" not in answer.text.replace(path, "").replace("'secret'", "")
        tried += 1
        if method == "GET" and route.operation_id not in EVERYWHERE_ONLY:
            own = await members["left"].get(path)
            assert own.status_code != 404, (path, own.text[:200])
    assert tried > 25
    assert (await members["left"].get(f"/api/v1/runs/{things['run_id']}")).json()["project"] == "left"


async def test_operations_belong_to_their_project(members, things, core):
    url = f"/api/v1/runs/{things['ended']}"
    assert (await members["right"].delete(url, params={"confirm": "gone"})).status_code == 404
    assert (await members["left"].delete(url, params={"confirm": "gone"})).is_success
    async with core.state.database.begin() as session:
        operation = await session.scalar(text("SELECT id FROM operations"))
    assert (await members["left"].get(f"/api/v1/operations/{operation}")).status_code == 200
    assert (await members["right"].get(f"/api/v1/operations/{operation}")).status_code == 404
    rows = (await members["left"].get("/api/v1/audit", params={"action": "run.delete"})).json()["items"]
    assert [row["project"] for row in rows] == ["left"]


async def test_lists_hold_what_is_ones_own(api, members, things):
    lists = ["/runs", "/datasets", "/evaluations", f"/runs?parent_id={things['run_id']}", "/auth/sessions",
             f"/evaluations?run_id={things['run_id']}", f"/labels?dataset={things['digest']}"]  # fmt: skip
    for url in lists:
        assert (await members["right"].get(f"/api/v1{url}")).json()["items"] == [], url
    for url in ("/runs", "/datasets", "/evaluations"):
        assert (await members["left"].get(f"/api/v1{url}")).json()["items"], url
        assert (await api.get(f"/api/v1{url}?project=left")).json()["items"], url
        assert (await api.get(f"/api/v1{url}?project=right")).json()["items"] == [], url
        header = {"X-Headrace-Project": "right"}
        assert (await api.get(f"/api/v1{url}", headers=header)).json()["items"] == [], url
    assert (await members["right"].get("/api/v1/attention")).json() == {"proposals": [], "findings": []}
    assert len((await members["left"].get("/api/v1/attention")).json()["findings"]) == 1
    assert [p["id"] for p in (await members["right"].get("/api/v1/projects")).json()["items"]] == ["right"]
    assert {t["project"] for t in (await members["right"].get("/api/v1/tokens")).json()["items"]} == {"right"}
    audit = (await members["right"].get("/api/v1/audit")).json()["items"]
    assert {row["project"] for row in audit} <= {"right"}
    compare = {"left": things["digest"], "right": things["digest"]}
    assert (await members["right"].get("/api/v1/datasets/compare", params=compare)).status_code == 404
    assert (await members["right"].get("/api/v1/labels/export", params={"dataset": things["digest"]})).text == ""
    assert (await members["right"].get("/api/v1/runs", params={"project": "left"})).status_code == 403


async def test_a_spec_may_not_name_what_its_author_does_not_see(api, members, things):
    body = {"spec": {"kind": "training", "name": "thief", "dataset": things["digest"]}}
    refused = await members["right"].post("/api/v1/runs", json=body)
    assert refused.status_code == 422, refused.text
    assert things["digest"] in refused.json()["errors"][0]["message"]
    assert (await members["left"].post("/api/v1/runs", json=body)).status_code == 201
    parent = {"spec": {"kind": "training", "name": "child"}, "parent_id": things["run_id"]}
    assert (await members["right"].post("/api/v1/runs", json=parent)).status_code == 404


async def test_the_stream_tells_of_ones_own_projects_only(core, members, things, report):
    hub = core.state.live
    async with (
        hub.subscribe(frozenset(), frozenset({"run"}), frozenset({"right"})) as (stranger, _),
        hub.subscribe(frozenset(), frozenset({"run"}), frozenset({"left"})) as (member, _),
    ):
        await report(things["run_id"], metrics=[{"key": "loss", "steps": [2], "values": [1.0], "times": [2.0]}])
        message = await asyncio.wait_for(member.take(), 10)
        assert message["run_id"] == things["run_id"]
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(stranger.take(), 0.3)


async def test_the_same_bytes_are_a_version_of_each_project(members, things, report):
    run = (await members["right"].post("/api/v1/runs", json={"spec": {"kind": "training", "name": "twin"}})).json()
    artifact = {"kind": "dataset", "name": "mine", "digest": things["digest"], "files": [], "metadata": {}}
    assert (await report(run["id"], state="running", artifacts=[artifact])).status_code == 200
    for name, title in (("left", "secret"), ("right", "mine")):
        found = (await members[name].get(f"/api/v1/datasets/versions/{things['digest']}")).json()
        assert (found["project"], found["name"], found["version"]) == (name, title, 1)


async def test_the_scope_of_a_request_ends_with_it(members):
    await members["left"].get("/api/v1/runs")
    assert SCOPE.get() is None


async def test_a_project_runs_as_many_as_it_may(api, core, members, orchestrator, report):
    await api.patch("/api/v1/projects/left", json={"max_running": 2}, headers={"If-Match": "*"})
    body = {"spec": {"kind": "training", "name": "r"}}
    ids = [(await members["left"].post("/api/v1/runs", json=body)).json()["id"] for _ in range(3)]
    await members["right"].post("/api/v1/runs", json=body)
    started = [item["parameters"]["run_id"] for item in orchestrator.submitted]
    assert set(ids) - set(started) == {ids[2]}
    assert len(started) == 3
    waiting = (await api.get(f"/api/v1/runs/{ids[2]}")).json()
    assert "2 of at most 2 runs of left are running" in waiting["state_reason"]
    left = (await api.get("/api/v1/projects/left")).json()
    assert (left["num_running"], left["num_active"]) == (2, 3)
    await report(ids[0], state="running")
    await report(ids[0], state="completed")
    await launching.submit(core.state.database, orchestrator, ids[2])
    assert ids[2] in {item["parameters"]["run_id"] for item in orchestrator.submitted}
    assert (await api.get(f"/api/v1/runs/{ids[2]}")).json()["state_reason"] == ""


async def test_a_free_place_goes_by_priority_then_by_age(api, core, members, orchestrator, report):
    await api.patch("/api/v1/projects/left", json={"max_running_by_pool": {"cpu": 1}}, headers={"If-Match": "*"})
    body = {"spec": {"kind": "training", "name": "r"}}

    async def launch(**changes):
        return (await members["left"].post("/api/v1/runs", json=body | changes)).json()["id"]

    first, low, normal, high = [
        await launch(),
        await launch(priority="low"),
        await launch(),
        await launch(priority="high"),
    ]
    elsewhere = await launch(spec={"kind": "training", "name": "r", "resources": {"gpus": 1}})
    begun = [item["parameters"]["run_id"] for item in orchestrator.submitted]
    assert begun == [first, elsewhere], "another pool has its own places"
    waiting = (await api.get(f"/api/v1/runs/{low}")).json()["state_reason"]
    assert "1 of at most 1 runs of left are running in the pool cpu" in waiting
    for ended, follows in ((first, high), (high, normal), (normal, low)):
        await report(ended, state="running")
        await report(ended, state="completed")
        for run_id in (low, normal, high):  # whoever asks first
            await launching.submit(core.state.database, orchestrator, run_id)
        assert orchestrator.submitted[-1]["parameters"]["run_id"] == follows
    assert len(orchestrator.submitted) == 5


async def test_a_launch_above_the_quota_is_refused_with_what_to_do(api, core, members, report):
    await api.patch("/api/v1/projects/left", json={"max_active": 2}, headers={"If-Match": "*"})
    left, body = members["left"], {"spec": {"kind": "pipeline", "name": "p"}}
    parent = (await left.post("/api/v1/runs", json=body)).json()["id"]
    single = {"spec": {"kind": "training", "name": "r"}}
    answers = await asyncio.gather(
        *(left.post("/api/v1/runs", json=single, headers={"Idempotency-Key": f"k{n}"}) for n in range(5))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409], "also when they come at once"
    problem = next(answer.json() for answer in answers if answer.status_code == 409)
    assert problem["type"].endswith("/quota-full")
    assert "2 runs of the project 'left'" in problem["detail"]
    assert "headrace projects set left --max-active" in problem["detail"]
    assert (await members["right"].post("/api/v1/runs", json=single)).status_code == 201, "each project has its own"
    child = single | {"parent_id": parent, "stage": "training"}
    assert (await left.post("/api/v1/runs", json=child)).status_code == 201, "what has begun gets its children"
    assert (await left.post(f"/api/v1/runs/{parent}/cancel")).is_success
    refused = next(number for number, answer in enumerate(answers) if answer.status_code == 409)
    again = await left.post("/api/v1/runs", json=single, headers={"Idempotency-Key": f"k{refused}"})
    assert again.status_code == 201, "a refusal is not kept for the key"


@pytest.mark.parametrize(
    "wrong", [{"max_active": 0}, {"max_running_by_pool": {"tpu": 1}}, {"max_running_by_pool": {"gpu": 0}}]
)
async def test_limits_that_are_none_are_refused_at_their_field(api, wrong):
    refused = await api.post("/api/v1/projects", json={"id": "odd"} | wrong)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["pointer"].startswith(f"/{next(iter(wrong))}")


async def test_projects_are_made_changed_and_deleted(api, members, things):
    assert (await api.post("/api/v1/projects", json={"id": "left"})).status_code == 409
    assert (await api.post("/api/v1/projects", json={"id": "No good"})).status_code == 422
    assert (await members["left"].post("/api/v1/projects", json={"id": "mine"})).status_code == 403
    assert (await api.post("/api/v1/projects?project=left", json={"id": "fourth"})).status_code == 201
    changes = {"description": "tides", "max_running": None}
    changed = await api.patch("/api/v1/projects/right", json=changes, headers={"If-Match": "*"})
    assert (changed.json()["description"], changed.json()["max_running"]) == ("tides", None)
    assert (await api.delete("/api/v1/projects/left")).status_code == 409
    assert (await api.delete("/api/v1/projects/default")).status_code == 409
    assert (await api.delete("/api/v1/projects/right")).status_code == 204
    assert (await members["right"].get("/api/v1/runs")).status_code == 401
    assert (await api.post("/api/v1/runs?project=right", json={"spec": {"kind": "training"}})).status_code == 422


@pytest.mark.parametrize(("kind", "first", "second"), [
    ("projects", {"description": "tides"}, {"max_running": 3}),
    ("users", {"roles": {"left": "viewer"}}, {"disabled": True}),
])  # fmt: skip
async def test_an_edit_names_what_it_has_seen(api, members, things, kind, first, second):
    path = f"/api/v1/{kind}/{things['project_id' if kind == 'projects' else 'user_id']}"
    before = (await api.get(path)).headers["ETag"]
    assert (await api.patch(path, json=first)).status_code == 428
    changed = await api.patch(path, json=first, headers={"If-Match": before})
    assert changed.status_code == 200
    assert changed.headers["ETag"] == (await api.get(path)).headers["ETag"] != before
    refused = await api.patch(path, json=second, headers={"If-Match": before})
    assert (refused.status_code, refused.json()["title"]) == (412, "Changed meanwhile")
    either = f"{before}, {changed.headers['ETag']}"
    assert (await api.patch(path, json=second, headers={"If-Match": either})).status_code == 200
    assert (await members["right"].get(path)).status_code == (404 if kind == "projects" else 403)
