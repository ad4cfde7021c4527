"""Actors of a running Ray cluster (https://docs.ray.io): the same work, the same order, the same blame for a crash.

Each actor builds the plugins once and takes batches from the object store; results come back the same way. Nothing of
the journal, the input or the output needs to be on a disk that the actors see.
"""

import hashlib
import os
import socket
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import urlsplit

from workers.curation.engine._ordered import EngineError, LostError, OrderedMap, WorkersEndError

T = TypeVar("T")
R = TypeVar("R")

_CONNECT_SECONDS = 10.0
_START_SECONDS = 300.0
_DEPTH = 2
"""Batches that an actor has before it, the one under way included."""


class RayActors:
    """Actors that each run `initializer(*arguments)` once. Use it as a context manager.

    Raises EngineError when Ray is not installed or the cluster does not answer.
    """

    def __init__(
        self, address: str, num_actors: int, initializer: Callable[..., None], arguments: tuple[Any, ...]
    ) -> None:
        self._ray = _import_ray()
        self._was_connected = bool(self._ray.is_initialized())
        if not self._was_connected:
            _connect(self._ray, address)
        num_cpus = _num_cpus(self._ray)  # more actors than CPUs would wait for ever
        self._actors = _Actors(self._ray, min(num_actors or num_cpus, num_cpus), initializer, arguments)

    def map(
        self, function: Callable[[list[T]], R], batches: Iterable[list[T]], on_crash: Callable[[T], T]
    ) -> Iterator[R]:
        """See `workers.curation.engine.Engine.map`."""
        return OrderedMap(self._actors).map(function, batches, on_crash)

    def share(self, path: Path) -> "ObjectFile":
        """See `workers.curation.engine.Engine.share`."""
        content = path.read_bytes()
        return ObjectFile(self._ray.put(content), hashlib.sha256(content).hexdigest())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._actors.close()
        if not self._was_connected:
            self._ray.shutdown()


@dataclass(slots=True, frozen=True)
class ObjectFile:
    """A file in the object store; each worker writes it down once."""

    reference: Any
    sha256: str

    def path(self) -> Path:
        """A copy on this machine."""
        import ray

        path = Path(tempfile.gettempdir()) / f"headrace-{os.getuid()}-{self.sha256}"
        if not path.is_file():
            with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
                file.write(ray.get(self.reference, timeout=_START_SECONDS))
            Path(file.name).rename(path)
        return path


@dataclass(slots=True)
class _Handle:
    actor: int
    reference: Any


class _Actors:
    def __init__(self, ray: Any, num_actors: int, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        self._ray = ray
        self._class = ray.remote(num_cpus=1, max_restarts=0)(_Worker)
        self._start = (initializer, arguments)
        self.num_underway = _DEPTH * num_actors
        self._actors = {number: self._new_actor() for number in range(num_actors)}
        """By a number that no other actor ever gets."""
        self._loads = dict.fromkeys(self._actors, 0)
        self._next = num_actors
        self._suspects: set[int] = set()

    def submit(self, function: Callable[[list[Any]], Any], batch: list[Any]) -> _Handle:
        number = min(self._loads, key=lambda n: (self._loads[n], n))
        self._loads[number] += 1
        return _Handle(number, self._actors[number].run.remote(function, batch))

    def result(self, handle: _Handle, timeout_seconds: float) -> Any:
        errors = self._ray.exceptions
        try:
            found = self._ray.get(handle.reference, timeout=timeout_seconds)
        except errors.GetTimeoutError:
            self._suspects.add(handle.actor)
            raise LostError from None
        except (errors.RayActorError, errors.WorkerCrashedError, errors.ObjectLostError) as error:
            self._judge_start(error)
            self._suspects.add(handle.actor)
            raise LostError from None
        except errors.RayTaskError as error:
            raise error.as_instanceof_cause() from None
        if handle.actor in self._loads:
            self._loads[handle.actor] -= 1
        return found

    def replace(self) -> None:
        for number in self._suspects & self._actors.keys():
            self._ray.kill(self._actors.pop(number))
            del self._loads[number]
            self._actors[self._next] = self._new_actor()
            self._loads[self._next] = 0
            self._next += 1

    def is_lost(self, handle: _Handle) -> bool:
        return handle.actor not in self._actors

    def close(self) -> None:
        for actor in self._actors.values():
            self._ray.kill(actor)

    def _new_actor(self) -> Any:
        initializer, arguments = self._start
        return self._class.remote(initializer, arguments)

    def _judge_start(self, error: Exception) -> None:
        """Raises WorkersEndError when an actor did not even begin: it would be so for ever."""
        if "creation task" in str(error) or "__init__" in str(error):
            cause = str(error).strip().splitlines()[-1]
            raise WorkersEndError(
                f"Ray actors end before they begin: {cause}. Is Headrace, in this version, installed on all nodes?"
            ) from error


class _Worker:
    """What an actor is."""

    def __init__(self, initializer: Callable[..., None], arguments: tuple[Any, ...]) -> None:
        initializer(*arguments)

    def run(self, function: Callable[[list[Any]], Any], batch: list[Any]) -> Any:
        return function(batch)


def _import_ray() -> Any:
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
        import ray.exceptions
    except ImportError:
        raise EngineError(
            "the spec says `engine: ray`, but Ray is not installed on this worker: pip install 'headrace[ray]'"
        ) from None
    return ray


def _connect(ray: Any, address: str) -> None:
    _check_reachable(address)
    try:
        ray.init(address=address, log_to_driver=False, logging_level="warning", configure_logging=False)
    except Exception as error:  # Ray raises many kinds, for what is one case to the user: there is no cluster
        raise EngineError(
            f"no Ray cluster answers at {address!r} ({type(error).__name__}: {error}): start one with "
            "`ray start --head`, or set engine.address"
        ) from None


def _check_reachable(address: str) -> None:
    """Raises EngineError when nothing listens there: Ray itself would try for minutes."""
    place = urlsplit(address if "://" in address else f"//{address}")
    if place.hostname is None or place.port is None:
        return
    try:
        socket.create_connection((place.hostname, place.port), timeout=_CONNECT_SECONDS).close()
    except OSError as error:
        raise EngineError(
            f"no Ray cluster answers at {address!r} ({error}): start one with `ray start --head`, or set engine.address"
        ) from None


def _num_cpus(ray: Any) -> int:
    return max(1, int(ray.cluster_resources().get("CPU", 1)))
