"""What a training run will take, from its spec alone: parameters, FLOPs, memory, time, cache and decoding.

FLOPs are those of the model: 2 a weight and token forward, twice as many backward (arXiv 2001.08361), and attention
over all pairs of a sequence (arXiv 2204.02311, appendix B). Speeds are figures of the machine: `Calibration`, from what
its workers reported at the end of earlier runs, else from the table below.

Bytes are those of the shapes: weights, gradients and optimizer in float32; what autograd keeps of a layer; logits in
chunks. A teacher of a distillation is not counted.
"""

from collections.abc import Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from workers.specs.training import TrainingSpec
from workers.specs.training.model import Model
from workers.specs.training.stages import PlannedStage

_FLOAT32 = 4
_LOGITS_HELD_BYTES = 3 * 64 * 2**20
"""A chunk of logits, its gradient, and what lies between."""
_ADAM_TENSORS, _MUON_TENSORS = 2, 1


class Calibration(BaseModel):
    """Speeds of a machine while it trains and decodes."""

    model_config = ConfigDict(frozen=True, use_attribute_docstrings=True)

    flops_per_second: float = Field(gt=0)
    """Model FLOPs in training, as `flops_per_second` of a run's summary."""
    bytes_per_second: float = Field(gt=0)
    """Memory bandwidth: decoding one token reads all weights."""
    base_bytes: float = Field(ge=0)
    """Memory of the process before it has a model."""
    dtype: Literal["bfloat16", "float32"] = "float32"
    """What `dtype: auto` means there."""
    source: str = "table"
    """Where the figures come from."""


TABLE = {
    "cpu": Calibration(flops_per_second=1.0e11, bytes_per_second=1.5e10, base_bytes=0.7e9, source="2 cores with AVX2"),
    "gpu": Calibration(
        flops_per_second=2.5e14, bytes_per_second=2.5e12, base_bytes=1.5e9, dtype="bfloat16", source="one H100"
    ),
}
"""By kind of pool, for a machine that has reported nothing yet."""


class Estimate(BaseModel):
    """What a run will take. Times are for one run that has the machine to itself."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    num_parameters: int
    num_tokens: int
    """Training tokens of the run."""
    flops_per_token: float
    """Forward and backward."""
    total_flops: float
    """Of training and of the held-out loss."""
    training_seconds: float
    memory_bytes: float
    """The most that one training process holds."""
    checkpoint_bytes: float
    """One checkpoint: weights and optimizer."""
    cache_bytes_per_token: float
    """Keys and values of one token of context: on a GPU in the type of the matrix products, on a CPU in float32."""
    cache_bytes: float
    """The same for a whole sequence."""
    decode_seconds_per_token: float
    """One sequence, at half of the context."""
    calibration: Calibration


def forward_flops_per_token(model: Model, vocab_size: int, sequence_tokens: int) -> float:
    """Matrix products of one forward pass: 2 a weight, and queries by keys and weights by values in each layer."""
    table = vocab_size * model.d_model
    heads = model.mtp.num_heads if model.mtp else 0
    looked_up = 0 if model.tied_embeddings else table
    products = model.num_parameters(vocab_size) - looked_up + heads * table
    return 2.0 * products + 4.0 * (model.num_layers + heads) * sequence_tokens * model.num_heads * model.head_width


def training_flops_per_token(model: Model, vocab_size: int, sequence_tokens: int) -> float:
    """Forward and backward."""
    return 3 * forward_flops_per_token(model, vocab_size, sequence_tokens)


def flops_until(plan: Sequence[PlannedStage], model: Model, vocab_size: int, num_steps: int) -> float:
    """Forward and backward of the first `num_steps` steps of a plan."""
    total = 0.0
    for stage in plan:
        steps = min(stage.num_steps, max(0, num_steps - stage.first_step))
        per_token = training_flops_per_token(model, vocab_size, stage.batch.sequence_tokens)
        total += steps * stage.tokens_per_step * per_token
    return total


def layer_bytes_per_token(model: Model, width: int) -> float:
    """What autograd keeps of one layer for one token: inputs of its norms, products and gates."""
    heads, kv = model.num_heads * model.head_width, model.num_kv_heads * model.head_width
    attention = 3 * model.d_model + heads + 2 * (heads + 2 * kv)
    ffn = 2 * model.d_model + (3 if model.ffn == "relu2" else 5) * model.d_ffn
    return float(width * (attention + ffn))


def optimizer_tensors(spec: TrainingSpec) -> int:
    """Tensors of a weight's size that the optimizer keeps for a hidden matrix."""
    return _MUON_TENSORS if spec.optimizer.kind in {"muon", "muon_clip"} else _ADAM_TENSORS


