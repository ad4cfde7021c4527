"""Worker processes of this machine.

They are forked from a process that has no other task, loads once what all of them need, and has no threads: threads
and fork don't mix. It dies with the parent and they with it: the kernel signals it when the *thread* that started the
pool ends, so that thread must stay until the pool is closed.
"""

import os
import signal
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from multiprocessing import forkserver, get_context, parent_process
from pathlib import Path
from types import ModuleType, TracebackType
from typing import Any, Self, TypeVar

from workers.curation.engine._ordered import LostError, OrderedMap, WorkersEndError
from workers.parent import die_with_parent

T = TypeVar("T")
R = TypeVar("R")

_START_SECONDS = 300.0
_METHOD = "forkserver" if sys.platform == "linux" else "spawn"


def num_cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(slots=True, frozen=True)
class LocalFile:
    """A file where it lies."""

    name: Path

    def path(self) -> Path:
        """The file itself."""
        return self.name


class Processes:
    """A pool whose processes each run `initializer(*arguments)` once. Use it as a context manager.

    `preload`: modules that are imported once for all of them.
    """

    def __init__(
        self,
        num_processes: int,
        initializer: Callable[..., None],
        arguments: tuple[Any, ...],
        preload: Sequence[str] = (),
    ) -> None:
        begin_loading(preload)
        self._pool = _Pool(num_processes or num_cores(), initializer, arguments)

    def map(
        self, function: Callable[[list[T]], R], batches: Iterable[list[T]], on_crash: Callable[[T], T]
    ) -> Iterator[R]:
        """See `workers.curation.engine.Engine.map`."""
        return OrderedMap(self._pool).map(function, batches, on_crash)

    def share(self, path: Path) -> "LocalFile":
        """See `workers.curation.engine.Engine.share`."""
        return LocalFile(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.close()


class _Pool:
    def __init__(self, num_processes: int, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self.num_processes = num_processes
        self.num_underway = 2 * num_processes
        self._start = (initializer, arguments)
        self._proven, self._has_processes = False, False
        self._executor = self._new_executor()

    def submit(self, function: Callable[[list[Any]], Any], batch: list[Any]) -> "Future[Any]":
        try:
            with nullcontext() if self._has_processes else _no_main_module():
                found = self._executor.submit(function, batch)
            self._has_processes = True  # an executor starts all of them for its first batch
            return found
        except (BrokenProcessPool, EOFError, ConnectionError) as error:  # the latter: nobody is there to fork them
            lost: Future[Any] = Future()
            lost.set_exception(BrokenProcessPool(str(error)))
            return lost

    def result(self, handle: "Future[Any]", timeout_seconds: float) -> Any:
        try:
            found = handle.result(timeout_seconds)
        except (BrokenProcessPool, TimeoutError) as error:
            if isinstance(error, TimeoutError) and handle.done():
                raise  # the function's own
            raise LostError from None
        self._proven = True
        return found

    def replace(self) -> None:
        self._kill()
        self._executor, self._has_processes = self._new_executor(), False
        if self._proven:
            return
        try:
            self.submit(_ping, []).result(_START_SECONDS)
        except (BrokenProcessPool, TimeoutError):
            raise WorkersEndError(
                "worker processes end before they begin: look above for their error; if there is none, the machine "
                "may be out of memory: lower num_processes"
            ) from None

    def is_lost(self, handle: "Future[Any]") -> bool:
        return not handle.done() or handle.cancelled() or isinstance(handle.exception(), BrokenProcessPool)

    def close(self) -> None:
        """End the processes at once: they hold nothing that is wanted, and an orderly exit takes half a second."""
        self._kill()
        if _METHOD == "forkserver":
            forkserver._forkserver._stop()  # else it would keep its memory as long as this process lives

    def _new_executor(self) -> ProcessPoolExecutor:
        return ProcessPoolExecutor(
            self.num_processes,
            mp_context=get_context(_METHOD),
            initializer=_begin,
            initargs=(self._start[0], *self._start[1]),
        )

    def _kill(self) -> None:
        # ProcessPoolExecutor.kill_workers() exists from Python 3.14 on only.
        for process in list((self._executor._processes or {}).values()):
            process.kill()
        self._executor.shutdown(wait=True, cancel_futures=True)


def begin_loading(preload: Sequence[str]) -> None:
    """Start the process that workers are forked from, and go on while it imports these modules."""
    if _METHOD == "forkserver":
        forkserver.set_forkserver_preload(["workers.curation.engine._nursery", *preload])
        forkserver.ensure_running()


@contextmanager
def _no_main_module() -> Iterator[None]:
    """Processes that start in the block leave out the program of this one, which may import much: Prefect takes 2 s."""
    main = sys.modules["__main__"]
    sys.modules["__main__"] = ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = main


def _ping(_: list[Any]) -> None:
    """A sign of life, for which a process has to be there."""


def _begin(initializer: Callable[..., None], *arguments: Any) -> None:
    """First thing in a child: end with the parent, leave Ctrl-C to it, then set up."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    die_with_parent(os.getppid())
    parent = parent_process()
    if parent is None or not parent.is_alive():  # it died before the signal was armed
        os._exit(1)
    initializer(*arguments)
