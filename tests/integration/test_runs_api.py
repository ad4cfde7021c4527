"""Launch, list, look at and cancel runs through the real application."""

import asyncio

RUNS = "/api/v1/runs"


async def test_launch_writes_the_run_and_hands_it_to_prefect(api, launch, orchestrator):
    run = await launch(name="first", tags=["a", "b", "a"], priority="high")
    assert run["state"] == "queued"
    assert run["attempt"] == 1
    assert run["tags"] == ["a", "b"]
    (sent,) = orchestrator.submitted
    assert (sent["kind"], sent["pool"], sent["priority"]) == ("training", "cpu", "high")
    assert sent["parameters"]["run_id"] == run["id"]
    assert sent["parameters"]["spec"] == run["spec"]
    found = (await api.get(f"{RUNS}/{run['id']}")).json()
    assert found["prefect_flow_run_id"] in orchestrator.flow_runs
    assert found["name"] == "first"


async def test_gpu_runs_and_pipelines_go_to_their_pools(launch, orchestrator):
    await launch(spec={"kind": "training", "resources": {"gpus": 1}})
    await launch(spec={"kind": "pipeline"})
    assert [sent["pool"] for sent in orchestrator.submitted] == ["gpu", "control"]


async def test_a_model_that_transformers_cannot_express_is_told_at_the_launch(api, launch):
    model = {"norm": "layernorm", "ffn": "relu2"}
    for spec in (
        {"kind": "training", "model": model},
        {"kind": "pipeline", "training": {"model": model}},
        {"kind": "training"},
    ):
        run = await launch(spec=spec)
        told = (await api.get(f"{RUNS}/{run['id']}/events", params={"kind": "warning"})).json()
        expected = ["no class of transformers can express this model (norm layernorm, ffn relu2)"]
        words = [
            event["message"].split(":")[0] for event in told if not event["message"].startswith("no worker online")
        ]
        assert words == (expected if len(spec) > 1 else [])


async def test_wrong_fields_are_named_and_nothing_is_launched(api, orchestrator):
    spec = {"kind": "training", "optimizer": {"kind": "adamw", "lr": -1}, "nonsense": 1}
    response = await api.post(RUNS, json={"spec": spec})
    assert response.status_code == 422
    assert response.headers["content-type"] == "application/problem+json"
    pointers = {error["pointer"] for error in response.json()["errors"]}
    assert pointers == {"/spec/optimizer/lr", "/spec/nonsense"}
    assert orchestrator.submitted == []
    assert (await api.get(RUNS)).json()["items"] == []


async def test_preset_with_overrides(api, launch):
    run = await launch(spec=None, preset="fineweb", overrides={"name": "mine"})
    preset = (await api.get("/api/v1/presets/fineweb")).json()
    assert run["name"] == "mine"
    assert run["spec"] == preset["spec"] | {"name": "mine"}
    wrong = await api.post(RUNS, json={"preset": "fineweb", "overrides": {"nmae": "x"}})
    assert wrong.json()["errors"][0]["pointer"] == "/overrides/nmae"
    unknown = await api.post(RUNS, json={"preset": "fineweb3"})
    assert unknown.status_code == 404
    assert "fineweb" in unknown.json()["detail"]
    both = await api.post(RUNS, json={"preset": "fineweb", "spec": {"kind": "training"}})
    assert both.status_code == 422


async def test_prefect_away_leaves_the_run_queued_with_the_reason(api, launch, orchestrator):
    orchestrator.away = True
    run = await launch()
    found = (await api.get(f"{RUNS}/{run['id']}")).json()
    assert found["state"] == "queued"
    assert "Prefect does not answer" in found["state_reason"]
    assert found["prefect_flow_run_id"] is None


async def test_pages_hold_each_run_once_while_new_ones_come(api, launch):
    ids = [(await launch(name=f"run {i}"))["id"] for i in range(7)]
    seen, cursor = [], None
    while True:
        parameters = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        response = await api.get(RUNS, params=parameters)
        seen += [item["id"] for item in response.json()["items"]]
        await launch(name="newcomer")
        cursor = response.json()["next_cursor"]
        if not cursor:
            assert "Link" not in response.headers
            break
        assert 'rel="next"' in response.headers["Link"]
    assert seen == ids[::-1]


async def test_filters_and_orders(api, launch):
    parent = await launch(spec={"kind": "pipeline"}, name="parent 100%")
    child = await launch(name="zebra_1", parent_id=parent["id"], stage="training", tags=["night"])
    other = await launch(name="alpha", tags=["night", "new"])

    async def ids(**parameters):
        response = await api.get(RUNS, params=parameters)
        assert response.status_code == 200, response.text
        return [item["id"] for item in response.json()["items"]]

    assert await ids(kind="pipeline") == [parent["id"]]
    assert await ids(parent_id=parent["id"]) == [child["id"]]
    assert await ids(roots=True) == [other["id"], parent["id"]]
    assert await ids(q="100%") == [parent["id"]]
    assert await ids(q="ZEBRA_") == [child["id"]]
    assert await ids(tag=["night", "new"]) == [other["id"]]
    assert await ids(sort="name") == [other["id"], parent["id"], child["id"]]
    assert await ids(state="running") == []
    wrong = await api.get(RUNS, params={"sort": "name; DROP TABLE runs"})
    assert wrong.status_code == 422
    assert (await api.get(RUNS, params={"cursor": "nonsense"})).status_code == 422
    detail = (await api.get(f"{RUNS}/{parent['id']}")).json()
    assert [item["id"] for item in detail["children"]] == [child["id"]]


