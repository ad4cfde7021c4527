"""`headrace schedules list | create | pause | resume | run | delete`: launches at set times."""

import re
import uuid
from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.output import console, plain, print_json, table
from app.commands.stack import AsJson

schedules = typer.Typer(no_args_is_help=True, help="Launches at set times, kept by Prefect.")
Name = Annotated[str, typer.Argument(help="Name of the schedule.")]
_UNITS = {"m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@schedules.command("list")
def show(as_json: AsJson = False) -> None:
    """List the schedules with their next times and what they have missed."""
    from app.commands.client import connect

    found = connect().call("GET", "/schedules")["items"]
    if as_json:
        print_json(found)
        return
    listing = table("name", "when", "zone", "next", "last", "#missed")
    for row in found:
        coming = row["next_runs"][0][:16].replace("T", " ") if row["next_runs"] else ""
        last = next(iter(row["last_runs"]), None)
        became = f"{last['due_at'][:16].replace('T', ' ')} {last['state']}" if last else "never"
        zone = (row["timing"] or {}).get("timezone", "")
        coming = "paused" if row["paused"] else f"{coming} UTC"
        listing.add_row(row["name"], plain(row["says"]), zone, coming, became, str(row["num_missed"]))
    console().print(listing)


@schedules.command("create")
def create(
    name: Name,
    spec: Annotated[Path | None, typer.Argument(metavar="SPEC.yaml", help="A spec; else --preset.")] = None,
    preset: Annotated[str | None, typer.Option(help="Name of a ready-made spec.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field.")] = None,
    cron: Annotated[str | None, typer.Option(help="When: a cron expression, say '0 2 * * *'.")] = None,
    every: Annotated[str | None, typer.Option(help="When: a distance, say 30m, 6h, 1d.")] = None,
    zone: Annotated[str, typer.Option("--timezone", help="Zone of the wall clock, say Europe/Berlin.")] = "UTC",
    paused: Annotated[bool, typer.Option("--paused", help="Make it, but do not start it.")] = False,
    catch_up: Annotated[bool, typer.Option("--catch-up", help="Launch missed times later, too.")] = False,
    as_json: AsJson = False,
) -> None:
    """Launch a preset or a spec at set times, say `create nightly --preset pipeline --cron '0 2 * * *'`."""
    from app.commands.client import connect
    from app.commands.launching import apply_settings, parse_settings
    from app.commands.runs import request_of

    client = connect()
    if preset is not None and spec is None:  # kept as preset and changes: it follows the preset when that changes
        body: dict[str, Any] = {"preset": preset, "overrides": apply_settings({}, parse_settings(changes or []))}
    else:
        body = request_of(client, preset, spec, changes or [])
    body |= {"name": name, "timing": timing_of(cron, every, zone), "paused": paused, "catch_up": catch_up}
    made = client.call("POST", "/schedules", body, key=str(uuid.uuid4()))
    if as_json:
        print_json(made)
        return
    coming = f"; next {made['next_runs'][0][:16].replace('T', ' ')} UTC" if made["next_runs"] else ""
    typer.echo(f"{made['name']}  {made['says']} ({zone}){coming}")


def timing_of(cron: str | None, every: str | None, zone: str) -> dict[str, Any]:
    """The timing of the options. Raises CommandError (usage)."""
    from app.commands.client import CommandError

    if (cron is None) == (every is None):
        raise CommandError("say when: --cron '0 2 * * *', or --every 6h", 2)
    if cron is not None:
        return {"kind": "cron", "cron": cron, "timezone": zone}
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([mhdw])", every or "")
    if parts is None:
        raise CommandError(f"--every {every!r}: write it as 30m, 6h, 1d or 1w", 2)
    return {"kind": "interval", "seconds": float(parts[1]) * _UNITS[parts[2]], "timezone": zone}


@schedules.command("pause")
def pause(name: Name, as_json: AsJson = False) -> None:
    """Stop a schedule for now."""
    _set_paused(name, True, as_json)


@schedules.command("resume")
def resume(name: Name, as_json: AsJson = False) -> None:
    """Go on with a paused schedule."""
    _set_paused(name, False, as_json)


def _set_paused(name: str, paused: bool, as_json: bool) -> None:
    from app.commands.client import connect

    client, path = connect(), f"/schedules/{name}"
    changed = client.call("PATCH", path, {"paused": paused}, etag=client.etag(path))
    print_json(changed) if as_json else typer.echo(f"{name} {'paused' if paused else 'resumed'}")


@schedules.command("run")
def run(name: Name, as_json: AsJson = False) -> None:
    """Launch it once now, also while it is paused."""
    from app.commands.client import connect

    asked = connect().call("POST", f"/schedules/{name}/run", key=str(uuid.uuid4()))
    print_json(asked) if as_json else typer.echo(f"{name} is being launched; `headrace schedules list` shows it")


@schedules.command("delete")
def delete(name: Name) -> None:
    """Take a schedule away. The runs that it launched stay."""
    from app.commands.client import connect

    connect().call("DELETE", f"/schedules/{name}")
    typer.echo("deleted")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(schedules, name="schedules")
