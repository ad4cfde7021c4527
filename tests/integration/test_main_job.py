"""The main job through the real stack: pipeline, kill -9 and resume, a second worker, cancel, cached stages.

One stack for the whole module. The documents are real ones that are on every machine with the project installed: the
licences and descriptions of its packages, some of them once more as HTML.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest

HEADRACE = Path(sys.executable).with_name("headrace")
SMALL = {
    "num_steps": 80,
    "model": {"d_model": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 128},
    "batch": {"sequence_tokens": 64, "micro_batch_sequences": 8},
    "schedule": {"kind": "wsd", "warmup_steps": 10},
    "checkpointing": {"every_steps": 20},
    "heldout": {"every_steps": 40, "num_batches": 2},
    "dtype": "float32",
    "compile": False,
}

pytestmark = pytest.mark.timeout(900)


class Stack:
    """A running stack and a client with the admin's token."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("HEADRACE_", "PREFECT_", "MLFLOW_"))},
            "HEADRACE_HOME": str(home),
            "HEADRACE_DEAD_AFTER_SECONDS": "10",
            "OMP_NUM_THREADS": "1",
        }
        self.headrace("up")
        self.url = json.loads((home / "stack.json").read_text())["url"]
        self.token = json.loads((home / "secrets.json").read_text())["admin_token"]
        self.client = httpx.Client(
            base_url=f"{self.url}/api/v1", headers={"Authorization": f"Bearer {self.token}"}, timeout=30
        )

    def headrace(self, *arguments: str) -> str:
        """Run the CLI and return what it printed."""
        done = subprocess.run(
            [HEADRACE, *arguments], env=self.environment, capture_output=True, text=True, timeout=300, check=False
        )
        assert done.returncode == 0, f"headrace {' '.join(arguments)}: {done.stdout}\n{done.stderr}"
        return done.stdout

    def get(self, path: str, **parameters: Any) -> Any:
        """The JSON answer of a GET."""
        response = self.client.get(path, params=parameters)
        assert response.is_success, response.text
        return response.json()

    def launch(self, spec: dict[str, Any], **request: Any) -> str:
        """Make a run and return its id."""
        response = self.client.post("/runs", json={"spec": spec, **request})
        assert response.is_success, response.text
        return str(response.json()["id"])

    def wait(self, run_id: str, until: Callable[[dict[str, Any]], bool], seconds: float = 240) -> dict[str, Any]:
        """The run as soon as `until` holds for it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            run: dict[str, Any] = self.get(f"/runs/{run_id}")
            if until(run):
                return run
            time.sleep(0.3)
        raise AssertionError(f"not in {seconds} s: {json.dumps(run, indent=1)[:4000]}")

    def complete(self, run_id: str, seconds: float = 300) -> dict[str, Any]:
        """The run when it has ended; it must have completed."""
        run = self.wait(run_id, lambda r: r["state"] in {"completed", "failed", "crashed", "cancelled"}, seconds)
        assert run["state"] == "completed", (
            f"{run['error']}\n{self.get(f'/runs/{run_id}/events', kind='log', limit=50)}"
        )
        return run


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    home = tmp_path_factory.mktemp("main-job") / "home"
    running = Stack(home)
    yield running
    running.headrace("down")
    left = [p.cmdline() for p in psutil.process_iter() if str(home) in " ".join(_environment(p))]
    assert left == [], "headrace down left processes"


@pytest.fixture(scope="module")
def documents(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("documents")
    for found in distributions():
        text = found.metadata.get_payload() if found.metadata else ""
        name = found.metadata["Name"]
        if isinstance(text, str) and len(text) > 1500:
            (folder / f"{name}.md").write_text(text, encoding="utf-8", errors="replace")
        for file in found.files or []:
            if file.name.upper().startswith(("LICENSE", "COPYING", "NOTICE")) and Path(file.locate()).is_file():
                shutil.copy(str(file.locate()), folder / f"{name}-{file.name.replace('.', '-')}.txt")
    assert len(list(folder.iterdir())) > 100
    return folder


@pytest.fixture(scope="module")
def curation(documents: Path) -> dict[str, Any]:
    return {
        "kind": "curation",
        "name": "package-texts",
        "input": {"kind": "folder", "path": str(documents)},
        "language": {"languages": ["en"], "min_score": 0.3},
        "filters": [{"kind": "gopher_quality", "min_words": 100, "min_alphabetic_word_ratio": 0.5}],
        "tokenizer": {"vocab_size": 1024},
        "num_processes": 1,
    }


@pytest.fixture(scope="module")
def pipeline(stack: Stack, curation: dict[str, Any]) -> dict[str, Any]:
    spec = {
        "kind": "pipeline",
        "name": "small",
        "curation": curation,
        "training": SMALL,
        "evaluation": {
            "tasks": [
                {"kind": "bits_per_byte", "max_documents_per_language": 5, "max_tokens_per_document": 128},
                {"kind": "cloze", "num_items": 12},
            ],
            "num_bootstrap": 100,
        },
        "release": {"name": "small-model"},
    }
    return stack.complete(stack.launch(spec))


def test_a_pipeline_completes_with_all_its_stages(stack: Stack, pipeline: dict[str, Any]) -> None:
    children = {child["stage"]: child for child in pipeline["children"]}
    assert list(children) == ["curation", "training", "evaluation", "release"]
    assert {child["state"] for child in children.values()} == {"completed"}
    training = pipeline["summary"]["training"]
    assert training["heldout_loss"] < training["first_loss"]
    loss = stack.get(f"/runs/{children['training']['id']}/metrics/loss", buckets=1000)
    assert [step for bucket in loss for step in bucket["steps"]] == list(range(SMALL["num_steps"])) or [
        step for bucket in loss for step in bucket["steps"]
    ] == list(range(1, SMALL["num_steps"] + 1))
    scores = stack.get("/evaluations", run_id=children["evaluation"]["id"])["items"]
    assert {score["task"] for score in scores} == {"bits_per_byte", "cloze"}
    assert all(score["low"] <= score["value"] <= score["high"] for score in scores)
    cloze = next(score for score in scores if score["task"] == "cloze")
    assert len(stack.get(f"/evaluations/{cloze['id']}/items", limit=100)["items"]) == 12


def test_what_was_dropped_can_be_read(stack: Stack, pipeline: dict[str, Any]) -> None:
    digest = pipeline["summary"]["curation"]["dataset"]
    version = stack.get(f"/datasets/versions/{digest}")
    assert version["name"] == "package-texts"
    dropped = stack.get(f"/datasets/versions/{digest}/samples", kept=False, limit=200)["items"]
    short = [sample for sample in dropped if sample["rule"] == "gopher_quality.min_words"]
    assert short
    assert all(sample["figure"] < sample["threshold"] for sample in short)


def test_mlflow_has_the_run_and_the_model(stack: Stack, pipeline: dict[str, Any]) -> None:
    secrets = json.loads((stack.home / "secrets.json").read_text())
    port = json.loads((stack.home / "stack.json").read_text())["ports"]["mlflow"]
    training = next(child for child in pipeline["children"] if child["stage"] == "training")
    code = f"""
