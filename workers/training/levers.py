"""What the controller has set for good (`Settings`), brought into clipping, optimizer and attention.

It compares and is idempotent, so a resume or a roll-back needs nothing of its own.
"""

from typing import Any

import torch
from pydantic import TypeAdapter

from workers.model.attention import Attention
from workers.monitoring.telemetry import Settings
from workers.specs.training.clipping import Clipping
from workers.training.clipping import build_clipper
from workers.training.engine import Engine
from workers.training.optimizers.muon_clip import MuonClipSet, clip_queries


class Levers:
    """Applies the watch's settings to an engine."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._applied = Settings()
        self._groups = [(group, dict(group)) for group in _groups(engine)]
        self._attention = [module for module in engine.model.modules() if isinstance(module, Attention)]

    def apply(self) -> None:
        """Make the engine as the settings say. Costs nothing while they stay as they are."""
        wanted = self._engine.watch.settings
        if wanted == self._applied:
            return
        if wanted.clipping != self._applied.clipping and wanted.clipping:
            spec = TypeAdapter(Clipping).validate_python({"kind": wanted.clipping})
            self._engine.clipper = build_clipper(spec)
        self._set_groups(wanted)
        if wanted.max_logit is not None:
            self._limit_logits(wanted.max_logit)
        self._applied = wanted

    def _set_groups(self, wanted: Settings) -> None:
        for group, original in self._groups:
            if "eps" in group:
                group["eps"] = original["eps"] * wanted.epsilon_factor
            if "betas" in group and wanted.beta2 is not None:
                group["betas"] = (original["betas"][0], min(original["betas"][1], wanted.beta2))

    def _limit_logits(self, max_logit: float) -> None:
        optimizers = self._engine.optimizers
        if self._engine.spec.parallel == "fsdp2":
            self._engine.reporter.event("warning", "attention logits cannot be limited under FSDP2: no limit was set")
            return
        if isinstance(optimizers, MuonClipSet):
            optimizers.max_logit = min(optimizers.max_logit, max_logit)
            return
        for layer in self._attention:
            if layer.max_logits_H is None:
                layer.watch_logits()

    @torch.no_grad()
    def after_update(self) -> None:
        """QK-clip, where the controller has switched it on."""
        max_logit = self._applied.max_logit
        unlimited = max_logit is None or self._engine.spec.parallel == "fsdp2"
        if max_logit is None or unlimited or isinstance(self._engine.optimizers, MuonClipSet):
            return
        for layer in self._attention:
            clip_queries(layer, max_logit)


def _groups(engine: Engine) -> list[dict[str, Any]]:
    return [group for part in engine.optimizers.parts.values() for group in part.param_groups]
