"""Schedules on a real Prefect server: what we make is there, what is changed there is seen here, misses are told."""

from datetime import UTC, datetime, timedelta

import pytest
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleUpdate, DeploymentUpdate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectNotFound
from prefect.states import Completed, Scheduled

URL = "/api/v1/schedules"
NIGHTLY = {
    "name": "nightly",
    "preset": "pipeline",
    "overrides": {"name": "nightly"},
    "timing": {"kind": "cron", "cron": "0 2 * * *", "timezone": "Europe/Berlin"},
}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture
async def schedules(settings, orchestrator, serving, prefect_url):
    """The API as an admin, beside the real Prefect; no schedule of another test is left in it."""
    async with serving(settings.model_copy(update={"prefect_api_url": prefect_url}), orchestrator) as api:
        for known in (await api.get(URL)).json()["items"]:
            await api.delete(f"{URL}/{known['name']}", params={"project": known["project"]})
        yield api


@pytest.fixture
async def prefect(prefect_url):
    async with PrefectClient(prefect_url) as client:
        yield client


async def make(api, **changes):
    answer = await api.post(URL, json=NIGHTLY | changes)
    assert answer.status_code == 201, answer.text
    return answer.json()


async def edit(api, name, **changes):
    etag = (await api.get(f"{URL}/{name}")).headers["ETag"]
    answer = await api.patch(f"{URL}/{name}", json=changes, headers={"If-Match": etag})
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_what_we_make_is_a_deployment_of_prefect(schedules, prefect):
    made = await make(schedules, description="Six languages, each night")
    assert (made["says"], made["kind"], made["paused"]) == ("At 02:00 every day", "pipeline", False)
    deployment = await prefect.read_deployment_by_name("launch/nightly")
    assert str(deployment.id) == made["deployment_id"]
    assert (deployment.entrypoint, deployment.work_pool_name) == ("flows.launch.launch", "control")
    assert deployment.parameters["preset"] == "pipeline"
    assert deployment.description == "Six languages, each night"
    (schedule,) = deployment.schedules
    assert (schedule.schedule.cron, schedule.schedule.timezone, schedule.active) == ("0 2 * * *", "Europe/Berlin", True)
    assert len(made["next_runs"]) == 5
    listed = (await schedules.get(URL)).json()["items"]
    assert [item["name"] for item in listed] == ["nightly"], "the template is no schedule"


async def test_a_change_made_in_prefect_is_seen_here(schedules, prefect):
    await make(schedules)
    deployment = await prefect.read_deployment_by_name("launch/nightly")
    before = (await schedules.get(f"{URL}/nightly")).headers["ETag"]
    changed = DeploymentScheduleUpdate(schedule=CronSchedule(cron="15 6 * * 1-5", timezone="UTC"))
    await prefect.update_deployment_schedule(deployment.id, deployment.schedules[0].id, active=False)
    await prefect._client.patch(
        f"/deployments/{deployment.id}/schedules/{deployment.schedules[0].id}",
        json=changed.model_dump(mode="json", exclude_unset=True),
    )
    answer = await schedules.get(f"{URL}/nightly")
    found = answer.json()
    assert found["timing"] == {"kind": "cron", "cron": "15 6 * * 1-5", "timezone": "UTC"}
    assert (found["paused"], found["next_runs"]) == (True, [])
    assert answer.headers["ETag"] != before
    stale = await schedules.patch(f"{URL}/nightly", json={"paused": False}, headers={"If-Match": before})
    assert stale.status_code == 412
    await prefect.update_deployment(deployment.id, DeploymentUpdate(paused=True))
    await prefect.delete_deployment(deployment.id)
    assert (await schedules.get(f"{URL}/nightly")).status_code == 404


async def test_edits_pause_and_resume_reach_prefect(schedules, prefect):
    await make(schedules)
    assert (await schedules.patch(f"{URL}/nightly", json={"paused": True})).status_code == 428
    paused = await edit(schedules, "nightly", paused=True)
    assert (paused["paused"], paused["next_runs"]) == (True, [])
    deployment = await prefect.read_deployment_by_name("launch/nightly")
    assert deployment.paused and not deployment.schedules[0].active
    timing = {"kind": "interval", "seconds": 21_600, "anchor": "2026-01-01T00:30:00Z"}
    edited = await edit(schedules, "nightly", timing=timing, preset="smol-5m", overrides={}, catch_up=True)
    assert (edited["says"], edited["kind"], edited["catch_up"]) == ("Every 6 hours", "training", True)
    assert edited["paused"], "an edit of the times does not resume it"
    assert edited["description"] == ""
    resumed = await edit(schedules, "nightly", paused=False)
    assert all(datetime.fromisoformat(due).minute == 30 for due in resumed["next_runs"])
    deployment = await prefect.read_deployment_by_name("launch/nightly")
    assert not deployment.paused
    (schedule,) = deployment.schedules
    assert (schedule.schedule.interval, schedule.active) == (timedelta(hours=6), True)
    assert deployment.parameters["preset"] == "smol-5m"
    assert (await schedules.delete(f"{URL}/nightly")).status_code == 204
    with pytest.raises(ObjectNotFound):
        await prefect.read_deployment_by_name("launch/nightly")


