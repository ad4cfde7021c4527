"""`python -m workers.evaluation SPEC.yaml --checkpoint DIR --dataset DIR --out DIR`: without a service."""

import argparse
import json
import os
import sys
from pathlib import Path

import yaml
from pydantic import ValidationError

from workers.evaluation.run import evaluate
from workers.reporter import MemoryReporter
from workers.specs.base import problems
from workers.specs.evaluation import EvaluationSpec


def main(arguments: list[str] | None = None) -> int:
    """Prints the results as JSON. Exit codes: 0 done, 1 failed, 2 wrong usage or spec."""
    parser = argparse.ArgumentParser(prog="python -m workers.evaluation", description=__doc__)
    parser.add_argument("spec", type=Path, help="YAML of an evaluation spec")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--home", type=Path, default=Path(os.environ.get("HEADRACE_HOME", ".headrace")))
    options = parser.parse_args(arguments)
    try:
        spec = EvaluationSpec.model_validate(yaml.safe_load(options.spec.read_text(encoding="utf-8")) or {})
    except ValidationError as error:
        for problem in problems(error):
            print(f"error: {options.spec}: {problem['pointer']}: {problem['message']}", file=sys.stderr)
        return 2
    except (OSError, ValueError, yaml.YAMLError) as error:
        print(f"error: {options.spec}: {error}", file=sys.stderr)
        return 2
    reporter = MemoryReporter(echo=True)
    paths = {name: getattr(options, name) for name in ("checkpoint", "dataset", "home", "out")}
    try:
        print(json.dumps(evaluate(spec, **paths, reporter=reporter), indent=2))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
