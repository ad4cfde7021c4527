"""What commands print: JSON for programs, tables for people. Results on stdout, all else on stderr."""

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

STATE_STYLE = {
    "completed": "green", "running": "cyan", "queued": "dim", "paused": "yellow", "cancelling": "yellow",
    "failed": "red", "crashed": "red", "cancelled": "dim", "healthy": "green", "done": "green", "online": "green",
    "offline": "dim", "unhealthy": "yellow", "restarting": "yellow",
}  # fmt: skip


def print_json(value: Any) -> None:
    """One line of JSON on stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False))


def console(stderr: bool = False) -> "Console":
    """Where tables and progress go."""
    from rich.console import Console

    return Console(stderr=stderr, highlight=False, soft_wrap=False)


def table(*columns: str, title: str | None = None) -> "Table":
    """An empty table; columns that begin with `#` are numbers, set to the right."""
    from rich.box import SIMPLE_HEAD
    from rich.table import Table

    made = Table(box=SIMPLE_HEAD, title=title, title_justify="left", title_style="bold", pad_edge=False)
    for column in columns:
        made.add_column(column.removeprefix("#"), justify="right" if column.startswith("#") else "left")
    return made


def styled(state: str) -> str:
    """A state in its colour."""
    style = STATE_STYLE.get(state)
    return f"[{style}]{state}[/{style}]" if style else state


def plain(text: object) -> str:
    """Text of people or documents, safe inside rich's markup."""
    from rich.markup import escape

    return escape(str(text))


def ago(moment: str | None) -> str:
    """An ISO time as its age: `12 s`, `5 min`, `3 h`, `2 d`."""
    if not moment:
        return ""
    seconds = (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()
    for unit, size in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{max(seconds, 0):.0f} s"
