"""kill -9 of trainer, worker, both, API, Prefect's server and Postgres, again and again, under runs of the real stack.

`python benchmarks/recovery.py` starts a stack of its own with a short lease, trains once undisturbed, then trains the
same again and again while each part is killed in turn. What it counts:

- `lost`: runs that did not complete, and steps of completed runs that no line of the curve has
- `doubled`: points that are there twice
- `different`: points that are not, bit for bit, those of the undisturbed run
- `false_crashes`: new attempts though neither trainer nor worker was killed
- `held`: places in Prefect's pools that are taken at the end though nothing runs
- seconds from the kill until the part is healthy and the run has made a step that it had not made before

`--silences` instead stops the trainer (SIGSTOP) for 60 s and takes the API away for 60 s, with the lease that is the
default: neither may cost an attempt or a point.
"""

import argparse
import itertools
import json
import os
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import psutil
from launch import commit_dataset, write_dataset

from workers.storage import ServiceStorage

HEADRACE = Path(sys.executable).with_name("headrace")
LEASE_SECONDS = 20.0
WAIT_SECONDS = 300.0
SILENCE_SECONDS = 60.0
FATAL = {"trainer": ("trainer",), "worker": ("worker",), "both": ("worker", "trainer")}
"""Victims whose death ends an attempt: what of them is killed."""
PARTS = {"worker": "worker-cpu", "api": "api", "prefect": "prefect", "postgres": "postgres"}
VICTIMS = (*FATAL, "api", "prefect", "postgres")
SILENCES = ("still", "away")
KEYS = ("loss", "grad_norm", "update_norm", "lr", "heldout_loss")
SPEC = {
    "kind": "training",
    "name": "recovery",
    "model": {"d_model": 32, "num_layers": 2, "num_heads": 4, "num_kv_heads": 2, "d_ffn": 64},
    "batch": {"sequence_tokens": 64, "micro_batch_sequences": 4},
    "optimizer": {"kind": "adamw", "lr": 2e-3},
    "schedule": {"kind": "wsd", "warmup_steps": 20},
    "clipping": {"kind": "zclip"},
    "checkpointing": {"every_steps": 50},
    "heldout": {"every_steps": 200, "num_batches": 2},
}
Points = dict[tuple[str, int], list[tuple[int, float]]]
"""(branch, value) by key and step."""
Row = dict[str, Any]


class Stack:
    """A whole installation in a folder of its own, the client of its API, and its processes."""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("HEADRACE_", "PREFECT_", "MLFLOW_"))}
        self.home = folder / "home"
        self.environment = kept | {"HEADRACE_HOME": str(self.home)} | settings

    def command(self, *arguments: str) -> None:
        """Run the CLI. Raises CalledProcessError."""
        subprocess.run([HEADRACE, *arguments], env=self.environment, check=True, stdout=subprocess.DEVNULL, timeout=600)

    def connect(self, dataset: Path) -> str:
        """Open clients of the API and of Prefect, and store the dataset; its digest."""
        url = self.state()["url"]
        tokens = json.loads((self.home / "secrets.json").read_text())
        headers = {"Authorization": f"Bearer {tokens['admin_token']}"}
        self.client = httpx.Client(base_url=f"{url}/api/v1", headers=headers, timeout=20, trust_env=False)
        door, auth = f"{url}/api/v1/prefect/api", ("worker", tokens["worker_token"])
        self.prefect = httpx.Client(base_url=door, auth=auth, timeout=60, trust_env=False)
        return commit_dataset(self.client, ServiceStorage(url, tokens["worker_token"]), dataset)

    def state(self) -> dict[str, Any]:
        """What the supervisor says."""
        found: dict[str, Any] = json.loads((self.home / "stack.json").read_text())
        return found

    def part(self, name: str) -> dict[str, Any]:
        """One part: pid, phase, restarts."""
        found: dict[str, Any] = self.state()["parts"][name]
        return found

    def get(self, path: str) -> Any:
        """JSON of a read; None while the service is away."""
        try:
            return self.client.get(path).raise_for_status().json()
        except (httpx.HTTPError, ValueError):
            return None

    def trainer(self) -> psutil.Process | None:
        """The process that trains, with Prefect's engine in it."""
        try:
            below = psutil.Process(self.part(PARTS["worker"])["pid"]).children(recursive=True)
            return next((p for p in below if "prefect.engine" in p.cmdline()), None)
        except psutil.Error:
            return None

    def num_held(self) -> int:
        """Flow runs of ours that take a place in a pool."""
        query = {"flow_runs": {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}}
        found = self.prefect.post("/flow_runs/filter", json=query).raise_for_status().json()
        return sum("run_id" in (flow_run.get("parameters") or {}) for flow_run in found)


