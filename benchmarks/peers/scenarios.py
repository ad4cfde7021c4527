"""Scenarios, policies and seeds of the stability benchmark. FROZEN: what is tuned is tuned on TUNING_SEEDS.

A small real model on real text: English manuals with one sequence in twenty of French ones.
"""

from typing import Any

SEEDS = (11, 12, 13, 14, 15)
TUNING_SEEDS = (901, 902)
QUIET_SEEDS = (21, 22, 23, 24, 25, 26)
VOCAB_SIZE = 1024
NUM_STEPS, QUIET_STEPS = 320, 1000
LATENT = ("lr_x10", "lr_x50", "qk_growth", "moments_lost", "bad_warmup")
"""Faults that are at work before the loss shows it."""
POLICIES: dict[str, dict[str, Any]] = {
    "none": {"clipping": {"kind": "global_norm", "max_norm": 1e9}, "monitoring": {"mode": "off"}},
    "clip": {"clipping": {"kind": "global_norm", "max_norm": 1.0}, "monitoring": {"mode": "off"}},
    "zclip": {"clipping": {"kind": "zclip"}, "monitoring": {"mode": "off"}},
    "skip_step": {"clipping": {"kind": "global_norm", "max_norm": 1.0}, "monitoring": {"mode": "off"}},
    "ours": {"clipping": {"kind": "global_norm", "max_norm": 1.0}, "monitoring": {"mode": "auto"}},
}
BASE: dict[str, Any] = {
    "model": {"d_model": 64, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 128},
    "mixture": [{"weight": 0.95, "languages": ["en"]}, {"weight": 0.05, "languages": ["fr"]}],
    "optimizer": {"kind": "adamw", "lr": 3e-3},
    "schedule": {"kind": "wsd", "warmup_steps": 20},
    "batch": {"sequence_tokens": 64, "micro_batch_sequences": 8},
    "num_steps": NUM_STEPS,
    "dtype": "float32",
    "checkpointing": {"every_steps": 20, "keep": 4},
    "heldout": {"every_steps": 100_000, "num_batches": 32},
}


def onset(seed: int) -> int:
    """The step at which a fault begins."""
    return 120 + seed * 37 % 60


def faults(seed: int) -> dict[str, dict[str, Any]]:
    """What each scenario changes in the spec."""
    step = onset(seed)

    def drill(kind: str, **values: Any) -> dict[str, Any]:
        return {"drills": [{"kind": kind, "step": step, **values}]}

    return {
        "lr_x10": drill("lr_times", factor=10),
        "lr_x50": drill("lr_times", factor=50),
        "random_tokens": drill("poisoned_batches", num_batches=20),
        "repeated_token": drill("repeated_token", num_batches=20),
        "wrong_language": drill("source_burst", num_batches=20, source=1),
        "bit_flip": drill("bit_flip", bit=30),
        "qk_growth": drill("qk_growth", num_steps=60, factor=1.1),
        "moments_lost": drill("moments_lost"),
        "bad_warmup": {"optimizer": {"kind": "adamw", "lr": 3e-2}, "schedule": {"kind": "wsd", "warmup_steps": 0}},
        "mixture_switch": drill("source_burst", num_batches=100, source=1),
        "corrupted_shard": drill("corrupted_shard", num_batches=40, share=0.5),
    }


QUIET: dict[str, dict[str, Any]] = {
    "quiet_wsd": {},
    "quiet_cosine": {"schedule": {"kind": "cosine", "warmup_steps": 100}, "optimizer": {"kind": "adamw", "lr": 1e-3}},
    "quiet_muon": {"optimizer": {"kind": "muon", "lr": 0.01}},
    "quiet_small_batch": {"batch": {"sequence_tokens": 64, "micro_batch_sequences": 4}},
    "quiet_stages": {
        "stages": [
            {"name": "one", "num_steps": 500},
            {
                "name": "two",
                "num_steps": 500,
                "batch": {"sequence_tokens": 128, "micro_batch_sequences": 4},
                "mixture": [{"weight": 0.5, "languages": ["en"]}, {"weight": 0.5, "languages": ["fr"]}],
                "lr": 2e-3,
                "schedule": {"kind": "wsd", "warmup_steps": 30},
            },
        ]
    },
}
