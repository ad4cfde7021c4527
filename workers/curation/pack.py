"""Kept documents -> a dataset version: tokenizer, token shards, held-out texts, manifest.

Layout: `workers.data.shards`. Nothing in the folder depends on when, where or on how many cores it was made, so equal
input gives an equal digest. Documents stand in the order of a hash, which mixes languages and sources.
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from workers.curation.folder import whole_folder
from workers.curation.heldout import MAX_COVERED, NGRAM
from workers.curation.lines import read_lines, write_json, write_lines
from workers.curation.plan import Entry, Plan, heldout_entries, training_texts
from workers.data.shards import ShardWriter, Split, token_dtype
from workers.data.tokenizer import Tokenizer, train_tokenizer
from workers.reporter import Reporter
from workers.specs.curation import CurationSpec

_BATCH = 128
_WORD = re.compile(r"\w+")
SPLITS: tuple[Split, Split] = ("train", "heldout")


def pack(spec: CurationSpec, *, documents: Path, out: Path, reporter: Reporter) -> dict[str, Any]:
    """Pack the folder `documents` that `curate` wrote into the dataset folder `out`, which appears only when whole.

    Returns what dataset.json holds. Raises ValueError when there are fewer than two documents.
    """
    with whole_folder(out) as folder:
        plan = Plan.make(read_lines(documents / "documents.jsonl.zst"), folder / "texts", spec.heldout_share)
        tokenizer = _train(spec, plan, reporter)
        tokenizer.save(folder / "tokenizer.json")
        counts = _Counts()
        num_tokens = {split: _write_split(spec, plan, split, tokenizer, folder, counts, reporter) for split in SPLITS}
        write_lines(folder / "heldout.jsonl", heldout_entries(plan))
        plan.remove_texts()
        info = _manifest(tokenizer, num_tokens, counts, orjson.loads((documents / "statistics.json").read_bytes()))
        for name in ("samples.jsonl", "inputs.jsonl"):
            shutil.copyfile(documents / name, folder / name)
        write_json(folder / "dataset.json", info)
    total = sum(num_tokens.values())
    reporter.event("stage", f"{total:,} tokens in {len(plan.entries):,} documents", stage="dataset")
    return info


def _train(spec: CurationSpec, plan: Plan, reporter: Reporter) -> Tokenizer:
    reporter.event("stage", f"train a tokenizer of {spec.tokenizer.vocab_size} tokens", stage="tokenizer")
    chosen = training_texts(plan, spec.tokenizer.max_bytes_per_language)

    def texts() -> Iterator[str]:
        for done, entry in enumerate(chosen, start=1):
            reporter.progress("tokenizer", done, len(chosen), "documents")
            yield plan.text(entry)

    return train_tokenizer(texts(), spec.tokenizer.vocab_size, len(chosen))


class _Counts:
    """Tokens, documents, words and bytes by language and split."""

    def __init__(self) -> None:
        self.tables: dict[str, dict[str, dict[str, int]]] = {
            name: {} for name in ("tokens", "documents", "words", "bytes")
        }

    def add(self, entry: Entry, split: Split, text: str, num_tokens: int) -> None:
        num_words = len(_WORD.findall(text))
        amounts = {"tokens": num_tokens, "documents": 1, "words": num_words, "bytes": len(text.encode("utf-8"))}
        for name, amount in amounts.items():
            by_split = self.tables[name].setdefault(entry.language, dict.fromkeys(SPLITS, 0))
            by_split[split] += amount

    def sorted(self, name: str) -> dict[str, dict[str, int]]:
        return dict(sorted(self.tables[name].items()))

    def ratios(self, upper: str, lower: str) -> dict[str, float]:
        """One total over another, by language."""
        return {
            language: round(sum(by_split.values()) / max(1, sum(self.tables[lower][language].values())), 4)
            for language, by_split in self.sorted(upper).items()
        }


def _write_split(
    spec: CurationSpec,
    plan: Plan,
    split: Split,
    tokenizer: Tokenizer,
    folder: Path,
    counts: _Counts,
    reporter: Reporter,
) -> int:
    entries = plan.of(split)
    writer = ShardWriter(folder, split, tokenizer.vocab_size, spec.shard_tokens)
    for start in range(0, len(entries), _BATCH):
        batch = entries[start : start + _BATCH]
        texts = [plan.text(entry) for entry in batch]
        for entry, text, ids in zip(batch, texts, tokenizer.encode_batch(texts), strict=True):
            writer.add([*ids, tokenizer.eos_token_id])
            counts.add(entry, split, text, len(ids) + 1)
        reporter.progress(f"pack {split}", start + len(batch), len(entries), "documents")
    writer.close()
    return writer.num_tokens


def _manifest(
    tokenizer: Tokenizer, num_tokens: dict[Split, int], counts: _Counts, statistics: dict[str, Any]
) -> dict[str, Any]:
    lineage = statistics.pop("lineage", {})
    return {
        "vocab_size": tokenizer.vocab_size,
        "dtype": token_dtype(tokenizer.vocab_size).str,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "num_tokens": num_tokens,
        "tokens": counts.sorted("tokens"),
        "documents": counts.sorted("documents"),
        "bytes": counts.sorted("bytes"),
        "heldout": {"ngram": NGRAM, "max_covered": MAX_COVERED},
        "fertility": counts.ratios("tokens", "words"),
        "bytes_per_token": counts.ratios("bytes", "tokens"),
        "read": statistics["documents"]["read"],
        "dropped": statistics["dropped"],
        "rejects": statistics["rejects"],
        "funnel": statistics["funnel"],
        "lineage": lineage,
    }
