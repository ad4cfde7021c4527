"""THE contract between service, flows and workers: what can be run, and how it is reported."""

from importlib import resources
from typing import Annotated

from pydantic import Field, TypeAdapter

from workers.specs.curation import CurationSpec
from workers.specs.evaluation import EvaluationSpec
from workers.specs.pipeline import PipelineSpec
from workers.specs.release import ReleaseSpec
from workers.specs.training import TrainingSpec

AnySpec = CurationSpec | TrainingSpec | EvaluationSpec | ReleaseSpec | PipelineSpec
RunSpec = Annotated[AnySpec, Field(discriminator="kind")]
RUN_SPEC: TypeAdapter[AnySpec] = TypeAdapter(RunSpec)

SPEC_VERSION = 1
"""Worker and service must agree on it; raised when a spec changes its meaning."""


def preset_names() -> list[str]:
    """Names of the presets that ship with Headrace, sorted."""
    folder = resources.files("workers.specs") / "presets"
    return sorted(item.name.removesuffix(".yaml") for item in folder.iterdir() if item.name.endswith(".yaml"))


def preset_text(name: str) -> str:
    """YAML text of a preset.

    Raises KeyError with the known names when there is none.
    """
    if name not in preset_names():
        raise KeyError(f"unknown preset {name!r}; there are: {', '.join(preset_names())}")
    return (resources.files("workers.specs") / "presets" / f"{name}.yaml").read_text(encoding="utf-8")
