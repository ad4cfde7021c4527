"""THE contract between service, flows and workers: what can be run, and how it is reported."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from workers.specs.curation import CurationSpec
from workers.specs.curation.quality import QualityTrainingSpec
from workers.specs.evaluation import EvaluationSpec
from workers.specs.exploration import AblationSpec
from workers.specs.pipeline import PipelineSpec
from workers.specs.presets import preset_names, preset_text
from workers.specs.release import ReleaseSpec
from workers.specs.training import TrainingSpec

__all__ = ["RUN_SPEC", "SPEC_VERSION", "AnySpec", "RunSpec", "preset_names", "preset_text"]

AnySpec = CurationSpec | QualityTrainingSpec | TrainingSpec | EvaluationSpec | ReleaseSpec | PipelineSpec | AblationSpec
RunSpec = Annotated[AnySpec, Field(discriminator="kind")]
RUN_SPEC: TypeAdapter[AnySpec] = TypeAdapter(RunSpec)

SPEC_VERSION = 1
"""Worker and service must agree on it; raised when a spec changes its meaning."""
