"""Resolves pyproject.toml anew and prints constraints.txt: `name==version` lines, no addresses, no local versions.

pip resolves in a dry run without regard to what is installed, so that nothing stays in the lock by habit.
"""

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path


def resolve() -> dict[str, str]:
    """Name (normalised) to version of all that the project needs, `dev` included."""
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.json"
        command = [
            sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-qq", "--dry-run",
            "--ignore-installed", "--report", str(report), "-e", ".[dev]",
        ]  # fmt: skip
        subprocess.run(command, check=True, stdout=sys.stderr, timeout=1800)
        items = json.loads(report.read_text())["install"]
    found = {}
    for item in items:
        name = re.sub(r"[-_.]+", "-", item["metadata"]["name"]).lower()
        found[name] = item["metadata"]["version"].partition("+")[0]  # torch 2.13.0+cpu is asked for as 2.13.0
    return found


def main() -> None:
    """Print the lock, sorted."""
    found = resolve()
    found.pop("headrace", None)
    sys.stdout.write("# Made by `make lock` from pyproject.toml.\n")
    for name, version in sorted(found.items()):
        sys.stdout.write(f"{name}=={version}\n")


if __name__ == "__main__":
    main()
