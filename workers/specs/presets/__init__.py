"""The presets that ship with Headrace: one YAML file each, whose first line is a `# description`."""

from importlib import resources


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    folder = resources.files(__name__)
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def preset_text(name: str) -> str:
    """YAML text of a preset.

    Raises KeyError with the known names when there is none.
    """
    if name not in preset_names():
        raise KeyError(f"unknown preset {name!r}; there are: {', '.join(preset_names())}")
    return (resources.files(__name__) / f"{name}.yaml").read_text(encoding="utf-8")
