"""The same small SmolLM3 twice: in our engine, and as transformers' own class under torch.compile.

Both start from the same weights and read the same sequences, each one document. Both multiply in the type of the
spec, step a fused AdamW (no decay of embeddings and norms) and clip the norm of the gradient at 1.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.nn import functional

from workers.data.shards import ShardWriter, token_dtype
from workers.model.hugging_face import hf_config, to_hf_state_dict
from workers.model.transformer import Transformer
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training.batches import Sequences
from workers.training.clipping import Clipped
from workers.training.devices import autocast
from workers.training.engine import Engine, build_engine
from workers.training.publisher import Publisher
from workers.training.state import Place
from workers.training.steps import apply_update, compute_gradient, measure_gradients
from workers.training.telemetry import total_norm

VOCAB_SIZE, SEQUENCE_TOKENS = 16_384, 512
SHAPE = {"d_model": 384, "num_layers": 8, "num_heads": 6, "num_kv_heads": 2, "d_ffn": 1024}
LR = 1e-3


def write_dataset(folder: Path, num_sequences: int) -> Path:
    """Documents as long as a sequence, with something to learn: words of Zipf's law, each of which likes another."""
    folder.mkdir(parents=True)
    rng = np.random.default_rng(11)
    follows = rng.permutation(VOCAB_SIZE)
    num_tokens = {}
    for split, count in (("train", num_sequences), ("heldout", 8)):
        writer = ShardWriter(folder, split, VOCAB_SIZE, 1 << 24)  # type: ignore[arg-type] # both are literals
        for _ in range(count + 1):
            words = np.minimum(rng.zipf(1.2, SEQUENCE_TOKENS), VOCAB_SIZE) - 1
            for place in np.flatnonzero(rng.random(SEQUENCE_TOKENS) < 0.5):
                words[place] = follows[words[place - 1]]
            writer.add(words.tolist())
        writer.close()
        num_tokens[split] = writer.num_tokens
    info = {"vocab_size": VOCAB_SIZE, "dtype": token_dtype(VOCAB_SIZE).str, "eos_token_id": 0, "num_tokens": num_tokens}
    (folder / "dataset.json").write_text(json.dumps(info))
    return folder


def build_spec(**changes: Any) -> TrainingSpec:
    """2,048 tokens a step, compiled; telemetry as it is by default."""
    values = {
        "model": SHAPE,
        "optimizer": {"kind": "adamw", "lr": LR},
        "schedule": {"kind": "wsd", "warmup_steps": 0, "decay_share": 0},
        "batch": {"sequence_tokens": SEQUENCE_TOKENS, "micro_batch_sequences": 4},
        "num_steps": 100_000,
        "monitoring": {"mode": "off"},
        "telemetry": {"every_steps": 0},
        "compile": True,
    }
    return TrainingSpec.model_validate(values | changes)


class Ours:
    """The engine, with what a step of the loop does to weights."""

    def __init__(self, spec: TrainingSpec, dataset: Path, out: Path) -> None:
        reporter = MemoryReporter()
        self.engine: Engine = build_engine(spec, dataset, out, reporter, Publisher(None, reporter))
        self.clipped: Clipped | None = None

    def part(self, number: int) -> Sequences:
        """The sequences of a step."""
        return self.engine.order.part(Place(number), 0, 1)

    def step(self, number: int) -> float:
        """One step; the loss."""
        losses = compute_gradient(self.engine, Place(number))
        norm = total_norm(measure_gradients(self.engine))
        self.clipped, _ = apply_update(self.engine, norm, LR)
        return losses["loss"]


class Peer:
    """transformers' class, compiled, in a plain loop."""

    def __init__(self, source: Transformer, dtype: Any) -> None:
        import transformers

        config = transformers.SmolLM3Config(
            **hf_config(source.spec, VOCAB_SIZE), max_position_embeddings=SEQUENCE_TOKENS, use_cache=False
        )
        self.model, self.dtype = transformers.SmolLM3ForCausalLM(config), dtype
        missing, left = self.model.load_state_dict(to_hf_state_dict(source), strict=False)
        if left or [name for name in missing if name != "lm_head.weight"]:
            raise ValueError(f"the peer lacks {missing[:3]} and has no place for {left[:3]}")
        hidden = [p for name, p in self.model.named_parameters() if p.ndim == 2 and "embed" not in name]
        others = [p for p in self.model.parameters() if all(p is not one for one in hidden)]
        groups = [{"params": hidden, "weight_decay": 0.1}, {"params": others, "weight_decay": 0.0}]
        self.optimizer = torch.optim.AdamW(groups, lr=LR, betas=(0.9, 0.95), eps=1e-8, fused=True)
        self._loss = torch.compile(self._eager_loss, dynamic=False)

    def _eager_loss(self, tokens_BT: torch.Tensor, targets_BT: torch.Tensor) -> torch.Tensor:
        logits_BTV = self.model(input_ids=tokens_BT).logits
        return functional.cross_entropy(logits_BTV.flatten(0, 1).float(), targets_BT.flatten())

    def step(self, part: Sequences) -> float:
        """One step; the loss."""
        with autocast(self.dtype, torch.device("cpu")):
            loss = self._loss(part.tokens, part.targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss.item()
