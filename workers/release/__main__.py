"""`python -m workers.release SPEC.yaml --checkpoint DIR --dataset DIR --out DIR [--evaluation DIR]`: no service."""

import argparse
import json
import sys
from pathlib import Path

import yaml
from pydantic import ValidationError

from workers.release.run import release
from workers.reporter import MemoryReporter
from workers.specs.base import problems
from workers.specs.release import ReleaseSpec


def main(arguments: list[str] | None = None) -> int:
    """Prints the summary as JSON. Exit codes: 0 done, 1 failed, 2 wrong usage or spec."""
    parser = argparse.ArgumentParser(prog="python -m workers.release", description=__doc__)
    parser.add_argument("spec", type=Path, help="YAML of a release spec")
    parser.add_argument("--checkpoint", type=Path, required=True)
    parser.add_argument("--dataset", type=Path, required=True)
    parser.add_argument("--evaluation", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args(arguments)
    try:
        spec = ReleaseSpec.model_validate(yaml.safe_load(options.spec.read_text(encoding="utf-8")) or {})
    except ValidationError as error:
        for problem in problems(error):
            print(f"error: {options.spec}: {problem['pointer']}: {problem['message']}", file=sys.stderr)
        return 2
    except (OSError, ValueError, yaml.YAMLError) as error:
        print(f"error: {options.spec}: {error}", file=sys.stderr)
        return 2
    paths = {name: getattr(options, name) for name in ("checkpoint", "dataset", "evaluation", "out")}
    lineage = {name: str(path) for name, path in paths.items() if path and name != "out"}
    try:
        print(json.dumps(release(spec, **paths, lineage=lineage, reporter=MemoryReporter(echo=False)), indent=2))
    except (OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
