"""An engine that works in the test's own process: starts at once, and lets a test count calls."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

from workers.curation.engine import SharedFile
from workers.curation.engine.local import LocalFile
from workers.specs.curation import CurationSpec

T = TypeVar("T")
R = TypeVar("R")


class Inline:
    """Runs each batch when its result is wanted."""

    def map(
        self, function: Callable[[list[T]], R], batches: Iterable[list[T]], on_crash: Callable[[T], T]
    ) -> Iterator[R]:
        return (function(batch) for batch in batches)

    def share(self, path: Path) -> SharedFile:
        return LocalFile(path)


def build_inline(
    spec: CurationSpec, initializer: Callable[..., None], arguments: tuple[Any, ...]
) -> AbstractContextManager[Inline]:
    """In place of `workers.curation.engine.build_engine`."""

    @contextmanager
    def build() -> Iterator[Inline]:
        initializer(*arguments)
        yield Inline()

    return build()
