"""Release: a checkpoint in a form that others can load, with its lineage."""

from typing import Any

from prefect import flow, task
from prefect.tasks import exponential_backoff

from flows.hooks import report_end
from flows.job import Job, open_job
from flows.retries import worth_retrying
from workers.specs.release import ReleaseSpec


@task(
    name="release",
    retries=2,
    retry_delay_seconds=exponential_backoff(backoff_factor=5),
    retry_condition_fn=worth_retrying,
)
def run_release(job: Job, spec: ReleaseSpec) -> dict[str, Any]:
    """Convert, verify, store. Returns the digest and what was verified."""
    from workers.release.run import release as make_release  # here: registering deployments needs no torch

    if spec.checkpoint is None or spec.dataset is None:
        raise ValueError("spec.checkpoint and spec.dataset are needed: give their digests")
    lineage = {"run": job.run_id, "checkpoint": spec.checkpoint, "dataset": spec.dataset, "evaluation": spec.evaluation}
    out = job.work / f"release-{job.attempt}"
    summary = make_release(
        spec,
        checkpoint=job.fetch(spec.checkpoint),
        dataset=job.fetch(spec.dataset),
        evaluation=job.fetch(spec.evaluation) if spec.evaluation else None,
        out=out,
        lineage=lineage,
        reporter=job.reporter,
    )
    return summary | {"release": job.publish(out, "release", spec.name, summary | {"lineage": lineage}).digest}


@flow(name="release", on_crashed=[report_end], on_cancellation=[report_end])
def release(run_id: str, attempt: int, spec: dict[str, Any]) -> None:
    """From a checkpoint to a released model."""
    with open_job(run_id, attempt) as job:
        job.complete(run_release(job, ReleaseSpec.model_validate(spec)))
