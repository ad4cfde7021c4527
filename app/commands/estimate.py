"""`headrace estimate`: what a run would take."""

from pathlib import Path
from typing import Annotated, Any

import typer

from app.commands.output import console, print_json, table
from app.commands.stack import AsJson

_PREFIXES = ("", "k", "M", "G", "T", "P", "E", "Z")


def estimate(
    spec: Annotated[Path | None, typer.Argument(metavar="SPEC.yaml", help="A spec; else --preset.")] = None,
    preset: Annotated[str | None, typer.Option(help="Name of a ready-made spec.")] = None,
    changes: Annotated[list[str] | None, typer.Option("--set", metavar="PATH=VALUE", help="Change a field.")] = None,
    vocab_size: Annotated[int | None, typer.Option(help="Tokens of the vocabulary, where nothing tells it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say what a training run or a pipeline's training would take, without launching it."""
    from app.commands.client import connect
    from app.commands.runs import request_of

    client = connect()
    request = request_of(client, preset, spec, changes or [])
    if vocab_size is not None:
        request["vocab_size"] = vocab_size
    found = client.call("POST", "/estimate", request)
    if as_json:
        print_json(found)
        return
    show_estimate(found)


def show_estimate(found: dict[str, Any]) -> None:
    """The estimate as a table."""
    figures = found["training"]
    listing = table("what", "#how much")
    for name, text in (
        ("parameters", scaled(figures["num_parameters"])),
        ("training tokens", scaled(figures["num_tokens"])),
        ("FLOPs", scaled(figures["total_flops"])),
        ("time", duration(figures["training_seconds"])),
        ("memory", scaled(figures["memory_bytes"], "B")),
        ("one checkpoint", scaled(figures["checkpoint_bytes"], "B")),
        ("key-value cache", scaled(figures["cache_bytes"], "B")),
        ("decoding", f"{1000 * figures['decode_seconds_per_token']:.2f} ms a token"),
    ):
        listing.add_row(name, text)
    console().print(listing)
    speed = scaled(figures["calibration"]["flops_per_second"], "FLOP/s")
    typer.echo(
        f"vocabulary {found['vocab_size']:,} ({found['vocab_source']}); {speed}: {figures['calibration']['source']}"
    )


def scaled(value: float, unit: str = "") -> str:
    """Three digits and a decimal prefix: `18.9 M`."""
    power = 0
    while abs(value) >= 999.5 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:.3g} {_PREFIXES[power]}{unit}".strip()


def duration(seconds: float) -> str:
    """`40 s`, `12 min`, `3.5 h`, `2.1 d`."""
    for limit, size, unit in ((120, 1, "s"), (7200, 60, "min"), (172_800, 3600, "h")):
        if seconds < limit:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 86_400:.3g} d"


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(estimate)