async def test_a_repeated_request_makes_one_and_a_name_is_taken_once(schedules, prefect):
    headers = {"Idempotency-Key": "one"}
    first = await schedules.post(URL, json=NIGHTLY, headers=headers)
    again = await schedules.post(URL, json=NIGHTLY, headers=headers)
    assert (first.status_code, again.status_code, again.headers.get("Idempotent-Replayed")) == (201, 201, "true")
    assert (await schedules.post(URL, json=NIGHTLY)).status_code == 409
    assert (await schedules.post(URL, json=NIGHTLY | {"name": "control"})).status_code == 409
    for _ in range(2):
        asked = await schedules.post(f"{URL}/nightly/run", headers={"Idempotency-Key": "now"})
    assert asked.status_code == 202
    flow_run = await prefect.read_flow_run(asked.json()["flow_run_id"])
    assert flow_run.parameters["catch_up"] is True
    (run,) = (await schedules.get(f"{URL}/nightly")).json()["last_runs"]
    assert (run["state"], run["by_hand"], run["flow_run_id"]) == ("waiting", True, asked.json()["flow_run_id"])


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"timing": {"kind": "cron", "cron": "61 2 * * *"}}, "/timing/cron"),
        ({"timing": {"kind": "cron", "cron": "0 2 * * *", "timezone": "Mars/Olympus"}}, "/timing/cron/timezone"),
        ({"timing": {"kind": "interval", "seconds": 1}}, "/timing/interval/seconds"),
        ({"name": "Nightly Run/1"}, "/name"),
        ({"overrides": {"training": {"optimizer": {"lr": -1}}}}, "/overrides/training/optimizer/"),
        ({"spec": {"kind": "training"}}, "/preset"),
        ({"preset": "no-such"}, "/preset"),
        ({"preset": None, "overrides": {}, "spec": {"kind": "training", "lr": 3}}, "/spec/"),
    ],
)
async def test_bad_input_is_told_at_its_field(schedules, changes, pointer):
    answer = await schedules.post(URL, json=NIGHTLY | changes)
    assert answer.status_code == 422, answer.text
    assert any(error["pointer"].startswith(pointer) for error in answer.json()["errors"]), answer.json()
    assert (await schedules.get(URL)).json()["items"] == []


async def test_schedules_of_another_project_are_not_there(schedules, prefect):
    clients = {}
    for name in ("left", "right"):
        await schedules.post("/api/v1/projects", json={"id": name})
        token = await schedules.post("/api/v1/tokens", json={"name": name, "role": "admin", "project": name})
        clients[name] = {"Authorization": f"Bearer {token.json()['token']}"}
    made = await schedules.post(URL, json=NIGHTLY, headers=clients["left"])
    assert (made.status_code, made.json()["project"]) == (201, "left")
    path = f"{URL}/nightly"
    for method, url in [("GET", path), ("PATCH", path), ("DELETE", path), ("POST", f"{path}/run")]:
        body = {"paused": True} if method == "PATCH" else None
        answer = await schedules.request(method, url, json=body, headers=clients["right"] | {"If-Match": "*"})
        assert answer.status_code == 404, (method, url)
    assert (await schedules.get(URL, headers=clients["right"])).json()["items"] == []
    assert [item["name"] for item in (await schedules.get(URL, headers=clients["left"])).json()["items"]] == ["nightly"]
    assert (await prefect.read_deployment_by_name("launch/left:nightly")).parameters["project"] == "left"
    await _each_project_has_names_of_its_own(schedules, prefect, clients)


async def _each_project_has_names_of_its_own(schedules, prefect, clients):
    path = f"{URL}/nightly"
    assert (await schedules.post(URL, json=NIGHTLY, headers=clients["left"])).status_code == 409
    assert (await schedules.post(URL, json=NIGHTLY, headers=clients["right"])).status_code == 201
    assert (await make(schedules))["project"] == "default"
    changed = await schedules.patch(path, json={"paused": True}, headers=clients["right"] | {"If-Match": "*"})
    assert (changed.json()["project"], changed.json()["paused"]) == ("right", True)
    assert not (await prefect.read_deployment_by_name("launch/left:nightly")).paused
    unclear = await schedules.get(path)
    assert (unclear.status_code, unclear.json()["detail"][:21]) == (409, "default, left, right ")
    assert (await schedules.get(path, params={"project": "left"})).json()["project"] == "left"
    assert len((await schedules.get(URL)).json()["items"]) == 3
    for project in ("left", "right", "default"):
        assert (await schedules.delete(path, params={"project": project})).status_code == 204
    assert (await schedules.get(path)).status_code == 404


