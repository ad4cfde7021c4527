"""Curation: documents, then tokens; each stage is cached by the content that went into it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, ParamSpec

from prefect import Task, flow, task
from prefect.context import TaskRunContext
from prefect.tasks import exponential_backoff

from flows.hooks import report_end
from flows.job import Job, open_job
from flows.retries import worth_retrying
from workers.specs.curation import CurationSpec
from workers.specs.curation.quality import QualityScore
from workers.specs.events import Artifact

P = ParamSpec("P")


def _documents_key(context: TaskRunContext, arguments: dict[str, Any]) -> str:
    return f"documents-{arguments['key']}"


def _dataset_key(context: TaskRunContext, arguments: dict[str, Any]) -> str:
    spec: CurationSpec = arguments["spec"]
    return f"dataset-{spec.content_hash()}-{arguments['documents']}"


def _cached(
    name: str, key: Callable[[TaskRunContext, dict[str, Any]], str]
) -> Callable[[Callable[P, str]], Task[P, str]]:
    """A task whose result comes from the cache when its key has not changed, and that outlives a failing network."""
    return task(
        name=name,
        cache_key_fn=key,
        persist_result=True,
        result_serializer="json",
        retries=2,
        retry_delay_seconds=exponential_backoff(backoff_factor=5),
        retry_condition_fn=worth_retrying,
    )


@_cached("documents", _documents_key)
def make_documents(job: Job, spec: CurationSpec, key: str) -> str:
    """Read, extract, filter, deduplicate. Returns the digest of the documents in the store."""
    from workers.curation.pipeline import JOURNAL, curate  # here: registering deployments needs no extractor

    out = job.work / f"documents-{key[:16]}"
    if not out.is_dir():
        curate(
            spec, home=job.home, out=out, reporter=job.reporter, journal=job.home / JOURNAL, scorers=_scorers(job, spec)
        )
    statistics = json.loads((out / "statistics.json").read_text(encoding="utf-8"))
    return job.publish(out, "other", f"{spec.name} documents", {"statistics": statistics, "fingerprint": key}).digest


def _scorers(job: Job, spec: CurationSpec) -> dict[str, Path]:
    """Quality scorers that the spec names by digest -> their folders on this worker. The spec stays as it is."""
    filters = [filter_ for filter_ in spec.filters if isinstance(filter_, QualityScore)]
    digests = {filter_.scorer for filter_ in filters if filter_.scorer.startswith("sha256:")}
    return {digest: job.fetch(digest) for digest in sorted(digests)}


@_cached("dataset", _dataset_key)
def make_dataset(job: Job, spec: CurationSpec, documents: str) -> str:
    """Train the tokenizer and pack. Returns the artifact of the dataset version as JSON."""
    from workers.curation.pack import pack

    out = job.work / f"dataset-{documents.removeprefix('sha256:')[:16]}"
    if not out.is_dir():
        origin, given = spec.tokenizer.dataset, spec.heldout_dataset
        tokenizer = job.fetch(origin) / "tokenizer.json" if origin else None
        heldout = job.fetch(given) / "heldout.jsonl" if given else None
        documents_folder = job.fetch(documents)
        pack(spec, documents=documents_folder, out=out, reporter=job.reporter, tokenizer=tokenizer, heldout=heldout)
    return job.publish(out, "dataset", spec.name, dataset_metadata(out, documents)).model_dump_json()


def dataset_metadata(folder: Path, documents: str) -> dict[str, Any]:
    """What the service shows of a dataset version: statistics and lineage, as packed into dataset.json."""
    info = json.loads((folder / "dataset.json").read_text(encoding="utf-8"))
    lineage = info.pop("lineage", {}) | {"documents": documents}
    return {"statistics": info, "lineage": lineage}


def build(job: Job, spec: CurationSpec) -> Artifact:
    """Both stages; one whose inputs are unchanged comes from the cache as long as the store still has it."""
    from workers.curation.pipeline import fingerprint

    key = fingerprint(spec, job.home)
    documents = make_documents(job, spec, key)
    if not job.storage.has(documents.removeprefix("sha256:")):
        documents = make_documents.with_options(refresh_cache=True)(job, spec, key)
    dataset = Artifact.model_validate_json(make_dataset(job, spec, documents))
    if not job.storage.has(dataset.digest.removeprefix("sha256:")):
        dataset = Artifact.model_validate_json(make_dataset.with_options(refresh_cache=True)(job, spec, documents))
    job.reporter.artifact(dataset)  # a cached version belongs to this run as well
    return dataset


@flow(name="curation", on_crashed=[report_end], on_cancellation=[report_end])
def curation(run_id: str, attempt: int, spec: dict[str, Any]) -> None:
    """From raw documents to a dataset version."""
    with open_job(run_id, attempt) as job:
        dataset = build(job, CurationSpec.model_validate(spec))
        job.complete({"dataset": dataset.digest, "statistics": dataset.metadata["statistics"]})
