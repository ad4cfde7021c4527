"""Webhooks as a receiver meets them: signed, tried again, told once; and as an administrator sees them."""

import base64
import hashlib
import hmac
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from sqlalchemy import text

from app.services.dispatcher import PAUSES_SECONDS, Dispatcher

URL = "/api/v1/webhooks"


class Receiver(ThreadingHTTPServer):
    """Takes requests and answers what a test says."""

    def __init__(self):
        super().__init__(("127.0.0.1", 0), _Handler)
        self.requests, self.statuses, self.location = [], [], ""
        self.url = f"http://127.0.0.1:{self.server_port}"

    def events(self):
        return [json.loads(body)["type"] for _, _, body in self.requests]


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.requests.append((self.path, dict(self.headers), body))
        self.send_response(self.server.statuses.pop(0) if self.server.statuses else 204)
        if self.server.location:
            self.send_header("Location", self.server.location)
        self.end_headers()

    def log_message(self, *_):
        """No noise."""


@pytest.fixture
def receiver():
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def settings(settings):
    return settings.model_copy(update={"webhook_private_hosts": True})


@pytest.fixture
async def dispatch(core, settings):
    """Hand out and deliver what is due now, as a service that has just been started."""
    await core.state.dispatcher.stop()
    core.state.dispatcher = Dispatcher(settings, core.state.database)  # for tests of a webhook; it has no loop

    async def call(later=False, **changes):
        if later:
            async with core.state.database.begin() as session:
                await session.execute(text("UPDATE deliveries SET not_before = now() WHERE state = 'pending'"))
        fresh = Dispatcher(settings.model_copy(update=changes), core.state.database)
        while await fresh.step():
            pass
        await fresh.stop()

    yield call
    await core.state.dispatcher.stop()


