"""Greedy decoding of held-out prompts: without a cache, with one, and self-speculative with multi-token heads.

It trains a small model with heads on a dataset version (kept in the data folder for the next run), then decodes the
same prompts three ways in turn, all with packed weights. `speculative` must give the tokens of `cached`, one by one;
`plain` is compared too, where full passes may round otherwise. Each output's share of repeated 4-grams stands beside:
text that repeats itself is easy to draft. Needs `headrace corpus fetch debian-docs`, or a dataset of your own.
"""

import argparse
import json
import statistics
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from stability import make_dataset

from workers.data.shards import TokenDataset
from workers.model.checkpoint import load_model
from workers.model.generate import generate
from workers.model.packed import pack
from workers.model.speculative import NgramDrafter, Speculation, speculate
from workers.model.transformer import Transformer
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.trainer import train

# Wide enough that reading weights, not calling operators, is what a token costs.
SHAPE = {"d_model": 512, "num_layers": 10, "num_heads": 8, "num_kv_heads": 2, "d_ffn": 1408}


def main() -> int:
    """Print a table and a JSON row for each way of decoding; 1 when speculation changed a token."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", type=Path, help="folder of a dataset version; without: manuals of debian-docs")
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="the trained model is kept here")
    parser.add_argument("--mtp", choices=("sequential", "parallel"), default="parallel")
    parser.add_argument("--heads", type=int, default=3)
    parser.add_argument("--steps", type=int, default=250)
    parser.add_argument("--drafts", type=int, default=3)
    parser.add_argument("--prompts", type=int, default=8)
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--tokens", type=int, default=96)
    options = parser.parse_args()
    options.dataset = options.dataset or make_dataset(options.home, options.home / "benchmarks" / "stability")
    bare, vocab_size = trained_model(options)
    prompts = held_out_prompts(options)
    model, counts = pack(bare), Speculation()
    ways: dict[str, Callable[[list[int]], Iterable[int]]] = {
        "plain": lambda prompt: plain(model, prompt, options.tokens),
        "cached": lambda prompt: generate(model, prompt, num_tokens=options.tokens),
        "speculative": lambda prompt: speculate(
            model, prompt, num_tokens=options.tokens, num_drafts=options.drafts, counts=counts
        ),
        "ngrams": lambda prompt: speculate(
            model, prompt, num_tokens=options.tokens, num_drafts=options.drafts, drafter=NgramDrafter()
        ),
    }
    texts, seconds = decode(ways, prompts)
    num_tokens = sum(map(len, texts["cached"]))
    for way in ways:
        ratios = [cached / own for cached, own in zip(seconds["cached"], seconds[way], strict=True)]
        row = {
            "name": way,
            "tokens_per_second": round(num_tokens / sum(seconds[way]), 1),
            "ratio": round(statistics.median(ratios), 2),
            "equal_work": int(texts[way] == texts["cached"]),
            "repeated_4grams": round(statistics.mean(repeated_share(text) for text in texts[way]), 3),
            "parameters": bare.spec.num_parameters(vocab_size),
            "heads": f"{options.heads} {options.mtp}",
        }
        if way == "speculative":
            row["tokens_per_pass"] = round(1 + counts.num_accepted / max(counts.num_passes, 1), 2)
            row["replayed"] = counts.num_replayed
        print(json.dumps(row), flush=True)
    return 0 if texts["speculative"] == texts["cached"] == texts["ngrams"] else 1


def trained_model(options: argparse.Namespace) -> tuple[Transformer, int]:
    """The model of an earlier run with the same options, or a new one."""
    spec = TrainingSpec.model_validate(
        {
            "model": SHAPE | {"mtp": {"kind": options.mtp, "num_heads": options.heads}},
            "mtp_weight": {"points": [{"share": 0, "weight": 1.0}]},
            "optimizer": {"kind": "adamw", "lr": 1e-3},
            "schedule": {"kind": "wsd", "warmup_steps": 10, "decay_share": 0.5},
            "batch": {"sequence_tokens": 128, "micro_batch_sequences": 4},
            "num_steps": options.steps,
            "checkpointing": {"every_steps": options.steps},
            "heldout": {"every_steps": options.steps, "num_batches": 8},
            "monitoring": {"mode": "off"},
        }
    )
    data = (options.dataset / "dataset.json").read_bytes()
    folder = options.home / "benchmarks" / f"decode-{spec.content_hash()[:12]}-{len(data)}"
    if not (folder / "done.json").is_file():
        began = time.perf_counter()
        summary = train(spec, dataset=options.dataset, out=folder, reporter=MemoryReporter())
        kept = {key: summary[key] for key in ("checkpoint", "heldout_loss", "unigram_loss", "bigram_loss", "tokens")}
        kept["seconds"] = round(time.perf_counter() - began)
        (folder / "done.json").write_text(json.dumps(kept))
    done = json.loads((folder / "done.json").read_text())
    print({key: value for key, value in done.items() if key != "checkpoint"}, flush=True)
    model, _, vocab_size = load_model(Path(done["checkpoint"]))
    return model, vocab_size


def held_out_prompts(options: argparse.Namespace) -> list[list[int]]:
    """Stretches of the held-out part, evenly spread."""
    heldout = TokenDataset(options.dataset, "heldout")
    last = heldout.num_tokens - options.prompt_tokens
    starts = [number * last // options.prompts for number in range(options.prompts)]
    return [heldout.window(start, options.prompt_tokens)[0].tolist() for start in starts]


@torch.inference_mode()
def plain(model: Transformer, prompt: list[int], num_tokens: int) -> list[int]:
    """Greedy decoding by a full pass for each token."""
    tokens = list(prompt)
    for _ in range(num_tokens):
        tokens.append(int(model.logits(model.hidden(torch.tensor([tokens]))[:, -1]).argmax()))
    return tokens[len(prompt) :]


def decode(
    ways: dict[str, Callable[[list[int]], Iterable[int]]], prompts: list[list[int]]
) -> tuple[dict[str, list[list[int]]], dict[str, list[float]]]:
    """Texts and seconds of each way, prompt by prompt in turn; the first prompt is run once before."""
    texts: dict[str, list[list[int]]] = {way: [] for way in ways}
    seconds: dict[str, list[float]] = {way: [] for way in ways}
    list(ways["cached"](prompts[0]))
    for prompt in prompts:
        for way, run in ways.items():
            began = time.perf_counter()
            texts[way].append(list(run(prompt)))
            seconds[way].append(time.perf_counter() - began)
    return texts, seconds


def repeated_share(text: list[int], length: int = 4) -> float:
    """Share of n-grams that stood in the text before."""
    grams = [tuple(text[i : i + length]) for i in range(len(text) - length + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


if __name__ == "__main__":
    sys.exit(main())
