"""`python -m app.services.keeper COMMAND...`: runs a command and lets nothing of it outlive it.

Whatever the command starts, in whatever session, is ended when the command ends, when this process is told to stop,
or when the parent of this process is gone. The keeper is the subreaper of all of it. If the keeper itself is killed,
the command gets SIGTERM from the kernel and its children fall to the keeper's own parent.
"""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from app.services.children import adopt_orphans, end_orphans, ending_with_parent

_TICK_SECONDS = 0.2
_ASK_SECONDS = 8.0
_GRACE_SECONDS = 10.0


def keep(command: list[str]) -> int:
    """Run the command to its end, or to ours; its exit code (128 + n when killed by signal n)."""
    adopt_orphans()
    asked_at: list[float] = []

    def ask(_number: int, _frame: FrameType | None) -> None:
        asked_at.append(time.monotonic())

    signal.signal(signal.SIGTERM, ask)
    signal.signal(signal.SIGINT, ask)
    process = subprocess.Popen(
        command,
        start_new_session=True,
        preexec_fn=ending_with_parent(signal.SIGTERM),  # noqa: PLW1509  one thread
    )
    code: int | None = None
    told = False
    while code is None:
        code = _reap(process.pid)
        end_orphans(keep={process.pid}, grace_seconds=_GRACE_SECONDS)
        if asked_at and not told:
            told = True
            process.send_signal(signal.SIGTERM)
        if asked_at and time.monotonic() - asked_at[0] > _ASK_SECONDS:
            os.killpg(process.pid, signal.SIGKILL)
        if code is None:
            time.sleep(_TICK_SECONDS)
    process.returncode = code
    end_all(_GRACE_SECONDS)
    return code if code >= 0 else 128 - code


def end_all(grace_seconds: float) -> None:
    """End every process below this one: ask, wait, kill. Returns when they are gone."""
    deadline = time.monotonic() + grace_seconds + 10
    while end_orphans(keep=set(), grace_seconds=grace_seconds) and time.monotonic() < deadline:
        _reap(0)
        time.sleep(_TICK_SECONDS)
    _reap(0)


def _reap(pid: int) -> int | None:
    """Wait for all that has ended; the exit code of `pid` if it is among them (negative: the signal)."""
    code = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if ended == 0:
            return code
        if ended == pid:
            code = os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    # the parent's own preexec set PR_SET_PDEATHSIG: SIGTERM comes when it is gone
    sys.exit(keep(sys.argv[1:]))
