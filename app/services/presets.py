"""Ready-made specs, and changes laid over them."""

from typing import Any

import yaml
from pydantic import ValidationError

from app.schemas import Preset
from app.services.problems import invalid, not_found
from workers.specs import RUN_SPEC, AnySpec, preset_names, preset_text
from workers.specs.base import problems
from workers.specs.composition import compose


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


def validate(spec: Any, pointer: str = "/spec") -> AnySpec:
    """The spec, or a 422 problem that names each wrong field below `pointer`."""
    try:
        spec = compose(spec, yaml.safe_load)
    except (KeyError, ValueError) as error:
        raise invalid(str(error.args[0]), [{"pointer": pointer, "message": str(error.args[0])}]) from error
    try:
        return RUN_SPEC.validate_python(spec)
    except ValidationError as error:
        errors = [
            {"pointer": (pointer + item["pointer"]).rstrip("/"), "message": item["message"]}
            for item in problems(error, spec)
        ]
        raise invalid(f"The spec has {len(errors)} wrong field(s).", errors) from error