async def test_cancel_of_a_queued_run_is_immediate_and_tells_prefect(api, launch, orchestrator):
    run = await launch()
    answer = await api.post(f"{RUNS}/{run['id']}/cancel")
    assert answer.status_code == 202
    assert answer.json()["state"] == "cancelled"
    assert len(orchestrator.cancelled) == 1
    again = await api.post(f"{RUNS}/{run['id']}/cancel")
    assert again.json()["state"] == "cancelled"


async def test_cancel_of_a_parent_reaches_its_children(api, launch, report, orchestrator):
    parent = await launch(spec={"kind": "pipeline"})
    child = await launch(parent_id=parent["id"])
    for run in (parent, child):
        assert (await report(run["id"], state="running")).status_code == 200
    await api.post(f"{RUNS}/{parent['id']}/cancel")
    states = [(await api.get(f"{RUNS}/{run['id']}")).json()["state"] for run in (parent, child)]
    assert states == ["cancelling", "cancelling"]
    assert len(orchestrator.cancelled) == 2
    late = await api.post(RUNS, json={"spec": {"kind": "training"}, "parent_id": parent["id"]})
    assert late.status_code == 409


async def test_commands_travel_down_with_the_next_report(api, launch, report):
    run = await launch()
    url = f"{RUNS}/{run['id']}/commands"
    assert (await api.post(url, json={"kind": "stop"})).status_code == 409
    await report(run["id"], state="running")
    wrong = await api.post(url, json={"kind": "set_lr_scale", "arguments": {"value": "half"}})
    assert wrong.json()["errors"][0]["pointer"] == "/arguments/value"
    sent = (await api.post(url, json={"kind": "set_lr_scale", "arguments": {"value": 0.5}})).json()
    assert sent["state"] == "sent"
    reply = (await report(run["id"], source="worker.heartbeat")).json()
    arguments = {"value": 0.5}
    expected = {"id": sent["id"], "kind": "set_lr_scale", "arguments": arguments, "author": sent["author"]}
    assert reply["commands"] == [expected] and sent["author"]
    for kind, arguments, pointer in [
        ("rollback", {"step": -1}, "step"),
        ("skip", {"batches": 0}, "batches"),
        ("set_lr", {"value": True}, "value"),
        ("set_mode", {"mode": "of"}, "mode"),
        ("approve", {}, "intervention"),
    ]:
        refused = await api.post(url, json={"kind": kind, "arguments": arguments})
        assert refused.status_code == 422 and refused.json()["errors"][0]["pointer"] == f"/arguments/{pointer}"
    assert (await api.get(url)).json()[0]["state"] == "delivered"
    assert (await report(run["id"], acks=[sent["id"]])).json()["commands"] == []
    assert (await api.get(url)).json()[0]["state"] == "applied"


async def test_errors_are_problems_without_traces(api):
    for method, path, status in [
        ("GET", f"{RUNS}/nope", 404),
        ("GET", "/api/v1/nope", 404),
        ("DELETE", RUNS, 405),
        ("GET", f"{RUNS}/nope/metrics/loss", 404),
        ("GET", f"{RUNS}?limit=1000", 422),
    ]:
        response = await api.request(method, path)
        assert response.status_code == status, (method, path, response.text)
        assert response.headers["content-type"] == "application/problem+json"
        body = response.json()
        assert body["status"] == status
        assert body["type"].startswith("https://")
    broken = await api.post(RUNS, content=b"{", headers={"Content-Type": "application/json"})
    assert broken.status_code == 400
    large = await api.post(RUNS, content=b" " * (5 << 20), headers={"Content-Type": "application/json"})
    assert large.status_code == 413


async def test_values_the_database_cannot_hold_are_the_callers_fault(api, launch):
    nul = await api.post(RUNS, json={"spec": {"kind": "training"}, "name": "a\x00b"})
    assert nul.status_code == 422, nul.text
    run = await launch(tags=["ok"])
    assert (await api.get(RUNS, params={"q": "\x00"})).status_code == 422
    assert (await api.get(f"{RUNS}/{run['id']}")).status_code == 200


async def test_events_by_kind_level_text_and_place(api, launch, report):
    run = await launch()
    logs = [{"message": f"line {i}", "level": "error" if i == 3 else "info"} for i in range(10)]
    await report(run["id"], state="running", logs=logs)
    url = f"{RUNS}/{run['id']}/events"

    async def messages(**parameters):
        return [item["message"] for item in (await api.get(url, params=parameters)).json()]

    assert await messages(kind="log", limit=3) == ["line 0", "line 1", "line 2"]
    assert await messages(kind="log", limit=3, before=10**9) == ["line 7", "line 8", "line 9"]
    assert await messages(level="error") == ["line 3"]
    assert await messages(q="LINE 4") == ["line 4"]
    first = (await api.get(url, params={"kind": "log"})).json()[0]["id"]
    assert await messages(kind="log", after=first, limit=1) == ["line 1"]
    states = await messages(kind="state")
    assert states[-1] == "queued -> running"


async def test_launches_at_once_are_all_made(api):
    bodies = [{"spec": {"kind": "training", "name": f"n{i}"}} for i in range(20)]
    answers = await asyncio.gather(*(api.post(RUNS, json=body) for body in bodies))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 20
