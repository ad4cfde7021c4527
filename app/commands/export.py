"""`headrace export`: a run's points or events as a file."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated
from urllib.parse import urlencode

import typer

from app.commands.output import print_json
from app.commands.stack import AsJson


class Format(StrEnum):
    """What the file is."""

    CSV = "csv"
    JSONL = "jsonl"
    PARQUET = "parquet"


class What(StrEnum):
    """What is in it."""

    METRICS = "metrics"
    EVENTS = "events"


def export(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Id of the run.")],
    out: Annotated[Path, typer.Option(help="The file to write.")],
    form: Annotated[Format | None, typer.Option("--format", help="Else as the file's name says.")] = None,
    what: Annotated[What, typer.Option(help="Points of the series, or events with the log.")] = What.METRICS,
    keys: Annotated[list[str] | None, typer.Option("--key", help="Only this series; may be repeated.")] = None,
    as_json: AsJson = False,
) -> None:
    """Write the points of a run's series into a file: `headrace export ID --out run.parquet --key loss`."""
    from app.commands.client import CommandError, connect

    known = {one.value for one in Format}
    chosen = form.value if form else out.suffix.removeprefix(".")
    if chosen not in known:
        raise CommandError(f"--out {out}: say --format, one of {', '.join(sorted(known))}", 2)
    query = urlencode([("format", chosen), ("what", what.value), *(("keys", key) for key in keys or [])])
    connect().download(f"/runs/{run_id}/export?{query}", out)
    made = {"out": str(out), "format": chosen, "bytes": out.stat().st_size}
    print_json(made) if as_json else typer.echo(f"{out}: {made['bytes']:,} bytes of {chosen}")


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(export)
