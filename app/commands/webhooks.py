"""`headrace webhooks list | create | test | log | delete`: who is told what happens."""

import uuid
from typing import Annotated, Any

import typer

from app.commands.output import ago, console, plain, print_json, table
from app.commands.stack import AsJson

webhooks = typer.Typer(no_args_is_help=True, help="Addresses that are told what happens, by signed requests.")
WebhookId = Annotated[str, typer.Argument(metavar="ID", help="Id of the webhook.")]
_EVENTS = ["run.failed", "intervention.waiting", "intervention.failed", "worker.dead", "schedule.missed"]


@webhooks.command("list")
def show(as_json: AsJson = False) -> None:
    """List the webhooks, without their secrets."""
    from app.commands.client import connect

    found = connect().call("GET", "/webhooks")["items"]
    if as_json:
        print_json(found)
        return
    listing = table("id", "name", "state", "address", "is told")
    for row in found:
        state = "on" if row["enabled"] else f"off {plain(row['note'])}".strip()
        listing.add_row(row["id"], plain(row["name"]), state, plain(row["url"]), " ".join(row["events"]))
    console().print(listing)


@webhooks.command("create")
def create(
    name: str,
    url: Annotated[str, typer.Argument(help="https:// or http://")],
    events: Annotated[list[str] | None, typer.Option("--event", help="What it is told; may be given often.")] = None,
    as_json: AsJson = False,
) -> None:
    """Make a webhook. Its secret is shown this once."""
    from app.commands.client import connect

    body = {"name": name, "url": url, "events": events or _EVENTS}
    made = connect().call("POST", "/webhooks", body, key=str(uuid.uuid4()))
    print_json(made) if as_json else typer.echo(f"{made['id']}  {made['secret']}")


@webhooks.command("test")
def test(webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """Send it a test now. Exit code 1 when it does not arrive."""
    from app.commands.client import connect

    went = connect().call("POST", f"/webhooks/{webhook_id}/test")
    print_json(went) if as_json else typer.echo(_went(went))
    raise typer.Exit(0 if went["state"] == "delivered" else 1)


@webhooks.command("log")
def log(webhook_id: WebhookId, as_json: AsJson = False) -> None:
    """List what it was sent, the newest first."""
    from app.commands.client import connect

    found = list(connect().items(f"/webhooks/{webhook_id}/deliveries", 200))
    if as_json:
        print_json(found)
        return
    listing = table("#id", "event", "age", "#tries", "became")
    for row in found:
        listing.add_row(str(row["id"]), row["kind"], ago(row["created_at"]), str(row["tries"]), plain(_went(row)))
    console().print(listing)


@webhooks.command("delete")
def delete(webhook_id: WebhookId) -> None:
    """Take a webhook away, with its log."""
    from app.commands.client import connect

    connect().call("DELETE", f"/webhooks/{webhook_id}")
    typer.echo("deleted")


def _went(row: dict[str, Any]) -> str:
    status = f" {row['status']}" if row["status"] else ""
    return f"{row['state']}{status}" + (f": {row['error']}" if row["error"] else "")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(webhooks, name="webhooks")
