"""`headrace presets | launch | runs | run | watch | cancel | command | logs`: runs through the REST API."""

import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import ago, console, plain, print_json, styled, table
from app.commands.stack import AsJson

if TYPE_CHECKING:
    from app.commands.client import Client

RunId = Annotated[str, typer.Argument(metavar="ID", help="Id of the run.")]


def presets(
    name: Annotated[str | None, typer.Argument(help="Print the YAML of this one.")] = None, as_json: AsJson = False
) -> None:
    """List the ready-made specs, or print one to start your own from."""
    from app.commands.client import connect

    if name:
        preset = connect().call("GET", f"/presets/{name}")
        print_json(preset) if as_json else typer.echo(preset["yaml"], nl=False)
        return
    found = connect().call("GET", "/presets")
    if as_json:
        print_json(found)
        return
    listing = table("preset", "kind", "what it does")
    for preset in found:
        listing.add_row(preset["name"], preset["kind"], plain(preset["description"]))
    console().print(listing)


def submit(
    client: "Client",
    *,
    preset: str | None = None,
    spec: Path | None = None,
    changes: list[str],
    name: str | None = None,
    folder: Path | None = None,
) -> dict[str, Any]:
    """Launch a run; the run as the service answers."""
    request = request_of(client, preset, spec, changes, folder)
    if name:
        request["name"] = name
    launched: dict[str, Any] = client.call("POST", "/runs", request, key=str(uuid.uuid4()))
    return launched


def request_of(
    client: "Client", preset: str | None, spec: Path | None, changes: list[str], folder: Path | None = None
) -> dict[str, Any]:
    """What is to be launched. A changed spec is sent whole, so that lists can be changed too."""
    from app.commands.client import CommandError
    from app.commands.launching import apply_settings, parse_settings, read_spec, use_folder

    if (preset is None) == (spec is None):
        raise CommandError("say what to launch: a SPEC.yaml, or --preset NAME (`headrace presets` lists them)", 2)
    parsed = parse_settings(changes)
    if spec is not None:
        whole = read_spec(spec)
    else:
        known = {found["name"]: found["spec"] for found in client.call("GET", "/presets")}
        if preset not in known:
            raise CommandError(f"unknown preset {preset!r}; there are: {', '.join(sorted(known))}", 2)
        whole = known[preset]
    whole = apply_settings(whole, parsed)
    if folder is not None:
        whole = use_folder(whole, folder)
    return {"preset": preset} if preset is not None and parsed == [] and folder is None else {"spec": whole}


def launch(
    spec: Annotated[Path | None, typer.Argument(metavar="SPEC.yaml", help="A spec; else --preset.")] = None,
    preset: Annotated[str | None, typer.Option(help="Name of a ready-made spec.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call the run.")] = None,
    folder: Annotated[Path | None, typer.Option("--input", help="Folder with documents, for curation.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only check, estimate and say where it runs.")] = False,
    watch_it: Annotated[bool, typer.Option("--watch", help="Show progress until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Launch a run from a spec or a preset."""
    from app.commands.client import connect
    from app.commands.launching import show_launched, show_plan

    client = connect()
    if dry_run:
        request = request_of(client, preset, spec, changes or [], folder) | ({"name": name} if name else {})
        show_plan(client.call("POST", "/runs", request, params={"dry_run": True}), as_json)
        return
    run = submit(client, preset=preset, spec=spec, changes=changes or [], name=name, folder=folder)
    show_launched(client, run, watch_it, as_json)


def runs(
    kind: Annotated[str | None, typer.Option(help="curation, quality, training, evaluation, ...")] = None,
    state: Annotated[str | None, typer.Option(help="queued, running, completed, failed, ...")] = None,
    limit: Annotated[int, typer.Option(min=1, max=10_000)] = 20,
    as_json: AsJson = False,
) -> None:
    """List runs, the newest first."""
    from app.commands.client import connect

    found = list(connect().items("/runs", limit, kind=kind, state=state))
    if as_json:
        print_json(found)
        return
    listing = table("id", "name", "kind", "state", "#attempt", "age", "")
    for run in found:
        why = plain(run["state_reason"]) if run["state"] == "queued" else ""
        cells = [run["id"], plain(run["name"]), run["kind"], styled(run["state"]), str(run["attempt"])]
        listing.add_row(*cells, ago(run["created_at"]), why)
    console().print(listing)


def show(run_id: RunId, as_json: AsJson = False) -> None:
    """Show one run."""
    from app.commands.client import connect

    client = connect()
    run = client.call("GET", f"/runs/{run_id}")
    if as_json:
        print_json(run)
        return
    facts = table("", "")
    for label in (
        "id",
        "name",
        "kind",
        "state",
        "state_reason",
        "attempt",
        "pool",
        "created_at",
        "finished_at",
        "error",
    ):
        if run[label] not in (None, ""):
            facts.add_row(label, styled(run[label]) if label == "state" else plain(run[label]))
    for key, value in sorted(run["headline"].items()):
        facts.add_row(key, "" if value is None else f"{value:.6g}")
    for child in run["children"]:
        facts.add_row(f"{child['stage']} run", f"{child['id']} {styled(child['state'])}")
    facts.add_row("page", f"{client.url}/runs/{run_id}")
    console().print(facts)


def watch(run_id: RunId, as_json: AsJson = False) -> None:
    """Show a run's progress until it ends. Exit code 1 unless it completes."""
    from app.commands.client import connect
    from app.commands.watching import show_end

    show_end(connect(), run_id, as_json)


def cancel(run_id: RunId, as_json: AsJson = False) -> None:
    """Cancel a run, and its children."""
    from app.commands.client import connect

    run = connect().call("POST", f"/runs/{run_id}/cancel", key=str(uuid.uuid4()))
    print_json(run) if as_json else typer.echo(f"{run['id']} {run['state']}")


def command(
    run_id: RunId,
    kind: Annotated[
        str,
        typer.Argument(help="stop checkpoint pause resume rollback skip set_lr_scale set_clip set_mode approve reject"),
    ],
    arguments: Annotated[list[str] | None, typer.Argument(metavar="NAME=VALUE...")] = None,
    as_json: AsJson = False,
) -> None:
    """Ask something of a running worker, say `headrace command ID set_lr_scale value=0.5`."""
    from app.commands.client import connect
    from app.commands.launching import apply_settings, parse_settings

    body = {"kind": kind, "arguments": apply_settings({}, parse_settings(arguments or []))}
    sent = connect().call("POST", f"/runs/{run_id}/commands", body, key=str(uuid.uuid4()))
    print_json(sent) if as_json else typer.echo(f"{sent['id']} {sent['state']}")


def logs(
    run_id: RunId,
    follow_it: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the run ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Print a run's log."""
    from app.commands.client import connect

    client, last = connect(), 0
    while True:
        over = client.call("GET", f"/runs/{run_id}")["finished_at"] is not None
        while lines := _log_lines(client, run_id, last):
            for line in lines:
                last = line["id"]
                print_json(line) if as_json else typer.echo(f"{line['time'][:19]} {line['level']:<7} {line['message']}")
        if over or not follow_it:
            return
        time.sleep(1)


def _log_lines(client: "Client", run_id: str, after: int) -> list[dict[str, Any]]:
    found = client.call("GET", f"/runs/{run_id}/events", params={"kind": "log", "after": after, "limit": 200})
    lines: list[dict[str, Any]] = found["items"] if isinstance(found, dict) else found
    return lines


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for function in (presets, launch, runs, watch, cancel, command, logs):
        app.command()(function)
    app.command("run")(show)
