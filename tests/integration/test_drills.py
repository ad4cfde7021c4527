"""Fire drills on a real small model and real text: with the controller a run ends about where a healthy one does.

The baseline is what everybody runs: AdamW, global clip 1.0, nobody watching. Its result is printed too, also where
it recovers by itself. Seeds here are others than those the detectors were tuned on (101, 102).
"""

import json
from pathlib import Path
from pydoc_data.topics import topics
from typing import Any

import pytest
import torch

from workers.data.shards import ShardWriter
from workers.data.tokenizer import train_tokenizer
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.trainer import train

VOCAB_SIZE = 512
MARGIN = 1.08
"""Held-out loss of a run with a fault and the controller, over that of the healthy run: at most so much. A halved
rate costs a run that is this short some percent."""
FAULT_STEP = 110
SPEC = {
    "model": {"d_model": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 128},
    "optimizer": {"kind": "adamw", "lr": 3e-3},
    "schedule": {"kind": "wsd", "warmup_steps": 20},
    "batch": {"sequence_tokens": 64, "micro_batch_sequences": 8},
    "num_steps": 220,
    "seed": 7,
    "dtype": "float32",
    "checkpointing": {"every_steps": 20},
    "heldout": {"every_steps": 1000, "num_batches": 8},
}
LR_TIMES_50 = {"kind": "lr_times", "step": FAULT_STEP, "factor": 50.0}
BURST = {"kind": "poisoned_batches", "step": FAULT_STEP, "num_batches": 20}

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    """Python's own reference as text, every tenth topic held out."""
    folder = tmp_path_factory.mktemp("drills") / "dataset"
    folder.mkdir()
    texts = [text for _, text in sorted(topics.items())]
    tokenizer = train_tokenizer(iter(texts), VOCAB_SIZE)
    num_tokens = {}
    for split, part in (("train", [t for i, t in enumerate(texts) if i % 10]), ("heldout", texts[::10])):
        writer = ShardWriter(folder, split, VOCAB_SIZE, 1 << 20)
        for text in part:
            writer.add([*tokenizer.encode(text), tokenizer.eos_token_id])
        writer.close()
        num_tokens[split] = writer.num_tokens
    info = {"vocab_size": VOCAB_SIZE, "dtype": "<u2", "eos_token_id": tokenizer.eos_token_id, "num_tokens": num_tokens}
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


def run(dataset: Path, out: Path, mode: str, *drills: dict[str, Any], **changes: Any) -> tuple[float, MemoryReporter]:
    """Final held-out loss, and everything that was reported."""
    spec = TrainingSpec.model_validate(SPEC | {"monitoring": {"mode": mode}, "drills": list(drills)} | changes)
    reporter = MemoryReporter()
    summary = train(spec, dataset=dataset, out=out, reporter=reporter)
    reporter.flush()
    return summary["heldout_loss"], reporter


@pytest.fixture(scope="module")
def healthy(dataset, tmp_path_factory) -> float:
    """The run without a fault, watched: the controller must leave it alone."""
    loss, reporter = run(dataset, tmp_path_factory.mktemp("healthy"), "auto")
    assert reporter.batch.findings == [] and reporter.batch.interventions == []
    return loss


def show(capsys, name: str, healthy: float, watched: float, baseline: float) -> None:
    with capsys.disabled():
        print(f"\n{name}: held-out loss healthy {healthy:.3f}, watched {watched:.3f}, baseline {baseline:.3f}")


def last_outcomes(reporter: MemoryReporter) -> list[str]:
    """Outcome of each intervention as last reported."""
    return [i.outcome for i in {i.id: i for i in reporter.batch.interventions}.values()]


def test_a_rate_times_50_that_stays_is_corrected(dataset, tmp_path, healthy, capsys):
    watched, reporter = run(dataset, tmp_path / "watched", "auto", LR_TIMES_50)
    baseline, _ = run(dataset, tmp_path / "baseline", "off", LR_TIMES_50)
    show(capsys, "LR x 50", healthy, watched, baseline)
    outcomes = last_outcomes(reporter)
    assert 1 <= len(outcomes) <= 4 and outcomes[-1] == "recovered"
    assert reporter.batch.findings[0].step <= FAULT_STEP + 1
    assert watched < healthy * MARGIN < baseline


def test_a_broken_weight_is_seen_at_once_and_never_saved(dataset, tmp_path, healthy, capsys):
    flip = {"kind": "bit_flip", "step": FAULT_STEP, "bit": 30}
    watched, reporter = run(dataset, tmp_path / "watched", "auto", flip)
    baseline, _ = run(dataset, tmp_path / "baseline", "off", flip)
    show(capsys, "bit flip", healthy, watched, baseline)
    assert reporter.batch.findings[0].step == FAULT_STEP
    assert last_outcomes(reporter)[-1] == "recovered"
    assert watched < healthy * MARGIN < baseline


def test_a_start_without_warm_up_at_a_rate_ten_times_too_high_begins_again(dataset, tmp_path, healthy, capsys):
    start = {"optimizer": {"kind": "adamw", "lr": 3e-2}, "schedule": {"kind": "wsd", "warmup_steps": 0}}
    watched, reporter = run(dataset, tmp_path / "watched", "auto", **start)
    baseline, _ = run(dataset, tmp_path / "baseline", "off", **start)
    show(capsys, "bad start", healthy, watched, baseline)
    assert reporter.batch.findings[0].detector == "large_update" and reporter.batch.findings[0].step == 0
    assert watched < healthy * MARGIN < baseline


def test_a_burst_of_20_poisoned_batches_is_left_out(dataset, tmp_path, healthy, capsys):
    watched, reporter = run(dataset, tmp_path / "watched", "auto", BURST)
    baseline, _ = run(dataset, tmp_path / "baseline", "off", BURST)
    show(capsys, "20 poisoned batches", healthy, watched, baseline)
    outcomes = last_outcomes(reporter)
    assert 1 <= len(outcomes) <= 4 and outcomes[-1] == "recovered"
    assert watched < healthy * MARGIN
    assert not any(loss > 1.3 * healthy for step, loss in reporter.series("loss") if step > FAULT_STEP + 30)
