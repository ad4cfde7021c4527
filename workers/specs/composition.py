"""Specs made of other specs: `{preset: NAME, ...changes}` stands for that preset with the changes."""

from collections.abc import Callable
from typing import Any

from workers.specs.presets import preset_text

_MAX_DEPTH = 8


def lay_over(base: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The base with the changes: objects are merged, everything else is replaced.

    An object with another `kind` (another optimizer, say) replaces the old one whole, since its fields differ.
    """
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, dict) and isinstance(value, dict) and value.get("kind", old.get("kind")) == old.get("kind"):
            merged[key] = lay_over(old, value)
        else:
            merged[key] = value
    return merged


def compose(spec: Any, load: Callable[[str], Any], depth: int = 0) -> Any:
    """The spec with each `preset` put in its place; `load` parses YAML.

    Raises KeyError for an unknown preset, ValueError when presets name one another in a circle.
    """
    if depth > _MAX_DEPTH:
        raise ValueError("presets name one another in a circle")
    if isinstance(spec, list):
        return [compose(item, load, depth) for item in spec]
    if not isinstance(spec, dict):
        return spec
    changes = {key: compose(value, load, depth) for key, value in spec.items() if key != "preset"}
    if "preset" not in spec:
        return changes
    base = compose(load(preset_text(str(spec["preset"]))), load, depth + 1)
    return lay_over(base, changes)
