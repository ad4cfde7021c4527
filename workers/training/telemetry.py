"""What is measured in each layer: norms from tensors that are at hand, activations and attention logits by a probe.

The probe is a forward pass over one sequence of the step, apart from the pass that trains: the compiled graph stays
one, and a measured step costs little more than another. It draws no random number and changes nothing, so that a run
that is measured equals one that is not.

Shapes: P parameters, L layers, H query heads, T tokens, C model width.
"""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn

from workers.specs.training.telemetry import LayerTelemetry
from workers.training.batches import Sequences
from workers.training.devices import ComputeType, autocast
from workers.training.layer_files import LayerFiles
from workers.training.objective import Objective
from workers.training.probe import FeatureProbe
from workers.training.rank_clock import RankClock
from workers.training.sharding import measure_whole_norms
from workers.training.speed import peak_memory_bytes
from workers.training.state import TrainerState

Parts = dict[str, float]
"""One figure of each part of the model."""


class LayerMeter:
    """Collects the figures of one step after the other."""

    def __init__(
        self,
        objective: Objective,
        spec: LayerTelemetry,
        accelerator: Accelerator,
        dtype: ComputeType,
        files: LayerFiles,
        probe: FeatureProbe,
    ) -> None:
        self.objective, self.model = objective, objective.model
        self.accelerator, self.dtype, self.files = accelerator, dtype, files
        self.probe, self.clock = probe, RankClock(accelerator)
        self._every = spec.every_steps
        self._groups = group_parameters(self.model)
        matrices = [float(p.ndim > 1) for p in self.model.parameters()]
        self._matrices_P = torch.tensor(matrices, dtype=torch.float64, device=accelerator.device)
        """1 for what counts in `update_ratio`: gains of norms begin at 1 and would hide what happens to matrices."""
        self._num_layers = len(self.model.blocks)
        self.groups: dict[str, Parts] = {}
        """Figures by series and part of the model, of the step of now. Empty: it is not measured."""
        self.max_logits_LH: list[list[float]] = []
        self.for_controller: dict[str, float] = {}
        """Figures of the run that the controller judges and no chart shows; times and memory are of the step before."""
        self._sample: tuple[Tensor, Tensor] | None = None

    def due(self, step: int) -> bool:
        """Is this step measured?"""
        return self._every > 0 and step % self._every == 0

    def saw_batch(self, part: Sequences, seconds: float) -> None:
        """Remember the first sequence of the step for the probe, and how long its data took."""
        self._sample = part.tokens[:1], part.documents[:1]
        self.clock.begin(seconds)

    def begin(self, state: TrainerState, grad_norms_P: Tensor) -> None:
        """What is known before the update."""
        self.groups, self.max_logits_LH = {}, []
        if self.probe.due(state.step):
            figures = self.probe.measure(state)
            self.groups |= {name: dict(zip(self._layer_names(), of, strict=True)) for name, of in figures.items()}
        if self._sample is None or not self.due(state.step):
            return
        rms_L, logits_LH = self._probe(*self._sample)
        self.groups["grad_norm"] = self._by_group(grad_norms_P)
        self.groups["activation_rms"] = dict(zip(self._layer_names(), rms_L.tolist(), strict=True))
        self.max_logits_LH = logits_LH.tolist()
        largest = [max(heads) for heads in self.max_logits_LH]
        self.groups["max_attention_logit"] = dict(zip(self._layer_names(), largest, strict=True))

    def finish(self, update_norms_P: Tensor, *, weigh: bool) -> dict[str, float]:
        """What is known after the update. weigh: the norm of all weights, for the controller, at each step."""
        measured = "grad_norm" in self.groups
        if not (measured or weigh):
            return {}
        weights_P = measure_whole_norms(list(self.model.parameters()))
        if measured:
            self.groups["weight_norm"] = self._by_group(weights_P)
            self.groups["update_norm"] = self._by_group(update_norms_P)
            weights = self._by_group(weights_P * self._matrices_P)
            updates = self._by_group(update_norms_P[: len(weights_P)] * self._matrices_P)
            self.groups["update_ratio"] = {
                name: updates[name] / weights[name] if weights[name] else 0.0 for name in weights
            }
        return {"weight_norm": total_norm(weights_P)}

    @property
    def layers(self) -> dict[str, list[float]]:
        """Each series by layer, from the first block to the last."""
        names = self._layer_names()
        return {series: [figures[name] for name in names] for series, figures in self.groups.items()}

    def headlines(self) -> dict[str, float]:
        """Series of the run: data wait and memory; at measured steps `layers/NN/...` and what holds for all layers."""
        shown = {"data_wait_seconds": self.clock.data_wait_seconds}
        if not self.groups:
            return shown
        shown["memory_bytes"] = peak_memory_bytes(self.accelerator.device)
        shown |= {
            f"layers/{layer:02d}/{series}": value
            for series, values in self.layers.items()
            if series != "update_norm"
            for layer, value in enumerate(values)
        }
        if "weight_norm" in self.groups:
            shown["weight_norm"] = sum(x**2 for x in self.groups["weight_norm"].values()) ** 0.5
        for series in ("activation_rms", "max_attention_logit"):
            if series in self.groups:
                shown[series] = max(self.groups[series].values())
        return shown

    def record(self, step: int, branch: int) -> None:
        """Keep the step's figures whole."""
        if not self.groups or not self.accelerator.is_main_process:
            return
        names = dict.fromkeys(name for figures in self.groups.values() for name in figures)
        numbers = {name: layer for layer, name in enumerate(self._layer_names())}
        rows: list[dict[str, Any]] = []
        for name in names:
            layer = numbers.get(name)
            row: dict[str, Any] = {"step": step, "branch": branch, "part": name, "layer": layer}
            row |= {series: figures[name] for series, figures in self.groups.items() if name in figures}
            if layer is not None and self.max_logits_LH:
                row["max_attention_logit_of_heads"] = self.max_logits_LH[layer]
            rows.append(row)
        self.files.add(rows)

    def _layer_names(self) -> list[str]:
        return [f"blocks.{layer}" for layer in range(self._num_layers)]

    def _by_group(self, norms_P: Tensor) -> Parts:
        """Norm of each part of the model from the norms of its parameters; what losses learn comes after them."""
        squares = norms_P[: len(self._groups)].square().tolist()
        sums: dict[str, float] = defaultdict(float)
        for name, square in zip(self._groups, squares, strict=True):
            sums[name] += square
        return {name: total**0.5 for name, total in sums.items()}

    @torch.no_grad()
    def _probe(self, tokens_1T: Tensor, documents_1T: Tensor) -> tuple[Tensor, Tensor]:
        """RMS of the residual stream after each block, and the largest logit of each head.  -> (L,), (L, H) fp32"""
        squares: list[Tensor] = []

        def note(module: nn.Module, arguments: Any, x_BTC: Tensor) -> None:
            squares.append(x_BTC.float().square().mean())

        device = self.accelerator.device
        layers = [block.attention for block in self.model.blocks]
        watched = [layer.max_logits_H for layer in layers]
        hooks = [block.register_forward_hook(note) for block in self.model.blocks]
        for layer in layers:
            layer.watch_logits()
        try:
            with autocast(self.dtype, device):
                self.objective.hidden(tokens_1T.to(device), documents_1T.to(device))
            logits_LH = torch.stack([layer.take_max_logits() for layer in layers])
        finally:
            for hook in hooks:
                hook.remove()
            for layer, before in zip(layers, watched, strict=True):
                layer.max_logits_H = before
        rms_L = self.accelerator.reduce(torch.stack(squares), "mean").sqrt()
        return rms_L, self.accelerator.gather(logits_LH[None]).amax(0)


def total_norm(norms_P: Tensor) -> float:
    """Norm of the whole from the norms of its parts."""
    return float(norms_P.square().sum().sqrt())


def group_parameters(model: nn.Module) -> Sequence[str]:
    """The part of the model that each parameter belongs to: `blocks.N`, or its outermost module."""
    parts = (name.split(".") for name, _ in model.named_parameters())
    return [".".join(path[:2]) if path[0] == "blocks" else path[0] for path in parts]
