"""`headrace dataset ...` and `headrace gc` against the real service over HTTP."""

import asyncio
import json
import sys
from pathlib import Path

import polars
import pytest
import uvicorn
from test_dataset_comparison import document, packed, stored

HEADRACE = str(Path(sys.executable).with_name("headrace"))


@pytest.fixture
async def command(app, settings):
    """Run `headrace` with the admin token; its exit code, stdout and stderr."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", log_level="warning"))
    serving = asyncio.create_task(server.serve())
    async with asyncio.timeout(20):
        while not server.started:  # noqa: ASYNC110  uvicorn has no event for it
            await asyncio.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    environment = {
        "PATH": "/usr/bin:/bin", "HEADRACE_API_URL": f"http://127.0.0.1:{port}",
        "HEADRACE_API_TOKEN": settings.admin_token.get_secret_value(),
    }  # fmt: skip

    async def run(*arguments, stdin=b""):
        process = await asyncio.create_subprocess_exec(
            HEADRACE, *arguments, env=environment, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        out, err = await asyncio.wait_for(process.communicate(stdin), 90)
        return process.returncode, out.decode(), err.decode()

    yield run
    server.should_exit = True
    await serving


@pytest.fixture
async def folders(worker, database, tmp_path):
    left = packed(tmp_path / "left", [document(n) for n in range(30)], {"url.host": {"en": 2}})
    right = packed(tmp_path / "right", [document(n) for n in range(1, 31)], {})
    await stored(worker, database, left, "web/docs")
    await stored(worker, database, right, "other")
    return {"web/docs": left, "other": right}


async def test_versions_are_listed_shown_and_compared(command, folders):
    code, out, err = await command("dataset", "list", "--json")
    assert code == 0, err
    assert [(one["name"], one["version"]) for one in json.loads(out)] == [("other", 1), ("web/docs", 1)]
    code, out, _ = await command("dataset", "show", "web/docs@1")
    assert code == 0 and "url.host" in out and "en" in out
    code, out, err = await command("dataset", "diff", "web/docs@1", "other", "--json")
    assert code == 0, err
    assert json.loads(out)["documents"] == {"only_left": 1, "only_right": 1, "both": 29, "changed": 0}
    code, out, _ = await command("dataset", "diff", "web/docs", "other@1")
    assert code == 0 and "1 only left, 1 only right, 29 in both" in out
    code, _, err = await command("dataset", "show", "web/docs@7")
    assert code == 2 and "has no version 7" in err


async def test_documents_are_exported_as_they_were_packed(command, folders, tmp_path):
    packed_rows = polars.read_parquet(folders["web/docs"] / "documents-*.parquet").to_dicts()
    target = tmp_path / "export" / "docs.jsonl"
    code, out, err = await command("dataset", "export", "web/docs", "--out", str(target), "--json")
    assert code == 0, err
    assert json.loads(out)["documents"] == 30
    assert [json.loads(line) for line in target.read_text().splitlines()] == packed_rows
    code, _, _ = await command("dataset", "export", "web/docs", "--out", str(target), "--split", "heldout")
    assert code == 0
    heldout = [json.loads(line) for line in target.read_text().splitlines()]
    assert heldout == [row for row in packed_rows if row["split"] == "heldout"] != []
    shards = tmp_path / "shards"
    code, _, err = await command("dataset", "export", "web/docs", "--out", str(shards), "--format", "parquet")
    assert code == 0, err
    assert polars.read_parquet(shards / "documents-*.parquet").to_dicts() == packed_rows


async def test_a_version_is_deleted_once_its_name_is_typed(command, folders):
    code, _, err = await command("dataset", "delete", "other@1", stdin=b"other\n")
    assert code == 2 and "does not name this version" in err
    code, out, err = await command("dataset", "delete", "other@1", stdin=b"other@1\n")
    assert code == 0, err
    assert "deleted" in out
    code, out, _ = await command("dataset", "list", "--json")
    assert [one["name"] for one in json.loads(out)] == ["web/docs"]
    code, out, err = await command("gc", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["garbage"], found["deleted"], found["apply"]) == (0, 0, False)
    assert found["young"] > 0  # the deleted version's own blobs were stored minutes ago
    assert found["referenced"] > 0
