"""Evaluation: scores of one checkpoint, its items kept."""

from typing import Any

from prefect import flow, task
from prefect.tasks import exponential_backoff

from flows.api import read_lines
from flows.hooks import report_end
from flows.job import Job, open_job
from flows.retries import worth_retrying
from workers.specs.evaluation import EvaluationSpec


@task(
    name="evaluate",
    retries=2,
    retry_delay_seconds=exponential_backoff(backoff_factor=5),
    retry_condition_fn=worth_retrying,
)
def run_evaluation(job: Job, spec: EvaluationSpec) -> dict[str, Any]:
    """Score, store, report. Returns the digest and the results."""
    from workers.evaluation.run import evaluate  # here: registering deployments needs no torch

    if spec.checkpoint is None or spec.dataset is None:
        raise ValueError("spec.checkpoint and spec.dataset are needed: give their digests")
    out = job.work / f"evaluation-{job.attempt}"
    results = evaluate(
        spec,
        checkpoint=job.fetch(spec.checkpoint),
        dataset=job.fetch(spec.dataset),
        home=job.home,
        out=out,
        reporter=job.reporter,
    )["results"]
    metadata = {"results": results, "checkpoint": spec.checkpoint, "dataset": spec.dataset}
    artifact = job.publish(out, "evaluation", spec.name, metadata)
    job.reporter.flush(120)  # the scores' rows must be there before their items
    for result in results:
        items = read_lines(out / f"items-{result['task']}.jsonl")
        job.api.add_evaluation_items(job.run_id, job.attempt, result["task"], items)
    return {"evaluation": artifact.digest, "results": results}


@flow(name="evaluation", on_crashed=[report_end], on_cancellation=[report_end])
def evaluation(run_id: str, attempt: int, spec: dict[str, Any]) -> None:
    """From a checkpoint to scores with intervals."""
    with open_job(run_id, attempt) as job:
        job.complete(run_evaluation(job, EvaluationSpec.model_validate(spec)))
