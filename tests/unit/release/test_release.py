"""A released folder is loaded by transformers as a user would, and is the same model."""

import json
from pathlib import Path
from pydoc_data.topics import topics

import pytest
import torch
import yaml

from workers.data.tokenizer import train_tokenizer
from workers.model.checkpoint import load_model, save_model
from workers.model.transformer import Transformer
from workers.release import run as release_run
from workers.release.__main__ import main
from workers.release.run import release
from workers.reporter import MemoryReporter
from workers.specs.release import HuggingFace, ReleaseSpec
from workers.specs.training.model import Model

TEXTS = [text.strip() for _, text in sorted(topics.items())][:6]
SCORES = [
    {
        "task": "cloze",
        "metric": "accuracy",
        "value": 0.4,
        "low": 0.35,
        "high": 0.45,
        "chance": 0.25,
        "num_items": 200,
        "slices": {"en": {"value": 0.41, "low": 0.3, "high": 0.5, "num_items": 100}},
    }
]


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    torch.set_num_threads(1)


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    train_tokenizer(iter(TEXTS), 384).save(folder / "tokenizer.json")
    rows = [{"id": str(i), "language": ("fr", "en")[i % 2], "text": text} for i, text in enumerate(TEXTS)]
    (folder / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    info = {
        "vocab_size": 384,
        "num_tokens": {"train": 12_345, "heldout": 678},
        "documents": {"en": {"train": 10, "heldout": 2}, "fr": {"train": 7, "heldout": 1}},
        "tokens": {"en": {"train": 10_000, "heldout": 600}, "fr": {"train": 2_345, "heldout": 78}},
        "dropped": {"gopher_quality.min_words": {"en": 3, "fr": 1}},
    }
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


def checkpoint_of(folder: Path, **shape) -> Path:
    spec = Model(**({"d_model": 32, "num_layers": 5, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 48} | shape))
    torch.manual_seed(1)
    model = Transformer(spec, 384)
    with torch.no_grad():
        for parameter in model.parameters():  # norm gains too must be carried over
            parameter.add_(torch.randn_like(parameter) * 0.1)
    save_model(folder, model, spec, 384)
    trainer = {"identity": {"batch.sequence_tokens": 128, "optimizer.lr": 0.003}, "state": {"step": 600, "tokens": 999}}
    (folder / "trainer.json").write_text(json.dumps(trainer))
    return folder


def make(tmp_path, dataset, checkpoint, spec=None, evaluation=None):
    out = tmp_path / "released"
    summary = release(
        spec or ReleaseSpec(name="mill"),
        checkpoint=checkpoint,
        dataset=dataset,
        evaluation=evaluation,
        out=out,
        lineage={"dataset": "sha256:abc"},
        reporter=MemoryReporter(),
    )
    return summary, out


@pytest.mark.parametrize(
    "shape", [{}, {"tied_embeddings": False}, {"nope_interval": 0}, {"nope_interval": 2, "num_kv_heads": 4}]
)
def test_transformers_gives_the_same_logits(tmp_path, dataset, shape):
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaForCausalLM, SmolLM3ForCausalLM

    checkpoint = checkpoint_of(tmp_path / "checkpoint", **shape)
    summary, out = make(tmp_path, dataset, checkpoint)
    theirs = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32)
    assert type(theirs) is (LlamaForCausalLM if shape.get("nope_interval") == 0 else SmolLM3ForCausalLM)
    tokenizer = AutoTokenizer.from_pretrained(out)
    tokens = tokenizer(TEXTS[5], return_tensors="pt").input_ids[:, :100]
    ours = load_model(checkpoint)[0]
    with torch.inference_mode():
        expected, found = ours(tokens), theirs(tokens).logits
    assert expected.std() > 0.1, "else the comparison would say nothing"
    assert (found - expected).abs().max() <= 1e-4
    assert summary["max_logit_difference"] <= 1e-4 and summary["compared_on"] == "held-out text"


def test_the_tokenizer_is_the_datasets(tmp_path, dataset):
    from transformers import AutoTokenizer, GenerationConfig

    from workers.data.tokenizer import Tokenizer

    _, out = make(tmp_path, dataset, checkpoint_of(tmp_path / "checkpoint"))
    theirs, ours = AutoTokenizer.from_pretrained(out), Tokenizer.load(dataset / "tokenizer.json")
    for text in [*TEXTS, "Ünïcödé 水 1234\n\n  x"]:
        assert theirs(text).input_ids == ours.encode(text)
        assert theirs.decode(theirs(text).input_ids) == text
    assert (theirs.eos_token_id, theirs.pad_token_id) == (ours.eos_token_id, ours.pad_token_id)
    assert theirs.model_max_length == 128
    ends = [ours.eos_token_id, ours.id_of("<|im_end|>")]
    assert GenerationConfig.from_pretrained(out).eos_token_id == ends