@pytest.mark.parametrize("name", ["%2e%2e", "%2e", "..%2F..%2Fflows", "a%00b", "control", "x" * 150, "\u00e4 b"])
async def test_names_that_are_none_never_get_into_a_path_of_prefect(schedules, name):
    for method, path in [("GET", ""), ("DELETE", ""), ("POST", "/run")]:
        answer = await schedules.request(method, f"{URL}/{name}{path}")
        assert answer.status_code in {404, 405, 422}, (method, answer.text)


async def test_each_change_stands_in_the_audit_log(schedules):
    await make(schedules)
    await edit(schedules, "nightly", paused=True)
    await schedules.post(f"{URL}/nightly/run")
    await schedules.delete(f"{URL}/nightly")
    rows = (await schedules.get("/api/v1/audit", params={"target": "nightly"})).json()["items"]
    assert [row["action"].removeprefix("schedule.") for row in rows[:4]] == ["delete", "run", "edit", "create"]
    assert (rows[2]["before"]["paused"], rows[2]["after"]) == (False, {"paused": True})


async def test_a_timing_is_previewed(schedules):
    body = {"timing": {"kind": "cron", "cron": "0 9 * * 1-5", "timezone": "Asia/Tokyo"}}
    found = (await schedules.post(f"{URL}/preview", json=body)).json()
    assert found["says"] == "At 09:00 on Monday through Friday"
    moments = [datetime.fromisoformat(due) for due in found["next_runs"]]
    assert len(moments) == 5 and all(moment.hour == 0 and moment.weekday() < 5 for moment in moments)
    assert (
        await schedules.post(f"{URL}/preview", json={"timing": {"kind": "cron", "cron": "often, please"}})
    ).status_code == 422


async def test_missed_times_are_told(schedules, prefect, postgres, prefect_url):
    made = await make(schedules, timing={"kind": "interval", "seconds": 3600, "anchor": "2026-01-01T00:00:00Z"})
    flow_id = (await prefect.read_deployment_by_name("launch/nightly")).flow_id
    hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)

    async def flow_run(due, state):
        body = {"flow_id": str(flow_id), "deployment_id": made["deployment_id"], "state": None}
        body["state"] = Scheduled(scheduled_time=due).model_dump(mode="json", include={"type", "state_details"})
        made_run = (await prefect._client.post("/flow_runs/", json=body)).json()
        if state:
            await prefect.set_flow_run_state(made_run["id"], state, force=True)

    await flow_run(hour - timedelta(hours=1), Completed(name="Launched", message="0" * 26))
    await flow_run(hour - timedelta(hours=2), Completed(name="Missed", message="begun 7000 s later"))
    await flow_run(hour - timedelta(hours=3), None)  # no worker of the pool control has taken it
    found = (await schedules.get(f"{URL}/nightly")).json()
    assert [run["state"] for run in found["last_runs"]] == ["launched", "missed", "late"]
    assert found["num_missed"] == 2
    assert found["last_runs"][0]["run_id"] == "0" * 26
    assert "no worker of the pool control" in found["last_runs"][2]["detail"]
    await _begin_earlier(postgres, prefect_url, made["deployment_id"])
    found = (await schedules.get(f"{URL}/nightly")).json()
    states = {datetime.fromisoformat(run["due_at"]): run["state"] for run in found["last_runs"]}
    lost = {hour - timedelta(hours=hours): "missed" for hours in (4, 5)}
    assert states.items() >= lost.items(), "Prefect was down then: it has no flow run for them"


async def _begin_earlier(postgres, prefect_url, deployment_id):
    """As if the schedule had been made six hours ago."""
    import psycopg

    with psycopg.connect(postgres.url(), autocommit=True) as connection:
        names = [row[0] for row in connection.execute("SELECT datname FROM pg_database WHERE datname LIKE 'prefect_%'")]
    for name in names:
        with psycopg.connect(postgres.url(name), autocommit=True) as connection:
            connection.execute(
                "UPDATE deployment_schedule SET updated = updated - interval '6 hours' WHERE deployment_id = %s",
                (deployment_id,),
            )


async def test_without_prefect_it_is_503_and_says_when_to_come_back(api):
    for answer in (await api.get(URL), await api.post(URL, json=NIGHTLY), await api.get(f"{URL}/nightly")):
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
        assert answer.json()["type"].endswith("prefect-away")
