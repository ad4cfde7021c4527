"""From a launch to the first training step on a warm worker, through the product's own road: where the time goes.

`python benchmarks/launch.py [--rounds N]` starts a stack of its own in an empty folder, launches a small training over
the REST API again and again, and prints the median of each phase in seconds; then the same for the preset smol-5m, cut
to five steps. Phases, by the clocks of this machine:

- `answered`: the service has answered the launch
- `submitted`: Prefect has the flow run
- `taken`: Prefect's worker has taken it (Pending)
- `started`: its process has loaded Prefect and our flow (Running)
- `reported`: the worker's first report has arrived
- `stepped`: the first step was done

Target of the whole: 4 s.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import httpx

from workers.data.shards import ShardWriter
from workers.data.tokenizer import train_tokenizer
from workers.storage import ServiceStorage, put_folder

HEADRACE = Path(sys.executable).with_name("headrace")
VOCAB_SIZE = 512
SPEC = {
    "kind": "training",
    "name": "launch",
    "model": {"d_model": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 128},
    "batch": {"sequence_tokens": 64, "micro_batch_sequences": 4},
    "schedule": {"kind": "wsd", "warmup_steps": 1},
    "num_steps": 5,
}
PHASES = ["answered", "submitted", "taken", "started", "reported", "stepped"]
WAIT_SECONDS = 120.0


def write_dataset(folder: Path) -> Path:
    """Python's own reference as a dataset."""
    folder.mkdir()
    texts = [text for _, text in sorted(topics.items())]
    tokenizer = train_tokenizer(iter(texts), VOCAB_SIZE)
    num_tokens = {}
    for split, part in (("train", [text for i, text in enumerate(texts) if i % 10]), ("heldout", texts[::10])):
        writer = ShardWriter(folder, split, VOCAB_SIZE, 1 << 20)
        for text in part:
            writer.add([*tokenizer.encode(text), tokenizer.eos_token_id])
        writer.close()
        num_tokens[split] = writer.num_tokens
    info = {"vocab_size": VOCAB_SIZE, "dtype": "<u2", "eos_token_id": tokenizer.eos_token_id, "num_tokens": num_tokens}
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


def commit_dataset(client: httpx.Client, storage: ServiceStorage, folder: Path) -> str:
    """The dataset as the artifact of a run, as only such can be named; its digest.

    The run is for a pool without workers, and what a worker would report comes from here.
    """
    artifact = put_folder(storage, folder, "dataset", "topics", {})
    spec = {"kind": "training", "name": "dataset", "resources": {"gpus": 1}}
    run_id = client.post("/runs", json={"spec": spec}).raise_for_status().json()["id"]
    for seq, state in enumerate(("running", "completed")):
        batch: dict[str, Any] = {"attempt": 1, "source": "worker", "seq": seq, "state": state}
        if state == "running":
            batch["artifacts"] = [artifact.model_dump(mode="json")]
        storage.client.post(f"/api/v1/ingest/runs/{run_id}", json=batch).raise_for_status()
    return artifact.digest


def wait_for(look: Callable[[], Any]) -> Any:
    """What `look` finds. Raises TimeoutError after two minutes."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        if found := look():
            return found
        time.sleep(0.1)
    raise TimeoutError("the run did not go on")


def measure(client: httpx.Client, prefect: httpx.Client, request: dict[str, Any]) -> dict[str, float]:
    """Seconds from the launch to the end of each phase."""
    begun = time.time()
    run = client.post("/runs", json=request).raise_for_status().json()
    ends = {"answered": time.time()}

    def ended() -> Any:
        found = client.get(f"/runs/{run['id']}").raise_for_status().json()
        return found if found["finished_at"] else None

    found = wait_for(ended)
    if found["state"] != "completed":
        raise RuntimeError(f"the run ended as {found['state']}: {found['error']}")
    states = prefect.get("/flow_run_states/", params={"flow_run_id": found["prefect_flow_run_id"]}).raise_for_status()
    for state in reversed(states.json()):
        phase = {"SCHEDULED": "submitted", "PENDING": "taken", "RUNNING": "started"}.get(state["type"])
        if phase:
            ends[phase] = moment(state["timestamp"])
    ends["reported"] = moment(found["started_at"])
    points = client.get(f"/runs/{run['id']}/export", params={"format": "jsonl", "keys": "loss"}).raise_for_status()
    ends["stepped"] = moment(json.loads(points.text.splitlines()[0])["time"])
    return {phase: ends[phase] - begun for phase in PHASES}


def moment(text: str) -> float:
    """Unix seconds of an ISO time."""
    return datetime.fromisoformat(text).timestamp()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds: int = parser.parse_args().rounds
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HEADRACE_")}
    with tempfile.TemporaryDirectory(prefix="headrace-") as folder:
        home = Path(folder) / "home"
        environment = kept | {"HEADRACE_HOME": str(home)}
        subprocess.run([HEADRACE, "up"], env=environment, check=True, stdout=subprocess.DEVNULL, timeout=600)
        try:
            url = json.loads((home / "stack.json").read_text())["url"]
            tokens = json.loads((home / "secrets.json").read_text())
            headers = {"Authorization": f"Bearer {tokens['admin_token']}"}
            storage = ServiceStorage(url, tokens["worker_token"])
            client = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=60, trust_env=False)
            digest = commit_dataset(client, storage, write_dataset(Path(folder) / "dataset"))
            prefect = httpx.Client(
                base_url=f"{url}/api/v1/prefect/api",
                auth=("worker", tokens["worker_token"]),
                timeout=60,
                trust_env=False,
            )
            short = {"dataset": digest, "num_steps": 5, "schedule": {"warmup_steps": 1}}
            requests = {
                "launch": {"spec": SPEC | {"dataset": digest}},
                "launch_preset": {"preset": "smol-5m", "overrides": short},
            }
            measure(client, prefect, requests["launch"])  # the first one fills caches
            found = {
                name: [measure(client, prefect, request) for _ in range(rounds)] for name, request in requests.items()
            }
        finally:
            subprocess.run([HEADRACE, "down"], env=environment, check=True, stdout=subprocess.DEVNULL, timeout=300)
    for name, rows in found.items():
        row: dict[str, Any] = {"name": name}
        row |= {phase: round(statistics.median(one[phase] for one in rows), 2) for phase in PHASES}
        row |= {"worst": round(max(one["stepped"] for one in rows), 2), "rounds": rounds}
        sys.stdout.write(json.dumps(row) + "\n")


if __name__ == "__main__":
    main()
