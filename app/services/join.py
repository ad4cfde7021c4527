"""The handshake of a worker: who it is, what it has, and what the service says to that."""

import contextlib
import os
import platform
import shutil
import socket
import subprocess
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import httpx

from app.schemas import WorkerHello
from workers.specs import SPEC_VERSION

_RETRY_STATUS = {408, 425, 429}


@dataclass(frozen=True)
class Answer:
    """`refused` is final: another try would end the same way. `unreachable` is worth another try."""

    verdict: Literal["accepted", "refused", "unreachable"]
    detail: str = ""


def make_hello(name: str, pool: str) -> WorkerHello:
    """What this machine says of itself."""
    return WorkerHello(
        name=name,
        pool=pool,
        host=socket.gethostname(),
        version=version("headrace"),
        spec_version=SPEC_VERSION,
        resources=resources(),
    )


def resources() -> dict[str, Any]:
    """CPU cores, memory in GB (decimal) and the names of the GPUs."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    return {"cpus": cores, "memory_gb": round(memory / 1e9, 1), "gpus": _gpus(), "machine": platform.machine()}


def _gpus() -> list[str]:
    program = shutil.which("nvidia-smi")
    if program is None:
        return []
    command = [program, "--query-gpu=name", "--format=csv,noheader"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return []
    return [line.strip() for line in result.stdout.splitlines() if line.strip()] if result.returncode == 0 else []


def say_hello(client: httpx.Client, hello: WorkerHello) -> Answer:
    """One handshake. Never raises: trouble of the network is part of the answer."""
    try:
        response = client.post("/api/v1/workers/hello", json=hello.model_dump())
    except httpx.HTTPError as error:
        return Answer("unreachable", f"{client.base_url} does not answer: {error or type(error).__name__}")
    if response.is_success:
        return Answer("accepted")
    detail = _detail(response)
    if response.status_code in {401, 403}:
        advice = "make one with `headrace tokens create NAME --role worker` and give it as --token"
        return Answer("refused", f"{client.base_url} refuses the token ({detail}): {advice}")
    if response.is_client_error and response.status_code not in _RETRY_STATUS:
        return Answer("refused", f"{client.base_url} refuses this worker: {detail}")
    return Answer("unreachable", f"{client.base_url} answers {response.status_code}: {detail}")


def _detail(response: httpx.Response) -> str:
    try:
        problem = response.json()
        return str(problem.get("detail") or problem.get("title"))
    except (ValueError, AttributeError):
        return response.text[:200] or response.reason_phrase


def say_goodbye(client: httpx.Client, hello: WorkerHello) -> None:
    """Tell the service that this worker ends in order. Nothing where it cannot be reached: it may be ending too."""
    body = {"name": hello.name, "pool": hello.pool}
    with contextlib.suppress(httpx.HTTPError):
        client.post("/api/v1/workers/goodbye", json=body, timeout=3)
