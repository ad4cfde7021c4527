"""A POST with an Idempotency-Key happens once, through the real API."""

import asyncio

import pytest
from sqlalchemy import text

RUNS = "/api/v1/runs"
BODY = {"spec": {"kind": "training", "name": "once"}}


@pytest.fixture
def post(api):
    async def call(key, body=BODY, client=api):
        return await client.post(RUNS, json=body, headers={"Idempotency-Key": key})

    return call


async def count(api):
    return len((await api.get(RUNS)).json()["items"])


async def test_the_same_request_gives_the_first_answer(api, post, orchestrator):
    first, second = await post("k1"), await post("k1")
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert await count(api) == 1
    assert len(orchestrator.submitted) == 1


async def test_another_body_is_refused(api, post):
    await post("k1")
    other = await post("k1", BODY | {"name": "other"})
    assert other.status_code == 422
    assert other.json()["type"].endswith("/idempotency-key-reused")
    assert await count(api) == 1


async def test_without_or_with_other_keys_each_is_made(api, post):
    await post("k1")
    await post("k2")
    await api.post(RUNS, json=BODY)
    await api.post(RUNS, json=BODY)
    assert await count(api) == 4


async def test_keys_belong_to_their_token(api, worker_api, post):
    await post("k1")
    theirs = await post("k1", client=worker_api)
    assert theirs.status_code == 201
    assert await count(api) == 2


async def test_a_refused_request_leaves_its_key_free(api, post):
    assert (await post("k1", {"spec": {"kind": "nonsense"}})).status_code == 422
    assert (await post("k1")).status_code == 201


async def test_at_once_only_one_is_made(api, post):
    answers = await asyncio.gather(*(post("k1") for _ in range(10)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    made = {answer.json()["id"] for answer in answers if answer.status_code == 201}
    assert len(made) == 1
    assert await count(api) == 1
    for answer in answers:
        if answer.status_code == 409:
            assert answer.json()["type"].endswith("/in-flight")
            assert answer.headers["Retry-After"]


async def test_a_request_that_died_on_its_way_can_be_sent_again(api, core, post):
    await post("k1")
    forget = "UPDATE idempotency_keys SET status = NULL, response = NULL, created_at = {}"
    async with core.state.database.begin() as session:
        await session.execute(text(forget.format("now()")))
    assert (await post("k1")).status_code == 409
    async with core.state.database.begin() as session:
        await session.execute(text(forget.format("now() - interval '5 minutes'")))
    assert (await post("k1")).status_code == 201


@pytest.mark.parametrize("key", ["", "a b", "x" * 256])
async def test_odd_keys_are_refused(post, key):
    assert (await post(key)).status_code == 422


async def test_commands_too_are_sent_once(api, launch, report):
    run = await launch()
    await report(run["id"], state="running")
    url = f"{RUNS}/{run['id']}/commands"
    for _ in range(2):
        answer = await api.post(url, json={"kind": "checkpoint"}, headers={"Idempotency-Key": "c1"})
        assert answer.status_code == 202
    assert len((await api.get(url)).json()) == 1
