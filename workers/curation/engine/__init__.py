"""Where batches of documents are worked on: processes of this machine, or actors of a Ray cluster.

Both give results in the order of the batches, keep a bounded number of them under way, and answer for a record that
ends its process.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Protocol, TypeVar

from workers.curation.engine._ordered import EngineError, SharedFile, WorkersEndError
from workers.specs.curation import CurationSpec
from workers.specs.curation.engines import RayEngine

__all__ = ["Engine", "EngineError", "SharedFile", "WorkersEndError", "build_engine", "prepare_engine"]

T = TypeVar("T")
R = TypeVar("R")


class Engine(Protocol):
    """Workers that each ran an initializer once."""

    def map(
        self, function: Callable[[list[T]], R], batches: Iterable[list[T]], on_crash: Callable[[T], T]
    ) -> Iterator[R]:
        """`function` over all batches, in their order.

        An item that ends its process (a crash in a native library, the memory limit) or that never ends is replaced
        by `on_crash(item)`, and its batch is worked on again. Raises WorkersEndError when that does not help.
        """
        ...

    def share(self, path: Path) -> SharedFile:
        """A file of this machine that `function` is to read, wherever it runs; to be sent along with a batch."""
        ...


def build_engine(
    spec: CurationSpec, initializer: Callable[..., None], arguments: tuple[Any, ...]
) -> AbstractContextManager[Engine]:
    """The engine of a spec; use it as a context manager. Raises EngineError when it cannot be had."""
    if isinstance(spec.engine, RayEngine):
        from workers.curation.engine.ray import RayActors

        return RayActors(spec.engine.address, spec.num_processes, initializer, arguments)
    from workers.curation.engine.local import Processes

    return Processes(spec.num_processes, initializer, arguments, _preload(spec))


def prepare_engine(spec: CurationSpec) -> None:
    """Have the processes of this machine load what they need, while this one imports the pipeline: 0.6 s a run."""
    if not isinstance(spec.engine, RayEngine):
        from workers.curation.engine.local import begin_loading

        begin_loading(_preload(spec))


def _preload(spec: CurationSpec) -> list[str]:
    """Modules that every worker process needs."""
    return ["workers.curation.preloaded", f"workers.curation.extractors.{spec.html_extractor.kind}"]
