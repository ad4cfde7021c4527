"""An S3 prefix as a folder whose files come when they are read, and go again when the folder is full.

    <home>/spool/PREFIX/LISTING/objects.json   what the bucket held: path, key, size and ETag of each object
    <home>/spool/PREFIX/objects/DIGEST         fetched objects, by SHA-256 of key and ETag
    <home>/spool/PREFIX/locks/DIGEST           shared while the object is read, exclusive while it comes or goes
The folder that a run reads is PREFIX/LISTING: a bucket that changes has another one.
"""

import contextlib
import fcntl
import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import orjson

from workers.curation.readers._files import InputError, name_format
from workers.curation.readers._s3 import Bucket
from workers.curation.readers._shared import RejectError
from workers.specs.curation.inputs import S3Input

_CATALOGUE = "objects.json"


@dataclass(slots=True, frozen=True)
class Remote:
    """An object of the bucket."""

    path: str
    """Below the prefix."""
    key: str
    num_bytes: int
    etag: str

    @property
    def digest(self) -> str:
        """SHA-256 (hex) of key and ETag: another content has another one."""
        return hashlib.sha256(f"{self.key}\0{self.etag}".encode("utf-8", "surrogatepass")).hexdigest()


def open_spool(chosen: S3Input, home: Path) -> Path:
    """List the objects that a reader knows and return the folder that stands for them. Raises InputError."""
    name, _, prefix = chosen.url.removeprefix("s3://").partition("/")
    prefix = prefix.strip("/") + "/" if prefix.strip("/") else ""
    found = []
    for item in Bucket(name, chosen.endpoint_url).list(prefix):
        inside = item["Key"].removeprefix(prefix)
        parts = inside.split("/")
        if all(part and not part.startswith(".") for part in parts) and name_format(Path(inside)):
            found.append(Remote(inside, item["Key"], int(item["Size"]), item["ETag"]))
    content = orjson.dumps(
        {
            "bucket": name,
            "endpoint_url": chosen.endpoint_url,
            "max_bytes": chosen.spool_mb * 1_000_000,
            "objects": [[remote.path, remote.key, remote.num_bytes, remote.etag] for remote in found],
        }
    )
    place = hashlib.sha256(f"{chosen.endpoint_url}\0{name}\0{prefix}".encode()).hexdigest()[:24]
    root = home / "spool" / place / hashlib.sha256(content).hexdigest()[:24]
    for folder in (root, root.parent / "objects", root.parent / "locks"):
        folder.mkdir(parents=True, exist_ok=True)
    _write(root / _CATALOGUE, content)
    return root


class Spool:
    """Access to the objects behind a folder that `open_spool` made."""

    def __init__(self, root: Path) -> None:
        self.root = root
        content = orjson.loads((root / _CATALOGUE).read_bytes())
        self.bucket = Bucket(content["bucket"], content["endpoint_url"])
        self.max_bytes = int(content["max_bytes"])
        self.objects = {row[0]: Remote(*row) for row in content["objects"]}

    @contextlib.contextmanager
    def fetched(self, path: Path) -> Iterator[Path]:
        """A local copy, which stays while the block runs. Raises RejectError, InputError."""
        remote = self.objects[path.relative_to(self.root).as_posix()]
        if remote.num_bytes > self.max_bytes:
            detail = f"{remote.num_bytes} bytes do not fit into the spool: raise input.spool_mb"
            raise RejectError("too_large", detail)
        local = self.root.parent / "objects" / remote.digest
        with self._lock(remote.digest) as lock:
            while True:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not local.is_file():
                    self._fetch(remote, local)
                fcntl.flock(lock, fcntl.LOCK_SH)
                if local.is_file():  # it may have been removed between the two locks
                    break
            os.utime(local)
            yield local

    def _fetch(self, remote: Remote, local: Path) -> None:
        self._make_room(remote.num_bytes, local)
        partial = local.with_suffix(f".{os.getpid()}.partial")
        try:
            self.bucket.download(remote.key, remote.etag, partial)
            partial.rename(local)
        finally:
            partial.unlink(missing_ok=True)

    def _make_room(self, num_bytes: int, wanted: Path) -> None:
        """Remove what was not used for longest; what is being read stays, and may hold the spool over its bound."""
        found = []
        for path in (self.root.parent / "objects").iterdir():
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                found.append((stat.st_mtime, stat.st_size, path))
        total = num_bytes + sum(size for _, size, _ in found)
        for _, size, path in sorted(found):
            if total <= self.max_bytes:
                return
            if path == wanted:
                continue
            with self._lock(path.name.partition(".")[0]) as lock, contextlib.suppress(BlockingIOError):
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
                total -= size

    def _lock(self, digest: str) -> IO[bytes]:
        return (self.root.parent / "locks" / digest).open("ab")


_spools: dict[Path, Spool] = {}


def find_spool(root: Path) -> Spool | None:
    """The spool behind a folder; None for a folder of plain files. Raises InputError when it is damaged."""
    if root not in _spools:
        if root.parent.parent.name != "spool" or not (root / _CATALOGUE).is_file():
            return None
        try:
            _spools[root] = Spool(root)
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise InputError(f"the spool {root} is damaged ({error}): remove that folder and start again") from None
    return _spools[root]


def _write(path: Path, content: bytes) -> None:
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    partial.rename(path)
