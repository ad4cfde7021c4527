"""The spec of any run: all kinds, told apart by `kind`."""

from typing import Annotated

from pydantic import Field, TypeAdapter

from workers.specs.curation import CurationSpec
from workers.specs.curation.quality import QualityTrainingSpec
from workers.specs.evaluation import EvaluationSpec
from workers.specs.exploration import AblationSpec
from workers.specs.pipeline import PipelineSpec
from workers.specs.release import ReleaseSpec
from workers.specs.training import TrainingSpec

AnySpec = CurationSpec | QualityTrainingSpec | TrainingSpec | EvaluationSpec | ReleaseSpec | PipelineSpec | AblationSpec
RunSpec = Annotated[AnySpec, Field(discriminator="kind")]
RUN_SPEC: TypeAdapter[AnySpec] = TypeAdapter(RunSpec)