import json, mlflow
client = mlflow.MlflowClient("http://127.0.0.1:{port}")
found = client.search_runs([e.experiment_id for e in client.search_experiments()],
                           filter_string="tags.`headrace.run_id` = '{training["id"]}'")
run = found[0]
history = client.get_metric_history(run.info.run_id, "loss")
models = [m.name for m in client.search_registered_models()]
seen = {{"status": run.info.status, "params": len(run.data.params), "points": len(history), "models": models}}
print(json.dumps(seen))
"""
    environment = stack.environment | {
        "MLFLOW_TRACKING_USERNAME": secrets.get("mlflow_username", "headrace"),
        "MLFLOW_TRACKING_PASSWORD": secrets["mlflow_password"],
    }
    deadline = time.monotonic() + 60
    while True:
        done = subprocess.run(
            [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0, done.stderr
        seen = json.loads(done.stdout.splitlines()[-1])
        if (seen["status"] == "FINISHED" and "small-model" in seen["models"]) or time.monotonic() > deadline:
            break
    assert seen["status"] == "FINISHED"
    assert seen["params"] > 10
    assert seen["points"] >= SMALL["num_steps"] / 20
    assert "small-model" in seen["models"]


def test_a_repeated_stage_comes_from_the_cache(
    stack: Stack, pipeline: dict[str, Any], curation: dict[str, Any]
) -> None:
    again = stack.complete(stack.launch(curation))
    assert again["summary"]["dataset"] == pipeline["summary"]["curation"]["dataset"]
    assert not [p for p in again["progress"] if p["stage"] == "extract"], "the documents were extracted again"


def test_kill_9_of_training_resumes_by_itself(stack: Stack, pipeline: dict[str, Any]) -> None:
    spec = {"kind": "training", "name": "killed", "dataset": pipeline["summary"]["curation"]["dataset"], **SMALL}
    spec |= {"num_steps": 400}
    run_id = stack.launch(spec)
    stack.wait(run_id, lambda r: (r["headline"].get("loss") or 0) > 0 and _last_step(r) > 45)
    flow = _flow_processes(stack, run_id)
    assert flow
    for process in flow:
        process.send_signal(signal.SIGKILL)
    run = stack.complete(run_id)
    assert run["attempt"] == 2
    assert _steps(stack, run_id)[-1] >= 399
    resumed = stack.get(f"/runs/{run_id}/events", kind="resume")
    assert resumed[0]["step"] >= 40 if isinstance(resumed, list) else resumed["items"][0]["step"] >= 40


def test_cancel_ends_a_running_run(stack: Stack, pipeline: dict[str, Any]) -> None:
    spec = {"kind": "training", "name": "cancelled", "dataset": pipeline["summary"]["curation"]["dataset"], **SMALL}
    run_id = stack.launch(spec | {"num_steps": 100_000})
    stack.wait(run_id, lambda r: r["state"] == "running" and _last_step(r) > 3)
    stack.client.post(f"/runs/{run_id}/cancel").raise_for_status()
    run = stack.wait(run_id, lambda r: r["state"] in {"cancelled", "failed", "completed"}, 60)
    assert run["state"] == "cancelled"
    deadline = time.monotonic() + 30
    while _flow_processes(stack, run_id) and time.monotonic() < deadline:
        time.sleep(0.5)
    assert _flow_processes(stack, run_id) == []


def test_a_second_machine_joins_with_address_and_token(stack: Stack, pipeline: dict[str, Any], tmp_path: Path) -> None:
    spec = {"kind": "training", "name": "elsewhere", "dataset": pipeline["summary"]["curation"]["dataset"], **SMALL}
    run_id = stack.launch(spec | {"resources": {"gpus": 1}})
    waiting = stack.wait(run_id, lambda r: bool(r["state_reason"]), 60)
    assert "no worker online" in waiting["state_reason"].lower()
    created = stack.client.post("/tokens", json={"name": "second machine", "role": "worker"})
    assert created.is_success, created.text
    environment = {k: v for k, v in stack.environment.items() if not k.startswith("HEADRACE_")}
    environment["HEADRACE_HOME"] = str(tmp_path / "second")
    log = (tmp_path / "worker.log").open("wb")
    command = [HEADRACE, "worker", "--pool", "gpu", "--url", stack.url, "--token", created.json()["token"]]
    worker = subprocess.Popen(command, env=environment, cwd=tmp_path, stdout=log, stderr=log)
    try:
        run = stack.complete(run_id)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{(tmp_path / 'worker.log').read_text()[-4000:]}") from None
    finally:
        worker.terminate()
        worker.wait(60)
    assert run["summary"]["steps"] == SMALL["num_steps"]
    assert any(w["pool"] == "gpu" for w in _items(stack.get("/workers")))


def test_the_monitoring_flow_runs_on_the_control_pool(stack: Stack) -> None:
    prefect = httpx.Client(base_url=f"{stack.url}/api/v1/prefect/api", auth=("worker", stack.token), timeout=30)
    deployment = prefect.get("/deployments/name/monitoring/every-5-minutes").raise_for_status().json()
    assert any(schedule["active"] for schedule in deployment["schedules"])
    body = {"state": {"type": "SCHEDULED"}}
    made = prefect.post(f"/deployments/{deployment['id']}/create_flow_run", json=body).raise_for_status().json()
    deadline = time.monotonic() + 90
    while made["state"]["type"] not in {"COMPLETED", "FAILED", "CRASHED"} and time.monotonic() < deadline:
        time.sleep(1)
        made = prefect.get(f"/flow_runs/{made['id']}").raise_for_status().json()
    assert made["state"]["type"] == "COMPLETED", made["state"]


def test_prefect_is_closed_to_strangers(stack: Stack) -> None:
    assert httpx.get(f"{stack.url}/api/v1/prefect/api/flows", timeout=10).status_code == 401
    port = json.loads((stack.home / "stack.json").read_text())["ports"]["prefect"]
    assert httpx.post(f"http://127.0.0.1:{port}/api/flows/filter", json={}, timeout=10).status_code == 401


def test_a_preset_can_be_printed_and_launched_from_a_file(stack: Stack, tmp_path: Path) -> None:
    text = stack.headrace("presets", "pipeline")
    assert "kind: pipeline" in text
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    run_id = stack.headrace("launch", str(tmp_path / "mine.yaml"), "--name", "from a file").split()[0]
    assert stack.get(f"/runs/{run_id}")["name"] == "from a file"
    stack.headrace("cancel", run_id)


def test_a_wrong_spec_is_refused_with_the_field(stack: Stack) -> None:
    response = stack.client.post("/runs", json={"spec": {"kind": "training", "optimizer": {"kind": "adamw", "l": 1}}})
    assert response.status_code == 422
    assert response.headers["content-type"].startswith("application/problem+json")
    assert any("optimizer" in error["pointer"] for error in response.json()["errors"])


def test_a_missing_folder_fails_with_what_to_do(stack: Stack, curation: dict[str, Any]) -> None:
    spec = curation | {"input": {"kind": "folder", "path": "/nowhere/at/all"}, "name": "missing"}
    run_id = stack.launch(spec)
    run = stack.wait(run_id, lambda r: r["state"] in {"failed", "completed", "crashed"}, 90)
    assert run["state"] == "failed"
    assert "/nowhere/at/all" in run["error"]
    assert run["attempt"] == 1, "bad input must not be tried again"


def _last_step(run: dict[str, Any]) -> float:
    return max((p["done"] for p in run["progress"] if p["stage"] == "train"), default=0)


def _items(answer: Any) -> list[dict[str, Any]]:
    return answer["items"] if isinstance(answer, dict) else answer


def _steps(stack: Stack, run_id: str) -> list[int]:
    buckets = stack.get(f"/runs/{run_id}/metrics/loss", buckets=2000, flatten=True)
    return sorted(step for bucket in buckets for step in bucket["steps"])


def _flow_processes(stack: Stack, run_id: str) -> list[psutil.Process]:
    """Live processes of the run's flow, by the flow run id that Prefect puts into their environment."""
    flow_run = stack.get(f"/runs/{run_id}")["prefect_flow_run_id"]
    marked = [p for p in psutil.process_iter() if any(flow_run in pair for pair in _environment(p))]
    return [p for p in marked if p.status() != psutil.STATUS_ZOMBIE]


def _environment(process: psutil.Process) -> list[str]:
    try:
        return [f"{k}={v}" for k, v in process.environ().items()]
    except psutil.Error:
        return []
