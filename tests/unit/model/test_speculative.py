"""Speculative decoding says exactly what greedy decoding says, in fewer passes."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.model.generate import generate
from workers.model.packed import pack
from workers.model.speculative import HeadsDrafter, NgramDrafter, Speculation, speculate
from workers.model.transformer import Transformer
from workers.specs.training.model import Model
from workers.specs.training.mtp import Mtp, MtpWeight, Parallel, Sequential
from workers.training.losses.cross_entropy import CrossEntropy
from workers.training.losses.mtp import MtpLoss
from workers.training.objective import Objective

SHAPE = {"d_model": 32, "num_layers": 3, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 48, "nope_interval": 3}


def build(mtp: Mtp | None, vocab_size: int = 40, **changes: float) -> Transformer:
    return Transformer(Model.model_validate(SHAPE | {"mtp": mtp} | changes), vocab_size).eval()


@given(
    mtp=st.sampled_from([Sequential(), Sequential(num_heads=2), Parallel(num_heads=1), Parallel(num_heads=4)]),
    seed=st.integers(0, 9999),
    init_std=st.sampled_from([0.0, 1e-4, 0.05, 0.3]),  # at 0 all tokens tie, at 1e-4 nearly all
    prompt=st.lists(st.integers(0, 39), min_size=1, max_size=12),
    num_drafts=st.integers(0, 6),
    packed=st.booleans(),
)
@settings(max_examples=60, deadline=None)
def test_any_model_says_the_same(
    mtp: Mtp, seed: int, init_std: float, prompt: list[int], num_drafts: int, packed: bool
) -> None:
    torch.manual_seed(seed)
    model = build(mtp, init_std=max(init_std, 1e-9))
    if init_std == 0:
        torch.nn.init.zeros_(model.embedding.weight)
    model = pack(model) if packed else model
    plain = list(generate(model, prompt, num_tokens=24))
    assert list(speculate(model, prompt, num_tokens=24, num_drafts=num_drafts)) == plain
    ngrams = NgramDrafter()
    assert list(speculate(model, prompt, num_tokens=24, num_drafts=num_drafts, drafter=ngrams)) == plain


@pytest.mark.parametrize("mtp", [Sequential(), Parallel(num_heads=3)], ids=lambda mtp: mtp.kind)
def test_trained_heads_save_passes_and_lost_ties_are_found(mtp: Mtp) -> None:
    """A language in which the next token is the last plus 3: learnt in seconds, so drafts are right."""
    torch.manual_seed(1)
    model = build(mtp, vocab_size=23).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    objective = Objective(model, [CrossEntropy(), MtpLoss(mtp.num_heads, MtpWeight())])
    for _ in range(120):
        text = (torch.randint(23, (8, 1)) + 3 * torch.arange(25)) % 23
        shares = torch.ones(1 + mtp.num_heads)
        objective(text[:, :-1], text[:, 1:], torch.zeros(8, 24, dtype=torch.int64), shares)[0].backward()
        optimizer.step()
        optimizer.zero_grad()
    model.eval()
    counts = Speculation()
    plain = list(generate(model, [5, 8], num_tokens=40))
    assert plain == [(11 + 3 * i) % 23 for i in range(40)]
    assert list(speculate(model, [5, 8], num_tokens=40, counts=counts)) == plain
    assert counts.num_passes <= 14
    assert counts.num_accepted >= 0.8 * counts.num_drafted


def test_the_end_token_ends_it_and_a_model_without_heads_is_refused() -> None:
    torch.manual_seed(2)
    model = build(Parallel(num_heads=2), init_std=0.3)
    plain = list(generate(model, [1, 2], num_tokens=20))
    end = plain[9]
    assert list(speculate(model, [1, 2], num_tokens=20, eos_token_id=end)) == plain[: plain.index(end) + 1]
    with pytest.raises(ValueError, match="no heads"):
        HeadsDrafter(build(None))
    with pytest.raises(ValueError, match="prompt"):
        next(speculate(model, [], num_tokens=1))


def test_ngrams_draft_what_followed_before() -> None:
    drafter = NgramDrafter()
    assert drafter.draft([1, 2, 3], torch.empty(0), 3) == []
    assert drafter.draft([1, 2, 3, 9, 2, 3], torch.empty(0), 2) == [9, 2]
    assert drafter.draft([1, 2, 3, 9, 2, 3, 7, 3], torch.empty(0), 3) == [7, 3]


def test_packed_weights_say_the_same_and_rows_do_not_depend_on_their_number() -> None:
    torch.manual_seed(4)
    model = build(Parallel(), init_std=0.3)
    packed, tokens = pack(model), torch.randint(40, (1, 9))
    with torch.inference_mode():
        torch.testing.assert_close(packed(tokens), model(tokens), atol=1e-4, rtol=1e-4)
        hidden = model.hidden(tokens)
        torch.testing.assert_close(packed.draft_logits(hidden), model.logits(hidden), atol=0.1, rtol=0.1)
        for number in range(packed.mtp.num_heads):
            ours, exact = (of.mtp.run_block(number, hidden, 10_000.0) for of in (packed, model))
            assert (ours - exact).norm() <= 0.02 * exact.norm()
    assert packed.embedding.weight is model.embedding.weight