@pytest.fixture
async def hook(api, receiver):
    async def make(events, path="/hook"):
        body = {"name": "chat", "url": receiver.url + path, "events": events}
        answer = await api.post(URL, json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()

    return make


async def log(api, hook):
    return (await api.get(f"{URL}/{hook['id']}/deliveries")).json()["items"]


async def test_ends_of_runs_are_told_with_a_signature(api, hook, receiver, launch, report, dispatch):
    made = await hook(["run.finished", "run.failed"])
    good, bad = await launch(name="good"), await launch(name="bad")
    await report(good["id"], state="running")
    await report(good["id"], state="completed")
    await report(bad["id"], state="failed", error="ValueError: no text in the folder")
    await dispatch()
    assert sorted(receiver.events()) == ["run.failed", "run.finished"]  # delivered side by side
    path, headers, body = next(r for r in receiver.requests if b'"run.failed"' in r[2])
    told = json.loads(body)
    assert (path, told["data"]["run_id"], told["data"]["run_name"]) == ("/hook", bad["id"], "bad")
    assert told["data"]["error"] == "ValueError: no text in the folder"
    key = base64.b64decode(made["secret"].removeprefix("whsec_"))
    lower = {name.lower(): value for name, value in headers.items()}
    signed = f"{lower['webhook-id']}.{lower['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    assert lower["webhook-signature"] == f"v1,{expected}"
    assert [(row["kind"], row["state"], row["status"]) for row in await log(api, made)] == [
        ("run.failed", "delivered", 204), ("run.finished", "delivered", 204),
    ]  # fmt: skip
    await dispatch(later=True)
    assert len(receiver.requests) == 2, "what was delivered is not sent again"


async def test_only_what_was_asked_for_is_told(hook, receiver, launch, report, dispatch, api):
    await hook(["worker.dead"])
    run = await launch()
    await report(run["id"], state="running")
    await report(run["id"], source="flow", state="crashed", error="exit status -9")
    await report(run["id"], attempt=2, state="failed", error="bad spec")
    await dispatch()
    ((_, _, body),) = receiver.requests
    data = json.loads(body)["data"]
    assert (data["reason"], data["attempt"], data["attempts_left"]) == ("exit status -9", 1, 2)
    kinds = [notice["kind"] for notice in (await api.get("/api/v1/notices")).json()["items"]]
    assert kinds == ["run.failed", "worker.dead"]


def finding(number, detector="spike"):
    return {"id": f"f{number}", "detector": detector, "step": number, "message": f"loss spike at step {number}"}


async def test_a_finding_is_told_once_in_a_window(api, hook, receiver, launch, report, dispatch):
    await hook(["finding.opened"])
    run = await launch()
    await report(run["id"], state="running", findings=[finding(1)])
    await report(run["id"], findings=[finding(1), finding(2), finding(3, "stalled_run")])
    await dispatch()
    told = [json.loads(body)["data"]["detector"] for _, _, body in receiver.requests]
    assert sorted(told) == ["spike", "stalled_run"]  # they are delivered beside one another
    notices = (await api.get("/api/v1/notices")).json()["items"]
    assert [bool(notice["repeats"]) for notice in notices] == [False, True, False]
    await report(run["id"], findings=[finding(4)])
    await dispatch(notify_window_seconds=0.0)
    assert json.loads(receiver.requests[-1][2])["data"]["finding_id"] == "f4", "the window is over"


async def test_interventions_are_told_when_a_person_must_know(hook, receiver, launch, report, dispatch):
    await hook(["intervention.waiting", "intervention.failed"])
    run = await launch()

    async def told(number, outcome):
        row = {"id": f"i{number}", "step": 5, "action": "scale_lr", "outcome": outcome}
        await report(run["id"], state="running", interventions=[row])

    for number, outcome in [(1, "proposed"), (1, "proposed"), (1, "verifying"), (1, "recovered")]:
        await told(number, outcome)
    for outcome in ("verifying", "not_recovered", "not_recovered"):
        await told(2, outcome)
    await dispatch()
    assert sorted(receiver.events()) == ["intervention.failed", "intervention.waiting"]  # delivered side by side


async def test_a_receiver_that_is_down_gets_it_later_even_after_a_restart(
    api, hook, receiver, launch, report, dispatch
):
    made = await hook(["run.failed"])
    receiver.statuses = [500, 503]
    run = await launch()
    await report(run["id"], state="failed", error="x")
    await dispatch()
    (row,) = await log(api, made)
    assert (row["state"], row["tries"], row["status"]) == ("pending", 1, 500)
    assert row["next_try_at"] > row["tried_at"]
    await dispatch()
    assert len(receiver.requests) == 1, "it waits for its time"
    await dispatch(later=True)
    await dispatch(later=True)
    (row,) = await log(api, made)
    assert (row["state"], row["tries"], row["status"], row["error"]) == ("delivered", 3, 204, None)
    ids = {headers["webhook-id"] for _, headers, _ in receiver.requests}
    assert ids == {row["notice_id"]}, "the receiver can tell a repeat"


async def test_tries_end_and_can_be_had_again(api, hook, receiver, launch, report, dispatch):
    made = await hook(["run.failed"])
    receiver.statuses = [500] * 20
    run = await launch()
    await report(run["id"], state="failed", error="x")
    for _ in range(12):
        await dispatch(later=True)
    (row,) = await log(api, made)
    assert (row["state"], row["tries"], row["next_try_at"]) == ("failed", len(PAUSES_SECONDS) + 1, None)
    receiver.statuses = []
    path = f"{URL}/{made['id']}/deliveries"
    assert (await api.post(f"{path}/{row['id']}/retry")).status_code == 202
    assert (await api.post(f"{path}/999999/retry")).status_code == 404
    await dispatch()
    assert [found["state"] for found in await log(api, made)] == ["delivered"]


async def test_redirects_are_not_followed(api, hook, receiver, launch, report, dispatch):
    made = await hook(["run.failed"])
    receiver.statuses, receiver.location = [302], f"{receiver.url}/secret"
    tested = (await api.post(f"{URL}/{made['id']}/test")).json()
    assert (tested["state"], tested["status"]) == ("failed", 302)
    assert "redirects are not followed" in tested["error"]
    assert [path for path, _, _ in receiver.requests] == ["/hook"]


async def test_a_receiver_that_is_gone_is_switched_off(api, hook, receiver, launch, report, dispatch):
    made = await hook(["run.failed"])
    receiver.statuses = [410]
    for _ in range(2):
        await report((await launch())["id"], state="failed", error="x")
        await dispatch()
    assert len(receiver.requests) == 1
    found = (await api.get(f"{URL}/{made['id']}")).json()
    assert not found["enabled"] and "410" in found["note"]


async def test_the_test_button_says_how_it_went(api, hook, receiver, dispatch):
    made = await hook(["run.failed"])
    tested = (await api.post(f"{URL}/{made['id']}/test")).json()
    assert (tested["state"], tested["kind"], tested["status"], tested["tries"]) == ("delivered", "test", 204, 1)
    assert receiver.events() == ["test"]
    receiver.statuses = [500]
    tested = (await api.post(f"{URL}/{made['id']}/test")).json()
    assert (tested["state"], tested["status"]) == ("failed", 500)
    assert (await api.post(f"{URL}/none/test")).status_code == 404


async def test_a_secret_is_shown_once_and_can_be_renewed(api, hook):
    made = await hook(["run.failed"])
    shown = [(await api.get(URL)).text, (await api.get(f"{URL}/{made['id']}")).text]
    assert not any(made["secret"] in answer or "whsec_" in answer for answer in shown)
    renewed = (await api.post(f"{URL}/{made['id']}/secret")).json()["secret"]
    assert renewed.startswith("whsec_") and renewed != made["secret"]


async def test_edits_name_what_they_have_seen(api, hook):
    made = await hook(["run.failed"])
    path = f"{URL}/{made['id']}"
    etag = (await api.get(path)).headers["ETag"]
    assert (await api.patch(path, json={"enabled": False})).status_code == 428
    changed = await api.patch(path, json={"enabled": False}, headers={"If-Match": etag})
    assert (changed.status_code, changed.json()["enabled"], changed.json()["name"]) == (200, False, "chat")
    assert (await api.patch(path, json={"name": "other"}, headers={"If-Match": etag})).status_code == 412
    assert (await api.delete(path)).status_code == 204
    assert (await api.delete(path)).status_code == 404


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"url": "ftp://example.com"}, "/url"),
        ({"url": "http://no-such-name.invalid/"}, "/url"),
        ({"events": []}, "/events"),
        ({"events": ["run.exploded"]}, "/events/0"),
        ({"name": ""}, "/name"),
        ({"secret": "mine"}, "/secret"),
    ],
)
async def test_bad_input_is_told_at_its_field(api, changes, pointer):
    body = {"name": "chat", "url": "http://127.0.0.1:1/", "events": ["run.failed"]} | changes
    answer = await api.post(URL, json=body)
    assert answer.status_code == 422
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]


async def test_private_addresses_are_refused_when_made_and_again_when_sent(
    api, hook, receiver, core, settings, dispatch
):
    made = await hook(["run.failed"])
    core.state.settings = settings.model_copy(update={"webhook_private_hosts": False})
    for url in (receiver.url, "http://[::ffff:127.0.0.1]/", "http://169.254.169.254/"):
        answer = await api.post(URL, json={"name": "x", "url": url, "events": ["run.failed"]})
        assert answer.status_code == 422
        assert "HEADRACE_WEBHOOK_PRIVATE_HOSTS" in answer.json()["detail"]
    core.state.dispatcher = Dispatcher(core.state.settings, core.state.database)
    tested = (await api.post(f"{URL}/{made['id']}/test")).json()
    assert tested["state"] == "failed" and "no public address" in tested["error"]
    assert receiver.requests == []
