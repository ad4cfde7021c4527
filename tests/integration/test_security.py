"""Host, Origin and the headers of every answer."""

from app.routes.security import host_name, same_origin


async def test_only_our_own_hosts_are_answered(admin):
    foreign = ("evil.example", "127.0.0.1.evil.example", "localhost@evil.example", "127.0.0.1:x", "a/127.0.0.1", "")
    for host in foreign:
        answer = await admin.get("/api/v1/workers", headers={"Host": host})
        assert answer.status_code == 421, host
        assert "HEADRACE_ALLOWED_HOSTS" in answer.json()["detail"]
    for host in ("localhost:1", "127.0.0.1", "[::1]:8000", "LOCALHOST", "localhost."):
        assert (await admin.get("/api/v1/workers", headers={"Host": host})).status_code == 200, host


async def test_writes_from_another_origin_are_refused(admin):
    body = {"name": "x", "role": "viewer"}
    for origin in ("http://evil.example", "null", "http://127.0.0.1:9999", "file://", "http://["):
        answer = await admin.post("/api/v1/tokens", json=body, headers={"Origin": origin})
        assert answer.status_code == 403, origin
    assert len((await admin.get("/api/v1/tokens")).json()["items"]) == 2  # the two of the settings


async def test_writes_from_our_own_origin_pass(admin):
    body = {"name": "x", "role": "viewer"}
    answer = await admin.post("/api/v1/tokens", json=body, headers={"Origin": "http://127.0.0.1:8000"})
    assert answer.status_code == 201
    answer = await admin.post("/api/v1/tokens", json=body, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


async def test_every_answer_carries_the_headers(anonymous):
    for path in ("/", "/runs/x", "/api/v1/health", "/api/v1/workers", "/api/v1/nothing", "/login"):
        headers = (await anonymous.get(path)).headers
        policy = headers["content-security-policy"]
        assert "default-src 'self'" in policy, path
        assert "frame-ancestors 'none'" in policy
        assert "script-src 'self'" in policy
        assert "unsafe-eval" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
        assert "access-control-allow-origin" not in headers


async def test_no_other_site_gets_cors(admin):
    ask = {"Origin": "http://evil.example", "Access-Control-Request-Method": "POST"}
    answer = await admin.options("/api/v1/tokens", headers=ask)
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_host_names_and_origins():
    assert host_name("Example.com:80") == "example.com"
    assert host_name("a b") in {"a b", ""}
    assert host_name("x:99999") == ""
    assert same_origin("https://h.example", "h.example:443")
    assert not same_origin("https://h.example", "h.example:444")


async def test_api_answers_are_not_cached(admin):
    assert (await admin.get("/api/v1/tokens")).headers["cache-control"] == "no-store"


async def test_ui_files_start_page_and_missing_build(anonymous, settings):
    answer = await anonymous.get("/runs")
    assert answer.status_code == 503
    assert "make ui" in answer.text

    (settings.ui_dist / "assets").mkdir(parents=True)
    (settings.ui_dist / "index.html").write_text("<p>start</p>")
    (settings.ui_dist / "assets" / "app-1a2b.js").write_text("1")
    (settings.ui_dist.parent / "secret.txt").write_text("top-content")
    answer = await anonymous.get("/assets/app-1a2b.js")
    assert "immutable" in answer.headers["cache-control"]
    answer = await anonymous.get("/runs/01abc")
    assert answer.text == "<p>start</p>"
    assert answer.headers["cache-control"] == "no-cache"
    assert (await anonymous.get("/assets/old-ffff.js")).status_code == 404
    assert (await anonymous.get("/api/v1/nothing")).status_code == 404
    for path in ["/..%2fsecret.txt", "/%2e%2e/secret.txt", "/assets/..%2f..%2fsecret.txt", "/x%00", "/..;/secret.txt"]:
        assert "top-content" not in (await anonymous.get(path)).text


async def test_health_tells_details_to_callers_with_a_token_only(anonymous, admin):
    seen = (await anonymous.get("/api/v1/health")).json()
    parts = {part["name"]: part for part in seen["parts"]}
    assert parts["database"]["ok"]
    assert parts["storage"]["ok"]
    assert not parts["prefect"]["ok"]
    assert not seen["ok"]
    assert not any(part["detail"] for part in seen["parts"])
    told = (await admin.get("/api/v1/health")).json()
    assert "Postgres" in next(part["detail"] for part in told["parts"] if part["name"] == "database")
