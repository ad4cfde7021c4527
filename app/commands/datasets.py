"""`headrace dataset list | show | diff | export | delete` and `headrace gc`: versions and the store's upkeep."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import quote

import typer

from app.commands.output import ago, console, plain, print_json, table
from app.commands.stack import AsJson

if TYPE_CHECKING:
    from app.commands.client import Client

dataset = typer.Typer(no_args_is_help=True, help="Dataset versions.")
Version = Annotated[str, typer.Argument(metavar="VERSION", help="NAME@NUMBER, NAME (the newest), or sha256:DIGEST.")]
_SHOWN = 10


class Format(StrEnum):
    """What `export` writes."""

    JSONL = "jsonl"
    PARQUET = "parquet"


def find_version(client: "Client", reference: str) -> dict[str, Any]:
    """The version that a person means. Raises CommandError when there is none."""
    from app.commands.client import CommandError

    if reference.startswith("sha256:"):
        found: dict[str, Any] = client.call("GET", f"/datasets/versions/{quote(reference, safe=':')}")
        return found
    name, _, number = reference.rpartition("@") if "@" in reference else (reference, "", "")
    for version in client.items(f"/datasets/{quote(name)}/versions", 100_000):
        if not number or str(version["version"]) == number:
            return version
    raise CommandError(f"{name} has no version {number}: `headrace dataset list {name}` shows those that there are", 2)


@dataset.command("list")
def show_list(
    name: Annotated[str | None, typer.Argument(help="All versions of this dataset; else the newest of each.")] = None,
    as_json: AsJson = False,
) -> None:
    """List datasets, or the versions of one."""
    from app.commands.client import connect

    found = list(connect().items(f"/datasets/{quote(name)}/versions" if name else "/datasets", 100_000))
    if as_json:
        print_json(found)
        return
    listing = table("dataset", "#version", "#documents", "#tokens", "made", "digest")
    for one in found:
        figures = one["statistics"]
        documents = sum(sum(splits.values()) for splits in figures.get("documents", {}).values())
        tokens = sum(figures.get("num_tokens", {}).values())
        digest = one["digest"][:19]
        listing.add_row(
            plain(one["name"]), str(one["version"]), f"{documents:,}", f"{tokens:,}", ago(one["created_at"]), digest
        )
    console().print(listing)


@dataset.command("show")
def show(version: Version, as_json: AsJson = False) -> None:
    """Figures and lineage of a version."""
    from app.commands.client import connect

    found = find_version(connect(), version)
    if as_json:
        print_json(found)
        return
    figures = found["statistics"]
    typer.echo(f"{found['name']}@{found['version']}  {found['digest']}")
    listing = table("language", "#documents", "#words", "#tokens", "#bytes", "#tokens a word")
    for language in figures.get("tokens", {}):
        amounts = [sum(figures[key][language].values()) for key in ("documents", "words", "tokens", "bytes")]
        fertility = figures.get("fertility", {}).get(language, 0.0)
        listing.add_row(language, *(f"{amount:,}" for amount in amounts), f"{fertility:.2f}")
    console().print(listing)
    dropped = {rule: sum(by_language.values()) for rule, by_language in figures.get("dropped", {}).items()}
    if dropped:
        rules = table("dropped by", "#documents")
        for rule, count in sorted(dropped.items(), key=lambda item: -item[1]):
            rules.add_row(plain(rule), f"{count:,}")
        console().print(rules)


@dataset.command("diff")
def diff(left: Version, right: Version, as_json: AsJson = False) -> None:
    """What another version has that this one has not: spec, documents, tokens, drops."""
    from app.commands.client import connect

    client = connect()
    pair = {side: find_version(client, one)["digest"] for side, one in (("left", left), ("right", right))}
    found = client.call("GET", "/datasets/compare", params=pair)
    if as_json:
        print_json(found)
        return
    counts = found["documents"]
    if counts is None:
        typer.echo("One of them has no index of its documents (made before there were, or deleted).")
    else:
        typer.echo(
            f"documents: {counts['only_left']:,} only left, {counts['only_right']:,} only right, "
            f"{counts['both']:,} in both, of which {counts['changed']:,} with another text"
        )
    rows = [(change["pointer"], str(change["left"]), str(change["right"])) for change in found["spec"]]
    rows += [(f"tokens {name}", f"{p['left']:,}", f"{p['right']:,}") for name, p in found["tokens"].items()]
    rows += [(f"dropped by {p['rule']}", f"{p['left']:,}", f"{p['right']:,}") for p in found["rules"]]
    listing = table("", "#left", "#right")
    for row in rows:
        if row[1] != row[2]:
            listing.add_row(*map(plain, row))
    console().print(listing)
    for side in ("only_left", "only_right"):
        for sample in found["examples"][side][:_SHOWN]:
            typer.echo(f"{side}: {sample['language']} {sample['source']}: {' '.join(sample['text'].split())[:100]}")


@dataset.command("export")
def export(
    version: Version,
    out: Annotated[Path, typer.Option(help="File for jsonl, folder for parquet.")],
    form: Annotated[Format, typer.Option("--format", help="What to write.")] = Format.JSONL,
    language: Annotated[list[str] | None, typer.Option(help="Only these languages (jsonl).")] = None,
    split: Annotated[str | None, typer.Option(help="Only `train` or `heldout` (jsonl).")] = None,
    as_json: AsJson = False,
) -> None:
    """Write a version's documents out of the service: JSON lines, or its Parquet files as they are."""
    from app.commands.client import CommandError, connect
    from app.commands.documents import copy_shards, write_lines

    client = connect()
    found = find_version(client, version)
    shards = sorted((f for f in found["files"] if f["path"].endswith(".parquet")), key=lambda f: f["path"])
    if not shards:
        raise CommandError(f"{version} has no documents in the store: it was made before there were, or is deleted")
    if form is Format.PARQUET:
        count = copy_shards(client, found["digest"], shards, out)
    else:
        count = write_lines(client, found["digest"], shards, out, language or [], split)
    made = {"out": str(out), "format": form.value, "files" if form is Format.PARQUET else "documents": count}
    print_json(made) if as_json else typer.echo(" ".join(f"{key}: {value}" for key, value in made.items()))


