"""The pipeline strings the words together: each stage is a run of its own, launched through the REST API.

It lives in a pool of its own (`control`), so that it never holds a place that its children need. Launches are
idempotent by (pipeline, stage): a pipeline that crashed takes up its children where they are.
"""

from typing import Any

from prefect import flow

from flows.children import run_child
from flows.hooks import report_end
from flows.job import Job, open_job
from workers.specs.base import Spec
from workers.specs.events import RunState
from workers.specs.pipeline import PipelineSpec


class StageError(RuntimeError):
    """A stage ended otherwise than completed: the pipeline ends with it."""


@flow(name="pipeline", on_crashed=[report_end], on_cancellation=[report_end])
def pipeline(run_id: str, attempt: int, spec: dict[str, Any]) -> None:
    """From raw documents to a released model."""
    with open_job(run_id, attempt) as job:
        stages = PipelineSpec.model_validate(spec)
        summary: dict[str, Any] = {}
        dataset = _run_stage(job, "curation", stages.curation, summary)["dataset"]
        trained = _run_stage(job, "training", stages.training.model_copy(update={"dataset": dataset}), summary)
        origin = {"dataset": dataset, "checkpoint": trained["checkpoint"]}
        scores = _run_stage(job, "evaluation", stages.evaluation.model_copy(update=origin), summary)
        last = stages.release.model_copy(update=origin | {"evaluation": scores["evaluation"]})
        _run_stage(job, "release", last, summary)
        job.complete(summary)


def _run_stage(job: Job, stage: str, spec: Spec, summary: dict[str, Any]) -> dict[str, Any]:
    child = run_child(job, stage, spec)
    if child["state"] != RunState.COMPLETED:
        raise StageError(
            f"{stage} (run {child['id']}) ended as {child['state']}: {child['error'] or 'no reason given'}"
        )
    result: dict[str, Any] = child["summary"] | {"run_id": child["id"]}
    summary[stage] = result
    return result
