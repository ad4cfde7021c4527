"""`headrace ablation show | promote`: what an ablation found, and its winner as a recipe of your own."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from app.commands.output import console, plain, print_json, table
from app.commands.stack import AsJson

if TYPE_CHECKING:
    from app.commands.client import Client

ablation = typer.Typer(no_args_is_help=True, help="Variants of a curation recipe, compared.")
RunId = Annotated[str, typer.Argument(metavar="RUN", help="Id of the ablation's run.")]


@ablation.command("show")
def show(run_id: RunId, as_json: AsJson = False) -> None:
    """Show the ranking: each variant's score and its difference to the base, with interval and verdict."""
    from app.commands.client import connect

    summary = _completed(connect(), run_id)["summary"]
    if as_json:
        print_json(summary)
        return
    listing = table("variant", f"#{summary['metric']}", "#difference", "#interval", "#p", "verdict", "#seeds")
    for row in summary["ranking"]:
        interval = "" if row["low"] is None else f"{row['low']:+.4f} to {row['high']:+.4f}"
        figures = (
            _shown(row["mean"], ".4f"),
            _shown(row["difference"], "+.4f"),
            interval,
            _shown(row["p_adjusted"], ".3g"),
        )
        listing.add_row(plain(row["arm"]), *figures, row["verdict"], str(row["num_seeds"]))
    console().print(listing)
    for note in summary["notes"]:
        console().print(plain(note))
    winner = summary["winner"]
    console().print(f"winner: {plain(winner)}" if winner else "no variant beats the base")


@ablation.command("promote")
def promote(
    run_id: RunId,
    variant: Annotated[str | None, typer.Option(help="This variant instead of the winner.")] = None,
    out: Annotated[Path | None, typer.Option(help="Save here; else NAME.yaml beside you.")] = None,
) -> None:
    """Save the winner's recipe as YAML, ready to edit and `headrace launch`, and print it."""
    from app.commands.client import CommandError, connect

    client = connect()
    summary = _completed(client, run_id)["summary"]
    arms = [row["arm"] for row in summary["ranking"]]
    chosen = variant or summary["winner"]
    if chosen is None:
        raise CommandError(
            f"no variant beats the base, so there is none to promote; --variant takes: {', '.join(arms)}"
        )
    if chosen not in arms:
        raise CommandError(f"--variant {chosen!r}: the ablation has {', '.join(arms)}", 2)
    target = out or Path(f"{chosen}.yaml")
    if target.exists():
        raise CommandError(f"{target} is there already: choose another file with --out", 2)
    client.download(f"/artifacts/{summary['ablation']}/files/{quote(f'recipes/{chosen}.yaml')}", target)
    typer.echo(target.read_text(encoding="utf-8"), nl=False)
    typer.echo(f"saved as {target}; run it with: headrace launch {target}", err=True)


def _completed(client: "Client", run_id: str) -> dict[str, Any]:
    """The run, which must be a completed ablation."""
    from app.commands.client import CommandError

    run: dict[str, Any] = client.call("GET", f"/runs/{run_id}")
    if run["kind"] != "ablation":
        raise CommandError(f"run {run_id} is of kind {run['kind']}, not an ablation", 2)
    if run["state"] != "completed":
        raise CommandError(
            f"the ablation is {run['state']}: {run['error'] or run['state_reason'] or 'it has no ranking yet'}"
        )
    return run


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(ablation, name="ablation")
