"""Quality: labels -> a scorer of documents, evaluated on documents that it has not seen."""

from typing import Any

from prefect import flow, task
from prefect.tasks import exponential_backoff

from flows.hooks import report_end
from flows.job import Job, open_job
from flows.retries import worth_retrying
from workers.specs.curation.quality import FileLabels, Labels, PeopleLabels, QualityTrainingSpec


@task(
    name="quality",
    retries=2,
    retry_delay_seconds=exponential_backoff(backoff_factor=5),
    retry_condition_fn=worth_retrying,
)
def run_quality(job: Job, spec: QualityTrainingSpec) -> dict[str, Any]:
    """Train, store, report. Returns the digest and the figures."""
    from workers.curation.quality.run import train_scorer  # here: registering deployments compiles no kernels

    out = job.work / f"scorer-{job.attempt}"
    source = spec.labels.model_dump(mode="json")
    local = spec.model_copy(update={"labels": _bring(job, spec)})
    summary = train_scorer(local, out=out, work=job.work / "teacher", reporter=job.reporter, source=source)
    metadata = {"labels": source, "summary": summary, "lineage": {"dataset": source["dataset"], "run": job.run_id}}
    return summary | {"scorer": job.publish(out, "scorer", spec.name, metadata).digest}


def _bring(job: Job, spec: QualityTrainingSpec) -> Labels:
    """The labels with everything that the service holds brought here: the dataset's folder, what people said."""
    labels: Labels = spec.labels
    digest = labels.dataset
    if digest and digest.startswith("sha256:"):
        labels = labels.model_copy(update={"dataset": str(job.fetch(digest))})
    if not isinstance(labels, PeopleLabels):
        return labels
    path = job.work / "labels.jsonl"
    path.write_bytes(job.api.labels(str(digest)))
    return FileLabels(path=str(path), dataset=labels.dataset, max_bad_share=labels.max_bad_share)


@flow(name="quality", on_crashed=[report_end], on_cancellation=[report_end])
def quality(run_id: str, attempt: int, spec: dict[str, Any]) -> None:
    """From labels to a scorer of documents."""
    with open_job(run_id, attempt) as job:
        job.complete(run_quality(job, QualityTrainingSpec.model_validate(spec)))
