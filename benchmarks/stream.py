"""200 readers of the live stream while events are written: nothing lost, nothing doubled, how late.

`python benchmarks/stream.py [--readers N] [--events N]` starts a Postgres and a service of its own. Readers are cut
once, half-way, and resume by `Last-Event-ID` as a browser's EventSource does. Prints one JSON line: seconds from the
making of an event to its reader (p50, p95), events lost and doubled over all readers, and the time until all 200 had
resumed and read what was written meanwhile.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from app.services.ports import choose_port
from app.services.postgres import EmbeddedPostgres

ADMIN, WORKER = "hr_" + "a" * 43, "hr_" + "w" * 43
WAIT_SECONDS = 60.0


class Reader:
    """One client: the ids that it saw, when, and its last one."""

    def __init__(self, client: httpx.AsyncClient, run_id: str) -> None:
        self.client, self.run_id = client, run_id
        self.seen: list[int] = []
        self.delays: list[float] = []
        self.last_id: str | None = None
        self.opened = asyncio.Event()

    async def read(self) -> None:
        """Until cancelled; opens the stream again whenever it ends or is refused."""
        while True:
            headers = {"Last-Event-ID": self.last_id} if self.last_id else {}
            params = {"run_id": self.run_id, "types": "event"}
            with suppress(httpx.HTTPError):
                async with self.client.stream("GET", "/api/v1/stream", params=params, headers=headers) as answer:
                    if answer.status_code == 200:
                        await self._follow(answer)
            await asyncio.sleep(0.2)

    async def _follow(self, answer: httpx.Response) -> None:
        async for line in answer.aiter_lines():
            name, _, value = line.partition(": ")
            if name == "id":
                self.last_id = value
                self.opened.set()
            elif name == "data" and '"type":"event"' in value:
                message = json.loads(value)
                if message["kind"] == "note":
                    self.seen.append(message["id"])
                    self.delays.append(time.time() - float(message["message"]))


async def measure(url: str, num_readers: int, num_events: int) -> dict[str, Any]:
    """What the docstring of this file says."""
    limits = httpx.Limits(max_connections=None)
    options: dict[str, Any] = {"base_url": url, "timeout": httpx.Timeout(30, read=None), "trust_env": False}
    async with (
        httpx.AsyncClient(headers={"Authorization": f"Bearer {ADMIN}"}, limits=limits, **options) as admin,
        httpx.AsyncClient(headers={"Authorization": f"Bearer {WORKER}"}, **options) as worker,
    ):
        spec = {"kind": "training", "name": "stream", "resources": {"gpus": 1}}
        run_id = (await admin.post("/api/v1/runs", json={"spec": spec})).raise_for_status().json()["id"]
        readers = [Reader(admin, run_id) for _ in range(num_readers)]
        tasks = [asyncio.create_task(reader.read()) for reader in readers]
        await asyncio.gather(*(asyncio.wait_for(reader.opened.wait(), WAIT_SECONDS) for reader in readers))
        seq = 0

        async def write(count: int) -> None:
            nonlocal seq
            for _ in range(count):
                events = [{"kind": "note", "message": f"{time.time():.6f}", "time": time.time()}]
                batch = {"attempt": 1, "source": "worker", "seq": seq, "events": events}
                (await worker.post(f"/api/v1/ingest/runs/{run_id}", json=batch)).raise_for_status()
                seq += 1
                await asyncio.sleep(0.02)

        await write(num_events // 2)
        await _all_have(readers, num_events // 2)
        delays = sorted(delay for reader in readers for delay in reader.delays)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await write(num_events - num_events // 2)  # while nobody reads
        begun = time.perf_counter()
        tasks = [asyncio.create_task(reader.read()) for reader in readers]
        await _all_have(readers, num_events)
        resumed = time.perf_counter() - begun
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    wanted = set.union(*(set(reader.seen) for reader in readers))
    return {
        "readers": num_readers,
        "events": num_events,
        "p50_seconds": round(delays[len(delays) // 2], 3),
        "p95_seconds": round(delays[int(len(delays) * 0.95)], 3),
        "resumed_seconds": round(resumed, 2),
        "lost": num_events * num_readers - sum(len(wanted & set(reader.seen)) for reader in readers),
        "doubled": sum(len(reader.seen) - len(set(reader.seen)) for reader in readers),
    }


async def _all_have(readers: list[Reader], count: int) -> None:
    with suppress(TimeoutError):  # what is missing then is lost
        async with asyncio.timeout(WAIT_SECONDS):
            while any(len(reader.seen) < count for reader in readers):  # noqa: ASYNC110
                await asyncio.sleep(0.02)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--readers", type=int, default=200)
    parser.add_argument("--events", type=int, default=100)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        postgres = EmbeddedPostgres(Path(folder) / "postgres", fast=True)
        postgres.start()
        port = choose_port("api", 0, 0, "127.0.0.1")
        environment = os.environ | {
            "HEADRACE_HOME": folder, "HEADRACE_DATABASE_URL": postgres.create_database("headrace"),
            "HEADRACE_ADMIN_TOKEN": ADMIN, "HEADRACE_WORKER_TOKEN": WORKER, "HEADRACE_PORT": str(port),
            "HEADRACE_PREFECT_API_URL": "http://127.0.0.1:9/api",
        }  # fmt: skip
        command = [sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory", "--port", str(port)]
        with (Path(folder) / "log").open("wb") as log:
            service = subprocess.Popen([*command, "--log-level", "warning"], env=environment, stdout=log, stderr=log)
        try:
            url = f"http://127.0.0.1:{port}"
            _wait(url)
            found = asyncio.run(measure(url, options.readers, options.events))
        finally:
            service.terminate()
            service.wait(30)
            postgres.stop()
    sys.stdout.write(json.dumps({"name": "stream"} | found) + "\n")


def _wait(url: str) -> None:
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            if httpx.get(f"{url}/api/v1/health", trust_env=False).status_code < 600:
                return
        time.sleep(0.1)
    raise TimeoutError("the service did not start")


if __name__ == "__main__":
    main()
