"""Progress of a fetch: a bar on a terminal, plain lines elsewhere. All on stderr, so that stdout stays for results."""

import sys
from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar


class Progress:
    """Use as a context manager. `start` begins a step of a package, `tick` counts within it, `say` prints a line."""

    def __init__(self) -> None:
        self.bar: Bar | None = None
        if sys.stderr.isatty():
            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
            self.bar = Bar(*columns, console=Console(stderr=True), transient=True)
        self.task = self.bar.add_task("starting", total=None) if self.bar else None

    def __enter__(self) -> Self:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.bar:
            self.bar.stop()

    def start(self, package: str, step: str, total: int | None = None) -> None:
        """A step begins; `total` is its number of pages, where it is known."""
        if self.bar and self.task is not None:
            self.bar.reset(self.task, total=total, description=f"{package}: {step}")
        else:
            count = f" {total} pages" if total is not None else ""
            self.say(f"{package}: {step}{count}")

    def tick(self) -> None:
        """One page is done."""
        if self.bar and self.task is not None:
            self.bar.advance(self.task)

    def say(self, line: str) -> None:
        """Print a line above the bar."""
        if self.bar:
            self.bar.console.print(line, markup=False, highlight=False)
        else:
            print(line, file=sys.stderr, flush=True)
