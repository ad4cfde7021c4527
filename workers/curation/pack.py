"""Kept documents -> a dataset version: tokenizer, token shards, documents, held-out texts, manifest.

Layout: `workers.data.shards`. Nothing in the folder depends on when, where or on how many cores it was made, so equal
input gives an equal digest. Documents stand in the order of a hash, which mixes languages and sources, and shards are
cut where a hash says, so that versions with few different documents share most of their shards (those of tokens and of
documents only when they share the tokenizer, since a document's row counts its tokens).
"""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

from workers.curation.figures import SPLITS, Figures
from workers.curation.folder import whole_folder
from workers.curation.given_heldout import GivenHeldout
from workers.curation.heldout import MAX_COVERED, NGRAM
from workers.curation.lines import read_lines, write_json, write_lines
from workers.curation.plan import Item, Plan, training_rows
from workers.data.chat import CHAT_MEDIA_TYPE, ChatError, encode_chat, parse_chat
from workers.data.documents import DocumentWriter
from workers.data.fertility import measure_fertility
from workers.data.shards import NO_BUCKET, Origin, ShardWriter, Split, token_dtype
from workers.data.tokenizer import Tokenizer, train_tokenizer
from workers.model.pretrained import find_model, write_tokenizer
from workers.reporter import Reporter
from workers.specs.curation import CurationSpec

_BATCH_ITEMS = 128
_BATCH_BYTES = 8 << 20
_WORD = re.compile(r"\w+")
_COPIED = ("samples.jsonl", "inputs.jsonl")
_COPIED_IF_THERE = ("histograms.json", "clusters.jsonl")
_NO_RECIPE = {"name", "input", "engine", "num_processes", "resources"}
"""What the lineage's recipe leaves out: where, by whom and on what the dataset was made."""


def pack(
    spec: CurationSpec,
    *,
    documents: Path,
    out: Path,
    reporter: Reporter,
    tokenizer: Path | None = None,
    heldout: Path | None = None,
) -> dict[str, Any]:
    """Pack the folder `documents` that `curate` wrote into the dataset folder `out`, which appears only when whole.

    tokenizer: the tokenizer.json to use where the spec takes that of another dataset (`tokenizer.dataset`).
    heldout: the heldout.jsonl to use where the spec takes that of another dataset (`heldout_dataset`).

    Returns what dataset.json holds. Raises ValueError when there are fewer than two documents, or a file is missing.
    """
    if spec.tokenizer.dataset and tokenizer is None:
        raise ValueError(
            f"the spec takes the tokenizer of {spec.tokenizer.dataset}: give its tokenizer.json (`--tokenizer FILE`)"
        )
    if spec.heldout_dataset and heldout is None:
        raise ValueError(
            f"the spec holds out what {spec.heldout_dataset} does: give its heldout.jsonl (`--heldout FILE`)"
        )
    given = GivenHeldout(heldout) if heldout else None
    with whole_folder(out) as folder:
        lines = read_lines(documents / "documents.jsonl.zst")
        if given:
            plan = Plan.make(given.lines(lines), folder / "lines", spec.heldout_share, given.ids)
        else:
            plan = Plan.make(lines, folder / "lines", spec.heldout_share)
        target = folder / "tokenizer.json"
        if tokenizer is not None:
            shutil.copyfile(tokenizer, target)
        elif spec.tokenizer.model:
            write_tokenizer(find_model(spec.tokenizer.model), target)
        else:
            _train(spec, plan, reporter).save(target)
        info = _write_all(spec, plan, Tokenizer.load(target), folder, reporter)
        write_lines(folder / "heldout.jsonl", _heldout_lines(plan))
        texts = ((line["language"], line["text"]) for line in _heldout_lines(plan))
        info["heldout_fertility"] = measure_fertility(Tokenizer.load(target), texts)
        plan.remove_lines()
        info |= _provenance(spec, orjson.loads((documents / "statistics.json").read_bytes()))
        if given:
            info["heldout"] |= {"dataset": spec.heldout_dataset, "left_out": given.num_left_out}
        for name in (*_COPIED, *(name for name in _COPIED_IF_THERE if (documents / name).is_file())):
            shutil.copyfile(documents / name, folder / name)
        write_json(folder / "dataset.json", info)
    total = sum(info["num_tokens"].values())
    reporter.event("stage", f"{total:,} tokens in {len(plan):,} documents", stage="dataset")
    return info


def _train(spec: CurationSpec, plan: Plan, reporter: Reporter) -> Tokenizer:
    reporter.event("stage", f"train a tokenizer of {spec.tokenizer.vocab_size} tokens", stage="tokenizer")
    chosen = training_rows(plan, spec.tokenizer.max_bytes_per_language, spec.tokenizer.language_weights)

    def texts() -> Iterator[str]:
        for done, text in enumerate(plan.texts(chosen), start=1):
            reporter.progress("tokenizer", done, len(chosen), "documents")
            yield text

    return train_tokenizer(texts(), spec.tokenizer.vocab_size, len(chosen))


