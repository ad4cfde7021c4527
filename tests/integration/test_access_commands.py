"""`headrace projects`, `users`, `tokens` and `audit` against the real service over HTTP."""

import asyncio
import json
import sys
from pathlib import Path

import httpx
import pytest
import uvicorn

ROOT = Path(__file__).parents[2]


@pytest.fixture
async def command(app, settings):
    """Run `headrace` with the admin token, or with the given one; its exit code, stdout and stderr."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.02)
    url = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"

    admin = settings.admin_token.get_secret_value()

    async def run(*arguments, token=admin, **more):
        environment = {"PATH": "/usr/bin:/bin", "HEADRACE_API_URL": url, "HEADRACE_API_TOKEN": token} | more
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "app.cli", *arguments, cwd=ROOT, env=environment,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(), 90)
        return process.returncode, out.decode(), err.decode()

    run.url = url
    yield run
    server.should_exit = True
    await serving


async def test_a_project_a_user_her_token_and_what_the_log_says(command):
    assert await command("projects", "create", "tides", "--max-running", "4") == (0, "tides\n", "")
    limits = ("--max-active", "9", "--pool-limit", "gpu=2", "--pool-limit", "cpu=3")
    assert (await command("projects", "set", "tides", *limits))[0] == 0
    code, out, _ = await command("projects", "set", "tides", "--pool-limit", "cpu=", "--json")
    assert (json.loads(out)["max_active"], json.loads(out)["max_running_by_pool"]) == (9, {"gpu": 2})
    code, out, err = await command("users", "create", "Ada", "--role", "tides=operator", "--json")
    assert (code, json.loads(out)["roles"]) == (0, {"tides": "operator"}), err
    code, out, err = await command("tokens", "create", "laptop", "--role", "admin", "--user", "Ada")
    assert code == 0, err
    token = out.strip()
    _, out, _ = await command("projects", "list", "--json", token=token)
    assert [(row["id"], row["role"], row["max_running"]) for row in json.loads(out)] == [("tides", "operator", 4)]
    code, _, err = await command("users", "list", token=token)
    assert code == 1
    assert "for all projects" in err

    _, url, _ = await command("users", "login", "Ada")
    async with httpx.AsyncClient() as browser:
        assert (await browser.get(url.strip())).status_code == 303
        assert (await browser.get(f"{command.url}/api/v1/auth/session")).json()["name"] == "Ada"
    assert (await command("users", "set", "Ada", "--disabled"))[0] == 0
    assert (await command("projects", "list", token=token))[0] == 1

    code, out, _ = await command("audit", "--action", "user.change", "--json")
    entry = json.loads(out)[0]
    assert (entry["before"], entry["after"]) == ({"disabled": False}, {"disabled": True})
    code, out, _ = await command("audit", "--since", "2020-01-01T00:00:00Z")
    assert code == 0
    assert "disabled false -> true" in " ".join(out.split())


async def test_the_project_of_the_environment_narrows_every_command(command):
    await command("projects", "create", "tides")
    await command("tokens", "create", "there", "--project", "tides")
    _, out, _ = await command("tokens", "list", "--json", HEADRACE_PROJECT="tides")
    assert [row["name"] for row in json.loads(out)] == ["there"]
    _, out, _ = await command("projects", "list", "--json", HEADRACE_PROJECT="tides")
    assert "tides" in out
    assert (await command("users", "list", HEADRACE_PROJECT="tides"))[0] == 0  # users belong to no project


async def test_mistakes_are_told_in_words(command):
    for arguments, words in [
        (("users", "create", "x", "--role", "operator"), "write PROJECT=viewer"),
        (("users", "set", "Nobody", "--admin"), "there is no user 'Nobody'"),
        (("users", "create", "x", "--role", "nowhere=viewer"), "there is no such project"),
        (("projects", "create", "No good"), "/id"),
        (("projects", "create", "x", "--pool-limit", "gpu"), "write POOL=NUMBER"),
        (("projects", "delete", "default"), "stays"),
        (("audit", "--action", "run.explode"), "/query/action"),
    ]:
        code, _, err = await command(*arguments)
        assert code in {1, 2}, arguments
        assert words in err, (arguments, err)
        assert "Traceback" not in err
