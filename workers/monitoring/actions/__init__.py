"""Actions, one file a kind: each puts its part into a plan and says what it changes."""

from collections.abc import Callable
from typing import Any

from workers.monitoring.actions import (
    checkpoint_now,
    discard_update,
    loosen_clip,
    lower_beta2,
    lower_source,
    pause,
    qk_clip,
    raise_epsilon,
    reset_moments,
    rollback,
    scale_lr,
    skip_batches,
    stop,
    switch_clip,
    tighten_clip,
)
from workers.monitoring.actions._shared import Change, Plan, Situation
from workers.specs.monitoring.actions import Action

_ACTIONS: dict[str, Callable[[Any, Situation, Plan], Change | None]] = {
    "discard_update": discard_update.act,
    "rollback": rollback.act,
    "skip_batches": skip_batches.act,
    "scale_lr": scale_lr.act,
    "tighten_clip": tighten_clip.act,
    "loosen_clip": loosen_clip.act,
    "switch_clip": switch_clip.act,
    "reset_moments": reset_moments.act,
    "qk_clip": qk_clip.act,
    "raise_epsilon": raise_epsilon.act,
    "lower_beta2": lower_beta2.act,
    "lower_source": lower_source.act,
    "checkpoint_now": checkpoint_now.act,
    "pause": pause.act,
    "stop": stop.act,
}


WITHOUT_BLAME = frozenset({"odd_batch", "non_finite", "attention_logits"})
"""Findings that say nothing about a rate on its way up."""


def plan_actions(rung: list[Action], situation: Situation, plan: Plan) -> list[Change]:
    """Put all actions of a rung into the plan; what those changed that had something to do.

    Trouble while the rate climbs back is the climb's: then it falls back to where it was good instead of any lower.
    """
    before = plan.lr.value
    fell = situation.kind not in WITHOUT_BLAME and plan.lr.fall_back()
    changes = [Change("scale_lr", {"lr_scale": before}, {"lr_scale": plan.lr.value})] if fell else []
    wanted = [action for action in rung if not (fell and action.kind == "scale_lr")]
    return changes + [c for action in wanted if (c := _ACTIONS[action.kind](action, situation, plan))]
