"""A run starts from a Hugging Face folder or a checkpoint, and says what does not fit before the first step."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import safetensors.torch
import torch

from workers.model.checkpoint import load_model, save_model
from workers.model.hugging_face import hf_config, to_hf_state_dict
from workers.model.transformer import Transformer
from workers.reporter import MemoryReporter
from workers.specs.training.model import Model
from workers.training.errors import InputError
from workers.training.trainer import train

SHAPE = {"d_model": 32, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 64, "nope_interval": 0}


def hugging_face_folder(folder: Path, vocab_size: int = 70) -> Transformer:
    torch.manual_seed(5)
    model = Transformer(Model(**SHAPE), vocab_size)
    folder.mkdir()
    (folder / "config.json").write_text(json.dumps(hf_config(model.spec, vocab_size)))
    safetensors.torch.save_file(to_hf_state_dict(model), folder / "model.safetensors")
    return model


def test_a_run_starts_from_the_given_weights_and_trains_on(dataset, make_spec: Callable, tmp_path: Path) -> None:
    given = hugging_face_folder(tmp_path / "given")  # a vocabulary padded to 70, where the dataset has 64
    spec = make_spec(num_steps=6, initial_weights=str(tmp_path / "given"), model=SHAPE)
    summary = train(spec, dataset=dataset, out=tmp_path / "out", reporter=MemoryReporter())
    start = sorted((tmp_path / "out" / "checkpoints").iterdir())[0]
    first, _, vocab_size = load_model(start)
    assert vocab_size == 70
    assert all(torch.equal(p, given.get_parameter(name)) for name, p in first.named_parameters())
    assert summary["last_loss"] < summary["first_loss"]
    again = make_spec(num_steps=6, initial_weights=summary["checkpoint"], model=SHAPE)
    second = train(again, dataset=dataset, out=tmp_path / "second", reporter=MemoryReporter())
    assert second["first_loss"] < summary["first_loss"]
    resumed = train(spec, dataset=dataset, out=tmp_path / "out", reporter=MemoryReporter(), resume=start)
    assert resumed["last_loss"] == summary["last_loss"]


def test_heads_and_another_rotary_base_may_come_new(dataset, make_spec: Callable, tmp_path: Path) -> None:
    given = hugging_face_folder(tmp_path / "given", 64)
    model = SHAPE | {"mtp": {"kind": "parallel", "num_heads": 1}, "rope_theta": 1e6}
    spec = make_spec(num_steps=3, initial_weights=str(tmp_path / "given"), model=model)
    train(spec, dataset=dataset, out=tmp_path / "out", reporter=MemoryReporter())
    first = load_model(sorted((tmp_path / "out" / "checkpoints").iterdir())[0])[0]
    assert torch.equal(first.embedding.weight, given.embedding.weight)
    assert first.spec.rope_theta == 1e6 and first.mtp is not None


def test_what_does_not_fit_is_refused_before_the_first_step(dataset, make_spec: Callable, tmp_path: Path) -> None:
    def refused(message: str, **changes: object) -> None:
        spec = make_spec(num_steps=3, **{"initial_weights": str(tmp_path / "given"), "model": SHAPE} | changes)
        with pytest.raises(InputError, match=message):
            train(spec, dataset=dataset, out=tmp_path / "out", reporter=MemoryReporter())

    refused("there is no model")
    hugging_face_folder(tmp_path / "given")
    refused(
        r"another model than the spec's. Set model: \{num_layers: 2, d_ffn: 64\}",
        model=SHAPE | {"num_layers": 3, "d_ffn": 48},
    )
    refused("is a digest", initial_weights="sha256:" + "0" * 64)
    hugging_face_folder(tmp_path / "small", 60)
    refused("have 60 tokens, the dataset 64", initial_weights=str(tmp_path / "small"))
    spec = Model(**SHAPE)
    save_model(tmp_path / "damaged", Transformer(spec, 64), spec, 64)
    (tmp_path / "damaged" / "model.safetensors").write_bytes(b"")
    refused("is damaged", initial_weights=str(tmp_path / "damaged"))
    diverged = Transformer(spec, 64)
    with torch.no_grad():
        diverged.blocks[1].ffn.down.weight[2, :3] = torch.tensor([float("nan"), float("inf"), 1.0])
    save_model(tmp_path / "diverged", diverged, spec, 64)
    refused(
        r"values that are NaN or infinite, in blocks.1.ffn.down.weight: 2\. The run that made them",
        initial_weights=str(tmp_path / "diverged"),
    )


def test_a_dataset_made_with_another_tokenizer_is_refused(make_spec: Callable, tmp_path: Path) -> None:
    from counting_language import write_dataset

    from workers.data.tokenizer import train_tokenizer

    texts = ["the mill by the water turns all day", "le moulin tourne au fil de l'eau"]
    dataset = write_dataset(tmp_path / "dataset", num_train=4000, num_heldout=1000, vocab_size=300)
    hugging_face_folder(tmp_path / "given", 300)
    for folder, text in ((dataset, texts[:1]), (tmp_path / "given", texts[1:])):
        train_tokenizer(text * 50, 300).save(folder / "tokenizer.json")
    spec = make_spec(num_steps=3, initial_weights=str(tmp_path / "given"), model=SHAPE)
    with pytest.raises(InputError, match="is not that of initial_weights"):
        train(spec, dataset=dataset, out=tmp_path / "out", reporter=MemoryReporter())
