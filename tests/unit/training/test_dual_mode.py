"""Conversations from JSONL to a model that obeys both modes on held-out questions, all parts real and small."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from workers.curation.__main__ import main as curate
from workers.data.chat import END, encode_chat, parse_chat
from workers.data.shards import TokenDataset
from workers.data.tokenizer import Tokenizer
from workers.evaluation.run import evaluate
from workers.reporter import MemoryReporter
from workers.specs.evaluation import ChatModes, EvaluationSpec
from workers.specs.training import TrainingSpec
from workers.training.trainer import train

THINGS = ("mill", "river", "bridge", "garden", "tower", "market", "forest", "school", "harbour", "station")
COLOURS = ("red", "green", "blue", "white", "black", "brown")


def conversations() -> Iterator[dict[str, object]]:
    """Of each pair of things one question, in one of the modes."""
    rng = random.Random(3)
    pairs = [(one, other) for one in THINGS for other in THINGS if one != other]
    for number, (one, other) in enumerate(pairs * 4):
        colour, another = rng.sample(COLOURS, 2)
        question = f"The {one} is {colour} and the {other} is {another}. Which colour has the {one}?"
        answer = {"role": "assistant", "content": f"It is {colour}."}
        if number % 2:
            answer["reasoning_content"] = f"I read that the {one} is {colour}."
        yield {"messages": [{"role": "user", "content": question}, answer]}


@pytest.fixture(scope="module")
def chats(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chats")
    (folder / "in").mkdir()
    lines = [json.dumps(one) for one in conversations()]
    broken = [json.dumps({"messages": [{"role": "user", "content": "Hello?"}]}), json.dumps({"messages": 3})]
    (folder / "in" / "chats.jsonl").write_text("\n".join([*lines, *broken]))
    (folder / "in" / "essay.txt").write_text("The mill stands at the river, and what it says of <|im_end|> is text.")
    spec = {
        "kind": "curation",
        "input": {"kind": "folder", "path": str(folder / "in")},
        "language": {"languages": ["en"], "min_score": 0},
        "filters": [],
        "dedup": {"minhash": False},
        "tokenizer": {"vocab_size": 400},
        "heldout_share": 0.1,
        "num_processes": 1,
    }
    (folder / "spec.yaml").write_text(json.dumps(spec))
    assert curate([str(folder / "spec.yaml"), "--out", str(folder / "out")]) == 0
    return folder / "out" / "dataset"


def test_conversations_become_tokens_of_which_the_assistants_count(chats: Path) -> None:
    tokenizer = Tokenizer.load(chats / "tokenizer.json")
    info = json.loads((chats / "dataset.json").read_text())
    assert info["rejects"] == {"bad_chat": 2}
    held_out = [json.loads(line) for line in (chats / "heldout.jsonl").read_text().splitlines()]
    held_out = [row for row in held_out if row.get("media_type")]
    dataset = TokenDataset(chats, "heldout")
    ends = [*dataset.document_starts[1:], dataset.num_tokens]
    found = []
    for start, end in zip(dataset.document_starts, ends, strict=True):
        places = np.arange(start, end)
        found.append((dataset.read(places).tolist(), dataset.counted(places).tolist()))
    for row in held_out:
        ids, counted = encode_chat(tokenizer, parse_chat(row["text"]))
        assert ([*ids, tokenizer.eos_token_id], [*counted, False]) in found
    train_split = TokenDataset(chats, "train")
    whole = train_split.read(np.arange(train_split.num_tokens))
    # The essay names a mark, and is no conversation: its words are text, and all of it counts.
    num_chats = len(train_split.document_starts) + len(dataset.document_starts) - 1
    marks = [
        int((split == tokenizer.id_of(END)).sum()) for split in (whole, dataset.read(np.arange(dataset.num_tokens)))
    ]
    assert sum(marks) == 3 * num_chats


def test_a_small_model_learns_to_obey_both_modes(chats: Path, tmp_path: Path) -> None:
    spec = TrainingSpec.model_validate(
        {
            "model": {"d_model": 64, "num_layers": 3, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 128},
            "optimizer": {"kind": "muon", "lr": 0.01},
            "schedule": {"kind": "wsd", "warmup_steps": 5, "decay_share": 0.4},
            "batch": {"sequence_tokens": 128, "micro_batch_sequences": 6},
            "num_steps": 80,
            "checkpointing": {"every_steps": 1000},
            "heldout": {"every_steps": 1000},
            "monitoring": {"mode": "off"},
            "telemetry": {"every_steps": 0},
        }
    )
    summary = train(spec, dataset=chats, out=tmp_path / "run", reporter=MemoryReporter())
    asked = EvaluationSpec(tasks=[ChatModes(num_items=8, max_new_tokens=40)])
    found = evaluate(
        asked,
        checkpoint=Path(summary["checkpoint"]),
        dataset=chats,
        home=tmp_path,
        out=tmp_path / "scores",
        reporter=MemoryReporter(),
    )
    (result,) = found["results"]
    assert result["num_items"] == 16
    assert {mode: part["value"] for mode, part in result["slices"].items()} == pytest.approx(
        {"/think": 1, "/no_think": 1}, abs=0.1
    )
