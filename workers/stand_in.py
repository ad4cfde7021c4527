"""A process that stands for a fork of `workers.forks`: it asks for one, and whoever started it sees no difference.

Signals go on to the fork, its exit code or signal comes back, and the fork ends when this process is gone. It loads
nothing but the standard library, so that it starts in hundredths of a second.
"""

import array
import json
import os
import signal
import socket
from pathlib import Path
from types import FrameType

_CONNECT_SECONDS = 2.0
_FORK_SECONDS = 10.0
_SIGNALS = (signal.SIGTERM, signal.SIGINT, signal.SIGHUP)


def stand_in(address: str, otherwise: list[str]) -> int:
    """Have the fork server at the Unix socket `address` do its work in this process's place; the fork's exit code.

    Becomes the command `otherwise` when the address is empty, nobody answers there, or the server declines.
    """
    connection = _ask(address) if address else None
    if connection is None:
        os.execvpe(otherwise[0], otherwise, os.environ)  # noqa: S606  the caller's own command
    lines = connection.makefile("r")
    fork = json.loads(lines.readline())["pid"]

    def pass_on(number: int, _frame: FrameType | None) -> None:
        try:
            os.kill(fork, number)
        except ProcessLookupError:
            return  # it has just ended: its code is on the way

    for number in _SIGNALS:
        signal.signal(number, pass_on)
    connection.settimeout(None)
    connection.sendall(b"go\n")  # from here on, signals reach it
    code = int(json.loads(lines.readline() or '{"code": -9}')["code"])
    if code < 0:  # end as it did
        if -code not in {signal.SIGKILL, signal.SIGSTOP}:
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    return code


def _ask(address: str) -> socket.socket | None:
    """A connection over which a fork was promised; None: nobody answered, or with a no."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        connection.settimeout(_CONNECT_SECONDS)
        connection.connect(address)
        request = json.dumps({"environment": dict(os.environ), "folder": str(Path.cwd())}).encode()
        streams = array.array("i", [0, 1, 2])
        connection.sendmsg([len(request).to_bytes(8, "big")], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, streams)])
        connection.sendall(request)
        connection.settimeout(_FORK_SECONDS)
        if connection.recv(1, socket.MSG_PEEK):
            return connection
    except OSError:
        pass
    connection.close()
    return None
