"""The presets that ship with Headrace: one YAML file each, whose first line is a `# description`."""

from importlib import resources


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    folder = resources.files(__name__)
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def part_names() -> list[str]:
    """Presets of parts of a spec, as `policies/default`: they stand inside a spec, none is a run of its own."""
    folder = resources.files(__name__)
    parts = [part for part in folder.iterdir() if part.is_dir() and not part.name.startswith("_")]
    return sorted(
        f"{part.name}/{item.name.removesuffix('.yaml')}"
        for part in parts
        for item in part.iterdir()
        if item.name.endswith(".yaml")
    )


def preset_text(name: str) -> str:
    """YAML text of a preset of a run or of a part.

    Raises KeyError with the known names when there is none.
    """
    known = [*preset_names(), *part_names()]
    if name not in known:
        raise KeyError(f"unknown preset {name!r}; there are: {', '.join(known)}")
    return resources.files(__name__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
