"""The whole state of a stack in one file, and back: three databases, stored bytes, secrets.

A backup is a tar in zstd: `manifest.json` first, then `databases/NAME.dump` (pg_dump's custom format), `storage/...`,
`mlflow/...` (the artifacts that MLflow keeps), `secrets.json`, and last `checksums.json`, without which the file is not
whole. The databases are dumped before bytes are copied: bytes are named by their content and only ever added, so all
that the dumps name is there.
"""

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO, Any

import zstandard
from psycopg.conninfo import conninfo_to_dict

from app.services.postgres import binaries, ensure_database

DATABASES = ("headrace", "prefect", "mlflow")
_FORMAT = 1
_CHUNK_BYTES = 1 << 20
_DUMP_SECONDS = 6 * 3600
_SUMS = "checksums.json"
Show = Callable[[str, int, int], None]
"""What is done, and of it: bytes done, bytes in all (0: not known)."""
UrlOf = Callable[[str], str]
"""`postgresql://...` of a database by its name."""


class BackupError(RuntimeError):
    """The state cannot be saved or brought back; the message says what to do. Nothing was changed."""


@dataclass(frozen=True)
class Manifest:
    """What a backup is."""

    created_at: str
    version: str
    databases: tuple[str, ...]
    storage: str
    """`included`, or the address of a bucket that is not in the file."""
    format: int = _FORMAT
    sizes: dict[str, int] = field(default_factory=dict)
    """Bytes by part."""


def folders_of(home: Path, storage: str) -> dict[str, Path]:
    """Folders with stored bytes, by their name in a backup. A bucket is none."""
    folders = {"mlflow": home / "mlflow" / "artifacts"}
    return folders if storage.startswith("s3://") else {"storage": Path(storage)} | folders


def save(home: Path, storage: str, url_of: UrlOf, target: Path, show: Show) -> Manifest:
    """Write the state to `target`, readable by its owner alone, beside and renamed.

    `storage`: a folder, or `s3://...`, which is not copied. Raises BackupError.
    """
    if target.exists():
        raise BackupError(f"{target} is there already: name another file, or move it away")
    scratch = target.with_name(f".{target.name}.{os.getpid()}")
    try:
        scratch.mkdir(parents=True)
        names = _present(url_of("headrace"))
        dumps = {name: _dump(name, url_of(name), scratch / f"{name}.dump", show) for name in names}
        folders = folders_of(home, storage)
        files = {f"{name}/{path.relative_to(folder).as_posix()}": path for name, folder in folders.items()
                 for path in _stored(folder)}  # fmt: skip
        total = sum(path.stat().st_size for path in files.values() if path.exists())
        manifest = Manifest(
            created_at=datetime.now(UTC).isoformat(timespec="seconds"),
            version=version("headrace"),
            databases=names,
            storage="included" if "storage" in folders else storage,
            sizes={"databases": sum(p.stat().st_size for p in dumps.values()), "files": total},
        )
        beside = scratch / "backup"
        with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            _write(file, manifest, dumps, files, home / "secrets.json", show)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except OSError as error:
        raise BackupError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    return manifest


def _present(url: str) -> tuple[str, ...]:
    """Those of our databases that stand on the server: Prefect's and MLflow's may have servers of their own."""
    import psycopg

    try:
        with psycopg.connect(url, connect_timeout=10) as connection:
            there = {row[0] for row in connection.execute("SELECT datname FROM pg_database")}
    except psycopg.OperationalError as error:
        raise BackupError(f"Postgres is not reachable: {str(error).strip()}") from error
    return tuple(name for name in DATABASES if name in there)


def _dump(name: str, url: str, path: Path, show: Show) -> Path:
    show(f"database {name}", 0, 0)
    _run([str(binaries() / "pg_dump"), "--format=custom", "--no-owner", f"--file={path}"], url, f"dump of {name}")
    return path


def _stored(folder: Path) -> list[Path]:
    return [path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink()]


def _write(
    file: IO[bytes],
    manifest: Manifest,
    dumps: dict[str, Path],
    files: dict[str, Path],
    secrets: Path,
    show: Show,
) -> None:
    sums: dict[str, str] = {}
    with (
        zstandard.ZstdCompressor(level=3, threads=-1).stream_writer(file, closefd=False) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT) as tar,
    ):
        _add_bytes(tar, "manifest.json", json.dumps(asdict(manifest), indent=2).encode(), sums)
        for name, path in dumps.items():
            _add_file(tar, f"databases/{name}.dump", path, sums)
        done = 0
        for name, path in files.items():
            with contextlib.suppress(FileNotFoundError):  # a leftover of an upload, or collected since
                done += _add_file(tar, name, path, sums)
            show("stored files", done, manifest.sizes["files"])
        if secrets.exists():
            _add_file(tar, "secrets.json", secrets, sums)
        _add_bytes(tar, _SUMS, json.dumps(sums).encode(), {})


