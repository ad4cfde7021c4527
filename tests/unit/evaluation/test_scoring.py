"""Batched log-likelihoods equal one-by-one ones, and long texts are scored with real context."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from workers.evaluation import scoring
from workers.evaluation.scoring import Request, score
from workers.model.checkpoint import load_model


@pytest.fixture(scope="module")
def model(checkpoint):
    return load_model(checkpoint)[0]


@torch.inference_mode()
def one_by_one(model, request):
    """float64, no batch, no padding, no window."""
    tokens = torch.tensor([request.context + request.continuation])
    log_probabilities = model.double()(tokens[:, :-1]).double().log_softmax(-1)[0]
    model.float()
    total = log_probabilities.gather(-1, tokens[0, 1:, None]).squeeze(-1)[len(request.context) - 1 :].sum()
    return float(total)


ids = st.lists(st.integers(0, 511), min_size=1, max_size=40)


@settings(max_examples=25, deadline=None)
@given(parts=st.lists(st.tuples(ids, ids), min_size=1, max_size=9), max_logits=st.sampled_from([1, 512 * 60, 1 << 25]))
def test_batches_and_padding_change_nothing(model, parts, max_logits):
    requests = [Request(context, continuation) for context, continuation in parts]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scoring, "MAX_LOGITS", max_logits)
        found = score(model, requests, context_tokens=200)
    assert found == pytest.approx([one_by_one(model, r) for r in requests], rel=1e-5)


@settings(max_examples=50, deadline=None)
@given(num_context=st.integers(1, 90), num_scored=st.integers(1, 150), context_tokens=st.integers(2, 40))
def test_windows_score_each_token_once_with_half_a_window_before_it(num_context, num_scored, context_tokens):
    tokens = list(range(num_context + num_scored))
    request = Request(tokens[:num_context], tokens[num_context:])
    windows = list(scoring._windows(0, request, context_tokens))
    scored = [token for w in windows for token in w.tokens[-w.num_scored :]]
    assert scored == request.continuation
    for w in windows:
        assert len(w.tokens) <= context_tokens + 1
        first_scored = w.tokens[-w.num_scored]
        assert first_scored - w.tokens[0] >= min(first_scored, (context_tokens + 1) // 2)


def test_progress_reaches_its_end(model):
    seen = []
    score(
        model, [Request([1], [2, 3])] * 5, context_tokens=16, on_progress=lambda done, total: seen.append((done, total))
    )
    assert seen[-1] == (5, 5)


@pytest.mark.parametrize("request_", [Request([], [1]), Request([1], [])])
def test_empty_parts_are_refused(model, request_):
    with pytest.raises(ValueError, match="request 0 has an empty"):
        score(model, [request_], context_tokens=16)
