"""An ablation on the real stack: children, equal curations once, equal tokens, a common held-out part, promotion.

The documents are made here: sentences of a small language, and for the worse variant pages of a repeated word, which
the base's filter drops. So the outcome is known: without the filter the same model learns less of the sentences.
"""

import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from test_main_job import Stack

from workers.specs import RUN_SPEC
from workers.specs.curation import CurationSpec

pytestmark = pytest.mark.timeout(1500)

NOUNS = [
    "mill",
    "river",
    "miller",
    "house",
    "garden",
    "winter",
    "bridge",
    "letter",
    "window",
    "market",
    "baker",
    "daughter",
]
VERBS = ["turns", "sees", "brings", "opens", "follows", "leaves", "finds", "keeps"]


def page(seed: int) -> str:
    rng = random.Random(seed)
    sentences = [
        f"The {rng.choice(NOUNS)} {rng.choice(VERBS)} the {rng.choice(NOUNS)}, and the {rng.choice(NOUNS)} of number "
        f"{rng.randrange(10**6)} {rng.choice(VERBS)} to the {rng.choice(NOUNS)} with the {rng.choice(NOUNS)}."
        for _ in range(12)
    ]
    return " ".join(sentences)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ablation-documents")
    for i in range(120):
        (folder / f"good-{i}.txt").write_text(page(i), encoding="utf-8")
        word = NOUNS[i % len(NOUNS)]
        (folder / f"spam-{i}.txt").write_text(
            f"The {word} and that is to be {i}. " + f"{word} # " * 400, encoding="utf-8"
        )
    return folder


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    running = Stack(tmp_path_factory.mktemp("ablation") / "home")
    yield running
    running.headrace("down")


@pytest.fixture(scope="module")
def ablation(stack: Stack, folder: Path) -> dict[str, Any]:
    spec = {
        "kind": "ablation",
        "name": "filters",
        "base": {
            "name": "sentences",
            "input": {"kind": "folder", "path": str(folder)},
            "language": {"languages": ["en"], "min_score": 0.0},
            "filters": [{"kind": "gopher_quality"}],
            "dedup": {"minhash": False},
            "tokenizer": {"vocab_size": 400},
            "heldout_share": 0.1,
            "num_processes": 1,
        },
        "variants": [
            {"name": "no-filter", "without": ["gopher_quality"]},
            {"name": "impossible", "thresholds": {"gopher_quality": {"min_words": 90_000}}},
            {"name": "all-english", "mixture": [{"weight": 1, "languages": ["en"]}]},
        ],
        "training": {
            "model": {"d_model": 48, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 96},
            "batch": {"sequence_tokens": 64, "micro_batch_sequences": 8},
            "schedule": {"kind": "wsd", "warmup_steps": 5},
            "optimizer": {"kind": "adamw", "lr": 0.005},
            "num_steps": 60,
            "checkpointing": {"every_steps": 60},
            "heldout": {"every_steps": 60, "num_batches": 1},
            "dtype": "float32",
        },
        "num_seeds": 2,
        "evaluation": {"tasks": [{"kind": "bits_per_byte", "max_tokens_per_document": 128}], "num_bootstrap": 200},
        "max_parallel": 2,
    }
    return stack.complete(stack.launch(spec, name="filters"), 1200)


def files(stack: Stack, ablation: dict[str, Any], path: str) -> str:
    response = stack.client.get(f"/artifacts/{ablation['summary']['ablation']}/files/{path}")
    assert response.is_success, response.text
    return response.text


def test_children_are_full_runs_and_equal_curations_are_built_once(stack: Stack, ablation: dict[str, Any]) -> None:
    stages = {child["stage"]: child["state"] for child in ablation["children"]}
    curations = {stage for stage in stages if stage.startswith("curation")}
    assert curations == {"curation", "curation base", "curation no-filter", "curation impossible"}
    assert stages["curation impossible"] == "failed"
    done = {f"{what} {arm} seed {seed}" for what in ("training", "evaluation") for seed in (0, 1)
            for arm in ("base", "no-filter", "all-english")}  # fmt: skip
    assert {stage for stage in stages if stage not in curations} == done
    assert {stages[stage] for stage in done} == {"completed"}


def test_the_ranking_tells_what_was_lost_and_where_the_spam_is(stack: Stack, ablation: dict[str, Any]) -> None:
    whole = json.loads(files(stack, ablation, "ablation.json"))
    by_arm = {row["arm"]: row for row in ablation["summary"]["ranking"]}
    assert by_arm["impossible"]["verdict"] == "incomplete"
    assert any("impossible lost 2" in note for note in ablation["summary"]["notes"])
    assert by_arm["no-filter"]["mean"] > by_arm["base"]["mean"] + 0.05  # half of what it saw was spam
    assert by_arm["all-english"]["verdict"] == "not told apart"
    assert {cell["tokens"] for cell in whole["cells"] if cell["state"] == "completed"} == {60 * 8 * 64}
    assert "nothing" in whole["datasets"]["impossible"]["error"] or "kept" in whole["datasets"]["impossible"]["error"]
    table = files(stack, ablation, "ablation.md")
    assert "| no-filter |" in table
    assert "2 lost" in table


def test_all_arms_hold_out_the_same_texts_and_share_the_tokenizer(stack: Stack, ablation: dict[str, Any]) -> None:
    whole = json.loads(files(stack, ablation, "ablation.json"))
    digests = {found["dataset"] for arm, found in whole["datasets"].items() if arm != "impossible"}
    assert len(digests) == 2
    parts = [
        {
            name: stack.client.get(f"/artifacts/{digest}/files/{name}").content
            for name in ("heldout.jsonl", "tokenizer.json")
        }
        for digest in sorted(digests)
    ]
    assert parts[0] == parts[1]
    held = {json.loads(line)["text"] for line in parts[0]["heldout.jsonl"].splitlines()}
    assert held
    assert all("#" not in text for text in held)


def test_a_recipe_is_promoted_to_yaml_that_can_be_launched(
    stack: Stack, ablation: dict[str, Any], tmp_path: Path
) -> None:
    shown = stack.headrace("ablation", "show", ablation["id"])
    assert "no-filter" in shown
    target = tmp_path / "mine.yaml"
    printed = stack.headrace("ablation", "promote", ablation["id"], "--variant", "no-filter", "--out", str(target))
    assert printed.startswith("# sentences, variant no-filter of the ablation filters: ")
    spec = RUN_SPEC.validate_python(yaml.safe_load(target.read_text(encoding="utf-8")))
    assert isinstance(spec, CurationSpec)
    assert spec.name == "sentences-no-filter"
    assert spec.filters == []
    assert spec.heldout_dataset is None
    assert spec.tokenizer.dataset is None
