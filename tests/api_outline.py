"""What callers of the REST API depend on, read out of its OpenAPI document, and which changes would break them.

`python tests/api_outline.py` writes the outline of today to tests/golden/api-v1.json: run it when something was added
that callers may from now on depend on, or when a break is meant.
"""

import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
KEPT = ROOT / "tests" / "golden" / "api-v1.json"
_DEPTH = 4
Outline = dict[str, dict[str, dict[str, str]]]
"""By operation: `takes` and `gives`, each with types by place; a `!` before the types: it must be given."""


def outline(document: dict[str, Any]) -> Outline:
    """The operations of an OpenAPI document."""
    found: Outline = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            takes = {
                f"{parameter['in']} {parameter['name']}": _mark(parameter.get("required", False))
                + _types(document, parameter["schema"])
                for parameter in operation.get("parameters", [])
            }
            body = operation.get("requestBody", {})
            for media_type, content in body.get("content", {}).items():
                takes |= _places(document, content.get("schema", {}), f"body {media_type} ", _DEPTH)
            gives: dict[str, str] = {}
            for status, answer in operation["responses"].items():
                if status.startswith("2"):
                    gives[status] = "answer"
                    for content in answer.get("content", {}).values():
                        gives |= _places(document, content.get("schema", {}), f"{status} ", _DEPTH)
            found[f"{method.upper()} {path}"] = {"takes": takes, "gives": gives}
    return found


def _mark(required: bool) -> str:
    return "!" if required else ""


def _resolve(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _branches(document: dict[str, Any], schema: dict[str, Any]) -> list[dict[str, Any]]:
    """The schema, or the alternatives of a union, in the order of the document."""
    schema = _resolve(document, schema)
    parts = schema.get("anyOf") or schema.get("oneOf")
    return [leaf for part in parts for leaf in _branches(document, part)] if parts else [schema]


def _types(document: dict[str, Any], schema: dict[str, Any]) -> str:
    found = set()
    for branch in _branches(document, schema):
        values = branch.get("enum") or ([branch["const"]] if "const" in branch else None)
        found |= {json.dumps(value) for value in values} if values else {str(branch.get("type", "any"))}
    return " | ".join(sorted(found))


def _places(document: dict[str, Any], schema: dict[str, Any], place: str, depth: int) -> dict[str, str]:
    """Types of each property below `schema`, by its place."""
    found: dict[str, str] = {}
    if depth == 0:
        return found
    for branch in _branches(document, schema):
        kind = branch.get("properties", {}).get("kind", {}).get("const")
        inner = f"{place}<{kind}>" if kind else place
        if branch.get("type") == "array":
            found |= _places(document, branch.get("items", {}), f"{place}[]", depth)
        for name, value in branch.get("properties", {}).items():
            there = f"{inner}/{name}"
            found[there] = _mark(name in branch.get("required", [])) + _types(document, value)
            found |= _places(document, value, there, depth - 1)
    return found


def breaks(old: Outline, new: Outline) -> list[str]:
    """What callers who go by `old` would stumble over."""
    found = []
    for operation, before in old.items():
        if operation not in new:
            found.append(f"{operation} is gone")
            continue
        now = new[operation]
        for place, types in before["takes"].items():
            if place not in now["takes"]:
                found.append(f"{operation} takes no {place} any more")
            elif lost := _set(types) - _set(now["takes"][place]):
                found.append(f"{operation} takes no {' | '.join(sorted(lost))} as {place} any more")
        for place, types in now["takes"].items():
            # A field of something that is new may be required: who does not give that gives none of it.
            known = before["takes"].get(place)
            if types.startswith("!") and not (known or "").startswith("!") and (known is not None or _top(place)):
                found.append(f"{operation} now requires {place}")
        for place, types in before["gives"].items():
            if place not in now["gives"]:
                found.append(f"{operation} gives no {place} any more")
                continue
            more = _set(now["gives"][place]) - _set(types)
            # Who is told of a string takes any string; a list of values is one to go by.
            if more and ("string" not in _set(types) or any(not one.startswith('"') for one in more)):
                found.append(f"{operation} may now give {' | '.join(sorted(more))} as {place}")
    return found


def _top(place: str) -> bool:
    return place.count("/") <= (2 if place.startswith("body ") else 0)


def _set(types: str) -> set[str]:
    return set(types.removeprefix("!").split(" | "))


def today() -> Outline:
    """Of the service as it stands."""
    from app.main import create_app
    from app.settings import Settings

    return outline(create_app(Settings()).openapi())


def kept() -> Outline:
    """Of the file."""
    loaded: Outline = json.loads(KEPT.read_text(encoding="utf-8"))
    return loaded


if __name__ == "__main__":
    sys.path.insert(0, str(ROOT))
    KEPT.write_text(json.dumps(today(), indent=0, sort_keys=True) + "\n", encoding="utf-8")
