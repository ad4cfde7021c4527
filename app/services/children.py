"""Child processes that end with their parent: PR_SET_PDEATHSIG, see prctl(2). Linux only.

The kernel sends the signal when the *thread* that started the child ends, so start children from the main thread.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import psutil

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_libc = ctypes.CDLL(None, use_errno=True)


def ending_with_parent(sent: signal.Signals = signal.SIGTERM) -> Callable[[], None]:
    """A `preexec_fn` for subprocess.Popen: the child gets `sent` when its parent is gone, however that ended."""
    parent = os.getpid()

    def prepare() -> None:
        _libc.prctl(_PR_SET_PDEATHSIG, int(sent), 0, 0, 0)
        if os.getppid() != parent:  # the parent went before prctl: nobody would tell us
            os._exit(1)

    return prepare


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent ends, so that it can end and reap them."""
    _libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def descendants(of: int | None = None) -> list[psutil.Process]:
    """All processes below this one (or below `of`), also those of other sessions. Zombies are left out."""
    found = []
    with contextlib.suppress(psutil.NoSuchProcess):
        for process in psutil.Process(of).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
    return found


def _children() -> set[int]:
    """Of this process, zombies included. From the kernel's own list: psutil reads every process there is for it, and
    this is asked some times a second."""
    found: set[int] = set()
    for thread in Path("/proc/self/task").iterdir():
        with contextlib.suppress(OSError):  # the thread has ended
            found.update(int(pid) for pid in (thread / "children").read_text().split())
    return found


_asked: dict[int, float] = {}


def end_orphans(keep: set[int], grace_seconds: float = 10.0) -> int:
    """End what was adopted: children of this process that it did not start (`keep` are its own). How many are left.

    The first call asks with SIGTERM, one after `grace_seconds` kills. Each orphan goes with all below it.
    """
    moment = time.monotonic()
    orphans = []
    for pid in _children() - keep:
        with contextlib.suppress(psutil.NoSuchProcess):
            orphans += [psutil.Process(pid), *descendants(pid)]
    for orphan in orphans:
        asked = _asked.setdefault(orphan.pid, moment)
        with contextlib.suppress(psutil.NoSuchProcess):
            if moment - asked >= grace_seconds:
                orphan.kill()
            elif asked == moment:
                orphan.terminate()
    for pid in set(_asked) - {orphan.pid for orphan in orphans}:
        del _asked[pid]
    return len(orphans)
