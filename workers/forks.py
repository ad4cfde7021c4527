"""A process that has loaded what a job needs and forks itself for each one: milliseconds instead of seconds.

It runs beside the command that starts the jobs and ends with it. Each job is started as a `workers.stand_in`, which
asks here for a fork over a Unix socket that only this user can reach. The fork has the asker's environment, folder and
standard streams, and ends with all below it when the asker or this process is gone.

A fork has the one thread that forked: nothing that is loaded here may start one, nor ask the GPU for anything.
"""

import ctypes
import gc
import importlib
import json
import os
import random
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from workers.parent import end_with_children

_PR_SET_NAME = 15
_READ_SECONDS = 5.0
_GO_SECONDS = 30.0
_TICK_SECONDS = 5.0
_PARENT_POLL_SECONDS = 1.0
_OURS = (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT)


@dataclass(slots=True)
class Asked:
    """What a fork was asked for with."""

    environment: dict[str, str]
    folder: str
    streams: list[int]


class ForkServer:
    """Forks on demand until `command` has ended. `variable` tells the command's children where to ask.

    Forks show as `name` in `ps` and `pgrep` (15 bytes at most), as their command line is that of the server.
    """

    def __init__(self, command: list[str], variable: str, modules: tuple[str, ...], name: str) -> None:
        self._name, self._pid = name.encode(), os.getpid()
        self._folder = Path(tempfile.mkdtemp(prefix="headrace-forks-"))  # 0700
        self._forks: dict[int, socket.socket] = {}
        self._wakes, self._wake = socket.socketpair()
        self._wakes.setblocking(False)
        self._wake.setblocking(False)
        signal.set_wakeup_fd(self._wake.fileno())
        for number in _OURS:
            signal.signal(number, self._on_signal)
        address = str(self._folder / "socket")
        # The command first: it needs seconds to start. Until we listen, its jobs load for themselves.
        self._command = subprocess.Popen(command, env=os.environ | {variable: address})
        for module in modules:
            _load(module)
        self._loaded = loaded_files()
        gc.collect()
        gc.freeze()  # else each fork would copy what it only counts
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(address)
        self._listener.listen(64)

    def serve(self, job: Callable[[], None]) -> int:
        """The exit code of the command. In a fork: that of `job`; the caller ends the process with it."""
        while True:
            self._reap()
            code = self._command.poll()
            if code is not None:
                shutil.rmtree(self._folder, ignore_errors=True)
                return code if code >= 0 else 128 - code
            ready, _, _ = select.select([self._listener, self._wakes], [], [], _TICK_SECONDS)
            if self._wakes in ready:
                self._wakes.recv(4096)
            if self._listener in ready and self._answer():
                return _run(job)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number != signal.SIGCHLD and self._command.poll() is None:
            self._command.send_signal(number)

    def _reap(self) -> None:
        """Tell askers how their forks ended."""
        for pid in list(self._forks):
            ended, status = os.waitpid(pid, os.WNOHANG)
            if ended:
                connection = self._forks.pop(pid)
                _tell(connection, code=os.waitstatus_to_exitcode(status))
                connection.close()

    def _answer(self) -> bool:
        """Fork for the next asker, or hang up so that it loads for itself. True in the fork."""
        connection, _ = self._listener.accept()
        connection.settimeout(_READ_SECONDS)
        try:
            asked = _read(connection)
        except (OSError, ValueError) as error:
            _complain(f"a request was not understood: {error}")
            connection.close()
            return False
        pid = self._fork()
        if pid == 0:
            try:
                self._become(connection, asked)
            except BaseException:  # it must never go on as a second server
                traceback.print_exc()
                os._exit(1)
            return True
        for stream in asked.streams:
            os.close(stream)
        if pid is None:
            connection.close()
            return False
        self._forks[pid] = connection
        _tell(connection, pid=pid)
        return False

    def _fork(self) -> int | None:
        """As os.fork; None when there may be none."""
        if changed := changed_file(self._loaded):
            _complain(f"{changed} has changed since it was loaded: jobs load for themselves until this is restarted")
            return None
        sys.stdout.flush()
        sys.stderr.flush()
        try:
            return os.fork()
        except OSError as error:
            _complain(f"a job loads for itself: {error}")
            return None

    def _become(self, connection: socket.socket, asked: Asked) -> None:
        """In the fork: leave everything of the server behind, and take the asker's place."""
        signal.set_wakeup_fd(-1)
        for number in _OURS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        for other in (self._listener, self._wakes, self._wake, *self._forks.values()):
            other.close()
        os.setsid()
        ctypes.CDLL(None).prctl(_PR_SET_NAME, self._name, 0, 0, 0)
        for number, stream in enumerate(asked.streams):
            os.dup2(stream, number)
            os.close(stream)
        os.environ.clear()
        os.environ.update(asked.environment)
        os.chdir(asked.folder)
        connection.settimeout(_GO_SECONDS)
        try:
            begun = connection.recv(3)
        except OSError:
            begun = b""
        if not begun:  # the asker is gone; else it passes signals on from now on
            os._exit(1)
        random.seed()
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed()
        threading.Thread(target=_watch, args=(connection, self._pid), name="watch-asker", daemon=True).start()


