"""Registers work pools, queues, deployments and schedules: `python -m flows.deploy`, repeatable.

Deployments name installed modules (`flows.training.training`), never a path: a second machine has no such path.
"""

import asyncio
import sys
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from prefect import Flow, get_client
from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.actions import DeploymentScheduleCreate, WorkPoolCreate
from prefect.client.schemas.schedules import CronSchedule
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.utilities.callables import parameter_schema
from prefect.workers.process import ProcessWorker

from flows.curation import curation
from flows.evaluation import evaluation
from flows.exploration import ablation
from flows.launch import launch
from flows.monitoring import monitoring
from flows.pipeline import pipeline
from flows.quality import quality
from flows.release import release
from flows.training import training

QUEUES = {"high": 1, "normal": 5, "low": 10}
POOLS = {
    "cpu": "Curation, evaluation, release, and training without a GPU",
    "gpu": "Machines with a GPU",
    "control": "Pipelines and scheduled jobs: they only launch, watch and report",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """One deployment: `<flow>/<pool>`."""

    flow: Flow[..., Any]
    pool: str
    name: str | None = None
    cron: str | None = None


def plans() -> list[Plan]:
    """All deployments that Headrace has."""
    words: list[Flow[..., Any]] = [curation, quality, training, evaluation, release]
    return [
        *(Plan(word, pool) for word in words for pool in ("cpu", "gpu")),
        Plan(pipeline, "control"),
        Plan(ablation, "control"),
        Plan(monitoring, "control", name="every-5-minutes", cron="*/5 * * * *"),
        Plan(launch, "control"),  # without times: the service copies it for each schedule
    ]


async def deploy() -> list[str]:
    """Create or update everything. Returns the names of the deployments."""
    async with get_client() as client:
        for pool, description in POOLS.items():
            await _ensure_pool(client, pool, description)
        return [await _ensure_deployment(client, plan) for plan in plans()]


async def _ensure_pool(client: PrefectClient, name: str, description: str) -> None:
    template = ProcessWorker.get_default_base_job_template()
    pool = WorkPoolCreate(name=name, type="process", description=description, base_job_template=template)
    with suppress(ObjectAlreadyExists):
        await client.create_work_pool(pool)
    for queue, priority in QUEUES.items():
        with suppress(ObjectAlreadyExists):
            await client.create_work_queue(name=queue, work_pool_name=name, priority=priority)


async def _ensure_deployment(client: PrefectClient, plan: Plan) -> str:
    name = plan.name or plan.pool
    flow_id = await client.create_flow(plan.flow)
    full_name = f"{plan.flow.name}/{name}"
    paused, schedules = False, None
    if plan.cron:
        schedules = [DeploymentScheduleCreate(schedule=CronSchedule(cron=plan.cron, timezone="UTC"), active=True)]
    with suppress(ObjectNotFound):  # what a person chose in Prefect stays
        known = await client.read_deployment_by_name(full_name)
        paused = bool(known.paused)
        if known.schedules:
            schedules = [DeploymentScheduleCreate(schedule=s.schedule, active=s.active) for s in known.schedules]
    await client.create_deployment(
        flow_id=flow_id,
        name=name,
        entrypoint=f"{plan.flow.fn.__module__}.{plan.flow.fn.__name__}",
        work_pool_name=plan.pool,
        work_queue_name="normal",
        parameter_openapi_schema=parameter_schema(plan.flow).model_dump(),
        enforce_parameter_schema=False,
        paused=paused,
        pull_steps=[],
        job_variables={"command": "python -m flows.start"},  # `headrace worker` puts its own Python first on the PATH
        description=plan.flow.description,
        schedules=schedules,
    )
    return full_name


if __name__ == "__main__":
    for deployed in asyncio.run(deploy()):
        sys.stdout.write(f"{deployed}\n")
