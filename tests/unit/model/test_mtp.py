"""Heads for tokens after the next: their formula in float64, what they may see, and what counts."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional

from workers.model.hugging_face import to_hf_state_dict
from workers.model.mtp import SequentialHeads
from workers.model.transformer import Transformer
from workers.specs.training.model import Model
from workers.specs.training.mtp import Mtp, MtpWeight, Parallel, Sequential, WeightPoint
from workers.training.batches import IGNORED
from workers.training.losses.mtp import MtpLoss

MODEL = Model(d_model=32, num_layers=2, num_heads=4, num_kv_heads=2, d_ffn=48, init_std=0.2)
KINDS = [Sequential(num_heads=2), Parallel(num_heads=3)]
V = 50


def build(mtp: Mtp | None) -> Transformer:
    torch.manual_seed(7)
    model = Transformer(MODEL.model_copy(update={"mtp": mtp}), V).double()
    for name, parameter in model.named_parameters():
        if "norm" in name:  # gains of 1 would hide a norm in the wrong place
            torch.nn.init.uniform_(parameter, 0.5, 1.5)
    return model


def norm(x: Tensor, gain: Tensor) -> Tensor:
    return x / (x.pow(2).mean(-1, keepdim=True) + MODEL.norm_eps).sqrt() * gain


def run_block(block: torch.nn.Module, x_TC: Tensor) -> Tensor:
    """One pre-norm block on one document, head by head, each query by itself."""
    T, D, R = len(x_TC), 8, 2
    angle = torch.outer(torch.arange(T).double(), 50_000.0 ** -(torch.arange(0, D, 2).double() / D))
    turn = torch.polar(torch.ones_like(angle), angle)

    def rotate(y_TD: Tensor) -> Tensor:
        turned = torch.complex(y_TD[:, : D // 2], y_TD[:, D // 2 :]) * turn
        return torch.cat((turned.real, turned.imag), dim=-1)

    q, k, v = (norm(x_TC, block.attention_norm.weight) @ block.attention.qkv.weight.T).split((32, 16, 16), dim=-1)
    mixed = torch.zeros(T, 32, dtype=torch.float64)
    for head in range(4):
        keys, values = (part[:, head // R * D : (head // R + 1) * D] for part in (k, v))
        scores = rotate(q[:, head * D : (head + 1) * D]) @ rotate(keys).T / D**0.5
        for i in range(T):
            mixed[i, head * D : (head + 1) * D] = scores[i, : i + 1].softmax(-1) @ values[: i + 1]
    x_TC = x_TC + mixed @ block.attention.out.weight.T
    gate, up = (norm(x_TC, block.ffn_norm.weight) @ block.ffn.gate_up.weight.T).chunk(2, dim=-1)
    return x_TC + (gate * gate.sigmoid() * up) @ block.ffn.down.weight.T


def losses_by_hand(model: Transformer, tokens: Tensor) -> list[float]:
    """The paper's formulas for one document t_0 ... t_T, of which the last is only a target of the main loss."""
    T, heads = len(tokens) - 1, model.mtp
    state, found = model.hidden(tokens[None, :T])[0], []
    trunk = state
    for k in range(1, heads.num_heads + 1):
        number, n = k - 1, max(T - k - 1, 0)
        if isinstance(heads, SequentialHeads):
            seen = model.embedding.weight[tokens[k : k + n]]
            hidden = norm(state[:n], heads.hidden_norms[number].weight)
            joined = torch.cat((hidden, norm(seen, heads.token_norms[number].weight)), dim=-1)
            state = run_block(heads.blocks[number], joined @ heads.joins[number].weight.T)
        else:
            state = run_block(heads.blocks[number], trunk[:n])
        logits = norm(state, heads.norms[number].weight) @ model.head_weight_VC.T
        found.append(float(functional.cross_entropy(logits.detach(), tokens[k + 1 : k + 1 + n])))
    return found


@pytest.mark.parametrize("mtp", KINDS, ids=lambda mtp: mtp.kind)
def test_losses_are_those_of_the_formula(mtp: Mtp) -> None:
    model = build(mtp)
    tokens = torch.randint(V, (13,))
    loss = MtpLoss(mtp.num_heads, MtpWeight())
    with torch.no_grad():
        hidden = model.hidden(tokens[None, :-1])
        found = loss(model, hidden, tokens[None, :-1], tokens[None, 1:], torch.zeros(1, 12, dtype=torch.int64))
        # logits are rounded to fp32
        assert found.tolist() == pytest.approx(losses_by_hand(model, tokens), abs=1e-5)