def wait_for(what: str, look: Callable[[], Any], seconds: float = WAIT_SECONDS) -> Any:
    """What `look` finds. Raises TimeoutError."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if (found := look()) not in (None, False):
            return found
        time.sleep(0.1)
    raise TimeoutError(f"{what}: not within {seconds:.0f} s")


class Trial:
    """One run, what was done to it, and what became of it."""

    def __init__(self, stack: Stack, spec: Row, draw: random.Random) -> None:
        self.stack, self.draw = stack, draw
        body = {"spec": spec, "max_attempts": 20}
        self.run_id: str = stack.client.post("/runs", json=body).raise_for_status().json()["id"]
        self.seconds: dict[str, list[float]] = defaultdict(list)
        self.false_crashes = 0
        self.notes: list[str] = []

    def look(self) -> Row | None:
        """The run; None while the service is away."""
        found: Row | None = self.stack.get(f"/runs/{self.run_id}")
        return found

    def last_step(self) -> int | None:
        """The highest step that the service has; None while it is away."""
        series = self.stack.get(f"/runs/{self.run_id}/metrics")
        return None if series is None else max((s["last_step"] for s in series if s["key"] == "loss"), default=-1)

    def ended(self) -> Row | None:
        """The run once it is over."""
        found = self.look()
        return found if found and found["finished_at"] else None

    def strike(self, victim: str) -> bool:
        """Do it to the victim while the run trains, and wait until all is well. False: the run was over before."""
        stack = self.stack

        def trains() -> Any:
            if (run := self.look()) is None:
                return None
            return "over" if run["finished_at"] else run["state"] == "running" and stack.trainer() and run

        before = wait_for("the run trains", trains)
        if before == "over":
            return False
        time.sleep(self.draw.uniform(0.5, 4.0))
        step, trainer = self.last_step(), stack.trainer()
        if trainer is None or self.ended():
            return False
        begun = time.monotonic()
        DEEDS[victim](stack, trainer)

        def goes_on() -> Any:
            now = self.last_step()
            return now is not None and ((step is not None and now > step) or bool(self.ended()))

        name = PARTS.get(victim, PARTS["worker"])
        wait_for(f"{name} is healthy after {victim}", lambda: stack.part(name)["phase"] == "healthy")
        wait_for(f"the run goes on after {victim}", goes_on)
        self.seconds[victim].append(time.monotonic() - begun)
        after = wait_for("the run is there", self.look)
        if victim not in FATAL and after["attempt"] != before["attempt"]:
            self.false_crashes += 1
        self._say(f"{victim:9} at step {step}: {self.seconds[victim][-1]:5.1f} s, attempt {after['attempt']}")
        return True

    def finish(self) -> Row:
        """Wait for the end; the run. A run that does not end is no exception here: it is lost."""
        try:
            found: Row = wait_for("the run ends", self.ended, 2 * WAIT_SECONDS)
        except TimeoutError:
            found = {"state": "not over", "error": None}
        if found["state"] != "completed":
            self._say(f"run {self.run_id} {found['state']}: {found['error']}")
        return found

    def points(self) -> Points:
        """All points of the series that must be equal."""
        params = {"format": "jsonl", "keys": list(KEYS)}
        text = self.stack.client.get(f"/runs/{self.run_id}/export", params=params).raise_for_status().text
        found: Points = defaultdict(list)
        for line in text.splitlines():
            point = json.loads(line)
            found[point["key"], point["step"]].append((point["branch"], point["value"]))
        return found

    def _say(self, text: str) -> None:
        self.notes.append(text)
        print(text, file=sys.stderr, flush=True)


def kill_part(name: str) -> Callable[[Stack, psutil.Process], None]:
    """A deed: kill -9 of a part of the stack."""

    def deed(stack: Stack, trainer: psutil.Process) -> None:
        part = stack.part(name)
        os.kill(part["pid"], signal.SIGKILL)
        wait_for(f"{name} was started again", lambda: stack.part(name)["restarts"] > part["restarts"])

    return deed


def kill_trainer(stack: Stack, trainer: psutil.Process) -> None:
    """A deed: kill -9 of the training process alone."""
    trainer.kill()


def kill_both(stack: Stack, trainer: psutil.Process) -> None:
    """A deed: kill -9 of the worker, its Prefect process and the training at once: nobody is left to tell."""
    part = stack.part(PARTS["worker"])
    worker = psutil.Process(part["pid"])
    for process in [worker, *worker.children(recursive=True)]:
        process.kill()
    wait_for("the worker was started again", lambda: stack.part(PARTS["worker"])["restarts"] > part["restarts"])


def hold_still(stack: Stack, trainer: psutil.Process) -> None:
    """A deed: the training process stands still."""
    trainer.suspend()
    time.sleep(SILENCE_SECONDS)
    trainer.resume()


def take_away(stack: Stack, trainer: psutil.Process) -> None:
    """A deed: the API is gone, and its supervisor does not start it again for a while."""
    supervisor, api = psutil.Process(stack.state()["pid"]), psutil.Process(stack.part("api")["pid"])
    supervisor.suspend()
    for process in [api, *api.children(recursive=True)]:
        process.kill()
    time.sleep(SILENCE_SECONDS)
    supervisor.resume()


DEEDS: dict[str, Callable[[Stack, psutil.Process], None]] = {
    "trainer": kill_trainer,
    "both": kill_both,
    **{victim: kill_part(name) for victim, name in PARTS.items()},
    "still": hold_still,
    "away": take_away,
}


def compare(found: Points, expected: Points) -> Counter[str]:
    """What of a run's points is lost, doubled or different."""
    counts: Counter[str] = Counter(lost_points=len(expected.keys() - found.keys()))
    for place, points in found.items():
        counts["doubled"] += len(points) - len({branch for branch, _ in points})
        right = expected[place][0][1] if place in expected else None
        counts["different"] += sum(value != right for _, value in points)
    return counts


