"""Progress of a run on the terminal: a bar for each stage of it and of its children, the loss beside it."""

import time
from typing import TYPE_CHECKING, Any

import typer

from app.commands.client import Client
from app.commands.output import console, plain, print_json, styled

if TYPE_CHECKING:
    from rich.progress import TaskID

_TERMINAL = {"completed", "failed", "crashed", "cancelled"}
_POLL_SECONDS = 1.0


def follow(client: Client, run_id: str) -> dict[str, Any]:
    """Show progress on stderr until the run ends; the run as it ended."""
    screen = console(stderr=True)
    view = _Bars() if screen.is_terminal else _Lines()
    with view:
        while True:
            run: dict[str, Any] = client.call("GET", f"/runs/{run_id}")
            view.show(run)
            if run["state"] in _TERMINAL:
                return run
            time.sleep(_POLL_SECONDS)


def show_end(client: Client, run_id: str, as_json: bool) -> None:
    """Show progress until the run ends, and how it ended. Exits with 1 unless it completed."""
    run = follow(client, run_id)
    if as_json:
        print_json(run)
    else:
        console().print(f"{run['id']} {styled(run['state'])} {plain(run['error'] or run['state_reason'] or '')}")
    raise typer.Exit(0 if run["state"] == "completed" else 1)


def rows(run: dict[str, Any]) -> list[tuple[str, float, float, str, str]]:
    """What is shown: (label, done, total, unit, note) for each stage of the run and of its children."""
    shown = []
    for part in [*run["children"], run] if run["children"] else [run]:
        prefix = f"{part['stage']} · " if part["stage"] else ""
        note = _note(part)
        shown += [(prefix + s["stage"], s["done"], s["total"], s["unit"], note) for s in part["progress"]]
        if not part["progress"] and part is not run:
            done = 1.0 if part["state"] == "completed" else 0.0
            shown.append((part["stage"] or part["name"], done, 1.0, "", note))
    return shown


def _note(run: dict[str, Any]) -> str:
    figures = [
        f"{label} {run['headline'][key]:.3f}"
        for key, label in (("loss", "loss"), ("heldout_loss", "held-out"))
        if run["headline"].get(key) is not None
    ]
    if run["state"] not in {"running", "completed"}:
        figures.append(f"{run['state']} {run['state_reason']}".strip())
    if run["attempt"] > 1:
        figures.append(f"attempt {run['attempt']}")
    return "  ".join(figures)


class _Bars:
    """Rich bars, for a terminal."""

    def __init__(self) -> None:
        from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

        self.progress: Progress = Progress(
            TextColumn("{task.description:<28}"), BarColumn(), TextColumn("{task.fields[count]:>22}"),
            TimeElapsedColumn(), TextColumn("{task.fields[note]}"), console=console(stderr=True),
        )  # fmt: skip
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> "_Bars":
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def show(self, run: dict[str, Any]) -> None:
        from rich.markup import escape

        for label, done, total, unit, note in rows(run):
            fields: dict[str, Any] = {"count": f"{done:,.0f}/{total:,.0f} {unit}", "note": escape(note)}
            if label not in self.tasks:
                self.tasks[label] = self.progress.add_task(escape(label), total=total, **fields)
            self.progress.update(self.tasks[label], completed=done, total=total, **fields)
        for label in self.tasks.keys() - {row[0] for row in rows(run)}:  # a child that waited now has stages
            self.progress.remove_task(self.tasks.pop(label))


class _Lines:
    """Plain lines, for a file or a pipe: at most one a stage every ten seconds, and when it is done."""

    def __init__(self) -> None:
        self.said: dict[str, tuple[float, bool]] = {}

    def __enter__(self) -> "_Lines":
        return self

    def __exit__(self, *_: object) -> None:
        return

    def show(self, run: dict[str, Any]) -> None:
        now, screen = time.monotonic(), console(stderr=True)
        for label, done, total, unit, note in rows(run):
            moment, finished = self.said.get(label, (-100.0, False))
            complete = done >= total
            if finished or (not complete and now - moment < 10):
                continue
            self.said[label] = (now, complete)
            screen.print(f"{label:<28} {done:,.0f}/{total:,.0f} {unit}  {note}", markup=False)