def _write_all(
    spec: CurationSpec, plan: Plan, tokenizer: Tokenizer, folder: Path, reporter: Reporter
) -> dict[str, Any]:
    """Write the documents and their tokens, batch by batch; what dataset.json says of them."""
    writers = {split: ShardWriter(folder, split, tokenizer.vocab_size, spec.shard_tokens) for split in SPLITS}
    rows, figures = DocumentWriter(folder), Figures()
    done, total = 0, plan.num_items()
    for items, found in _batches(plan):
        encoded = _encode(tokenizer, found)
        for item, document, (ids, counted) in zip(items, found, encoded, strict=True):
            row = make_row(document, plan.split(item.row), len(ids) + 1)
            bucket = NO_BUCKET if row["quality_bucket"] is None else row["quality_bucket"]
            origin = Origin(int(plan.keys[item.row]), row["language"], bucket)
            # The whole dataset has flags, or none: without any, all tokens count and no file is written.
            flags = [*(counted or [True] * len(ids)), counted is None] if plan.num_chats else None
            writers[plan.split(item.row)].add([*ids, tokenizer.eos_token_id], origin, item.place, flags)
            if item.copy:
                figures.add_copy(len(ids) + 1)
                continue
            rows.add(row, origin.key)
            figures.add(row, plan.source_names[plan.sources[item.row]], len(_WORD.findall(document["text"])))
        done += len(items)
        reporter.progress("pack", done, total, "documents")
    rows.close()
    for writer in writers.values():
        writer.close()
    num_tokens = {split: writer.num_tokens for split, writer in writers.items()}
    return _describe(tokenizer, num_tokens) | figures.as_dict()


def _encode(tokenizer: Tokenizer, documents: list[dict[str, Any]]) -> Iterator[tuple[list[int], list[bool] | None]]:
    """Ids of each document, and of a conversation which of them are to be learnt.

    Raises ValueError for a conversation that its stages broke, or a tokenizer without the chat's tokens.
    """
    plain = iter(tokenizer.encode_batch([one["text"] for one in documents if one.get("media_type") != CHAT_MEDIA_TYPE]))
    for document in documents:
        if document.get("media_type") != CHAT_MEDIA_TYPE:
            yield next(plain), None
            continue
        try:
            turns = parse_chat(document["text"])
        except ChatError as error:
            raise ValueError(
                f"conversation {document['source']}: {error}. Leave out what cuts lines of text (dedup.lines, filters)"
            ) from error
        yield encode_chat(tokenizer, turns)


def _batches(plan: Plan) -> Iterator[tuple[list[Item], list[dict[str, Any]]]]:
    """Items with their documents: up to 128, or about 8 MB of text."""
    items: list[Item] = []
    num_bytes = 0
    for item in plan.items():
        items.append(item)
        num_bytes += int(plan.text_bytes[item.row])
        if len(items) >= _BATCH_ITEMS or num_bytes >= _BATCH_BYTES:
            yield items, [plan.document(item.row) for item in items]
            items, num_bytes = [], 0
    if items:
        yield items, [plan.document(item.row) for item in items]


def make_row(document: dict[str, Any], split: Split, num_tokens: int) -> dict[str, Any]:
    """A document as the Parquet shards have it."""
    metadata = document.get("metadata", {})
    score, bucket = metadata.get("quality_score"), metadata.get("quality_bucket")
    return {
        "id": document["id"],
        "text": document["text"],
        "language": document["language"],
        "language_score": float(document.get("language_score", 0.0)),
        "url": document.get("url"),
        "source": document["source"],
        "split": split,
        "num_tokens": num_tokens,
        "quality_score": None if score is None else float(score),
        "quality_bucket": None if bucket is None else int(bucket),
        "cluster_size": int(metadata.get("cluster_size", 1)),
        "copies": 1 if split == "heldout" else int(metadata.get("copies", 1)),
    }


def _heldout_lines(plan: Plan) -> Iterator[dict[str, Any]]:
    """Lines of heldout.jsonl, in packing order."""
    order = plan.order()
    for row in order[plan.heldout[order]]:
        document = plan.document(int(row))
        chat = {"media_type": CHAT_MEDIA_TYPE} if document.get("media_type") == CHAT_MEDIA_TYPE else {}
        yield {name: document[name] for name in ("id", "language", "text")} | chat


def _describe(tokenizer: Tokenizer, num_tokens: dict[Split, int]) -> dict[str, Any]:
    return {
        "vocab_size": tokenizer.vocab_size,
        "dtype": token_dtype(tokenizer.vocab_size).str,
        "eos_token_id": tokenizer.eos_token_id,
        "pad_token_id": tokenizer.pad_token_id,
        "num_tokens": num_tokens,
    }


def _provenance(spec: CurationSpec, statistics: dict[str, Any]) -> dict[str, Any]:
    recipe = spec.model_dump(mode="json", exclude=_NO_RECIPE)
    return {
        "heldout": {"ngram": NGRAM, "max_covered": MAX_COVERED},
        "read": statistics["documents"]["read"],
        "dropped": statistics["dropped"],
        "rejects": statistics["rejects"],
        "funnel": statistics["funnel"],
        "lineage": {**statistics.pop("lineage", {}), "recipe": recipe},
    }
