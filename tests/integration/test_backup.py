"""The whole state goes into one file and comes back; a damaged file changes nothing."""

import json
import os
import subprocess
import sys
import tarfile
from io import BytesIO
from pathlib import Path
from typing import Any

import psycopg
import pytest
import zstandard

from app.services.backup import BackupError, unpack
from app.services.postgres import EmbeddedPostgres

TABLE = "CREATE TABLE kept (id int PRIMARY KEY, what text)"


def command(home: Path, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HEADRACE_")}
    done = subprocess.run(
        [sys.executable, "-m", "app.cli", *words],
        env=environment | {"HEADRACE_HOME": str(home)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def rows(home: Path) -> dict[str, list[Any]]:
    postgres = EmbeddedPostgres(home / "postgres", fast=True)
    postgres.start()
    try:
        found = {}
        for name in ("headrace", "prefect", "mlflow"):
            with psycopg.connect(postgres.url(name)) as connection:
                found[name] = connection.execute("SELECT id, what FROM kept ORDER BY id").fetchall()
        return found
    finally:
        postgres.stop()


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A state: three databases, two stored files, one of MLflow's, secrets."""
    home = tmp_path_factory.mktemp("state")
    postgres = EmbeddedPostgres(home / "postgres", fast=True)
    postgres.start()
    try:
        for number, name in enumerate(("headrace", "prefect", "mlflow")):
            with psycopg.connect(postgres.create_database(name)) as connection:
                connection.execute(TABLE)
                connection.execute("INSERT INTO kept VALUES (1, %s), (2, 'zwölf € ''x''')", (f"row of {number}",))
    finally:
        postgres.stop()
    (home / "storage" / "ab").mkdir(parents=True)
    (home / "storage" / "ab" / "abcd").write_bytes(os.urandom(3_000_000))
    (home / "storage" / "empty").touch()
    (home / "mlflow" / "artifacts" / "1").mkdir(parents=True)
    (home / "mlflow" / "artifacts" / "1" / "model.bin").write_bytes(b"weights that MLflow keeps")
    (home / "secrets.json").write_text('{"admin_token": "hr_x"}')
    return home


@pytest.fixture(scope="module")
def saved(home: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("saved") / "headrace.backup"
    told = json.loads(command(home, "backup", str(target), "--json").stdout)
    assert told["databases"] == ["headrace", "prefect", "mlflow"]
    assert target.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in target.parent.iterdir()] == ["headrace.backup"]
    return target


def test_a_saved_state_comes_back_whole(home: Path, saved: Path, tmp_path: Path) -> None:
    fresh = tmp_path / "fresh"
    assert "headrace up" in command(fresh, "restore", str(saved)).stdout
    assert rows(fresh) == rows(home)
    for name in ("storage/ab/abcd", "storage/empty", "mlflow/artifacts/1/model.bin", "secrets.json"):
        assert (fresh / name).read_bytes() == (home / name).read_bytes()
    assert not list(fresh.glob(".restore*"))
    again = command(fresh, "restore", str(saved), code=2)
    assert "move" in again.stderr
    assert (fresh / "secrets.json").exists()


def test_a_backup_is_not_written_over_another(home: Path, saved: Path) -> None:
    before = saved.read_bytes()
    assert "there already" in command(home, "backup", str(saved), code=1).stderr
    assert saved.read_bytes() == before


def test_nothing_to_save_is_said(tmp_path: Path) -> None:
    assert "headrace up" in command(tmp_path / "none", "backup", str(tmp_path / "b"), code=2).stderr


@pytest.mark.parametrize("damage", ["cut off", "one byte", "no backup", "missing"])
def test_a_damaged_file_changes_nothing(saved: Path, tmp_path: Path, damage: str) -> None:
    content = bytearray(saved.read_bytes())
    if damage == "cut off":
        content = content[: len(content) * 2 // 3]
    elif damage == "one byte":
        content[len(content) // 2] ^= 1
    elif damage == "no backup":
        content = bytearray(b"hello")
    broken = tmp_path / "broken"
    if damage != "missing":
        broken.write_bytes(content)
    done = command(tmp_path / "home", "restore", str(broken), code=1)
    assert str(broken) in done.stderr
    assert "Traceback" not in done.stderr
    assert not list((tmp_path / "home").iterdir())


@pytest.mark.parametrize("name", ["../outside", "/absolute", "storage/../../outside"])
def test_a_file_that_would_leave_the_folder_is_refused(tmp_path: Path, name: str) -> None:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo(name)
        member.size = 1
        tar.addfile(member, BytesIO(b"x"))
    (tmp_path / "bad").write_bytes(zstandard.compress(packed.getvalue()))
    with pytest.raises(BackupError, match="no whole backup"):
        unpack(tmp_path / "bad", tmp_path / "content", lambda *_: None)
    assert not (tmp_path / "outside").exists()
    assert not Path("/absolute").exists()


def test_a_link_is_refused(tmp_path: Path) -> None:
    packed = BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as tar:
        member = tarfile.TarInfo("storage/link")
        member.type, member.linkname = tarfile.SYMTYPE, "/etc/passwd"
        tar.addfile(member)
    (tmp_path / "bad").write_bytes(zstandard.compress(packed.getvalue()))
    with pytest.raises(BackupError, match="no whole backup"):
        unpack(tmp_path / "bad", tmp_path / "content", lambda *_: None)
