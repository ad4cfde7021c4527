"""Ports, secrets, state file, logs, disk space: what `headrace up` decides before it starts anything."""

import json
import os
import socket
from pathlib import Path

import pytest

from app import stack
from app.services.credentials import make_credentials, read_credentials
from app.services.parts import Addresses
from app.services.plan import make_parts
from app.services.ports import PortTakenError, choose_port, is_free
from app.services.stack_file import PartState, StackState, is_running, read_state, take_lock
from app.services.supervisor import rotate
from app.settings import Settings


@pytest.fixture
def taken():
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        yield holder.getsockname()[1]


def test_configured_port_that_is_taken_names_holder_and_setting(taken):
    with pytest.raises(PortTakenError, match=rf"port {taken} for mlflow is taken by .*pid.*HEADRACE_MLFLOW_PORT"):
        choose_port("mlflow", configured=taken, remembered=0)


def test_remembered_port_is_kept_and_replaced_when_taken(taken):
    free = choose_port("api", 0, 0)
    assert choose_port("api", 0, free) == free
    other = choose_port("api", 0, taken)
    assert other != taken
    assert is_free(other)


def test_credentials_are_made_once_and_readable_by_owner_alone(tmp_path):
    made = make_credentials(tmp_path)
    assert make_credentials(tmp_path) == made
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600
    assert made.admin_token != make_credentials(tmp_path / "other").admin_token
    assert made.admin_token not in repr(made)


def test_damaged_credentials_say_what_to_do(tmp_path):
    (tmp_path / "secrets.json").write_text('{"admin_token": ')
    with pytest.raises(ValueError, match=r"secrets\.json is damaged.*backup"):
        read_credentials(tmp_path)


def test_state_survives_the_file(tmp_path):
    state = StackState(pid=7, ports={"api": 1}, parts={"api": PartState(phase="healthy", pid=8)}, url="http://x")
    state.write(tmp_path)
    assert read_state(tmp_path) == state
    assert read_state(tmp_path).healthy
    (tmp_path / "stack.json").write_text("{")
    assert read_state(tmp_path) == StackState()


def test_lock_says_whether_a_supervisor_lives(tmp_path):
    assert not is_running(tmp_path)
    descriptor = take_lock(tmp_path)
    assert descriptor is not None
    assert is_running(tmp_path)
    assert take_lock(tmp_path) is None
    os.close(descriptor)
    assert not is_running(tmp_path)


def test_full_disk_says_how_much_is_free(tmp_path, monkeypatch):
    monkeypatch.setattr(stack, "_MIN_FREE_BYTES", 1 << 62)
    with pytest.raises(stack.StackError, match=r"only \d+ MB are free.*HEADRACE_HOME"):
        stack.start(Settings(home=tmp_path), show=lambda _: None)


def test_home_that_cannot_be_made_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(stack.StackError, match=r"cannot be used.*HEADRACE_HOME"):
        stack.start(Settings(home=tmp_path / "file" / "home"), show=lambda _: None)


def test_log_is_rotated_while_its_writer_goes_on(tmp_path):
    path = tmp_path / "api.log"
    with path.open("ab") as writer:
        writer.write(b"x" * 100)
        writer.flush()
        rotate(path, limit_bytes=50)
        writer.write(b"after")
    assert (tmp_path / "api.log.1").read_bytes() == b"x" * 100
    assert path.read_bytes() == b"after"


def test_neighbour_database_keeps_password_and_query():
    at = _addresses("postgresql://u:p%40ss@db:5433/headrace?sslmode=require")
    assert at.database("prefect", "asyncpg") == "postgresql+asyncpg://u:p%40ss@db:5433/prefect?sslmode=require"


def test_outside_services_are_not_started(tmp_path):
    settings = Settings(
        home=tmp_path,
        database_url="postgresql://u:p@db/headrace",
        prefect_api_url="http://prefect:4200/api",
        prefect_auth="a:b",
        mlflow_url="http://mlflow:5000",
    )
    parts, url = make_parts(settings, tmp_path, {"api": 8123}, make_credentials(tmp_path), None)
    names = {part.name for part in parts}
    assert {"api", "migrations", "deployments", "worker-cpu", "worker-control"} <= names
    assert not names & {"postgres", "prefect", "mlflow"}
    api = next(part for part in parts if part.name == "api")
    assert api.environment["HEADRACE_PREFECT_API_URL"] == "http://prefect:4200/api"
    assert api.environment["HEADRACE_DATABASE_URL"] == "postgresql://u:p@db/headrace"
    assert url == "http://127.0.0.1:8123"


def test_no_secret_on_a_command_line(tmp_path):
    secrets = make_credentials(tmp_path)
    settings = Settings(home=tmp_path, database_url="postgresql://u:hunter2@db/headrace")
    parts, _ = make_parts(settings, tmp_path, {"api": 1, "prefect": 2, "mlflow": 3}, secrets, None)
    hidden = {
        "hunter2",
        *(v for k, v in json.loads((tmp_path / "secrets.json").read_text()).items() if k != "mlflow_username"),
    }
    for part in parts:
        assert not any(secret in " ".join(part.command) for secret in hidden), part.name


def _addresses(database_url: str) -> Addresses:
    return Addresses(Path("/h"), database_url, "", "127.0.0.1", 1, "", "", "")
