"""The presets of SmolLM3's recipe hold its published figures, and the estimate of the full size is plausible."""

import pytest
import yaml

from workers.specs import preset_text
from workers.specs.estimate import TABLE, estimate
from workers.specs.training import TrainingSpec
from workers.training.schedules import factor

VOCAB_SIZE = 128_256


def load(name: str) -> TrainingSpec:
    return TrainingSpec.model_validate(yaml.safe_load(preset_text(name)))


def test_the_full_size_is_smollm3_3b() -> None:
    spec = load("smollm3-3b")
    found = estimate(spec, VOCAB_SIZE, "gpu", TABLE["gpu"])
    assert found.num_parameters == 3_075_098_624  # as transformers' SmolLM3-3B
    tokens = [stage.num_steps * stage.tokens_per_step for stage in spec.plan]
    assert sum(tokens[:3]) == pytest.approx(11.14e12, rel=0.001)
    assert {stage.tokens_per_step for stage in spec.plan} == {576 * 4096}
    assert found.flops_per_token == pytest.approx(6 * found.num_parameters, rel=0.3)  # the rest is attention
    # 24 days on 384 GPUs were published.
    assert found.training_seconds / 86_400 * spec.resources.gpus == pytest.approx(24 * 384, rel=0.35)
    assert found.checkpoint_bytes == 12 * found.num_parameters


def test_its_schedule_and_shares_are_those_that_were_published() -> None:
    plan = load("smollm3-3b").plan

    def lr(step: int) -> float:
        stage = next(stage for stage in plan if step < stage.end_step)
        return stage.lr * factor(stage.schedule_step(step), stage.schedule_steps, stage.schedule)

    assert [stage.first_step for stage in plan[:4]] == [0, 3_450_000, 4_198_000, 4_720_000]
    assert lr(1_000) == pytest.approx(1e-4, rel=0.01)
    assert lr(2_000) == lr(4_197_990) == 2e-4
    assert lr(4_198_000 + 261_000) == pytest.approx(1e-4, rel=0.001)
    assert lr(4_719_999) < 1e-9
    assert lr(4_721_000) == pytest.approx(2e-5, rel=0.01)
    assert [stage.rope_theta for stage in plan] == [5e4, 5e4, 5e4, 2e6, 5e6]
    assert [stage.batch.sequence_tokens for stage in plan] == [4096] * 3 + [32_768, 65_536]
    for stage in plan[:3]:
        assert sum(source.weight for source in stage.mixture) == pytest.approx(100, abs=0.6)
    assert len(load("smollm3-3b").datasets) == 5


def test_the_small_one_has_its_proportions() -> None:
    small, full = load("smollm3-stages").plan, load("smollm3-3b").plan
    assert len(small) == len(full)
    for ours, theirs in zip(small[:3], full[:3], strict=True):
        assert ours.num_steps / 1_000 == pytest.approx(theirs.num_steps / 4_720_000, abs=0.01)
        english, web = ours.mixture[0], theirs.mixture[0]
        assert english.weight == web.weight
    assert [stage.rope_theta for stage in small] == [stage.rope_theta for stage in full]
    lengths = [[s.batch.sequence_tokens / plan[0].batch.sequence_tokens for s in plan] for plan in (small, full)]
    assert lengths[0] == lengths[1]