def test_the_card_tells_origin_scores_and_limits(tmp_path, dataset):
    (tmp_path / "evaluation").mkdir()
    (tmp_path / "evaluation" / "evaluation.json").write_text(json.dumps(SCORES))
    checkpoint = checkpoint_of(tmp_path / "checkpoint")
    summary, out = make(tmp_path, dataset, checkpoint, evaluation=tmp_path / "evaluation")
    card = (out / "README.md").read_text(encoding="utf-8")
    front = yaml.safe_load(card.split("---")[1])
    assert front["language"] == ["en", "fr"] and front["library_name"] == "transformers"
    for expected in (
        "# mill",
        "| cloze | accuracy | all | 0.400 | 0.350 to 0.450 | 0.250 | 200 |",
        "| cloze | accuracy | en | 0.410 |",
        "| en | 12 | 10,600 |",
        "| gopher_quality.min_words | 4 |",
        '"optimizer.lr": 0.003',
        '"tokens": 999',
        '"dataset": "sha256:abc"',
        f"{summary['num_parameters']:,} parameters",
        "## Intended use",
        "Texts longer than 128 tokens",
    ):
        assert expected in card
    assert summary["scores"] == SCORES and summary["sample"]["text"]


def test_a_difference_over_the_bound_releases_nothing(tmp_path, dataset):
    spec = ReleaseSpec(format=HuggingFace(max_logit_difference=1e-12))
    checkpoint = checkpoint_of(tmp_path / "checkpoint")
    with pytest.raises(ValueError, match="max_logit_difference allows 1e-12"):
        make(tmp_path, dataset, checkpoint, spec)
    assert not (tmp_path / "released").exists()


def test_nan_weights_do_not_pass(tmp_path, dataset):
    checkpoint = checkpoint_of(tmp_path / "checkpoint")
    model, spec, vocab_size = load_model(checkpoint)
    with torch.no_grad():
        model.norm.weight[0] = float("nan")
    save_model(checkpoint, model, spec, vocab_size)
    with pytest.raises(ValueError, match="differ from the checkpoint's by nan"):
        make(tmp_path, dataset, checkpoint)


def test_a_wrong_name_does_not_pass_as_random_weights(tmp_path, dataset, monkeypatch):
    from workers.release import hugging_face

    rename = hugging_face.to_hf_state_dict
    monkeypatch.setattr(
        hugging_face, "to_hf_state_dict", lambda m: {k.replace("o_proj", "out"): v for k, v in rename(m).items()}
    )
    with pytest.raises(ValueError, match="do not fit its config"):
        make(tmp_path, dataset, checkpoint_of(tmp_path / "checkpoint"))


def test_a_second_release_replaces_the_first(tmp_path, dataset):
    checkpoint = checkpoint_of(tmp_path / "checkpoint")
    _, out = make(tmp_path, dataset, checkpoint)
    (out / "stale").touch()
    make(tmp_path, dataset, checkpoint)
    assert not (out / "stale").exists() and (out / "config.json").is_file()


def test_without_held_out_text_it_still_verifies(tmp_path, dataset, monkeypatch):
    monkeypatch.setattr(release_run, "held_out_texts", lambda folder: [])
    summary, _ = make(tmp_path, dataset, checkpoint_of(tmp_path / "checkpoint"))
    assert "no held-out text" in summary["compared_on"] and summary["max_logit_difference"] <= 1e-4


def test_command_line(tmp_path, dataset, capsys):
    (tmp_path / "spec.yaml").write_text("name: mill")
    checkpoint = checkpoint_of(tmp_path / "checkpoint")
    arguments = [str(tmp_path / "spec.yaml"), "--checkpoint", str(checkpoint), "--out", str(tmp_path / "out")]
    assert main([*arguments, "--dataset", str(dataset)]) == 0
    assert json.loads(capsys.readouterr().out)["name"] == "mill"
    assert main([*arguments, "--dataset", str(tmp_path)]) == 1
    assert "no tokenizer" in capsys.readouterr().err
    (tmp_path / "spec.yaml").write_text("nam: mill")
    assert main([*arguments, "--dataset", str(dataset)]) == 2
    assert "/nam" in capsys.readouterr().err
