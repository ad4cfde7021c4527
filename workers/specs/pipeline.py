"""The pipeline: curation, training, evaluation and release, one child run each."""

from typing import Literal

from workers.specs.base import Name, Spec
from workers.specs.curation import CurationSpec
from workers.specs.evaluation import EvaluationSpec
from workers.specs.release import ReleaseSpec
from workers.specs.training import TrainingSpec


class PipelineSpec(Spec):
    """From raw documents to a released model. Each stage is a run of its own, seen and resumed by itself."""

    kind: Literal["pipeline"] = "pipeline"
    name: Name = "pipeline"
    curation: CurationSpec = CurationSpec()
    training: TrainingSpec = TrainingSpec()
    evaluation: EvaluationSpec = EvaluationSpec()
    release: ReleaseSpec = ReleaseSpec()