@pytest.mark.parametrize("mtp", KINDS, ids=lambda mtp: mtp.kind)
def test_no_head_sees_what_it_is_to_predict(mtp: Mtp) -> None:
    """Head k at place i may hang on tokens up to i + k (sequential) or i (parallel), and on no later one."""
    model, T, place = build(mtp), 12, 4
    for number in range(mtp.num_heads):
        last_seen = place + (number + 1 if mtp.kind == "sequential" else 0)
        for changed in range(T):
            tokens = torch.arange(T)[None] % V
            other = tokens.clone()
            other[0, changed] = 40
            documents = torch.zeros_like(tokens)
            with torch.no_grad():
                a, b = (
                    model.mtp(model.hidden(t, documents), t, documents, model.embedding, MODEL.rope_theta)[number]
                    for t in (tokens, other)
                )
            same = torch.equal(a[0, place], b[0, place])
            assert same == (changed > last_seen), (number, changed)


@given(lengths=st.lists(st.integers(1, 7), min_size=1, max_size=5), kind=st.sampled_from(KINDS))
@settings(max_examples=15, deadline=None)
def test_documents_of_one_window_count_as_if_alone(lengths: list[int], kind: Mtp) -> None:
    """Targets in another document do not count, and no head looks into another."""
    model, loss = build(kind), MtpLoss(kind.num_heads, MtpWeight())
    documents = torch.cat([torch.full((1, length), i) for i, length in enumerate(lengths)], dim=1)
    tokens = torch.randint(V, documents.shape)
    targets = torch.cat((tokens[:, 1:], torch.tensor([[3]])), dim=1)
    with torch.no_grad():
        packed = loss(model, model.hidden(tokens, documents), tokens, targets, documents)
    counts = loss.count_places(targets, documents)
    sums, places = torch.zeros(kind.num_heads, dtype=torch.float64), torch.zeros(kind.num_heads)
    for part in tokens[0].split(lengths):
        for number in range(kind.num_heads):
            places[number] += max(len(part) - number - 2, 0)
        if len(part) > 2:
            alone = losses_by_hand(model, torch.cat((part, part[:1])))
            sums += torch.tensor(
                [
                    value * max(len(part) - number - 2, 0) if len(part) > number + 2 else 0.0
                    for number, value in enumerate(alone)
                ]
            )
    assert counts.tolist() == places.tolist()
    assert packed.tolist() == pytest.approx((sums / places.clamp(min=1)).tolist(), abs=1e-5)


def test_masked_targets_do_not_count() -> None:
    model, loss = build(Parallel(num_heads=1)), MtpLoss(1, MtpWeight())
    tokens, documents = torch.randint(V, (1, 9)), torch.zeros(1, 9, dtype=torch.int64)
    targets = torch.full((1, 9), IGNORED)
    assert loss.count_places(targets, documents).tolist() == [0]
    targets[0, 5] = 7
    assert loss.count_places(targets, documents).tolist() == [1]
    with torch.no_grad():
        hidden = model.hidden(tokens)
        logits = model.logits(model.mtp(hidden, tokens, documents, model.embedding, MODEL.rope_theta)[0])
        found = loss(model, hidden, tokens, targets, documents)
    assert float(found) == pytest.approx(float(functional.cross_entropy(logits[0, 4:5], torch.tensor([7]))))


@given(mtp=st.builds(Sequential, num_heads=st.integers(1, 4)) | st.builds(Parallel, num_heads=st.integers(1, 4)))
@settings(max_examples=8, deadline=None)
def test_parameters_are_counted_and_dropped_for_hugging_face(mtp: Mtp) -> None:
    model, bare = build(mtp), build(None)
    assert sum(p.numel() for p in model.parameters()) == model.spec.num_parameters(V)
    assert to_hf_state_dict(model).keys() == to_hf_state_dict(bare).keys()


def test_heads_leave_the_model_itself_as_it_is() -> None:
    torch.manual_seed(5)
    with_heads = Transformer(MODEL.model_copy(update={"mtp": Parallel()}), V)
    torch.manual_seed(5)
    tokens = torch.randint(V, (1, 7), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(with_heads(tokens), Transformer(MODEL, V)(tokens))


def test_the_weight_goes_by_its_points() -> None:
    corners = [WeightPoint(share=0.2, weight=1.0), WeightPoint(share=0.6, weight=0.0)]
    shares = (0.0, 0.2, 0.3, 0.5, 0.6, 1.0)
    assert [MtpWeight(points=corners).at(s) for s in shares] == [1, 1, 1, 1, 0, 0]
    fade = MtpWeight(shape="linear", points=corners)
    assert [fade.at(s) for s in shares] == pytest.approx([1, 1, 0.75, 0.25, 0, 0])
    assert [MtpWeight().at(s) for s in (0, 0.67, 0.68)] == [0.3, 0.3, 0.1]
    loss = MtpLoss(4, fade)
    loss.set_progress(0.5)
    assert float(loss.weight) == pytest.approx(0.25 / 4)
    with pytest.raises(ValueError, match="ascend"):
        MtpWeight(points=corners[::-1])
