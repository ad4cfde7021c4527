"""`python -m workers.training replay SPEC.yaml --dataset DIR --out DIR --intervention N`: a replay without the service.

`--out` is the folder of the run: its interventions are kept under `pinned/`, each with the checkpoint from before it.
"""

import argparse
from pathlib import Path

import yaml
from pydantic import ValidationError

from workers.specs.base import problems
from workers.specs.events import Intervention
from workers.specs.monitoring import Policy
from workers.specs.training.replay import Replay
from workers.training.errors import InputError
from workers.training.pins import Pins, read_pin


def parse(arguments: list[str]) -> argparse.Namespace:
    """The options of the command."""
    parser = argparse.ArgumentParser(
        prog="python -m workers.training replay",
        description="Train a window with an intervention and without it, and compare.",
    )
    parser.add_argument("spec", type=Path, help="the run's training spec (YAML)")
    parser.add_argument("--dataset", required=True, action="append", metavar="DIR", help="as for the training")
    parser.add_argument("--out", type=Path, required=True, help="folder of the run")
    parser.add_argument("--intervention", required=True, metavar="N", help="its number, or its whole id")
    parser.add_argument("--window", type=int, default=100, metavar="STEPS", help="steps to train after it")
    parser.add_argument("--policy", type=Path, metavar="POLICY.yaml", help="other actions to try as a third curve")
    return parser.parse_args(arguments)


def find_pin(out: Path, wanted: str) -> tuple[Path, Intervention]:
    """The checkpoint kept for an intervention and its record. Raises InputError when there is none."""
    kept = Pins(out / "pinned").all()
    for folder in kept:
        if folder.name == wanted or folder.name.startswith(f"intervention-{wanted}-"):
            return folder, read_pin(folder)
    names = ", ".join(folder.name for folder in kept) or "none"
    raise InputError(f"no checkpoint is kept in {out / 'pinned'} for intervention {wanted}; there are: {names}")


def replay_of(intervention: Intervention, window_steps: int, policy: Path | None = None) -> Replay:
    """What is to be replayed. Raises InputError for a policy that is none."""
    by_person = intervention.id.startswith("command-")
    values = {
        "intervention": intervention.id,
        "step": intervention.step,
        "command": {k: intervention.evidence.get(k) for k in ("kind", "arguments")} if by_person else None,
        "window_steps": window_steps,
    }
    try:
        other = Policy.model_validate(yaml.safe_load(policy.read_text(encoding="utf-8"))) if policy else None
        return Replay.model_validate(values | {"policy": other})
    except OSError as error:
        raise InputError(f"cannot read {policy}: {error.strerror}") from error
    except yaml.YAMLError as error:
        raise InputError(f"{policy} is no YAML: {error}") from error
    except ValidationError as error:
        raise InputError("\n".join(f"{one['pointer']}: {one['message']}" for one in problems(error))) from error
