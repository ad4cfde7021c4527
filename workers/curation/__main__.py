"""Curation without the service: `python -m workers.curation SPEC --out DIR [--home DIR]`.

SPEC is a YAML file or the name of a preset. DIR gets `documents` and `dataset`. Exit codes: 0 done, 1 failed, 2 the
spec or the input is wrong. The last line on standard output is a JSON summary; progress goes to standard error.
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
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from workers.curation.engine import EngineError, WorkersEndError, prepare_engine
from workers.curation.folder import CurationError, StoppedError
from workers.curation.readers import InputError
from workers.reporter import MemoryReporter
from workers.specs import RUN_SPEC, preset_names, preset_text
from workers.specs.base import problems
from workers.specs.curation import CurationSpec
from workers.specs.pipeline import PipelineSpec


class UsageError(ValueError):
    """The command line or the spec is wrong."""


class ConsoleReporter(MemoryReporter):
    """Shows stages as bars."""

    def __init__(self, progress: Progress) -> None:
        super().__init__()
        self._bars = progress
        self._tasks: dict[str, Any] = {}

    def progress(self, stage: str, done: float, total: float, unit: str = "") -> None:
        if stage not in self._tasks:
            self._tasks[stage] = self._bars.add_task(stage, unit=unit)
        self._bars.update(self._tasks[stage], completed=done, total=total)


def main(arguments: list[str] | None = None) -> int:
    """Run, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m workers.curation", description="Raw documents to a dataset.")
    parser.add_argument("spec", help="YAML file, or the name of a preset")
    parser.add_argument("--out", type=Path, required=True, help="folder for the results")
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="data folder with the corpora")
    parser.add_argument("--tokenizer", type=Path, help="tokenizer.json, where the spec takes that of another dataset")
    parser.add_argument("--heldout", type=Path, help="heldout.jsonl, where the spec takes that of another dataset")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        summary = _run(load_spec(options.spec), options, console)
    except (UsageError, InputError) as error:
        console.print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        return 2
    except (CurationError, StoppedError, EngineError, WorkersEndError, ValueError, OSError) as error:
        console.print(f"[bold red]failed:[/] {escape(str(error))}", soft_wrap=True, highlight=False)
        return 1
    print(json.dumps(summary, ensure_ascii=False))
    return 0


def load_spec(name: str) -> CurationSpec:
    """The curation spec in a file or preset; of a pipeline, its curation. Raises UsageError with what to change."""
    try:
        text = preset_text(name) if name in preset_names() else Path(name).read_text(encoding="utf-8")
        spec = RUN_SPEC.validate_python(yaml.safe_load(text))
    except OSError as error:
        raise UsageError(f"{error.strerror}: {name}; presets are {', '.join(preset_names())}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} is no YAML: {error}") from error
    except ValidationError as error:
        raise UsageError("\n".join(f"{name} {p['pointer']}: {p['message']}" for p in problems(error))) from error
    if isinstance(spec, PipelineSpec):
        return spec.curation
    if not isinstance(spec, CurationSpec):
        raise UsageError(f"{name} is a {spec.kind} spec, not one of curation")
    return spec


def _run(spec: CurationSpec, options: argparse.Namespace, console: Console) -> dict[str, Any]:
    began, out = time.monotonic(), options.out
    prepare_engine(spec)
    from workers.curation.pack import pack  # here: worker processes load their modules meanwhile
    from workers.curation.pipeline import curate

    columns = (
        TextColumn("{task.description:>14}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
    )
    with Progress(*columns, TimeElapsedColumn(), console=console) as bars:
        reporter = ConsoleReporter(bars)
        curate(spec, home=options.home, out=out / "documents", reporter=reporter)
        info = pack(
            spec,
            documents=out / "documents",
            out=out / "dataset",
            reporter=reporter,
            tokenizer=options.tokenizer,
            heldout=options.heldout,
        )
    return {
        "dataset": str(out / "dataset"),
        "documents": info["documents"],
        "tokens": info["tokens"],
        "dropped": info["dropped"],
        "rejects": info["rejects"],
        "seconds": round(time.monotonic() - began, 1),
    }


if __name__ == "__main__":
    sys.exit(main())
