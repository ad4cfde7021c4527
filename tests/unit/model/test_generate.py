"""Generation with a cache says what the model says without one; a saved model is the same model."""

import json
from pathlib import Path

import pytest
import torch

from workers.model.cache import Cache
from workers.model.checkpoint import load_model, save_model
from workers.model.generate import generate, generate_batch
from workers.model.transformer import Transformer
from workers.specs.training.model import Model

SPEC = Model(d_model=32, num_layers=4, num_heads=4, num_kv_heads=2, d_ffn=48, init_std=0.3)


@pytest.fixture
def model() -> Transformer:
    torch.manual_seed(3)
    return Transformer(SPEC, 60).eval()


def test_greedy_tokens_are_those_of_full_passes(model: Transformer) -> None:
    prompt = [1, 2, 3]
    expected = list(prompt)
    with torch.no_grad():
        for _ in range(12):
            expected.append(int(model(torch.tensor([expected]))[0, -1].argmax()))
    assert list(generate(model, prompt, num_tokens=12)) == expected[3:]


def test_a_cached_piece_of_several_tokens_equals_one_pass(model: Transformer) -> None:
    tokens = torch.randint(60, (2, 11))
    cache = Cache()
    with torch.no_grad():
        pieces = [model(tokens[:, a:b], cache=cache) for a, b in ((0, 4), (4, 5), (5, 11))]
        torch.testing.assert_close(torch.cat(pieces, dim=1), model(tokens), atol=1e-4, rtol=1e-4)


def test_sampling_repeats_with_its_seed_and_ends_at_the_end_token(model: Transformer) -> None:
    drawn = [list(generate(model, [5], num_tokens=30, temperature=1.5, seed=s)) for s in (1, 1, 2)]
    assert drawn[0] == drawn[1] != drawn[2]
    end = drawn[0][10]
    assert list(generate(model, [5], num_tokens=30, temperature=1.5, seed=1, eos_token_id=end))[-1] == end


def test_top_k_leaves_only_the_likeliest(model: Transformer) -> None:
    with torch.no_grad():
        best = set(model(torch.tensor([[5]]))[0, -1].topk(3).indices.tolist())
    first = {next(generate(model, [5], num_tokens=1, temperature=5.0, top_k=3, seed=s)) for s in range(40)}
    assert first == best


def test_a_batch_of_unequal_prompts_says_what_each_says_alone(model: Transformer) -> None:
    prompts = [[1, 2, 3], [4], [5, 6, 7, 8, 9, 10, 11]]
    alone = [list(generate(model, prompt, num_tokens=12)) for prompt in prompts]
    assert generate_batch(model, prompts, num_tokens=12) == alone
    end = alone[0][4]
    ended = [row[: row.index(end) + 1] if end in row else row for row in alone]
    assert generate_batch(model, prompts, num_tokens=12, eos_token_id=end) == ended


def test_top_p_leaves_the_fewest_that_fill_it(model: Transformer) -> None:
    with torch.no_grad():
        shares = (model(torch.tensor([[5]]))[0, -1] / 3.0).softmax(-1)
    order = shares.argsort(descending=True).tolist()
    top_p = float(shares[order[:2]].sum() + shares[order[2]] / 2)
    first = {next(generate(model, [5], num_tokens=1, temperature=3.0, top_p=top_p, seed=s)) for s in range(60)}
    assert first == set(order[:3])
    with pytest.raises(ValueError, match="top_p"):
        next(generate(model, [5], num_tokens=1, temperature=1.0, top_p=0.0))


def test_a_cache_grows_and_forgets(model: Transformer) -> None:
    tokens = torch.randint(60, (1, 14))
    cache = Cache(3)
    with torch.no_grad():
        model(tokens[:, :9], cache=cache)
        cache.keep(6)
        torch.testing.assert_close(model(tokens[:, 6:], cache=cache), model(tokens)[:, 6:], atol=1e-4, rtol=1e-4)
    with pytest.raises(ValueError, match="cannot keep"):
        cache.keep(15)


def test_bad_prompts_are_refused(model: Transformer) -> None:
    for prompt in ([], [60], [-1]):
        with pytest.raises(ValueError, match="prompt"):
            next(generate(model, prompt, num_tokens=1))


def test_a_saved_model_comes_back(model: Transformer, tmp_path: Path) -> None:
    save_model(tmp_path, model, SPEC, 60)
    again, spec, vocab_size = load_model(tmp_path)
    assert (spec, vocab_size) == (SPEC, 60)
    tokens = torch.randint(60, (1, 8))
    with torch.no_grad():
        assert torch.equal(again(tokens), model(tokens))


def test_missing_damaged_and_strange_models_are_named(model: Transformer, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"model\.json is missing"):
        load_model(tmp_path)
    save_model(tmp_path, model, SPEC, 60)
    whole = (tmp_path / "model.safetensors").read_bytes()
    (tmp_path / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"model\.safetensors is damaged"):
        load_model(tmp_path)
    (tmp_path / "model.safetensors").write_bytes(whole)
    (tmp_path / "model.json").write_text(json.dumps({"model": SPEC.model_dump(), "vocab_size": 61}))
    with pytest.raises(ValueError, match="do not fit"):
        load_model(tmp_path)
    (tmp_path / "model.json").write_text("{}")
    with pytest.raises(ValueError, match=r"model\.json is damaged"):
        load_model(tmp_path)
