"""A time limit on Python code that costs nothing per page: one timer signal, no thread, no process.

The limit is CPU time of the process, so a busy machine does not change which pages are dropped. Signals reach the
main thread alone: elsewhere the code runs to its end and is judged afterwards.
"""

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType
from typing import TypeVar

T = TypeVar("T")

_AGAIN_SECONDS = 0.1
"""The timer fires again, should the first exception be swallowed in a callback from C."""


class _TimeUpError(BaseException):
    """No Exception: the code that is stopped must not catch it."""


class LateError(Exception):
    """The code took longer than its limit; `seconds` is its CPU time."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds)
        self.seconds = seconds


def call_limited(call: Callable[[], T], limit_seconds: float) -> T:
    """The result of `call`. Raises LateError when it needs more than `limit_seconds` of CPU time.

    The handler of SIGVTALRM stays installed; outside a call it does nothing. Calls don't nest.
    """
    start = time.thread_time()
    if threading.current_thread() is threading.main_thread():
        try:
            try:
                _arm(limit_seconds)
                result = call()
            finally:
                _disarm()
        except _TimeUpError:
            _disarm()  # the signal may have come just before the first one
            raise LateError(max(time.thread_time() - start, limit_seconds)) from None
    else:
        result = call()
    if (seconds := time.thread_time() - start) > limit_seconds:
        raise LateError(seconds)
    return result


_armed = False


def _arm(limit_seconds: float) -> None:
    global _armed  # noqa: PLW0603  # a signal handler has nothing but globals
    if signal.getsignal(signal.SIGVTALRM) is not _stop:
        signal.signal(signal.SIGVTALRM, _stop)
    _armed = True
    signal.setitimer(signal.ITIMER_VIRTUAL, limit_seconds, _AGAIN_SECONDS)


def _disarm() -> None:
    global _armed  # noqa: PLW0603
    _armed = False
    signal.setitimer(signal.ITIMER_VIRTUAL, 0)


def _stop(number: int, frame: FrameType | None) -> None:
    if _armed:
        raise _TimeUpError
