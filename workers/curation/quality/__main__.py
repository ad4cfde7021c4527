"""`python -m workers.curation.quality SPEC.yaml --out DIR [--work DIR]`: a scorer without the service.

SPEC is a YAML file or the name of a preset. Datasets in it are folders here. Exit codes: 0 done, 1 failed, 2 the spec
or its labels are wrong. The last line on standard output is a JSON summary; progress goes to standard error.
"""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from workers.curation.folder import CurationError, StoppedError
from workers.curation.quality.labels import LabelsError
from workers.curation.quality.run import train_scorer
from workers.reporter import MemoryReporter
from workers.specs import preset_names, preset_text
from workers.specs.base import problems
from workers.specs.curation.quality import QualityTrainingSpec


class ConsoleReporter(MemoryReporter):
    """Shows stages as bars and warnings as lines."""

    def __init__(self, bars: Progress) -> None:
        super().__init__()
        self._bars = bars
        self._tasks: dict[str, Any] = {}

    def progress(self, stage: str, done: float, total: float, unit: str = "") -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage)
        self._bars.update(self._tasks[stage], completed=done, total=total)

    def log(self, message: str, level: Any = "info") -> None:
        self._bars.console.print(f"{level}: {message}", markup=False, highlight=False, soft_wrap=True)


def main(arguments: list[str] | None = None) -> int:
    """Train, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers.curation.quality", description="Labels to a scorer.")
    parser.add_argument("spec", help="YAML file, or the name of a preset")
    parser.add_argument("--out", type=Path, required=True, help="folder of the scorer")
    parser.add_argument("--work", type=Path, help="folder that keeps a teacher's judgements (default: DIR.work)")
    options = parser.parse_args(arguments)
    try:
        summary = _run(load_spec(options.spec), options.out, options.work)
    except LabelsError as error:
        return _fail(error, 2)
    except (CurationError, StoppedError, ValueError, OSError) as error:
        return _fail(error, 2 if isinstance(error, SpecError) else 1)
    print(json.dumps(summary, ensure_ascii=False))
    return 0


class SpecError(ValueError):
    """The spec is wrong; the message says where."""


def load_spec(name: str) -> QualityTrainingSpec:
    """The spec in a file or preset. Raises SpecError with what to change."""
    try:
        text = preset_text(name) if name in preset_names() else Path(name).read_text(encoding="utf-8")
        return QualityTrainingSpec.model_validate(yaml.safe_load(text))
    except OSError as error:
        raise SpecError(f"{error.strerror}: {name}; a preset is `quality`") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(f"{name} is no YAML: {error}") from error
    except ValidationError as error:
        raise SpecError("\n".join(f"{name} {p['pointer']}: {p['message']}" for p in problems(error))) from error


def _run(spec: QualityTrainingSpec, out: Path, work: Path | None) -> dict[str, Any]:
    began = time.monotonic()
    columns = (TextColumn("{task.description:>10}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True)) as bars:
        summary = train_scorer(
            spec, out=out, work=work or out.with_name(f"{out.name}.work"), reporter=ConsoleReporter(bars)
        )
    return {"scorer": str(out)} | summary | {"seconds": round(time.monotonic() - began, 1)}


def _fail(error: Exception, code: int) -> int:
    print(f"error: {error}", file=sys.stderr)
    return code


if __name__ == "__main__":
    sys.exit(main())
