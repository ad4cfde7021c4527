"""Which port each part of the embedded stack takes: the configured one, else the remembered one, else a free one."""

import contextlib
import socket

import psutil

from app.services.postgres import free_port


class PortTakenError(RuntimeError):
    """A configured port is taken; the message names the port, who holds it and the setting that changes it."""


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Can a server listen there now?"""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """Who listens on `port`, as `name (pid 12)`; "another process" where the system does not tell."""
    with contextlib.suppress(psutil.Error):
        for connection in psutil.net_connections(kind="tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.laddr.port == port and connection.pid:
                return f"{psutil.Process(connection.pid).name()} (pid {connection.pid})"
    return "another process"


def choose_port(part: str, configured: int, remembered: int, host: str = "127.0.0.1") -> int:
    """The port for `part`. Only a configured port that is taken is an error; a remembered one is replaced."""
    if configured:
        if not is_free(configured, host):
            setting = "HEADRACE_PORT" if part == "api" else f"HEADRACE_{part.upper()}_PORT"
            raise PortTakenError(
                f"port {configured} for {part} is taken by {holder(configured)}: "
                f"stop it, or set {setting} to another port (0: any free one)"
            )
        return configured
    if remembered and is_free(remembered, host):
        return remembered
    return free_port()
