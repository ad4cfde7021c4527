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
    """The result of `call`. Raises LateError when it needs more than `limit_seconds` of CPU time."""
    start = time.thread_time()
    if threading.current_thread() is not threading.main_thread():
        result = call()
    else:
        before = signal.signal(signal.SIGVTALRM, _stop)
        try:
            signal.setitimer(signal.ITIMER_VIRTUAL, limit_seconds, _AGAIN_SECONDS)
            try:
                result = call()
            finally:
                signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        except _TimeUpError:
            raise LateError(max(time.thread_time() - start, limit_seconds)) from None
        finally:
            signal.signal(signal.SIGVTALRM, before)
    if (seconds := time.thread_time() - start) > limit_seconds:
        raise LateError(seconds)
    return result


def _stop(number: int, frame: FrameType | None) -> None:
    raise _TimeUpError