def measure(stack: Stack, options: argparse.Namespace) -> Row:
    """The undisturbed run, then the others."""
    seed = time.time_ns()
    draw = random.Random(seed)
    digest = stack.connect(write_dataset(stack.home.parent / "dataset"))
    spec = SPEC | {"dataset": digest, "num_steps": options.steps}
    whole = Trial(stack, spec, draw)
    if whole.finish()["state"] != "completed":
        raise RuntimeError("the undisturbed run did not complete")
    expected = whole.points()
    counts: Counter[str] = Counter()
    seconds: dict[str, list[float]] = defaultdict(list)
    victims = SILENCES if options.silences else VICTIMS
    deadline, left = time.monotonic() + 60 * options.minutes, options.kills
    for number in itertools.count(1):
        if left <= 0 or time.monotonic() > deadline:
            break
        print(f"run {number}", file=sys.stderr, flush=True)
        trial = Trial(stack, spec, draw)
        try:
            for victim in draw.sample(victims, len(victims)):
                if left > 0 and trial.strike(victim):
                    left -= 1
        except TimeoutError as error:
            counts["not_recovered"] += 1
            print(f"{error}; run {trial.run_id}", file=sys.stderr, flush=True)
        counts["runs"] += 1
        counts["false_crashes"] += trial.false_crashes
        if trial.finish()["state"] != "completed":
            counts["lost"] += 1
        else:
            counts += compare(trial.points(), expected)
        for victim, values in trial.seconds.items():
            seconds[victim] += values
    return row(counts, seconds, held=_held_at_the_end(stack), options=options, seed=seed)


def _held_at_the_end(stack: Stack) -> int:
    """Places that are taken though all runs are over; after the lease and a look of the watch."""
    try:
        wait_for("places come free", lambda: stack.num_held() == 0, 4 * LEASE_SECONDS + 60)
    except TimeoutError:
        return stack.num_held()
    return 0


def row(counts: Counter[str], seconds: dict[str, list[float]], held: int, options: Any, seed: int) -> Row:
    """The figures. Times are medians, and the worst."""
    every = [one for values in seconds.values() for one in values]
    names = ("runs", "lost", "lost_points", "doubled", "different", "false_crashes", "not_recovered")
    found: Row = {"name": "silences" if options.silences else "recovery", "kills": len(every)}
    found |= {name: counts[name] for name in names} | {"held": held}
    if every:
        found |= {"median_recovery_seconds": round(statistics.median(every), 1), "worst": round(max(every), 1)}
    found["by_victim"] = {name: round(statistics.median(values), 1) for name, values in sorted(seconds.items())}
    return found | {"seed": seed}


def main() -> int:
    """Start, measure, stop. 1 when something was lost, doubled, different, falsely crashed or held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=54)
    parser.add_argument("--steps", type=int, default=3000, help="of a run; it should take a minute or more")
    parser.add_argument("--minutes", type=float, default=40.0, help="after these no further run begins")
    parser.add_argument("--smoke", action="store_true", help="one run, each victim once")
    parser.add_argument("--silences", action="store_true", help="SIGSTOP and an outage of 60 s instead of kills")
    options = parser.parse_args()
    if options.smoke or options.silences:
        options.kills = len(SILENCES if options.silences else VICTIMS)
    short = {"HEADRACE_DEAD_AFTER_SECONDS": str(LEASE_SECONDS), "HEADRACE_WATCH_SECONDS": "5"}
    with tempfile.TemporaryDirectory(prefix="headrace-recovery-") as folder:
        stack = Stack(Path(folder), {} if options.silences else short)
        try:
            stack.command("up")
            found = measure(stack, options)
        finally:
            stack.command("down")
    sys.stdout.write(json.dumps(found) + "\n")
    bad = ("lost", "lost_points", "doubled", "different", "false_crashes", "not_recovered", "held")
    return int(any(found[name] for name in bad))


if __name__ == "__main__":
    sys.exit(main())
