"""Children of a run that makes runs: launched through the REST API like anyone else's, and waited for.

Launches are idempotent by (parent, stage): a parent that crashed takes up its children where they are.
"""

import time
from collections.abc import Generator, Iterable
from typing import Any

from flows.job import Job
from workers.specs.base import Spec
from workers.specs.events import RunState

_POLL_SECONDS = 1.0

Run = dict[str, Any]
Request = tuple[str, Spec]
"""Stage, which is unique within the parent, and what to run."""
Chain = Generator[Request, Run, None]
"""Yields what to run next, and is sent the run when it has ended, however it did."""


def run_child(job: Job, stage: str, spec: Spec) -> Run:
    """Launch a child and wait for its end. Raises when this attempt is over (FencedError)."""
    child = launch_child(job, stage, spec)
    while not RunState(child["state"]).terminal:
        time.sleep(_POLL_SECONDS)
        job.reporter.commands()  # raises when this attempt is over
        child = job.api.run(child["id"])
    return child


def launch_child(job: Job, stage: str, spec: Spec) -> Run:
    """The child of this stage: a new run, or the one that an earlier attempt launched."""
    parent = job.api.run(job.run_id)
    request = {
        "spec": spec.model_dump(mode="json"),
        "name": f"{parent['name']} · {stage}"[:300],
        "parent_id": job.run_id,
        "stage": stage,
        "priority": parent["priority"],
        "max_attempts": parent["max_attempts"],
    }
    child = job.api.launch(request, idempotency_key=f"{job.run_id}:{stage.replace(' ', '/')}")  # no blanks in a key
    job.reporter.event("stage", f"{stage} is run {child['id']}", stage=stage, run_id=child["id"])
    return child


def run_chains(job: Job, chains: Iterable[Chain], max_parallel: int) -> None:
    """Run the chains in their order, so many at a time; within a chain one child follows another."""
    waiting = iter(chains)
    running: list[tuple[Chain, Run]] = []
    while True:
        while len(running) < max_parallel and (chain := next(waiting, None)) is not None:
            if begun := _advance(job, chain, None):
                running.append((chain, begun))
        if not running:
            return
        time.sleep(_POLL_SECONDS)
        job.reporter.commands()  # raises when this attempt is over
        still: list[tuple[Chain, Run]] = []
        for chain, child in running:
            now = job.api.run(child["id"])
            if not RunState(now["state"]).terminal:
                still.append((chain, now))
            elif following := _advance(job, chain, now):
                still.append((chain, following))
        running = still


def _advance(job: Job, chain: Chain, ended: Run | None) -> Run | None:
    """The next child of a chain, launched; None: the chain is done."""
    try:
        stage, spec = next(chain) if ended is None else chain.send(ended)
    except StopIteration:
        return None
    return launch_child(job, stage, spec)
