"""Artifacts: a folder goes into the store and comes back whole, or not at all; on a folder and on a real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from workers.storage import FolderStorage, S3Storage, Storage, get_folder, put_folder


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture(params=["folder", "s3"])
def storage(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Storage:
    if request.param == "folder":
        return FolderStorage(tmp_path / "store")
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    url = request.getfixturevalue("s3")
    boto3.client("s3", endpoint_url=url).create_bucket(Bucket="headrace")
    return S3Storage("s3://headrace/artifacts", url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "inner").mkdir(parents=True)
    (made / "a.txt").write_text("alpha")
    (made / "inner" / "b.bin").write_bytes(bytes(range(256)) * 100)
    (made / "half.partial").write_text("not yet")
    return made


def test_a_folder_comes_back_byte_for_byte(storage: Storage, folder: Path, tmp_path: Path) -> None:
    artifact = put_folder(storage, folder, "dataset", "texts", {"documents": 2})
    back = get_folder(storage, artifact.digest, tmp_path / "cache")
    assert (back / "a.txt").read_text() == "alpha"
    assert (back / "inner" / "b.bin").read_bytes() == (folder / "inner" / "b.bin").read_bytes()
    assert not (back / "half.partial").exists()


def test_equal_folders_have_equal_digests_and_others_do_not(storage: Storage, folder: Path) -> None:
    first = put_folder(storage, folder, "dataset", "texts", {})
    assert put_folder(storage, folder, "dataset", "texts", {}).digest == first.digest
    assert put_folder(storage, folder, "dataset", "texts", {"x": 1}).digest != first.digest
    (folder / "a.txt").write_text("beta")
    assert put_folder(storage, folder, "dataset", "texts", {}).digest != first.digest


def test_what_is_missing_is_named(storage: Storage, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="0000"):
        get_folder(storage, "sha256:" + "0" * 64, tmp_path / "cache")


def test_a_damaged_blob_is_noticed_and_nothing_is_left(folder: Path, tmp_path: Path) -> None:
    storage = FolderStorage(tmp_path / "store")
    artifact = put_folder(storage, folder, "checkpoint", "weights", {})
    blob = next(file.sha256 for file in artifact.files if file.path == "a.txt")
    storage._path(blob).write_text("alphb")
    with pytest.raises(ValueError, match="damaged"):
        get_folder(storage, artifact.digest, tmp_path / "cache")
    assert not (tmp_path / "cache" / artifact.digest.removeprefix("sha256:")).exists()


def test_a_path_outside_the_folder_is_refused(folder: Path, tmp_path: Path) -> None:
    import hashlib

    storage = FolderStorage(tmp_path / "store")
    artifact = put_folder(storage, folder, "other", "evil", {})
    text = artifact.model_dump_json(exclude={"digest", "step"}).replace("a.txt", "../../a.txt")
    manifest = tmp_path / "manifest"
    manifest.write_text(text)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    storage.put(sha256, manifest)
    with pytest.raises(ValueError, match="outside"):
        get_folder(storage, f"sha256:{sha256}", tmp_path / "cache")
