"""A release in our own form is loaded by its own code with PyTorch alone, in a process that has none of ours."""

import json
import subprocess
import sys
from pathlib import Path
from pydoc_data.topics import topics

import pytest
import torch
from safetensors.torch import load_file

from workers.data.tokenizer import Tokenizer, train_tokenizer
from workers.model.checkpoint import save_model
from workers.model.foreign import open_any_model
from workers.model.generate import generate
from workers.model.speculative import Speculation, speculate
from workers.model.transformer import Transformer
from workers.release.run import release
from workers.reporter import MemoryReporter
from workers.specs.release import HuggingFace, Own, ReleaseSpec
from workers.specs.training.model import Model

TEXTS = [text.strip() for _, text in sorted(topics.items())][:4]
SHAPES = [
    {"norm": "layernorm", "norm_placement": "post", "ffn": "relu2", "qk_norm": True},
    {"norm_placement": "sandwich", "ffn": "geglu", "d_head": 10, "tied_embeddings": False},
    {"parametrization": "completep", "base_d_model": 8, "base_num_layers": 1, "mtp": {"kind": "parallel"}},
]
CODE = """
import sys, json, torch
sys.path.insert(0, sys.argv[1])
from modeling import generate, load
assert not any(name.split('.')[0] in ('workers', 'pydantic', 'safetensors', 'transformers') for name in sys.modules)
model = load(sys.argv[1])
tokens = json.loads(sys.argv[2])
with torch.inference_mode():
    logits = model(torch.tensor([tokens]))[0]
torch.save(logits, sys.argv[3])
print(json.dumps(generate(model, tokens, 8)))
"""


@pytest.fixture(scope="module")
def dataset(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("dataset")
    train_tokenizer(iter(TEXTS), 384).save(folder / "tokenizer.json")
    rows = [{"id": str(i), "language": "en", "text": text} for i, text in enumerate(TEXTS)]
    (folder / "heldout.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    info = {"vocab_size": 384, "num_tokens": {"train": 12_345, "heldout": 678}}
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


def released(tmp_path: Path, dataset: Path, form: HuggingFace | Own, mtp_heads: str = "drop", **shape: object):
    torch.manual_seed(2)
    spec = Model(**{"d_model": 32, "num_layers": 3, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 48} | shape)
    model = Transformer(spec, 384).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.15)
    save_model(tmp_path / "checkpoint", model, spec, 384)
    reporter, out = MemoryReporter(), tmp_path / "released"
    summary = release(
        ReleaseSpec(name="mill", format=form, mtp_heads=mtp_heads),
        checkpoint=tmp_path / "checkpoint",
        dataset=dataset,
        evaluation=None,
        out=out,
        lineage={},
        reporter=reporter,
    )
    reporter.flush()
    warnings = [event.message for event in reporter.batch.events if event.kind == "warning"]
    return model, summary, out, warnings


@pytest.mark.parametrize("shape", SHAPES)
def test_its_own_code_gives_the_same_logits_and_tokens_elsewhere(tmp_path, dataset, shape):
    model, summary, out, _ = released(tmp_path, dataset, Own(), "keep", **shape)
    tokens = Tokenizer.load(dataset / "tokenizer.json").encode(TEXTS[0])[:40]
    command = [sys.executable, "-I", "-c", CODE, str(out), json.dumps(tokens), str(tmp_path / "logits")]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120)
    assert done.returncode == 0, done.stderr
    with torch.inference_mode():
        expected = model(torch.tensor([tokens]))[0]
    assert expected.std() > 0.1, "else the comparison would say nothing"
    assert (torch.load(tmp_path / "logits") - expected).abs().max() <= 1e-4
    assert json.loads(done.stdout) == list(generate(model, tokens, num_tokens=8))
    assert summary["max_logit_difference"] <= 1e-4 and summary["format"] == "own"
    assert summary["sample"]["text"]
    again = open_any_model(out)  # and it comes back
    with torch.inference_mode():
        assert torch.equal(again(torch.tensor([tokens]))[0], expected)
    assert again.spec == model.spec


def test_what_transformers_cannot_express_is_released_as_own_and_says_so(tmp_path, dataset):
    _, summary, out, warnings = released(tmp_path, dataset, HuggingFace(), ffn="relu2")
    assert (summary["format"], summary["transformers_class"]) == ("own", None)
    assert len(warnings) == 1 and "ffn relu2" in warnings[0] and "modeling.py" in warnings[0]
    card = (out / "README.md").read_text(encoding="utf-8")
    assert "from modeling import generate, load" in card and "library_name: pytorch" in card
    assert not (out / "config.json").exists()


def test_what_transformers_can_express_warns_of_nothing(tmp_path, dataset):
    from transformers import AutoModelForCausalLM, Qwen3ForCausalLM

    model, summary, out, warnings = released(tmp_path, dataset, HuggingFace(), qk_norm=True, nope_interval=0)
    assert warnings == [] and summary["transformers_class"] == "Qwen3ForCausalLM"
    theirs, tokens = AutoModelForCausalLM.from_pretrained(out, dtype=torch.float32), torch.arange(40)[None]
    assert type(theirs) is Qwen3ForCausalLM
    with torch.inference_mode():
        assert (theirs(tokens).logits - model(tokens)).abs().max() <= 1e-4


def test_the_folder_runs_from_the_command_line(tmp_path, dataset):
    _, summary, out, _ = released(tmp_path, dataset, Own())
    command = [sys.executable, "-I", str(out / "modeling.py"), summary["sample"]["prompt"]]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == (summary["sample"]["prompt"] + summary["sample"]["text"]).strip()


@pytest.mark.parametrize("form", [HuggingFace(), Own()])
def test_heads_for_later_tokens_are_dropped_and_the_model_says_the_same(tmp_path, dataset, form):
    heads = {"kind": "sequential", "num_heads": 2}
    model, summary, out, _ = released(tmp_path, dataset, form, mtp=heads)
    assert summary["num_parameters"] == model.spec.model_copy(update={"mtp": None}).num_parameters(384)
    assert not any(name.startswith("mtp.") for name in load_file(out / "model.safetensors"))
    again, tokens = open_any_model(out), torch.arange(40)[None]
    with torch.inference_mode():
        assert again.mtp is None and (again(tokens) - model(tokens)).abs().max() <= 1e-4


def test_kept_heads_decode_fast_and_the_tokens_are_those_of_the_checkpoint(tmp_path, dataset):
    model, _, out, _ = released(tmp_path, dataset, Own(), "keep", mtp={"kind": "parallel", "num_heads": 2})
    again, tokens = open_any_model(out), Tokenizer.load(dataset / "tokenizer.json").encode(TEXTS[1])[:30]
    assert again.mtp is not None
    counts = Speculation()
    found = list(speculate(again, tokens, num_tokens=16, counts=counts))
    assert found == list(generate(model, tokens, num_tokens=16)) and counts.num_drafted > 0


def test_transformers_has_no_place_for_heads():
    with pytest.raises(ValueError, match=r"set format to \{kind: own\}, or mtp_heads to drop"):
        ReleaseSpec(mtp_heads="keep")
