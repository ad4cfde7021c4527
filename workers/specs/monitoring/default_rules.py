"""What the controller does unless told otherwise; the same as the preset `policies/default`."""

from workers.specs.monitoring.actions import (
    DiscardUpdate,
    QkClip,
    ResetMoments,
    Rollback,
    ScaleLr,
    SkipBatches,
    TightenClip,
)
from workers.specs.monitoring.rules import Rule

DEFAULT_RULES = [
    Rule(
        name="non-finite",
        findings=["non_finite"],
        rungs=[
            [DiscardUpdate()],
            [Rollback(), SkipBatches(num_batches=4)],
            [Rollback(), SkipBatches(num_batches=16), ScaleLr(recover_steps=100)],
            [Rollback(margin_steps=20), SkipBatches(num_batches=64), ScaleLr(), ResetMoments()],
        ],
    ),
    Rule(
        name="odd-batch",
        findings=["odd_batch"],
        rungs=[
            [DiscardUpdate(), SkipBatches(num_batches=4)],
            [DiscardUpdate(), SkipBatches(num_batches=16)],
            [DiscardUpdate(), SkipBatches(num_batches=64)],
        ],
        at_end="report",
    ),
    Rule(
        name="loss-spike",
        findings=["loss_spike"],
        rungs=[
            [Rollback(), SkipBatches(num_batches=4)],
            [
                Rollback(),
                SkipBatches(num_batches=16),
                ScaleLr(recover_steps=100),
                TightenClip(recover_steps=100),
            ],
            [Rollback(margin_steps=20), SkipBatches(num_batches=64), ScaleLr()],
            [Rollback(margin_steps=20), ScaleLr(), ResetMoments()],
        ],
    ),
    Rule(
        name="gradient-spike",
        findings=["gradient_spike"],
        rungs=[
            [Rollback(), SkipBatches(num_batches=4), TightenClip(recover_steps=100)],
            [Rollback(), SkipBatches(num_batches=16), ScaleLr(recover_steps=100)],
            [Rollback(margin_steps=20), ScaleLr(factor=0.25), ResetMoments()],
        ],
    ),
    Rule(
        name="update-spike",
        findings=["update_spike"],
        rungs=[
            [Rollback(margin_steps=0)],
            [Rollback(margin_steps=0), ScaleLr(to_level=True, recover_steps=200)],
            [Rollback(), ScaleLr(to_level=True)],
            [Rollback(margin_steps=20), ScaleLr(factor=0.25), ResetMoments()],
        ],
    ),
    Rule(
        name="weight-spike",
        findings=["weight_spike"],
        rungs=[
            [Rollback()],
            [Rollback(margin_steps=20), SkipBatches(num_batches=4)],
            [Rollback(margin_steps=20), ScaleLr(factor=0.25), ResetMoments()],
        ],
    ),
    Rule(
        name="large-update",
        findings=["large_update"],
        rungs=[
            [Rollback(margin_steps=0), ScaleLr(factor=0.1), ResetMoments()],
            [Rollback(margin_steps=20), ScaleLr(factor=0.1), ResetMoments()],
        ],
    ),
    Rule(
        name="attention-logits",
        findings=["attention_logits"],
        rungs=[
            [QkClip()],
            [Rollback(), QkClip()],
            [Rollback(margin_steps=20), QkClip(), ScaleLr(recover_steps=200)],
        ],
    ),
    Rule(
        name="divergence",
        findings=["divergence"],
        rungs=[
            [Rollback(), ScaleLr()],
            [Rollback(margin_steps=20), ScaleLr(factor=0.25)],
            [Rollback(margin_steps=20), ScaleLr(factor=0.25), ResetMoments()],
        ],
    ),
]
