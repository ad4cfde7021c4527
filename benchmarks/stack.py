"""How long a person waits: `headrace --help`, the first `headrace up` in an empty folder, the next, `headrace down`.

Prints one JSON line of seconds. `python benchmarks/stack.py`; targets: help 0.5 s, first start 30 s.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HEADRACE = Path(sys.executable).with_name("headrace")


def measure(environment: dict[str, str], *arguments: str) -> float:
    """Seconds that the command takes. Raises CalledProcessError when it fails."""
    begun = time.perf_counter()
    subprocess.run([HEADRACE, *arguments], env=environment, check=True, stdout=subprocess.DEVNULL, timeout=600)
    return round(time.perf_counter() - begun, 2)


def main() -> None:
    """Measure and print."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith("HEADRACE_")}
    with tempfile.TemporaryDirectory() as folder:
        environment = kept | {"HEADRACE_HOME": str(Path(folder) / "home")}
        figures: dict[str, object] = {"name": "stack", "help": min(measure(environment, "--help") for _ in range(3))}
        try:
            figures["first_up"] = measure(environment, "up")
            figures["down"] = measure(environment, "down")
            figures["next_up"] = measure(environment, "up")
        finally:
            measure(environment, "down")
    sys.stdout.write(json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
