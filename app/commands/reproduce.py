"""`headrace reproduce`: the same run again, and whether the same came out."""

import json
import tempfile
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlencode

import typer

from app.commands.output import console, plain, print_json, table
from app.commands.stack import AsJson

if TYPE_CHECKING:
    from app.commands.client import Client

_KINDS = {"training": "loss", "evaluation": None}
"""What is computed anew each time; curation comes from the cache of its content. With the series that is compared."""
_FIGURES = ("first_loss", "last_loss", "heldout_loss", "tokens", "steps", "interventions", "rollbacks")


def reproduce(
    run_id: Annotated[str, typer.Argument(metavar="ID", help="Id of a training or evaluation run that completed.")],
    tolerance: Annotated[float, typer.Option(min=0, help="Largest relative difference that counts as equal.")] = 0.0,
    as_json: AsJson = False,
) -> None:
    """Run it again with the same spec, seed and data; say what differs in code, packages, machine and figures.

    The loss is compared point by point. Exit code 0: the same came out. 1: not.
    """
    from app.commands.client import CommandError, connect
    from app.commands.watching import follow

    client = connect()
    old = client.call("GET", f"/runs/{run_id}")
    _require_fit(old)
    body = {"spec": old["spec"], "name": f"{old['name']} again"[:200], "tags": [f"reproduces:{old['id']}"]}
    new = client.call("POST", "/runs", body, key=str(uuid.uuid4()))
    if not as_json:
        console(stderr=True).print(f"run {new['id']}  {client.url}/runs/{new['id']}", markup=False)
    new = follow(client, new["id"])
    if new["state"] != "completed":
        raise CommandError(f"run {new['id']} ended as {new['state']}: {new['error'] or new['state_reason']}")
    environment = compare_environments(*(_environment(client, run["id"]) for run in (old, new)))
    figures = compare_figures(figures_of(old), figures_of(new), tolerance)
    if series := _KINDS[old["kind"]]:
        before, now = (_points(client, run["id"], series) for run in (old, new))
        figures[f"{series} by step"] = compare_series(before, now, tolerance)
    same = all(figure["same"] for figure in figures.values())
    if as_json:
        told = {"run": old["id"], "again": new["id"], "same": same, "environment": environment, "figures": figures}
        print_json(told)
    else:
        _show(environment, figures, same)
    raise typer.Exit(0 if same else 1)


def _require_fit(run: dict[str, Any]) -> None:
    from app.commands.client import CommandError

    fit = [child for child in run["children"] if child["kind"] in _KINDS]
    if fit:
        listed = "".join(f"\n  headrace reproduce {child['id']}   # {child['stage']}" for child in fit)
        raise CommandError(f"run {run['id']} is a {run['kind']}: reproduce one of its stages{listed}", 2)
    if run["kind"] not in _KINDS:
        raise CommandError(f"a {run['kind']} run cannot be reproduced, only {' and '.join(_KINDS)}", 2)
    if run["state"] != "completed":
        raise CommandError(f"run {run['id']} is {run['state']}: only what completed has figures to compare", 2)


def _environment(client: "Client", run_id: str) -> dict[str, Any] | None:
    found = client.call("GET", f"/runs/{run_id}/events", params={"kind": "environment"})
    return found[-1]["data"] if found else None


def compare_environments(old: dict[str, Any] | None, new: dict[str, Any] | None) -> dict[str, list[Any]]:
    """What differs: [before, now] by name. A package that is missing is None."""
    if old is None or new is None:
        return {"environment": ["not recorded" if one is None else "recorded" for one in (old, new)]}
    flat = [
        {key: value for key, value in one.items() if key not in {"packages", "diff", "variables"}}
        | {f"package {name}": version for name, version in one["packages"].items()}
        | {f"variable {name}": value for name, value in one["variables"].items()}
        | {"uncommitted changes": one["diff"] or None}
        for one in (old, new)
    ]
    names = sorted(flat[0].keys() | flat[1].keys())
    return {name: [flat[0].get(name), flat[1].get(name)] for name in names if flat[0].get(name) != flat[1].get(name)}


def figures_of(run: dict[str, Any]) -> dict[str, float]:
    """Figures of the summary that do not hang on the speed of the machine."""
    summary = run["summary"]
    if run["kind"] == "training":
        return {name: summary[name] for name in _FIGURES if summary.get(name) is not None}
    found = {}
    for result in summary.get("results", []):
        words = [str(result.get(part)) for part in ("task", "metric", "slice", "language") if result.get(part)]
        found[" ".join(words)] = result["value"]
    return found


def compare_figures(old: dict[str, float], new: dict[str, float], tolerance: float) -> dict[str, dict[str, Any]]:
    """By name: both values, and whether they are the same."""
    return {
        name: {"before": old.get(name), "now": new.get(name), "same": _same(old.get(name), new.get(name), tolerance)}
        for name in dict.fromkeys([*old, *new])
    }


def compare_series(old: dict[int, float], new: dict[int, float], tolerance: float) -> dict[str, Any]:
    """Number of points of both, the first step that differs, and whether they are the same."""
    steps = sorted(old.keys() | new.keys())
    first = next((step for step in steps if not _same(old.get(step), new.get(step), tolerance)), None)
    return {"before": len(old), "now": len(new), "same": first is None and bool(steps), "first_difference": first}


def _same(old: float | None, new: float | None, tolerance: float) -> bool:
    if old is None or new is None:
        return False
    return old == new or abs(old - new) <= tolerance * max(abs(old), abs(new))


def _points(client: "Client", run_id: str, key: str) -> dict[int, float]:
    """The values by step; of a step that was done twice after a roll-back or resume, the last one."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "points.jsonl"
        client.download(f"/runs/{run_id}/export?{urlencode({'format': 'jsonl', 'keys': key})}", path)
        rows = [json.loads(line) for line in path.read_text().splitlines()]
    return {row["step"]: float(row["value"]) for row in sorted(rows, key=lambda row: row["branch"])}


def _show(environment: dict[str, list[Any]], figures: dict[str, dict[str, Any]], same: bool) -> None:
    if environment:
        changes = table("differs", "before", "now", title="Environment")
        for name, (old, new) in environment.items():
            changes.add_row(plain(name), plain(_short(old)), plain(_short(new)))
        console().print(changes)
    else:
        typer.echo("Code, packages and machine are the same.")
    rows = table("figure", "before", "now", "", title="Figures")
    for name, figure in figures.items():
        place = f"from step {figure['first_difference']}" if figure.get("first_difference") is not None else "differs"
        rows.add_row(plain(name), plain(figure["before"]), plain(figure["now"]), "same" if figure["same"] else place)
    console().print(rows)
    typer.echo("The same came out." if same else "Something else came out.")


def _short(value: Any) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(reproduce)