def _add_bytes(tar: tarfile.TarFile, name: str, content: bytes, sums: dict[str, str]) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), 0o600
    sums[name] = hashlib.sha256(content).hexdigest()
    tar.addfile(member, BytesIO(content))


def _add_file(tar: tarfile.TarFile, name: str, path: Path, sums: dict[str, str]) -> int:
    with path.open("rb") as file:
        member = tarfile.TarInfo(name)
        member.size, member.mode = os.fstat(file.fileno()).st_size, 0o600
        reader = _Summing(file)
        tar.addfile(member, reader)
        sums[name] = reader.digest.hexdigest()
    return member.size


class _Summing:
    """Reads a file and hashes what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self.digest = file, hashlib.sha256()

    def read(self, size: int = -1) -> bytes:
        content = self._file.read(size)
        self.digest.update(content)
        return content


def unpack(source: Path, folder: Path, show: Show) -> Manifest:
    """Extract a backup into an empty folder and verify every file.

    Raises BackupError when the file is no backup, not whole, damaged or of a later format.
    """
    found: dict[str, str] = {}
    try:
        total = source.stat().st_size
        with (
            source.open("rb") as file,
            zstandard.ZstdDecompressor().stream_reader(file) as plain,
            tarfile.open(fileobj=plain, mode="r|") as tar,
        ):
            for member in tar:
                found[member.name] = _extract(tar, member, folder)
                show("unpacking", file.tell(), total)
    except FileNotFoundError as error:
        raise BackupError(f"{source} is not there") from error
    except (tarfile.TarError, zstandard.ZstdError, EOFError, ValueError) as error:
        raise BackupError(f"{source} is no whole backup: {error}") from error
    except OSError as error:
        raise BackupError(f"{source} cannot be unpacked into {folder}: {error.strerror or error}") from error
    if _SUMS not in found:
        raise BackupError(f"{source} is cut off: its checksums are missing")
    sums = json.loads((folder / _SUMS).read_text())
    found.pop(_SUMS)
    if wrong := sorted(name for name in sums.keys() | found.keys() if sums.get(name) != found.get(name)):
        raise BackupError(f"{source} is damaged: {wrong[0]} is not what was saved ({len(wrong)} files)")
    given = json.loads((folder / "manifest.json").read_text())
    if given.get("format") != _FORMAT:
        raise BackupError(f"{source} has format {given.get('format')}, this Headrace reads {_FORMAT}: update it")
    return Manifest(**given | {"databases": tuple(given["databases"])})


def _extract(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> str:
    """Write one member; its SHA-256. Raises ValueError for what no backup holds."""
    parts = PurePosixPath(member.name).parts
    if not member.isfile() or member.name.startswith("/") or ".." in parts or not parts:
        raise ValueError(f"it holds {member.name!r}")
    content = tar.extractfile(member)
    if content is None:
        raise ValueError(f"it holds {member.name!r}")
    path = folder / member.name
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        while chunk := content.read(_CHUNK_BYTES):
            digest.update(chunk)
            file.write(chunk)
    return digest.hexdigest()


def load_databases(folder: Path, manifest: Manifest, url_of: UrlOf, show: Show) -> None:
    """Fill empty databases from an unpacked backup. Raises BackupError when one of them holds tables."""
    for name in manifest.databases:
        if name not in DATABASES:
            raise BackupError(f"the backup names a database {name!r} that Headrace does not have")
        ensure_database(url_of(name))
        if _has_tables(url_of(name)):
            raise BackupError(f"the database {name} is not empty: restore into a fresh server")
    for name in manifest.databases:
        show(f"database {name}", 0, 0)
        dump = folder / "databases" / f"{name}.dump"
        command = [str(binaries() / "pg_restore"), "--no-owner", "--exit-on-error", "--single-transaction"]
        _run([*command, f"--dbname={conninfo_to_dict(url_of(name))['dbname']}", str(dump)], url_of(name), name)


def _has_tables(url: str) -> bool:
    import psycopg

    with psycopg.connect(url, connect_timeout=10) as connection:
        query = "SELECT 1 FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema') LIMIT 1"
        return connection.execute(query).fetchone() is not None


def _run(command: list[str], url: str, what: str) -> None:
    """One of Postgres' programs; the password travels in the environment, never on the command line."""
    parts: dict[str, Any] = dict(conninfo_to_dict(url))
    environment = {
        **os.environ,
        "PGHOST": str(parts.get("host", "")),
        "PGPORT": str(parts.get("port", "5432")),
        "PGUSER": str(parts.get("user", "")),
        "PGPASSWORD": str(parts.get("password", "")),
        "PGDATABASE": str(parts["dbname"]),
        "PGCONNECT_TIMEOUT": "10",
    }
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=_DUMP_SECONDS)
    if done.returncode:
        raise BackupError(f"{what} failed: {done.stderr.strip()[-500:]}")
