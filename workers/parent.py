"""A process that ends with its parent, and takes along what it has started itself."""

import ctypes
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import NoReturn

PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 1.0


def die_with_parent(parent: int) -> None:
    """Have the kernel kill this process when process `parent` ends: prctl(2). Exits at once when it has already ended.

    The signal comes when the *thread* that spawned this process ends, so spawn from a thread that outlives it.
    Linux alone has it; elsewhere nothing happens.
    """
    if sys.platform != "linux":
        return
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0):
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG) failed")
    if os.getppid() != parent:
        os._exit(1)


def watch_parent() -> None:
    """From now on, end this process and all below it as soon as the process that started it is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_POLL_SECONDS)
        end_with_children()

    threading.Thread(target=watch, name="watch-parent", daemon=True).start()


def end_with_children() -> NoReturn:
    """Kill all below this process, and itself."""
    _kill_children(os.getpid())
    os.kill(os.getpid(), signal.SIGKILL)
    raise AssertionError("unreachable")


def _kill_children(pid: int) -> None:
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            children = task.read_text().split()
        except OSError:  # the thread has ended
            continue
        for child in children:
            _kill_children(int(child))
            try:
                os.kill(int(child), signal.SIGKILL)
            except ProcessLookupError:
                continue
