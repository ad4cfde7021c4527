"""The chunked KL equals the formula in float64, value and gradients; k + 1 classes are a bound of all."""

import itertools

import pytest
import torch
from torch import Tensor

from workers.kernels.distillation import distill_full, distill_top, top_classes

N, C, D, V = 23, 8, 12, 40


def draw() -> dict[str, Tensor]:
    return {
        "student": torch.randn(N, C),
        "head": torch.randn(V, C),
        "teacher": torch.randn(N, D),
        "teacher_head": torch.randn(V, D) * 0.7,
        "weights": torch.rand(N) * (torch.rand(N) > 0.3),
    }


def direct_full(drawn: dict[str, Tensor], temperature: float) -> Tensor:
    p = (drawn["teacher"] @ drawn["teacher_head"].T / temperature).softmax(-1)
    q = (drawn["student"] @ drawn["head"].T / temperature).softmax(-1)
    return temperature**2 * (drawn["weights"] * (p * (p / q).log()).sum(-1)).sum()


def direct_top(drawn: dict[str, Tensor], temperature: float, top_k: int) -> Tensor:
    """Class by class: the likeliest tokens, and one of all others."""
    p = (drawn["teacher"] @ drawn["teacher_head"].T / temperature).softmax(-1)
    q = (drawn["student"] @ drawn["head"].T / temperature).softmax(-1)
    rows = []
    for p_V, q_V in zip(p, q, strict=True):
        kept = p_V.argsort(descending=True)[:top_k]
        others = torch.ones(V, dtype=torch.bool).index_fill(0, kept, False)
        value = (p_V[kept] * (p_V[kept] / q_V[kept]).log()).sum()
        rest = p_V[others].sum()
        rows.append(value + (rest * (rest / q_V[others].sum()).log() if top_k < V else 0.0))
    return temperature**2 * (drawn["weights"] * torch.stack(rows)).sum()


def double(drawn: dict[str, Tensor]) -> dict[str, Tensor]:
    found = {name: tensor.double() for name, tensor in drawn.items()}
    for name in ("student", "head"):
        found[name].requires_grad_()
    return found


def learn(drawn: dict[str, Tensor], *teacher: Tensor, temperature: float, chunk: int) -> tuple[Tensor, Tensor, Tensor]:
    """Value, and three times the gradients by the student's states and its head."""
    student, head = drawn["student"].clone().requires_grad_(), drawn["head"].clone().requires_grad_()
    distill = distill_full if len(teacher) == 2 else distill_top
    value = distill(student, head, drawn["weights"], *teacher, temperature=temperature, chunk_tokens=chunk)
    (3 * value).backward()
    return value.detach(), student.grad, head.grad


@pytest.mark.parametrize(("temperature", "chunk"), [(1.0, 7), (2.5, 23), (0.7, 100)])
def test_the_kl_of_all_logits_equals_the_formula(temperature: float, chunk: int) -> None:
    drawn = draw()
    drawn["teacher"].requires_grad_()
    value, by_student, by_head = learn(
        drawn, drawn["teacher"], drawn["teacher_head"], temperature=temperature, chunk=chunk
    )
    exact = double({name: tensor.detach() for name, tensor in drawn.items()})
    expected = direct_full(exact, temperature)
    (3 * expected).backward()
    assert float(value) == pytest.approx(float(expected.detach()), rel=1e-5)
    torch.testing.assert_close(by_student.double(), exact["student"].grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(by_head.double(), exact["head"].grad, rtol=1e-4, atol=1e-5)
    assert drawn["teacher"].grad is None


@pytest.mark.parametrize(("temperature", "top_k"), [(1.0, 1), (2.0, 5), (0.7, V - 1), (2.0, V)])
def test_the_kl_of_the_likeliest_tokens_and_all_others_equals_the_formula(temperature: float, top_k: int) -> None:
    drawn = draw()
    kept = top_classes(drawn["teacher"] @ drawn["teacher_head"].T, top_k, temperature)
    value, by_student, by_head = learn(drawn, *kept, temperature=temperature, chunk=7)
    exact = double(drawn)
    expected = direct_top(exact, temperature, top_k)
    (3 * expected).backward()
    assert float(value) == pytest.approx(float(expected.detach()), rel=1e-4)
    torch.testing.assert_close(by_student.double(), exact["student"].grad, rtol=1e-3, atol=1e-4)
    torch.testing.assert_close(by_head.double(), exact["head"].grad, rtol=1e-3, atol=1e-4)


def test_more_tokens_kept_come_closer_to_all_of_them_from_below() -> None:
    drawn = draw()
    logits = drawn["teacher"] @ drawn["teacher_head"].T
    found = [
        float(distill_top(drawn["student"], drawn["head"], drawn["weights"], *top_classes(logits, top_k, 1.0)))
        for top_k in (1, 2, 8, 39, 40)
    ]
    whole = distill_full(drawn["student"], drawn["head"], drawn["weights"], drawn["teacher"], drawn["teacher_head"])
    # The class of all others is one token at 39 of 40: what 40 give, but for rounding.
    assert all(fewer <= more * (1 + 1e-5) for fewer, more in itertools.pairwise(found))
    assert found[0] < 0.9 * float(whole)
    assert found[-1] == pytest.approx(float(whole), rel=1e-5)


def test_a_student_equal_to_its_teacher_has_nothing_to_learn() -> None:
    student, head = torch.randn(9, C, requires_grad=True), torch.randn(V, C)
    value = distill_full(student, head, torch.ones(9), student.detach(), head, temperature=2.0)
    value.backward()
    assert float(value.detach()) == pytest.approx(0.0, abs=1e-5)
    assert float(student.grad.abs().max()) < 1e-5