def estimate(
    spec: TrainingSpec, vocab_size: int, device: Literal["cpu", "gpu"] = "cpu", calibration: Calibration | None = None
) -> Estimate:
    """What `spec` will take on a machine of this kind."""
    speeds = calibration or TABLE[device]
    model, plan = spec.model, spec.plan
    width = 2 if (speeds.dtype if spec.dtype == "auto" else spec.dtype) == "bfloat16" else _FLOAT32
    decoded = width if device == "gpu" else _FLOAT32  # a CPU decodes with packed float32 weights
    num_parameters = model.num_parameters(vocab_size)
    training_flops = flops_until(plan, model, vocab_size, plan[-1].end_step)
    total_flops = training_flops + _heldout_flops(spec, vocab_size)
    longest = max(stage.batch.sequence_tokens for stage in plan)
    in_pass = max(stage.batch.sequence_tokens * stage.batch.micro_batch_sequences for stage in plan)
    hidden = num_parameters - vocab_size * model.d_model * (1 if model.tied_embeddings else 2)
    kept = optimizer_tensors(spec) * hidden + _ADAM_TENSORS * (num_parameters - hidden)
    logits = min(_LOGITS_HELD_BYTES, 3 * in_pass * vocab_size * _FLOAT32)
    activations = in_pass * (model.num_layers * layer_bytes_per_token(model, width) + 4 * model.d_model * width)
    cache = 2.0 * model.num_layers * model.num_kv_heads * model.head_width * decoded
    weights_read = (num_parameters - (0 if model.tied_embeddings else vocab_size * model.d_model)) * decoded
    return Estimate(
        num_parameters=num_parameters,
        num_tokens=spec.num_tokens,
        flops_per_token=training_flops / spec.num_tokens,
        total_flops=total_flops,
        training_seconds=total_flops / (speeds.flops_per_second * spec.resources.num_processes),
        # Weights and optimizer stay, with their copy that is being written, which a GPU does not hold; beside them lie
        # gradients with activations, or with the weights before the update.
        memory_bytes=speeds.base_bytes
        + _FLOAT32 * (num_parameters + kept) * (2 if spec.checkpointing.asynchronous and device == "cpu" else 1)
        + _FLOAT32 * num_parameters
        + max(activations + logits, _FLOAT32 * num_parameters),
        checkpoint_bytes=float(_FLOAT32 * (num_parameters + kept)),
        cache_bytes_per_token=cache,
        cache_bytes=cache * longest,
        decode_seconds_per_token=(weights_read + cache * longest / 2) / speeds.bytes_per_second,
        calibration=speeds,
    )


def _heldout_flops(spec: TrainingSpec, vocab_size: int) -> float:
    """Forward passes over the held-out windows: every so many steps, at the end of a stage, and in the summary."""
    batch = spec.plan[0].batch
    tokens = spec.heldout.num_batches * batch.sequences * spec.resources.num_processes
    tokens *= batch.sequence_tokens
    times = sum(-(-stage.num_steps // spec.heldout.every_steps) for stage in spec.plan) + 1
    return times * tokens * forward_flops_per_token(spec.model, vocab_size, batch.sequence_tokens)
