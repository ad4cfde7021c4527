"""Points a second through the API on a real Postgres, and charts of a run of ten million points.

`python benchmarks/ingest.py [--points N]` prints two rows. `ingest`: batches of 100 series x 50 steps, sent one after
another as a worker does, and by four workers at once; the disk is synced as in production. `chart`: 200 requests at
random zooms over one series, of 1000 buckets each, and whether those over the one spike show it. Targets: 50,000
points/s, 60 ms at the 95th percentile.
"""

import argparse
import asyncio
import json
import os
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from app.db import Database
from app.queries import points
from app.services.postgres import EmbeddedPostgres, free_port

NUM_SERIES, NUM_STEPS, NUM_BATCHES = 100, 50, 40
NUM_WORKERS = 4
NUM_CHARTS = 200
CHUNK = 500_000
SPIKE = 1e6


@contextmanager
def service(folder: Path) -> Iterator[tuple[httpx.Client, str, str]]:
    """The API as a process of its own: a client with the role admin, a worker's token, the database's URL."""
    postgres = EmbeddedPostgres(folder / "postgres")
    postgres.start()
    port, admin, worker = free_port(), *("hr_" + secrets.token_urlsafe(32) for _ in range(2))
    url = postgres.create_database("headrace")
    environment = {key: value for key, value in os.environ.items() if not key.startswith("HEADRACE_")} | {
        "HEADRACE_DATABASE_URL": url,
        "HEADRACE_HOME": str(folder / "home"),
        "HEADRACE_ADMIN_TOKEN": admin,
        "HEADRACE_WORKER_TOKEN": worker,
        "HEADRACE_PREFECT_API_URL": "http://127.0.0.1:9/api",  # nobody: runs wait, and are reported all the same
    }
    command = [sys.executable, "-m", "uvicorn", "app.main:create_app", "--factory", "--port", str(port)]
    with (folder / "api.log").open("wb") as log:
        process = subprocess.Popen([*command, "--log-level", "warning"], env=environment, stdout=log, stderr=log)
    client = httpx.Client(
        base_url=f"http://127.0.0.1:{port}", headers={"Authorization": f"Bearer {admin}"}, timeout=120, trust_env=False
    )
    try:
        wait_until_up(client, process)
        yield client, worker, url
    finally:
        client.close()
        process.terminate()
        process.wait(30)
        postgres.stop()


def wait_until_up(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    """Return when the API answers. Raises RuntimeError when it ended or takes more than a minute."""
    for _ in range(300):
        if process.poll() is not None:
            break
        try:
            client.get("/api/v1/health")
        except httpx.HTTPError:
            time.sleep(0.2)
        else:
            return
    raise RuntimeError("the API did not come up")


def launch(client: httpx.Client, worker: str) -> str:
    """A run that is running; its id."""
    body = {"spec": {"kind": "training", "name": "benchmark"}}
    run_id: str = client.post("/api/v1/runs", json=body).raise_for_status().json()["id"]
    report = {"attempt": 1, "source": "worker", "seq": 0, "state": "running"}
    headers = {"Authorization": f"Bearer {worker}"}
    client.post(f"/api/v1/ingest/runs/{run_id}", json=report, headers=headers).raise_for_status()
    return run_id


def bodies() -> list[bytes]:
    """Batches as a reporter sends them: each step's time is that of its report."""
    chance = random.Random(0)
    made = []
    for seq in range(1, NUM_BATCHES + 1):
        steps = list(range(seq * NUM_STEPS, (seq + 1) * NUM_STEPS))
        times = [1.7e9 + step / 10 for step in steps]
        columns = [
            {"key": f"layers/{i}", "steps": steps, "values": [chance.gauss(3, 1) for _ in steps], "times": times}
            for i in range(NUM_SERIES)
        ]
        made.append(json.dumps({"attempt": 1, "source": "worker", "seq": seq, "metrics": columns}).encode())
    return made


async def send(url: str, worker: str, run_ids: list[str], batches: list[bytes]) -> float:
    """Points a second over all runs, each with a sender of its own."""
    headers = {"Authorization": f"Bearer {worker}", "Content-Type": "application/json"}
    async with httpx.AsyncClient(base_url=url, headers=headers, timeout=120, trust_env=False) as client:

        async def one(run_id: str) -> None:
            for batch in batches:
                (await client.post(f"/api/v1/ingest/runs/{run_id}", content=batch)).raise_for_status()

        begun = time.perf_counter()
        await asyncio.gather(*(one(run_id) for run_id in run_ids))
        return len(run_ids) * len(batches) * NUM_SERIES * NUM_STEPS / (time.perf_counter() - begun)


async def fill(url: str, run_id: str, num_points: int, spike: int) -> None:
    """One series of so many points, with one spike."""
    database = Database(url)
    chance = np.random.default_rng(0)
    for start in range(0, num_points, CHUNK):
        steps = np.arange(start, min(start + CHUNK, num_points))
        values = np.where(steps == spike, SPIKE, chance.normal(3, 1, len(steps)))
        async with database.begin() as session:
            await points.store(session, run_id, [points.Points("loss", 0, steps, values, 1.7e9 + steps / 10)])
    await database.close()


def chart(client: httpx.Client, run_id: str, num_points: int, spike: int) -> dict[str, Any]:
    """Latency of charts at random zooms, and how many of those over the spike show it."""
    chance, seconds, seen, over = random.Random(1), list[float](), 0, 0
    for _ in range(NUM_CHARTS):
        width = int(num_points ** chance.uniform(0.3, 1))
        first = chance.randrange(num_points - width + 1) if chance.random() < 0.5 else max(0, spike - width // 2)
        parameters = {"from_step": first, "to_step": first + width - 1, "buckets": 1000}
        begun = time.perf_counter()
        answer = client.get(f"/api/v1/runs/{run_id}/metrics/loss", params=parameters).raise_for_status()
        seconds.append(time.perf_counter() - begun)
        over += first <= spike < first + width
        seen += SPIKE in answer.json()[0]["max"]
    cuts = statistics.quantiles(seconds, n=20)
    return {"p50_ms": round(cuts[9] * 1000, 1), "p95_ms": round(cuts[18] * 1000, 1), "spikes_seen": f"{seen}/{over}"}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--points", type=int, default=10_000_000, help="of the run whose charts are read")
    num_points: int = parser.parse_args().points
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder, service(Path(folder)) as (client, worker, url):
        batches = bodies()
        asyncio.run(send(str(client.base_url), worker, [launch(client, worker)], batches[:4]))
        run_ids = [launch(client, worker) for _ in range(NUM_WORKERS + 1)]
        rates = [asyncio.run(send(str(client.base_url), worker, ids, batches)) for ids in (run_ids[:1], run_ids[1:])]
        row: dict[str, Any] = {"name": "ingest", "points_per_second": round(rates[0])}
        row |= {f"with_{NUM_WORKERS}_workers": round(rates[1]), "points_a_batch": NUM_SERIES * NUM_STEPS}
        sys.stdout.write(json.dumps(row) + "\n")
        spike, run_id = num_points * 618 // 1000, launch(client, worker)
        begun = time.perf_counter()
        asyncio.run(fill(url, run_id, num_points, spike))
        filled = {
            "name": "chart",
            "points": num_points,
            "filled_per_second": num_points / (time.perf_counter() - begun),
        }
        filled["filled_per_second"] = round(filled["filled_per_second"])
        sys.stdout.write(json.dumps(filled | chart(client, run_id, num_points, spike)) + "\n")


if __name__ == "__main__":
    main()
