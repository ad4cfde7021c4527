"""Artifacts: a folder goes into the store and comes back whole, or not at all; on a real S3 server."""

import time
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto.server import ThreadedMotoServer

from workers.storage import S3Storage, get_folder, put_folder


@pytest.fixture(scope="module")
def s3() -> Iterator[str]:
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def storage(s3: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> S3Storage:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    boto3.client("s3", endpoint_url=s3).create_bucket(Bucket="headrace")
    return S3Storage(f"s3://headrace/{tmp_path.name}", s3)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "inner").mkdir(parents=True)
    (made / "a.txt").write_text("alpha")
    (made / "inner" / "b.bin").write_bytes(bytes(range(256)) * 100)
    (made / "half.partial").write_text("not yet")
    return made


def test_a_folder_comes_back_byte_for_byte(storage: S3Storage, folder: Path, tmp_path: Path) -> None:
    artifact = put_folder(storage, folder, "dataset", "texts", {"documents": 2})
    back = get_folder(storage, artifact.digest, tmp_path / "cache")
    assert (back / "a.txt").read_text() == "alpha"
    assert (back / "inner" / "b.bin").read_bytes() == (folder / "inner" / "b.bin").read_bytes()
    assert not (back / "half.partial").exists()


def test_equal_folders_have_equal_digests_and_others_do_not(storage: S3Storage, folder: Path) -> None:
    first = put_folder(storage, folder, "dataset", "texts", {})
    assert put_folder(storage, folder, "dataset", "texts", {}).digest == first.digest
    assert put_folder(storage, folder, "dataset", "texts", {"x": 1}).digest != first.digest
    (folder / "a.txt").write_text("beta")
    assert put_folder(storage, folder, "dataset", "texts", {}).digest != first.digest


def test_what_is_missing_is_named(storage: S3Storage, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="0000"):
        get_folder(storage, "sha256:" + "0" * 64, tmp_path / "cache")


def test_a_damaged_blob_is_noticed_and_nothing_is_left(storage: S3Storage, folder: Path, tmp_path: Path) -> None:
    artifact = put_folder(storage, folder, "checkpoint", "weights", {})
    blob = next(file.sha256 for file in artifact.files if file.path == "a.txt")
    storage.client.put_object(Bucket=storage.bucket, Key=storage._key(blob), Body=b"alphb")
    with pytest.raises(ValueError, match="damaged"):
        get_folder(storage, artifact.digest, tmp_path / "cache")
    assert not (tmp_path / "cache" / artifact.digest.removeprefix("sha256:")).exists()


def test_a_path_outside_the_folder_is_refused(storage: S3Storage, folder: Path, tmp_path: Path) -> None:
    import hashlib

    artifact = put_folder(storage, folder, "other", "evil", {})
    text = artifact.model_dump_json(exclude={"digest", "step"}).replace("a.txt", "../../a.txt")
    manifest = tmp_path / "manifest"
    manifest.write_text(text)
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    storage.put(sha256, manifest)
    with pytest.raises(ValueError, match="outside"):
        get_folder(storage, f"sha256:{sha256}", tmp_path / "cache")


def test_storing_what_is_there_makes_it_young_again(
    storage: S3Storage, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Garbage collection leaves young objects alone; one that is young already is not copied."""
    artifact = put_folder(storage, folder, "dataset", "texts", {})
    key = storage._key(artifact.files[0].sha256)

    def modified() -> float:
        found: float = storage.client.head_object(Bucket=storage.bucket, Key=key)["LastModified"].timestamp()
        return found

    before = modified()
    time.sleep(1.1)  # S3 tells whole seconds
    put_folder(storage, folder, "dataset", "texts", {})
    assert modified() == before
    monkeypatch.setattr("workers.storage._YOUNG_SECONDS", 0.0)
    put_folder(storage, folder, "dataset", "texts", {})
    assert modified() > before
    assert get_folder(storage, artifact.digest, folder.parent / "cache").is_dir()