def loaded_files() -> dict[str, tuple[int, int]]:
    """Time of change (ns) and size (bytes) of the file of each module that this process has loaded."""
    names = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    return {name: found for name in names if isinstance(name, str) and (found := _stat(name))}


def changed_file(loaded: dict[str, tuple[int, int]]) -> str | None:
    """A file that is no longer what was loaded, if there is one: a job must not run on old code."""
    return next((name for name, before in loaded.items() if _stat(name) != before), None)


def _stat(name: str) -> tuple[int, int] | None:
    try:
        found = os.stat(name)  # noqa: PTH116  of thousands: a Path for each costs more than the call
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size


def _run(job: Callable[[], None]) -> int:
    try:
        job()
    except Exception:  # as the interpreter would
        traceback.print_exc()
        return 1
    finally:
        gc.unfreeze()  # else what is collected at the end looks leaked to extension modules, which say so
    return 0


def _watch(connection: socket.socket, parent: int) -> NoReturn:
    connection.settimeout(_PARENT_POLL_SECONDS)
    while os.getppid() == parent:
        try:
            connection.recv(1)  # nothing more is said: it returns when the asker is gone
        except TimeoutError:
            continue
        except OSError:
            pass
        break
    end_with_children()


def _read(connection: socket.socket) -> Asked:
    """Raises OSError when the asker goes or dawdles, ValueError when what it says makes no sense."""
    size = struct.calcsize("i")
    head, ancillary, _, _ = connection.recvmsg(8, socket.CMSG_SPACE(3 * size))
    passed = b"".join(data[: len(data) // size * size] for _, _, data in ancillary)
    streams = [file for (file,) in struct.iter_unpack("i", passed)]
    try:
        length = int.from_bytes(head, "big")
        content = bytearray()
        while len(content) < length and (part := connection.recv(min(1 << 16, length - len(content)))):
            content += part
        return _understand(json.loads(content), streams)
    except (OSError, ValueError) as error:
        for stream in streams:
            os.close(stream)
        raise ValueError(str(error)) from error


def _understand(request: Any, streams: list[int]) -> Asked:
    match request:
        case {"environment": dict() as environment, "folder": str() as folder} if len(streams) == 3:
            return Asked({str(name): str(value) for name, value in environment.items()}, folder, streams)
    raise ValueError("it needs an environment, a folder and three files")


def _tell(connection: socket.socket, **message: int) -> None:
    try:
        connection.sendall(json.dumps(message).encode() + b"\n")
    except OSError:
        return  # the asker is gone, and its fork ends with it


def _load(name: str) -> None:
    try:
        importlib.import_module(name)
    except ImportError as error:  # a job that needs it will say so; the others are warm all the same
        _complain(f"{name} cannot be loaded: {error}")


def _complain(message: str) -> None:
    print(f"fork server: {message}", file=sys.stderr, flush=True)
