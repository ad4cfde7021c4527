"""Training: one attempt, from the newest sound checkpoint that the service has accepted."""

from pathlib import Path
from typing import Any

from prefect import flow, task

from flows.hooks import report_end
from flows.job import Job, open_job
from workers.specs.training import TrainingSpec

_BRANCHES_PER_ATTEMPT = 1000


@task(name="train")
def run_training(job: Job, spec: TrainingSpec) -> dict[str, Any]:
    """No Prefect retries: a new attempt is the service's to give."""
    from workers.training.trainer import train  # here: registering deployments needs no torch

    if not spec.datasets:
        raise ValueError("spec.dataset is missing: give the digest of a dataset version, or a mixture of several")
    folders = {digest: job.fetch(digest) for digest in spec.datasets}
    if spec.initial_weights and spec.initial_weights.startswith("sha256:"):
        spec = spec.model_copy(update={"initial_weights": str(job.fetch(spec.initial_weights))})
    if spec.replay:
        return _replay(job, spec, folders if spec.has_mixture else folders[spec.datasets[0]])
    latest, resume = newest_checkpoint(job)

    published: list[str] = []

    def publish(folder: Path, step: int) -> None:
        metadata = {"step": step, "dataset": spec.dataset} | ({"datasets": spec.datasets} if spec.has_mixture else {})
        published.append(job.publish(folder, "checkpoint", f"step-{step:08d}", metadata, step).digest)

    out = job.work / f"attempt-{job.attempt}"
    try:
        summary = train(
            spec,
            dataset=folders if spec.has_mixture else folders[spec.datasets[0]],
            out=out,
            reporter=job.reporter,
            publish=publish,
            resume=resume,
            first_branch=(job.attempt - 1) * _BRANCHES_PER_ATTEMPT,
        )
    finally:
        _keep_pins(job, out / "pinned")
    if (out / "telemetry").is_dir():
        job.publish(out / "telemetry", "telemetry", "layers", {"series": "by layer, as Parquet"})
    # The folder is this worker's own; others find the checkpoint by its digest.
    return summary | {"checkpoint": published[-1] if published else latest}


def newest_checkpoint(job: Job) -> tuple[str | None, Path | None]:
    """Digest and folder of the newest checkpoint that comes whole out of the store, with a warning for each newer one.

    Raises RuntimeError when there are some and none can be used: starting afresh would lose them without a word.
    """
    found = job.api.checkpoints(job.run_id)
    for artifact in found:
        try:
            return artifact.digest, job.fetch(artifact.digest)
        except (KeyError, ValueError) as error:
            message = f"checkpoint {artifact.name} in the store cannot be used, the one before it is taken: {error}"
            job.reporter.event("warning", message, digest=artifact.digest)
    if found:
        raise RuntimeError(f"none of the {len(found)} checkpoints of this run can be read: start a new run")
    return None, None


def _keep_pins(job: Job, pinned: Path) -> None:
    """Store the checkpoints from before interventions, for replays; training may have failed, and that counts more."""
    for folder in sorted(pinned.glob("*")):
        try:
            job.publish(folder, "other", f"before {folder.name}", {"intervention": folder.name})
        except Exception as error:
            job.reporter.log(f"the checkpoint from before {folder.name} was not stored: {error}", "warning")


def _replay(job: Job, spec: TrainingSpec, dataset: Path | dict[str, Path]) -> dict[str, Any]:
    """An intervention of another run, with and without."""
    from workers.training.replay import replay

    if not spec.replay or not spec.replay.checkpoint:
        raise ValueError("spec.replay.checkpoint is missing: give the digest of what the run has kept")
    checkpoint = job.fetch(spec.replay.checkpoint)
    return replay(spec, dataset=dataset, checkpoint=checkpoint, out=job.work / "replay", reporter=job.reporter)


@flow(name="training", on_crashed=[report_end], on_cancellation=[report_end])
def training(run_id: str, attempt: int, spec: dict[str, Any]) -> None:
    """From a dataset version to a checkpoint."""
    with open_job(run_id, attempt) as job:
        job.complete(run_training(job, TrainingSpec.model_validate(spec)))
