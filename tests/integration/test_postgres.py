"""The embedded Postgres: start, password, stop, second start, and that it ends with its parent."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from app.services.postgres import EmbeddedPostgres, PostgresError, free_port


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    postgres = EmbeddedPostgres(tmp_path_factory.mktemp("pg"), fast=True)
    postgres.start()
    yield postgres
    postgres.stop()


def test_serves_databases_with_password(server):
    url = server.create_database("alpha")
    assert server.create_database("alpha") == url
    with psycopg.connect(url) as connection:
        assert connection.execute("SELECT 'é' || current_database()").fetchone() == ("éalpha",)
    assert (server.data_dir / "password").stat().st_mode & 0o777 == 0o600


def test_refuses_wrong_password(server):
    url = server.url().replace(server.password, "wrong")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(url, connect_timeout=5)


def test_data_survives_stop_and_kill(tmp_path):
    first = EmbeddedPostgres(tmp_path)
    first.start()
    with psycopg.connect(first.create_database("kept"), autocommit=True) as connection:
        connection.execute("CREATE TABLE t AS SELECT 7 AS x")
    os.kill(first._process.pid, signal.SIGKILL)
    first._process.wait()
    second = EmbeddedPostgres(tmp_path)
    second.start()
    try:
        with psycopg.connect(second.url("kept")) as connection:
            assert connection.execute("SELECT x FROM t").fetchone() == (7,)
    finally:
        second.stop()
    assert not (tmp_path / "cluster" / "postmaster.pid").exists()


def test_taken_port_is_named_in_error(tmp_path):
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PostgresError, match=str(port)):
            EmbeddedPostgres(tmp_path, port=port, fast=True).start()


def test_ends_when_its_parent_is_killed(tmp_path):
    port = free_port()
    code = (
        "import sys, time; from pathlib import Path; from app.services.postgres import EmbeddedPostgres\n"
        f"EmbeddedPostgres(Path(sys.argv[1]), port={port}, fast=True).start(); print('up', flush=True); time.sleep(60)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE)
    assert parent.stdout.readline() == b"up\n"
    parent.kill()
    parent.wait()
    parent.stdout.close()
    pidfile = Path(tmp_path) / "cluster" / "postmaster.pid"
    deadline = time.monotonic() + 10
    while pidfile.exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not pidfile.exists()
