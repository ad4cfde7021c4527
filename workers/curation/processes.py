"""Worker processes for batches of documents: results in order, and a batch that kills its process costs one document.

Children are spawned, not forked (threads and fork don't mix), and die with their parent: the kernel signals them when
the *thread* that started the pool ends, so that thread must stay until the pool is closed.
"""

import ctypes
import os
import signal
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from types import TracebackType
from typing import Any, Generic, Self, TypeVar

T = TypeVar("T")
R = TypeVar("R")

_PR_SET_PDEATHSIG = 1
_BATCH_TIMEOUT_SECONDS = 900.0
_MAX_RESTARTS = 100


class WorkersEndError(RuntimeError):
    """Worker processes keep ending, so that it is not one document's fault."""


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Processes(Generic[T, R]):
    """A pool whose processes each run `initializer(*arguments)` once. Use it as a context manager."""

    def __init__(self, num_processes: int, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.num_processes = num_processes or num_cores()
        self._start = (initializer, arguments)
        self._restarts, self._proven = 0, False
        self._pool = self._new_pool()

    def map(
        self,
        function: Callable[[list[T]], list[R]],
        batches: Iterable[list[T]],
        on_crash: Callable[[T], R],
    ) -> Iterator[list[R]]:
        """`function` over all batches, in their order, with a bounded number of them under way.

        An item that ends its process (a crash in a native library, the memory limit) or that takes longer than 15
        minutes gets `on_crash(item)` instead; all others get their result.
        """
        waiting: deque[tuple[list[T], Future[list[R]]]] = deque()
        for batch in batches:
            waiting.append((batch, self._submit(function, batch)))
            if len(waiting) > 3 * self.num_processes:
                yield self._next(function, waiting, on_crash)
        while waiting:
            yield self._next(function, waiting, on_crash)

    def _next(
        self,
        function: Callable[[list[T]], list[R]],
        waiting: deque[tuple[list[T], Future[list[R]]]],
        on_crash: Callable[[T], R],
    ) -> list[R]:
        batch, future = waiting.popleft()
        try:
            results = future.result(_BATCH_TIMEOUT_SECONDS)
        except (BrokenProcessPool, TimeoutError):
            self._restart()
        else:
            self._proven = True
            return results
        results = self._alone(function, batch, on_crash)
        others = [other for other, _ in waiting]  # they were lost with the pool
        waiting.clear()
        waiting.extend((other, self._submit(function, other)) for other in others)
        return results

    def _alone(self, function: Callable[[list[T]], list[R]], batch: list[T], on_crash: Callable[[T], R]) -> list[R]:
        """Run a suspect with nothing beside it, so that blame falls on the right one."""
        try:
            results = self._submit(function, batch).result(_BATCH_TIMEOUT_SECONDS)
        except (BrokenProcessPool, TimeoutError):
            self._restart()
        else:
            self._proven = True
            return results
        if len(batch) == 1:
            return [on_crash(batch[0])]
        return [result for item in batch for result in self._alone(function, [item], on_crash)]

    def _submit(self, function: Callable[[list[T]], list[R]], batch: list[T]) -> "Future[list[R]]":
        try:
            return self._pool.submit(function, batch)
        except BrokenProcessPool as error:
            lost: Future[list[R]] = Future()
            lost.set_exception(error)
            return lost

    def _new_pool(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.num_processes,
            mp_context=get_context("spawn"),
            initializer=_begin,
            initargs=(os.getpid(), *self._start),
        )

    def _restart(self) -> None:
        self._kill()
        self._restarts += 1
        if self._restarts > (_MAX_RESTARTS if self._proven else 3):
            raise WorkersEndError(
                f"worker processes ended {self._restarts} times: look above for their error; if there is none, "
                "the machine may be out of memory: lower num_processes or limits.max_document_bytes"
            )
        self._pool = self._new_pool()

    def _kill(self) -> None:
        # ProcessPoolExecutor.kill_workers() exists from Python 3.14 on only.
        for process in list((self._pool._processes or {}).values()):
            process.kill()
        self._pool.shutdown(wait=True, cancel_futures=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._pool.shutdown(wait=True)
        else:
            self._kill()


def _begin(parent: int, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    """First thing in a child: end with the parent, leave Ctrl-C to it, then set up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if hasattr(os, "sched_getaffinity"):  # Linux
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it died before the signal was armed
        os._exit(1)
    initializer(*arguments)
