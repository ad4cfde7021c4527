"""An S3 prefix as input, against moto's server in a process of its own: the same records as from a folder."""

import gzip
import json
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from workers.curation.document import RawRecord, Reject
from workers.curation.readers import (
    InputError,
    count_records,
    identify_file,
    list_files,
    read_file,
    resolve_input,
    snapshot,
)
from workers.specs.curation import Limits
from workers.specs.curation.inputs import FolderInput, S3Input

FILES = {
    "2024-10/a.jsonl": b'{"text": "one"}\n{"text": "two"}\n',
    "2024-10/deep/b.jsonl.gz": gzip.compress(b'{"text": "three"}\n'),
    "2024-18/page.html": b"<p>four</p>",
    "top.txt": b"five",
}
OTHERS = {"2024-10/image.png": b"x", ".hidden/x.txt": b"x", "2024-10//double.txt": b"x", "up/../x.txt": b"x"}


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.fixture(scope="module")
def server() -> Iterator[str]:
    url = f"http://127.0.0.1:{(port := free_port())}"
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                urllib.request.urlopen(f"{url}/moto-api/", timeout=5)
                break
            except OSError:
                assert process.poll() is None and time.monotonic() < deadline, "moto's server does not start"
                time.sleep(0.1)
        yield url
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def s3(server: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    for name, value in {"ACCESS_KEY_ID": "test", "SECRET_ACCESS_KEY": "test", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    urllib.request.urlopen(urllib.request.Request(f"{server}/moto-api/reset", method="POST"), timeout=10)
    client = boto3.client("s3", endpoint_url=server)
    client.create_bucket(Bucket="crawl")
    return client


def check_keys_after(server: str, num_calls: int) -> None:
    """From so many calls on, moto looks at keys and policies."""
    content, headers = str(num_calls).encode(), {"Content-Type": "text/plain"}
    request = urllib.request.Request(f"{server}/moto-api/reset-auth", data=content, headers=headers, method="POST")
    urllib.request.urlopen(request, timeout=10)


def fill(client: Any, prefix: str, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        client.put_object(Bucket="crawl", Key=prefix + name, Body=content)


def read_all(root: Path) -> list[RawRecord | Reject]:
    return [record for file in list_files(root) for record in read_file(file, root, Limits())]


def test_prefix_reads_like_a_folder(s3: Any, server: str, tmp_path: Path) -> None:
    fill(s3, "in/", {**FILES, **OTHERS})
    fill(s3, "in-other/", {"x.txt": b"not below the prefix"})
    for name, content in FILES.items():
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    folder = resolve_input(FolderInput(path=str(tmp_path / "folder")), tmp_path)
    root = resolve_input(S3Input(url="s3://crawl/in", endpoint_url=server), tmp_path)
    found = read_all(root)
    assert found == read_all(folder)
    assert [r.content for r in found if isinstance(r, RawRecord)] == [b"one", b"two", b"three", b"<p>four</p>", b"five"]
    assert [snapshot(r.source) for r in found] == ["2024-10", "2024-10", "2024-10", "2024-18", ""]
    assert [count_records(f, root, Limits()) for f in list_files(root)] == [2, 1, 1, 1]
    assert [count_records(f, folder, Limits()) for f in list_files(folder)] == [2, 1, 1, 1]


def test_whole_bucket_over_many_pages_of_the_listing(
    s3: Any, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("workers.curation.readers._s3._PAGE_KEYS", 10)
    fill(s3, "", {f"{i:04}.txt": b"page %d" % i for i in range(35)})
    root = resolve_input(S3Input(url="s3://crawl", endpoint_url=server), tmp_path)
    assert len(list_files(root)) == 35
    assert not list((tmp_path / "spool").rglob("objects/*")), "nothing is fetched before it is read"


def test_identity_changes_with_the_content_and_needs_no_fetch(s3: Any, server: str, tmp_path: Path) -> None:
    chosen = S3Input(url="s3://crawl/in", endpoint_url=server)
    fill(s3, "in/", {"a.txt": b"one", "b.txt": b"two"})
    before = resolve_input(chosen, tmp_path)
    first = {f.name: identify_file(f, before) for f in list_files(before)}
    fill(s3, "in/", {"a.txt": b"new"})
    after = resolve_input(chosen, tmp_path)
    second = {f.name: identify_file(f, after) for f in list_files(after)}
    assert first["b.txt"] == second["b.txt"]
    assert first["a.txt"][0] == 3 and first["a.txt"] != second["a.txt"]
    assert [r.content for r in read_all(after) if isinstance(r, RawRecord)] == [b"new", b"two"]
    # the run that listed before must not read what it did not list
    changed, kept = read_all(before)
    assert isinstance(changed, Reject) and isinstance(kept, RawRecord)
    assert (changed.source, changed.reason) == ("a.txt", "s3_changed")


def test_spool_stays_within_its_bound(s3: Any, server: str, tmp_path: Path) -> None:
    fill(s3, "in/", {f"{i}.txt": bytes([97 + i]) * 400_000 for i in range(6)})
    root = resolve_input(S3Input(url="s3://crawl/in", endpoint_url=server, spool_mb=1), tmp_path)
    files = list_files(root)
    for _ in range(2):
        for number, file in enumerate(files):
            (record,) = read_file(file, root, Limits())
            assert isinstance(record, RawRecord)
            assert record.content == bytes([97 + number]) * 400_000
            assert sum(f.stat().st_size for f in (root.parent / "objects").iterdir()) <= 1_000_000
    fill(s3, "in/", {"large.txt": b"x" * 1_500_000})
    root = resolve_input(S3Input(url="s3://crawl/in", endpoint_url=server, spool_mb=1), tmp_path)
    (reject,) = read_file(root / "large.txt", root, Limits())
    assert isinstance(reject, Reject)
    assert (reject.reason, "raise input.spool_mb" in reject.detail) == ("too_large", True)


def test_what_is_being_read_is_not_removed(s3: Any, server: str, tmp_path: Path) -> None:
    rows = b"".join(json.dumps({"text": f"row {i} " + "x" * 1000}).encode() + b"\n" for i in range(800))
    fill(s3, "in/", {"a.jsonl": rows, "b.txt": b"b" * 900_000})
    root = resolve_input(S3Input(url="s3://crawl/in", endpoint_url=server, spool_mb=1), tmp_path)
    reading = read_file(root / "a.jsonl", root, Limits())
    next(reading)
    assert isinstance(next(read_file(root / "b.txt", root, Limits())), RawRecord)
    assert sum(isinstance(record, RawRecord) for record in reading) == 799


def test_missing_key_costs_one_file(s3: Any, server: str, tmp_path: Path) -> None:
    fill(s3, "in/", {"a.txt": b"one", "b.txt": b"two"})
    root = resolve_input(S3Input(url="s3://crawl/in", endpoint_url=server), tmp_path)
    s3.delete_object(Bucket="crawl", Key="in/a.txt")
    gone, kept = read_all(root)
    assert isinstance(gone, Reject) and isinstance(kept, RawRecord)
    assert (gone.source, gone.reason) == ("a.txt", "s3_missing")


def test_input_errors_say_what_to_do(s3: Any, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def complaint(url: str, endpoint: str = server) -> str:
        with pytest.raises(InputError) as error:
            resolve_input(S3Input(url=url, endpoint_url=endpoint), tmp_path)
        return str(error.value)

    fill(s3, "in/", {"a.txt": b"one"})
    assert "no bucket s3://nothing" in complaint("s3://nothing/x")
    assert "s3://crawl/empty holds no document" in complaint("s3://crawl/empty")
    closed = f"http://127.0.0.1:{free_port()}"
    start = time.monotonic()
    assert f"{closed} does not answer" in complaint("s3://crawl/in", closed)
    assert time.monotonic() - start < 60
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    assert "has no S3 keys. Set AWS_ACCESS_KEY_ID" in complaint("s3://crawl/in")


def test_wrong_keys_and_refusal(s3: Any, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(s3, "in/", {"a.txt": b"one"})
    chosen = S3Input(url="s3://crawl/in", endpoint_url=server)
    root = resolve_input(chosen, tmp_path)
    iam = boto3.client("iam", endpoint_url=server)
    iam.create_user(UserName="reader")
    key = iam.create_access_key(UserName="reader")["AccessKey"]
    check_keys_after(server, 0)
    try:
        with pytest.raises(InputError, match="does not know the worker's keys"):
            resolve_input(chosen, tmp_path)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", key["AccessKeyId"])
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", key["SecretAccessKey"])
        with pytest.raises(InputError, match=r"refuses the worker's keys\. They need s3:ListBucket"):
            resolve_input(chosen, tmp_path)
        (refused,) = read_all(root)
        assert isinstance(refused, Reject)
        assert (refused.source, refused.reason) == ("a.txt", "s3_refused")
        assert "s3:GetObject" in refused.detail
    finally:
        check_keys_after(server, 10**9)


class CuttingProxy:
    """Passes connections on to a server, and cuts the first ones after so many bytes of their answers."""

    def __init__(self, target: str, budgets: list[int]) -> None:
        self.target, self.budgets = ("127.0.0.1", int(target.rpartition(":")[2])), budgets
        self.server = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.server.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.server.accept()
            except OSError:
                return
            upstream = socket.create_connection(self.target)
            threading.Thread(target=self._pump, args=(client, upstream, None), daemon=True).start()
            budget = self.budgets.pop(0) if self.budgets else None
            threading.Thread(target=self._pump, args=(upstream, client, budget), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, budget: int | None) -> None:
        try:
            while chunk := source.recv(65536):
                if budget is not None and (budget := budget - len(chunk)) < 0:
                    break
                sink.sendall(chunk)
        except OSError:
            pass
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def test_cut_connections_go_on_where_they_stopped(s3: Any, server: str, tmp_path: Path) -> None:
    content = b"".join(b"%08d\n" % i for i in range(300_000))
    fill(s3, "in/", {"a.txt": content})
    proxy = CuttingProxy(server, [])
    root = resolve_input(S3Input(url="s3://crawl/in", endpoint_url=proxy.url), tmp_path)
    proxy.budgets = [1_000_000, 700_000]
    (record,) = read_file(root / "a.txt", root, Limits())
    assert isinstance(record, RawRecord)
    assert record.content == content
    assert not proxy.budgets, "both cuts happened"
    proxy.server.close()


def test_service_that_stays_away_stops_the_run(s3: Any, server: str, tmp_path: Path) -> None:
    fill(s3, "in/", {"a.txt": b"x" * 100_000})
    proxy = CuttingProxy(server, [])
    root = resolve_input(S3Input(url="s3://crawl/in", endpoint_url=proxy.url), tmp_path)
    proxy.budgets = [2000] * 40
    with pytest.raises(InputError, match=r"Check input\.endpoint_url and the network"):
        list(read_file(root / "a.txt", root, Limits()))
    assert not list((root.parent / "objects").iterdir()), "nothing half fetched is left"
    proxy.server.close()


def test_moto_refuses_what_s3_refuses(s3: Any) -> None:
    """The server under these tests does honour If-Match; else `s3_changed` would prove nothing."""
    s3.put_object(Bucket="crawl", Key="k", Body=b"x")
    with pytest.raises(ClientError, match=r"PreconditionFailed|412"):
        s3.get_object(Bucket="crawl", Key="k", IfMatch='"0"')
