"""Bodies, queries and headers that are wrong: each gets a 4xx that says where, and leaves nothing behind."""

RUNS = "/api/v1/runs"
TRAINING = '{"spec": {"kind": "training", %s}}'
JSON = {"Content-Type": "application/json"}


LAUNCHES = [
    ("[" * 100_000 + "]" * 100_000, None),
    ('{"spec":' * 20_000 + "1" + "}" * 20_000, None),
    ("\ud800".encode("utf-8", "surrogatepass"), None),
    (b"\xff\xfe{}", None),
    ("", [""]),
    ("null", [""]),
    ("[]", [""]),
    ('"spec"', [""]),
    (TRAINING % '"optimizer": {"kind": "adamw", "lr": NaN}', ["/spec/optimizer/lr"]),
    (TRAINING % '"optimizer": {"kind": "adamw", "lr": Infinity}', ["/spec/optimizer/lr"]),
    (TRAINING % '"optimizer": {"kind": "adamw", "lr": 1e999}', ["/spec/optimizer/lr"]),
    (TRAINING % '"num_steps": 1e3000', ["/spec/num_steps"]),
    (TRAINING % f'"num_steps": {"9" * 5000}', None),
    (TRAINING % f'"seed": {"9" * 400}', ["/spec/seed"]),
    (TRAINING % '"num_stepps": 3', ["/spec/num_stepps"]),
    ('{"spec": {"kind": "trainin"}}', ["/spec"]),
    ('{"spec": {"kind": "training"}, "priority": "urgent"}', ["/priority"]),
    ('{"spec": {"kind": "training"}, "tags": "a"}', ["/tags"]),
    ('{"spec": {"kind": "training"}, "owner": "me"}', ["/owner"]),
]


async def test_a_launch_that_is_wrong_is_refused_with_the_place(api):
    for body, pointers in LAUNCHES:
        answer = await api.post(RUNS, content=body if isinstance(body, bytes) else body.encode(), headers=JSON)
        assert answer.status_code in {400, 422}, (body[:80], answer.text[:500])
        assert answer.headers["content-type"] == "application/problem+json"
        assert "Traceback" not in answer.text
        if pointers:
            found = [error["pointer"].rstrip("/") for error in answer.json()["errors"]]
            assert all(any(one.startswith(wanted) for one in found) for wanted in pointers), (body[:80], found)
    assert (await api.get(RUNS)).json()["items"] == []


PATHS = [
    "?limit=0",
    "?limit=x",
    "?limit=201",
    "?cursor=no",
    "?cursor=%00",
    "?sort=name;drop table runs",
    "?sort=spec",
    "?state=gone",
    "?kind=none",
    "?created_at=1&sort=-",
    "/%00",
    "/..%2f..%2fetc",
    "/" + "x" * 5000,
    "/nope/events?after=-1",
    "/nope/events?after=99999999999999999999",
    "/nope/metrics/loss?buckets=1000000000",
    "/nope/metrics/loss?from_step=1e3",
    "/nope/export?format=exe",
]


async def test_a_query_that_is_wrong_is_refused(api):
    for path in PATHS:
        answer = await api.get(RUNS + path)
        assert 400 <= answer.status_code < 500, (path, answer.status_code, answer.text[:300])
        assert answer.headers["content-type"] == "application/problem+json"


HEADERS = [
    {"Content-Type": "text/plain"},
    {"Content-Type": "application/x-www-form-urlencoded"},
    {"Content-Type": ""},
    {"Idempotency-Key": "x" * 100_000},
    {"Idempotency-Key": "\x7f"},
    {"X-Headrace-Project": "nowhere"},
]


async def test_a_header_that_is_wrong_is_refused_or_means_nothing(api):
    for headers in HEADERS:
        body = b'{"spec": {"kind": "training", "num_steps": -1}}'
        answer = await api.post(RUNS, content=body, headers=JSON | headers)
        assert 400 <= answer.status_code < 500, (headers, answer.text[:300])
        assert answer.headers["content-type"] == "application/problem+json"


REPORTS = [
    b"[" * 100_000,
    b"{}",
    b"[]",
    b'{"attempt": 0, "source": "worker", "seq": 0}',
    b'{"attempt": 1, "source": "worker", "seq": -1}',
    b'{"attempt": 1, "source": "worker", "seq": 0, "metrics": [{"key": "a", "steps": [1], "values": [], "times": []}]}',
    b'{"attempt": 1, "source": "worker", "seq": 0, "state": "finished"}',
    b'{"attempt": 99999999999999999999, "source": "worker", "seq": 0}',
]


async def test_a_report_that_is_wrong_is_refused_whole(api, worker_api, launch):
    run = await launch()
    for body in REPORTS:
        answer = await worker_api.post(f"/api/v1/ingest/runs/{run['id']}", content=body, headers=JSON)
        assert 400 <= answer.status_code < 500, (body[:80], answer.text[:300])
        assert answer.headers["content-type"] == "application/problem+json"
    assert (await api.get(f"{RUNS}/{run['id']}")).json()["state"] == "queued"


async def test_a_body_over_the_limit_is_413_whatever_it_says_of_its_length(api):
    async def drip():
        for _ in range(6):
            yield b" " * (1 << 20)

    for content in (b" " * (5 << 20), drip()):
        answer = await api.post(RUNS, content=content, headers=JSON)
        assert (answer.status_code, answer.json()["title"]) == (413, "Request Entity Too Large")
        assert "4 MiB" in answer.json()["detail"]
