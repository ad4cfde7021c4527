"""Writes docs/reference/ from the code: specs, settings, commands, endpoints. `python docs/generate.py [--check]`."""

import argparse
import sys
from pathlib import Path
from typing import Any

import typer

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
FOLDER = ROOT / "docs" / "reference"


def main() -> int:
    """Write the pages, or with --check say which are not of today (exit 1)."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 when a page is stale")
    check = parser.parse_args().check
    pages = {"specs.md": specs(), "settings.md": settings(), "cli.md": commands(), "rest.md": endpoints()}
    stale = [name for name, text in pages.items() if _read(FOLDER / name) != text]
    if check:
        for name in stale:
            sys.stderr.write(f"docs/reference/{name} is stale: run `python docs/generate.py`\n")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def specs() -> str:
    """Every spec with its fields, types, bounds, defaults and descriptions."""
    from workers.specs import RUN_SPEC, preset_names, preset_text

    schema = RUN_SPEC.json_schema()
    lines = ["# Specs", "", "What can be run, field by field. Unknown fields are errors.", "", "## Presets", ""]
    lines += ["| preset | what it is |", "|---|---|"]
    lines += [
        f"| `{name}` | {preset_text(name).splitlines()[0].removeprefix('#').strip()} |" for name in preset_names()
    ]
    for name, definition in sorted(schema["$defs"].items(), key=lambda item: (not item[0].endswith("Spec"), item[0])):
        lines += ["", f"## {name}", "", " ".join(definition.get("description", "").split()), ""]
        lines += ["| field | type | default | meaning |", "|---|---|---|---|"]
        for field, shape in definition.get("properties", {}).items():
            required = field in definition.get("required", [])
            default = "required" if required else f"`{_short(shape.get('default', shape.get('const')))}`"
            meaning = " ".join(str(shape.get("description", "")).split())
            lines.append(f"| `{field}` | {_type(shape)} | {default} | {_cell(meaning)} |")
    return "\n".join(lines) + "\n"


def settings() -> str:
    """Every environment variable."""
    from app.settings import Settings

    lines = ["# Settings", "", "Environment variables of the service, the stack, workers and the CLI.", ""]
    lines += ["| variable | default | meaning |", "|---|---|---|"]
    for name, field in Settings.model_fields.items():
        default = field.get_default(call_default_factory=True)
        shown = "" if "Secret" in type(default).__name__ else f"`{default}`"
        meaning = " ".join((field.description or "").split())
        lines.append(f"| `HEADRACE_{name.upper()}` | {shown} | {_cell(meaning)} |")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """Every command of the CLI with its help."""
    from app.cli import app

    lines = ["# Command line", "", "All output that has a shape is also there as `--json`."]
    root = typer.main.get_command(app)
    for path, command in _walk(root, "headrace"):
        if hasattr(command, "commands"):
            continue
        lines += ["", f"## {path}", "", (command.help or "").strip(), ""]
        lines += ["| argument or option | meaning |", "|---|---|"]
        for parameter in command.params:
            names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
            meaning = getattr(parameter, "help", None) or ""
            lines.append(f"| {names} | {_cell(' '.join(meaning.split()))} |")
    return "\n".join(lines) + "\n"


def endpoints() -> str:
    """Every endpoint of the REST API."""
    from app.main import create_app

    document = create_app().openapi()
    lines = ["# REST API", "", "The OpenAPI document is served at `/api/v1/openapi.json`.", ""]
    lines += ["| method | path | what it does |", "|---|---|---|"]
    for path, methods in sorted(document["paths"].items()):
        for method, operation in methods.items():
            lines.append(f"| {method.upper()} | `{path}` | {_cell(_says(operation))} |")
    return "\n".join(lines) + "\n"


def _walk(command: Any, path: str) -> list[tuple[str, Any]]:
    found = [(path, command)]
    for name, child in sorted(getattr(command, "commands", {}).items()):
        found += _walk(child, f"{path} {name}")
    return found


def _type(shape: dict[str, Any]) -> str:
    if options := shape.get("anyOf") or shape.get("oneOf"):
        return " or ".join(_type(option) for option in options)
    if "$ref" in shape:
        name = shape["$ref"].rsplit("/", 1)[-1]
        return f"[{name}](#{name.lower()})"
    if choices := shape.get("enum") or ([shape["const"]] if "const" in shape else None):
        return ", ".join(f"`{choice}`" for choice in choices)
    if shape.get("type") == "array":
        return f"list of {_type(shape.get('items', {}))}"
    if isinstance(inner := shape.get("additionalProperties"), dict):
        return f"map to {_type(inner)}"
    signs = {"minimum": ">=", "exclusiveMinimum": ">", "maximum": "<=", "exclusiveMaximum": "<"}
    bounds = ", ".join(f"{sign} {shape[key]}" for key, sign in signs.items() if key in shape)
    return f"{shape.get('type', 'any')}{f' ({bounds})' if bounds else ''}"


def _says(operation: dict[str, Any]) -> str:
    described = str(operation.get("description", "")).strip().splitlines()
    return described[0] if described else str(operation.get("summary", ""))


def _short(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else "see there"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


if __name__ == "__main__":
    sys.exit(main())
