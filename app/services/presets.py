"""Ready-made specs, and changes laid over them."""

from typing import Any

import yaml
from pydantic import ValidationError

from app.schemas import Preset
from app.services.problems import invalid, not_found
from workers.specs import RUN_SPEC, AnySpec, preset_names, preset_text
from workers.specs.base import problems


def list_presets() -> list[Preset]:
    """All presets by name."""
    return [get_preset(name) for name in preset_names()]


def get_preset(name: str) -> Preset:
    """A preset with its whole spec, defaults filled in. Raises a 404 problem."""
    try:
        text = preset_text(name)
    except KeyError as error:
        raise not_found(f"preset (there are: {', '.join(preset_names())}) named", name) from error
    spec = validate(yaml.safe_load(text))
    lines = (line for line in text.splitlines() if line.startswith("#"))
    description = next(lines, "").lstrip("# ").strip()
    return Preset(name=name, kind=spec.kind, description=description, yaml=text, spec=spec.model_dump(mode="json"))


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


def validate(spec: Any, pointer: str = "/spec") -> AnySpec:
    """The spec, or a 422 problem that names each wrong field below `pointer`."""
    try:
        return RUN_SPEC.validate_python(spec)
    except ValidationError as error:
        errors = [
            {"pointer": (pointer + item["pointer"]).rstrip("/"), "message": item["message"]}
            for item in problems(error, spec)
        ]
        raise invalid(f"The spec has {len(errors)} wrong field(s).", errors) from error