@dataset.command("delete")
def delete(
    version: Version,
    confirm: Annotated[str | None, typer.Option(help="NAME@NUMBER once more, for scripts; else it is asked.")] = None,
    force: Annotated[bool, typer.Option(help="Though a run that has not ended uses it.")] = False,
    as_json: AsJson = False,
) -> None:
    """Delete a version. Its figures and lineage stay; `headrace gc --apply` frees its space."""
    from app.commands.client import connect

    client = connect()
    found = find_version(client, version)
    name = f"{found['name']}@{found['version']}"
    typed = confirm if confirm is not None else typer.prompt(f"Type {name} to delete it", err=True)
    client.call("DELETE", f"/datasets/versions/{found['digest']}", params={"confirm": typed, "force": force})
    print_json({"deleted": name, "digest": found["digest"]}) if as_json else typer.echo(f"{name} is deleted")


def collect(
    apply: Annotated[bool, typer.Option("--apply/--dry-run", help="Delete; else only say what would go.")] = False,
    grace_hours: Annotated[float, typer.Option(help="Younger blobs stay; at least 1.")] = 24.0,
    as_json: AsJson = False,
) -> None:
    """Delete blobs of the store that no artifact names."""
    from app.commands.client import connect

    client, cursor = connect(), None
    total: dict[str, Any] = {"apply": apply}
    while True:
        request = {"apply": apply, "grace_hours": grace_hours, "cursor": cursor}
        step = client.call("POST", "/gc", request, timeout=300)
        for key, value in step.items():
            if isinstance(value, int):
                total[key] = total.get(key, 0) + value
        cursor = step["next_cursor"]
        if cursor is None:
            break
    if as_json:
        print_json(total)
        return
    typer.echo(f"{total['blobs']:,} blobs, {total['bytes']:,} bytes; {total['referenced']:,} belong to artifacts")
    typer.echo(f"{total['young']:,} are too young to judge, or were stored while a run was running")
    if apply:
        typer.echo(f"{total['deleted']:,} deleted, {total['deleted_bytes']:,} bytes")
    else:
        typer.echo(f"{total['garbage']:,} would go, {total['garbage_bytes']:,} bytes: --apply deletes them")


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(dataset, name="dataset")
    app.command("gc")(collect)
