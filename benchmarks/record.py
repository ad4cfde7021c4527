"""Runs the benchmarks and writes their rows into RESULTS.md with date and machine: `benchmarks/record.py [NAME...]`.

Those that take an hour or more run in a short form, unless `--full` is given.
"""

import json
import os
import platform
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parent
RESULTS = FOLDER / "RESULTS.md"
SHORT = {
    "dedup_scale": ["--documents", "100000", "--rounds", "1"],
    "recovery": ["--smoke"],
    "stability": ["--smoke"],
}
HEAD = """# Benchmark results

Written by `make bench`. Machines are shared and noisy: figures hold for the machine and the day beside them.

| date | machine | benchmark | figures |
|---|---|---|---|
"""


def main() -> int:
    """Run all scripts, or those named on the command line; the number of those that failed."""
    full = "--full" in sys.argv
    names = [name for name in sys.argv[1:] if name != "--full"] or sorted(
        p.stem for p in FOLDER.glob("[a-z]*.py") if p != Path(__file__).resolve()
    )
    failed = 0
    for name in names:
        sys.stdout.write(f"== {name}\n")
        sys.stdout.flush()
        command = [sys.executable, str(FOLDER / f"{name}.py"), *([] if full else SHORT.get(name, []))]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
        sys.stdout.write(done.stdout)
        rows = [row for line in done.stdout.splitlines() if (row := parse(line))]
        failed += done.returncode != 0 or not rows
        record(rows)
    return failed


def parse(line: str) -> dict[str, Any] | None:
    """A line that is a benchmark's row: a JSON object with a name."""
    if not line.startswith("{"):
        return None
    row: dict[str, Any] = json.loads(line)
    return row if "name" in row else None


def record(rows: list[dict[str, Any]]) -> None:
    """Append rows to RESULTS.md, written beside and renamed."""
    text = RESULTS.read_text(encoding="utf-8") if RESULTS.is_file() else HEAD
    today = datetime.now(UTC).date().isoformat()
    for row in rows:
        figures = ", ".join(f"{key} {value}" for key, value in row.items() if key != "name")
        text += f"| {today} | {machine()} | {row['name']} | {figures} |\n"
    partial = RESULTS.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.rename(RESULTS)


def machine() -> str:
    """Processor and cores."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.is_file() else []
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.machine())
    return f"{model}, {os.cpu_count()} cores"


if __name__ == "__main__":
    sys.exit(main())
