"""What waits for a person: proposals of live runs, findings until somebody has seen them."""

import pytest

BASE = "/api/v1"


def finding(number, severity="warning"):
    return {"id": f"f{number}", "detector": "spike", "step": number, "severity": severity, "message": f"spike {number}"}


def proposal(outcome="proposed"):
    return {"id": "i1", "finding_id": "f1", "step": 1, "action": "rollback", "rule": "spikes", "outcome": outcome}


@pytest.fixture
async def run(launch, report):
    started = await launch(spec={"kind": "training", "name": "waits"})
    found = [finding(1), finding(2, "critical"), finding(3, "info")]
    await report(started["id"], state="running", findings=found, interventions=[proposal()])
    return started


async def test_findings_ask_until_they_are_acknowledged_and_again_when_it_is_withdrawn(api, run, report):
    waits = (await api.get(f"{BASE}/attention")).json()
    assert {item["finding"]["id"] for item in waits["findings"]} == {"f1", "f2"}  # `info` asks for nobody
    assert [item["run_name"] for item in waits["proposals"]] == ["waits"]
    url = f"{BASE}/runs/{run['id']}/findings/f1/acknowledgement"
    seen = await api.put(url)
    assert seen.status_code == 200
    assert seen.json()["acknowledged_at"] and seen.json()["acknowledged_by"]
    await report(run["id"], findings=[finding(1)])  # the worker reports it again
    waits = (await api.get(f"{BASE}/attention")).json()
    assert [item["finding"]["id"] for item in waits["findings"]] == ["f2"]
    assert (await api.delete(url)).json()["acknowledged_at"] is None
    assert len((await api.get(f"{BASE}/attention")).json()["findings"]) == 2


async def test_a_proposal_waits_until_it_is_answered_or_its_run_is_over(api, run, report):
    await report(run["id"], interventions=[proposal("rejected")])
    assert (await api.get(f"{BASE}/attention")).json()["proposals"] == []
    await report(run["id"], interventions=[proposal()])
    assert len((await api.get(f"{BASE}/attention")).json()["proposals"]) == 1
    await report(run["id"], state="failed", error="it broke")
    assert (await api.get(f"{BASE}/attention")).json()["proposals"] == []


async def test_what_is_not_there_cannot_be_acknowledged(api, run):
    for path in (f"{run['id']}/findings/nothing", "01zzzzzzzzzzzzzzzzzzzzzzzz/findings/f1"):
        answer = await api.put(f"{BASE}/runs/{path}/acknowledgement")
        assert answer.status_code == 404
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("kind", "arguments", "fits"),
    [
        ("skip", {"batches": 3}, True),
        ("skip", {"batches": 0}, False),
        ("skip", {"batches": True}, False),
        ("skip", {}, False),
        ("set_mode", {"mode": "approve"}, True),
        ("set_mode", {"mode": "sometimes"}, False),
        ("rollback", {}, True),
        ("rollback", {"step": 12}, True),
        ("rollback", {"step": -1}, False),
        ("rollback", {"step": "now"}, False),
    ],
)
async def test_commands_need_their_arguments(api, run, kind, arguments, fits):
    answer = await api.post(f"{BASE}/runs/{run['id']}/commands", json={"kind": kind, "arguments": arguments})
    assert answer.status_code == (202 if fits else 422), answer.text
    if not fits:
        assert answer.json()["errors"][0]["pointer"].startswith("/arguments/")
