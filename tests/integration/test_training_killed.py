"""kill -9 of a compiled training at random moments: loss curve, weights and optimizer of the run that was not killed.

HEADRACE_TEST_KILLS (2) says how often; each costs a start of some seconds.
"""

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from workers.data.shards import Origin, ShardWriter, token_dtype

NUM_KILLS = int(os.environ.get("HEADRACE_TEST_KILLS", "2"))
NUM_STEPS, EVERY = 80, 5
VOCAB_SIZE = 64
SCRIPT = """
import sys
from pathlib import Path
from workers.reporter import MemoryReporter
from workers.training.__main__ import read_spec
from workers.training.trainer import train

class Writes(MemoryReporter):
    def __init__(self, path):
        super().__init__()
        self.lines = path.open("a")

    def metrics(self, step, values, branch=0):
        for name in ("loss", "loss/en", "loss/de", "grad_norm", "heldout_loss", "lr"):
            if name in values:
                print(step, name, float(values[name]).hex(), file=self.lines, flush=True)

spec, dataset, out = (Path(argument) for argument in sys.argv[1:4])
out.mkdir(exist_ok=True)
resume = out if any(out.glob("checkpoints/step-*")) else None
train(read_spec(spec), dataset=dataset, out=out, reporter=Writes(out / "curve"), resume=resume)
"""
EN, DE = {"languages": ["en"]}, {"languages": ["de"]}
SPEC = {
    "model": {"d_model": 32, "num_layers": 1, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 64},
    "optimizer": {"kind": "adamw", "lr": 5e-3},
    "schedule": {"kind": "wsd", "warmup_steps": 5},
    "batch": {"sequence_tokens": 32, "micro_batch_sequences": 4, "accumulation": 2},
    "stages": [
        {"name": "web", "num_steps": 37, "mixture": [EN | {"weight": 3}, DE | {"weight": 1}]},
        {"name": "mixed", "num_steps": 43, "mixture": [EN | {"weight": 1}, DE | {"weight": 2}]},
    ],
    "checkpointing": {"every_steps": EVERY},
    "heldout": {"every_steps": 40, "num_batches": 2},
    "telemetry": {"every_steps": 20},
    "compile": True,
    "clipping": {"kind": "zclip"},
}


def write_dataset(folder: Path) -> Path:
    folder.mkdir()
    rng, num_tokens = np.random.default_rng(3), {}
    for split, count in (("train", 400), ("heldout", 40)):
        writer = ShardWriter(folder, split, VOCAB_SIZE, 4000)
        for number in range(count):
            steps = np.where(rng.random(int(rng.integers(20, 60))) < 0.8, 3 + number % 2, rng.integers(VOCAB_SIZE))
            tokens = 1 + (int(rng.integers(VOCAB_SIZE)) + np.cumsum(steps)) % (VOCAB_SIZE - 1)
            writer.add([*tokens.tolist(), 0], Origin(number, ("en", "de")[number % 2]))
        writer.close()
        num_tokens[split] = writer.num_tokens
    info = {"vocab_size": VOCAB_SIZE, "dtype": token_dtype(VOCAB_SIZE).str, "eos_token_id": 0, "num_tokens": num_tokens}
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


def start(folder: Path, out: Path) -> "subprocess.Popen[bytes]":
    command = [sys.executable, str(folder / "run.py"), str(folder / "spec.yaml"), str(folder / "dataset"), str(out)]
    environment = {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"}
    environment["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "compiled")  # one cold start, the others are warm
    with (folder / "log").open("ab") as log:
        return subprocess.Popen(command, env=os.environ | environment, stdout=log, stderr=log)


def wait_until_done(folder: Path, run: "subprocess.Popen[bytes]") -> None:
    assert run.wait(240) == 0, (folder / "log").read_text()


def curve(out: Path) -> list[tuple[str, str, str]]:
    rows = [tuple(line.split(" ")) for line in (out / "curve").read_text().splitlines(keepends=True)]
    return [(row[0], row[1], row[2].strip()) for row in rows if len(row) == 3 and row[2].endswith("\n")]


def newest_step(out: Path) -> int:
    return max((int(path.name[5:13]) for path in (out / "checkpoints").glob("step-*")), default=-1)


@pytest.mark.timeout(600)
def test_a_compiled_training_killed_at_random_moments_equals_one_that_was_not(tmp_path: Path) -> None:
    (tmp_path / "run.py").write_text(SCRIPT)
    (tmp_path / "spec.yaml").write_text(json.dumps(SPEC))
    write_dataset(tmp_path / "dataset")
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    wait_until_done(tmp_path, start(tmp_path, whole))
    rng = random.Random(seed := time.time_ns())
    num_kills = 0
    for number in range(NUM_KILLS):
        run = start(tmp_path, killed)
        begin, end = (NUM_STEPS * (number + share) / NUM_KILLS for share in (0.1, 0.8))
        moment = rng.uniform(begin, end)  # the kills spread over the run: each is in another part of it
        while run.poll() is None and newest_step(killed) < moment - EVERY:
            time.sleep(0.001)
        time.sleep(rng.random() * 0.1)
        run.kill()
        num_kills += run.wait(10) == -9
    assert num_kills >= min(NUM_KILLS, 2), seed
    wait_until_done(tmp_path, start(tmp_path, killed))
    expected = {(step, name): value for step, name, value in curve(whole)}
    found = curve(killed)
    assert {(step, name) for step, name, _ in found} == expected.keys()
    assert len(found) > len(expected)  # steps since the last checkpoint were done again
    for step, name, value in found:
        assert value == expected[step, name], (seed, step, name)
    last = [max((out / "checkpoints").glob(f"step-{NUM_STEPS:08d}-*")) for out in (whole, killed)]
    for file in ("model.safetensors", "optimizer.safetensors", "random.safetensors"):
        assert (last[0] / file).read_bytes() == (last[1] / file).read_bytes(), (seed, file)
    states = [json.loads((folder / "trainer.json").read_text()) for folder in last]
    for name in ("stage_batches", "tokens", "skipped"):
        assert states[0]["state"][name] == states[1]["state"][name]
    assert states[0]["clipping"] == states[1]["clipping"]
