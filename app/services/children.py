"""Child processes that end with their parent: PR_SET_PDEATHSIG, see prctl(2). Linux only.

The kernel sends the signal when the *thread* that started the child ends, so start children from the main thread.
"""

import ctypes
import os
import signal
from collections.abc import Callable

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
