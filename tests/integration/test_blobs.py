"""Blobs and artifact files on a folder and on S3 (moto's server), written by the workers' own client."""

import errno
import hashlib
import json
import os
import socket
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from app.services import blob_files, blobs
from app.settings import Settings
from workers.storage import put_folder

MIB = 1 << 20


@pytest.fixture(scope="module")
def s3_endpoint():
    os.environ.setdefault("AWS_ACCESS_KEY_ID", "test")
    os.environ.setdefault("AWS_SECRET_ACCESS_KEY", "test")
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    url = f"http://{host}:{port}"
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket="bucket")
    yield url
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def settings(request, settings):
    """The service on each kind of store."""
    if request.param == "folder":
        return settings
    endpoint = request.getfixturevalue("s3_endpoint")
    changes = {"storage": f"s3://bucket/{settings.home.parent.name}", "s3_endpoint_url": endpoint}
    return Settings(**(settings.model_dump() | changes))


def sha(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def leftovers(settings) -> list[Path]:
    folder = Path(settings.storage)
    return [path for path in folder.rglob("*") if path.is_file() and len(path.name) != 62] if folder.is_dir() else []


async def test_a_blob_comes_back_as_it_went(worker, settings):
    content = os.urandom(3 * MIB + 7)
    url = f"/api/v1/blobs/{sha(content)}"
    assert (await worker.head(url)).status_code == 404
    assert (await worker.get(url)).status_code == 404

    async def pieces():
        for start in range(0, len(content), 100_003):
            yield content[start : start + 100_003]

    assert (await worker.put(url, content=pieces())).status_code == 204
    assert (await worker.head(url)).headers["content-length"] == str(len(content))
    answer = await worker.get(url)
    assert answer.content == content
    assert (await worker.put(url, content=content)).status_code == 204
    assert leftovers(settings) == []


async def test_content_that_does_not_fit_its_name_is_refused(worker, settings):
    name = sha(b"one thing")
    answer = await worker.put(f"/api/v1/blobs/{name}", content=b"another thing")
    assert answer.status_code == 422
    assert sha(b"another thing") in answer.json()["detail"]
    assert (await worker.head(f"/api/v1/blobs/{name}")).status_code == 404
    assert leftovers(settings) == []


async def test_an_empty_blob(worker):
    assert (await worker.put(f"/api/v1/blobs/{sha(b'')}", content=b"")).status_code == 204
    answer = await worker.get(f"/api/v1/blobs/{sha(b'')}")
    assert answer.status_code == 200
    assert answer.content == b""


async def test_only_hashes_are_names(worker):
    for name in ("..%2f..%2fetc%2fpasswd", "A" * 64, "0" * 63, "0" * 65, "0" * 64 + "%00", "..;"):
        for method in ("GET", "HEAD", "PUT"):
            answer = await worker.request(method, f"/api/v1/blobs/{name}", content=b"x" if method == "PUT" else None)
            assert answer.status_code in {404, 405, 422}, (method, name)


async def test_an_interrupted_upload_leaves_nothing(worker, settings):
    content = os.urandom(2 * MIB)

    async def broken():
        yield content[:MIB]
        raise ConnectionResetError("cut")

    answer = await worker.put(f"/api/v1/blobs/{sha(content)}", content=broken())
    assert answer.is_error
    assert (await worker.head(f"/api/v1/blobs/{sha(content)}")).status_code == 404
    assert leftovers(settings) == []


async def test_a_full_disk_is_507(worker, settings, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(blob_files, "_flush", full)  # a real full disk needs root and a mount
    answer = await worker.put(f"/api/v1/blobs/{sha(b'x')}", content=b"x")
    assert answer.status_code == 507
    assert "no space is left" in answer.json()["detail"]
    assert leftovers(settings) == []


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "model"
    (made / "data").mkdir(parents=True)
    (made / "config.json").write_text('{"a": 1}')
    (made / "data" / "page.html").write_text("<script>alert(1)</script>")
    (made / "README.md").write_text("# Card")
    (made / "weights.safetensors").write_bytes(os.urandom(100))
    return made


class Client:
    """`workers.storage.Storage` over the test's client, so that the worker's own code writes the artifact."""

    def __init__(self) -> None:
        self.paths = {}

    def has(self, sha256):
        return sha256 in self.paths

    def put(self, sha256, path):
        self.paths[sha256] = Path(path).read_bytes()

    def get(self, sha256, path):
        raise KeyError(sha256)


async def upload(worker, folder, tmp_path):
    client = Client()
    artifact = put_folder(client, folder, "release", "model", {})
    for name, content in client.paths.items():
        assert (await worker.put(f"/api/v1/blobs/{name}", content=content)).status_code == 204
    return artifact


async def test_files_of_an_artifact_are_found_through_its_manifest(worker, admin, folder, tmp_path):
    artifact = await upload(worker, folder, tmp_path)
    base = f"/api/v1/artifacts/{artifact.digest}/files"
    answer = await admin.get(f"{base}/config.json")
    assert answer.json() == {"a": 1}
    assert answer.headers["content-type"] == "application/json"
    assert "content-disposition" not in answer.headers
    answer = await admin.get(f"{base}/README.md")
    assert answer.headers["content-type"].startswith("text/plain")
    answer = await admin.get(f"{base}/data/page.html")
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"].startswith("attachment")
    assert answer.headers["x-content-type-options"] == "nosniff"
    answer = await admin.get(f"{base}/weights.safetensors")
    assert answer.content == (folder / "weights.safetensors").read_bytes()


HOSTILE = (
    "../config.json", "..%2fconfig.json", "%2e%2e/config.json", "..%252fconfig.json", "/etc/passwd", "config.json%00",
    "data", "data/", "", "config.json;x", "file:%2f%2f/etc/passwd", "data/../config.json", "data%2f..%2fconfig.json",
)  # fmt: skip


async def test_no_other_path_exists(worker, admin, folder, tmp_path):
    artifact = await upload(worker, folder, tmp_path)
    for path in HOSTILE:
        answer = await admin.get(f"/api/v1/artifacts/{artifact.digest}/files/{path}")
        # A client may fold `..` by itself before it sends: what arrives is then a path that the manifest lists.
        if path == "data/../config.json" and answer.status_code == 200:
            assert answer.json() == {"a": 1}
        else:
            assert answer.status_code == 404, path


async def test_unknown_and_malformed_artifacts_are_404(worker, admin):
    content = json.dumps({"files": "no"}).encode()
    await worker.put(f"/api/v1/blobs/{sha(content)}", content=content)
    assert (await admin.get(f"/api/v1/artifacts/sha256:{sha(content)}/files/x")).status_code == 404
    assert (await admin.get(f"/api/v1/artifacts/sha256:{'0' * 64}/files/x")).status_code == 404
    assert (await admin.get("/api/v1/artifacts/nonsense/files/x")).status_code == 422


async def test_a_store_that_is_away_is_503(settings, tmp_path, s3_endpoint):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    store = blobs.S3Store("s3://bucket/x", f"http://127.0.0.1:{port}")
    with pytest.raises(blobs.StorageUnavailableError, match="does not answer"):
        await store.size("0" * 64)
    assert (await blobs.build_store(settings).check()).startswith(("folder", "s3://bucket"))
    with pytest.raises(blobs.StorageUnavailableError, match="does not exist"):
        await blobs.S3Store("s3://nowhere", s3_endpoint).check()
