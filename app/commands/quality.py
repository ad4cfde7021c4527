"""`headrace quality labels | train`: labels that people gave, and scorers that learn from them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from app.commands.output import console, plain, print_json, table
from app.commands.runs import launch
from app.commands.stack import AsJson

if TYPE_CHECKING:
    from app.commands.client import Client

quality = typer.Typer(no_args_is_help=True, help="Labels of documents, and scorers that learn from them.")


@quality.command("labels")
def labels(
    dataset: Annotated[str, typer.Option(help="Name of a dataset (its latest version), or a version's digest.")],
    out: Annotated[Path | None, typer.Option(help="Write all labels into this file, as JSON lines.")] = None,
    as_json: AsJson = False,
) -> None:
    """Count the labels of a dataset version, or export them."""
    from app.commands.client import connect

    client = connect()
    digest = find_version(client, dataset)
    found = client.call("GET", "/labels/summary", params={"dataset": digest})
    if out is not None:
        client.download(f"/labels/export?dataset={quote(digest)}", out)
        found["file"] = str(out)
    if as_json:
        print_json(found)
        return
    listing = table("score", "#labels", title=f"{plain(dataset)}  {digest}")
    for score, count in sorted(found["counts"].items()):
        listing.add_row(score, str(count))
    console().print(listing)
    typer.echo(f"{found['num_labels']} labels" + (f" in {out}" if out else ""))


@quality.command("train")
def train(
    spec: Annotated[Path, typer.Argument(metavar="SPEC.yaml", help="A spec of kind quality.")],
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field.")] = None,
    name: Annotated[str | None, typer.Option(help="What people call the run.")] = None,
    watch_it: Annotated[bool, typer.Option("--watch", help="Show progress until it ends.")] = False,
    as_json: AsJson = False,
) -> None:
    """Launch the training of a scorer; the same as `headrace launch SPEC.yaml`."""
    launch(spec=spec, preset=None, changes=changes, name=name, folder=None, watch_it=watch_it, as_json=as_json)


def find_version(client: "Client", dataset: str) -> str:
    """Digest of a dataset's latest version. Raises CommandError when there is no such dataset."""
    if dataset.startswith("sha256:"):
        return dataset
    page: dict[str, Any] = client.call("GET", f"/datasets/{quote(dataset)}/versions", params={"limit": 1})
    digest: str = page["items"][0]["digest"]
    return digest


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(quality, name="quality")
