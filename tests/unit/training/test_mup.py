"""muP and CompleteP: a coordinate check over widths and depths, and the factors of each role."""

from collections.abc import Callable

import pytest
import torch

from workers.model.parametrization import Multipliers
from workers.model.transformer import Transformer
from workers.specs.training.model import Model
from workers.specs.training.optimizers import AdamW, Muon, Optimizer
from workers.training.optimizers import build_optimizer
from workers.training.parameter_groups import list_groups, show_groups

WIDTHS = (64, 128, 512)


def model_of(width: int, depth: int = 2, **changes: object) -> Model:
    shape = {"d_model": width, "num_layers": depth, "num_heads": width // 16, "num_kv_heads": width // 16}
    base = {"base_d_model": 64, "base_num_layers": 2, "init_std": 0.1, "tied_embeddings": False}
    return Model(**shape, d_ffn=2 * width, **base | changes)


def grown(spec: Model, optimizer: Optimizer, num_steps: int = 3) -> list[float]:
    """How much the output of each layer and the logits changed over some steps, as RMS over all places."""
    torch.manual_seed(0)
    model = Transformer(spec, 64)
    tokens = torch.randint(64, (4, 33), generator=torch.Generator().manual_seed(1))
    seen: list[torch.Tensor] = []
    for block in model.blocks:
        block.register_forward_hook(lambda module, given, out: seen.append(out.detach()))
    steps = build_optimizer(optimizer, model)

    def look() -> list[torch.Tensor]:
        seen.clear()
        with torch.no_grad():
            logits = model(tokens[:, :-1])
        return [*seen, logits]

    before = look()
    for _ in range(num_steps):
        logits = model(tokens[:, :-1])
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten()).backward()
        steps.step()
        steps.zero_grad()
    return [float((b - a).square().mean().sqrt()) for a, b in zip(before, look(), strict=True)]


def spread(sizes: list[list[float]]) -> list[float]:
    """Largest over smallest of each place."""
    return [max(column) / min(column) for column in zip(*sizes, strict=True)]


@pytest.mark.parametrize("optimizer", [AdamW(lr=1e-2), Muon(lr=3e-2)])
def test_changes_of_activations_are_the_same_at_all_widths_under_mup_and_grow_without(optimizer: Optimizer) -> None:
    widths = WIDTHS if optimizer.kind == "adamw" else (*WIDTHS[:-1], 256)
    flat = [grown(model_of(width, parametrization="mup"), optimizer) for width in widths]
    standard = [grown(model_of(width), optimizer) for width in (widths[0], widths[-1])]
    assert max(spread(flat)) < 1.7
    assert all(last > 1.5 * first for first, last in zip(standard[0], standard[-1], strict=True))
    assert standard[-1][-1] > 2 * standard[0][-1]  # the logits


def test_changes_settle_with_depth_under_completep_and_grow_under_mup() -> None:
    def last(parametrization: str) -> list[list[float]]:
        shapes = [model_of(64, depth, parametrization=parametrization) for depth in (2, 4, 8, 16)]
        return [grown(shape, AdamW(lr=1e-2))[-2:-1] for shape in shapes]

    completep, mup = last("completep"), last("mup")
    assert spread(completep[-2:])[0] < 1.35  # what each layer adds at random goes as 1 / sqrt(depth), and is gone by 8
    assert completep[-1][0] < completep[0][0]
    assert mup[-1][0] > 4 * mup[0][0]


def test_at_the_base_shape_rates_are_those_of_the_spec() -> None:
    rows = list_groups(build_optimizer(AdamW(), Transformer(model_of(64, parametrization="completep"), 64)))
    assert {row["lr_factor"] for row in rows} == {1.0}
    assert {row["eps"] for row in rows} == {1e-8}


def test_factors_of_each_role() -> None:
    spec = model_of(256, 8, parametrization="completep", qk_norm=True)  # width x 4, depth x 4
    optimizers = build_optimizer(AdamW(weight_decay=0.1, eps=1e-8), Transformer(spec, 64))
    rows = {row["role"]: row for row in list_groups(optimizers)}
    assert rows.keys() == {"embedding", "head", "hidden", "norm", "last_norm"}
    assert {role: row["lr_factor"] for role, row in rows.items()} == {
        "embedding": 1, "head": 1, "hidden": 0.25, "norm": 1, "last_norm": 1
    }  # fmt: skip
    assert {role: row["weight_decay"] for role, row in rows.items()} == {
        "embedding": 0, "head": 0, "hidden": pytest.approx(0.4), "norm": 0, "last_norm": 0
    }  # fmt: skip
    outer, inner = pytest.approx(1e-8 / 4), pytest.approx(1e-8 / 16)
    assert {role: row["eps"] for role, row in rows.items()} == {
        "embedding": outer, "head": outer, "hidden": inner, "norm": inner, "last_norm": outer
    }  # fmt: skip
    optimizers.set_lr(0.2)
    rates = {group["role"]: group["lr"] for group in optimizers.parts["adamw"].param_groups}
    assert rates == {"embedding": 0.2, "head": 0.2, "hidden": pytest.approx(0.05), "norm": 0.2, "last_norm": 0.2}
    muon = list_groups(build_optimizer(Muon(weight_decay=0.1), Transformer(spec, 64)))
    assert (muon[0]["optimizer"], muon[0]["lr_factor"], muon[0]["weight_decay"]) == ("muon", 0.5, pytest.approx(0.2))
    assert Multipliers.of(spec).residual == 0.25
    assert Multipliers.of(spec.model_copy(update={"parametrization": "mup"})).residual == 1


def test_the_table_names_all_parameters_and_the_embedding_has_no_decay() -> None:
    spec = model_of(64)
    rows = list_groups(build_optimizer(AdamW(weight_decay=0.1), Transformer(spec, 64)))
    assert sum(row["num_parameters"] for row in rows) == spec.num_parameters(64)
    table = show_groups(rows).splitlines()
    assert len(table) == 1 + len(rows)
    embedding = next(line.split() for line in table if line.startswith("embedding"))
    assert embedding == ["embedding", "adamw", "1", "4,096", "1", "0", "1e-08"]


def test_the_table_is_shown_before_the_first_step(dataset, make_spec: Callable, tmp_path) -> None:
    from workers.reporter import MemoryReporter
    from workers.training.trainer import train

    shape = {"d_model": 32, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 64}
    reporter = MemoryReporter()
    spec = make_spec(num_steps=4, z_loss_weight=1e-4, model=shape | {"norm": "layernorm", "ffn": "relu2"})
    train(spec, dataset=dataset, out=tmp_path, reporter=reporter)
    reporter.flush()
    kinds = [event.kind for event in reporter.batch.events]
    note = next(event for event in reporter.batch.events if event.kind == "note")
    assert kinds.index("note") < kinds.index("checkpoint")
    assert {row["role"] for row in note.data["groups"]} == {"embedding", "hidden", "norm", "last_norm"}
    warning = next(event.message for event in reporter.batch.events if event.kind == "warning")
    assert "norm layernorm, ffn relu2" in warning and "our own format" in warning
