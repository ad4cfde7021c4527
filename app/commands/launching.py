"""Specs on the command line: a preset or a YAML file, with `--set path=value` and `--input FOLDER` laid over it."""

from copy import deepcopy
from pathlib import Path
from typing import Any

import typer
import yaml

from app.commands.client import Client, CommandError
from app.commands.output import print_json


def parse_settings(pairs: list[str]) -> list[tuple[list[str], Any]]:
    """`training.num_steps=100` -> (["training", "num_steps"], 100). Values are YAML.

    Raises CommandError (usage) for what has no `=` or is not YAML.
    """
    parsed = []
    for pair in pairs:
        path, equals, text = pair.partition("=")
        if not equals or not all(path.split(".")):
            raise CommandError(f"--set {pair!r}: write it as path=value, say training.num_steps=100", 2)
        try:
            parsed.append((path.split("."), yaml.safe_load(text)))
        except yaml.YAMLError as error:
            raise CommandError(f"--set {path}: the value is no YAML: {error}", 2) from error
    return parsed


def apply_settings(spec: dict[str, Any], changes: list[tuple[list[str], Any]]) -> dict[str, Any]:
    """A copy of the spec with each change made. A number in a path is an index into a list, from 0.

    Raises CommandError (usage) when a path leads through something that is not there.
    """
    changed = deepcopy(spec)
    for path, value in changes:
        place: Any = changed
        for key in path[:-1]:
            place = place.setdefault(key, {}) if isinstance(place, dict) else _item(place, key, path)
        if isinstance(place, dict):
            place[path[-1]] = value
        else:
            _item(place, path[-1], path)
            place[int(path[-1])] = value
    return changed


def _item(place: Any, key: str, path: list[str]) -> Any:
    if isinstance(place, list) and key.isdecimal() and int(key) < len(place):
        return place[int(key)]
    raise CommandError(f"--set {'.'.join(path)}: there is no {key!r} on this path", 2)


def read_spec(path: Path) -> dict[str, Any]:
    """A spec from a YAML file.

    Raises CommandError (usage) when it cannot be read or holds no mapping.
    """
    try:
        spec = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", 2) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} is no YAML: {error}", 2) from error
    if not isinstance(spec, dict):
        raise CommandError(f"{path} holds no spec: it must be a mapping with `kind`", 2)
    return spec


def use_folder(spec: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The spec with its documents read from `folder`.

    Raises CommandError (usage) when the folder is missing or empty, or the spec reads no documents.
    """
    if not folder.is_dir():
        raise CommandError(f"--input {folder}: there is no such folder", 2)
    if not any(path.is_file() for path in folder.rglob("*")):
        raise CommandError(f"--input {folder}: the folder holds no file", 2)
    changed = deepcopy(spec)
    kind = changed.get("kind")
    places = {"curation": None, "pipeline": "curation", "ablation": "base"}
    if kind not in places:
        raise CommandError(f"--input: a run of kind {kind!r} reads no documents", 2)
    place = places[kind]
    reader = changed if place is None else changed.setdefault(place, {})
    reader["input"] = {"kind": "folder", "path": str(folder.absolute())}
    return changed


def show_launched(client: Client, run: dict[str, Any], watch: bool, as_json: bool) -> None:
    """The new run with its warnings; with `watch` its progress, and the exit code of its end."""
    from app.commands.watching import show_end

    for event in client.call("GET", f"/runs/{run['id']}/events", params={"kind": "warning"}):
        typer.echo(f"warning: {event['message']}", err=True)
    if watch:
        typer.echo(f"{run['id']}  {client.url}/runs/{run['id']}", err=True)
        show_end(client, run["id"], as_json)
    elif as_json:
        print_json(run)
    else:
        typer.echo(f"{run['id']}  {client.url}/runs/{run['id']}")


def show_plan(plan: dict[str, Any], as_json: bool) -> None:
    """What a launch would do."""
    from app.commands.estimate import show_estimate

    if as_json:
        print_json(plan)
        return
    typer.echo(f"{plan['kind']} run {plan['name']!r} would wait for a worker of pool {plan['pool']}")
    for pool, count in plan["workers"].items():
        typer.echo(f"pool {pool}: {count} live worker{'' if count == 1 else 's'}")
    for warning in plan["warnings"]:
        typer.echo(f"warning: {warning}", err=True)
    if plan["estimate"]:
        show_estimate(plan["estimate"])
