"""Does the controller bring a run back? Planted faults under five policies, and quiet runs for false alarms.

A small real model on real text (`peers/scenarios.py`; scenarios and reported seeds are frozen, tuning takes others).
`none` clips nothing, `clip` at 1.0, `zclip` is ZClip, `skip_step` leaves out updates six sigma off on top of clipping
at 1.0, `ours` is the default policy on top of clipping at 1.0. A run counts as recovered when its final held-out loss
is at most 5 % over that of the fault-free run of its seed. It goes on where it was stopped: results are appended to a
file in the data folder, one line a run. Needs the corpus debian-docs (`headrace corpus fetch debian-docs`).

`--compare POLICY.yaml ...` adds policies of one's own, by the names of their files, and says how they differ from ours.
"""

import argparse
import json
import math
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
import yaml
from peers.passages import passages
from peers.scenarios import (
    BASE,
    LATENT,
    POLICIES,
    QUIET,
    QUIET_SEEDS,
    QUIET_STEPS,
    SEEDS,
    TUNING_SEEDS,
    VOCAB_SIZE,
    faults,
    onset,
)  # fmt: skip
from peers.skip_step import SkipStep

from workers.data.shards import Origin, ShardWriter
from workers.data.tokenizer import train_tokenizer
from workers.monitoring import build_controller
from workers.reporter import MemoryReporter
from workers.specs.training import TrainingSpec
from workers.training import engine as engine_module
from workers.training.errors import CheckpointError, TrainingStopped
from workers.training.memory import keep_freed_memory
from workers.training.trainer import train

MARGIN, SPIKE = 1.05, 1.25
PEERS = ("none", "clip", "zclip", "skip_step")
Row = dict[str, Any]
Job = tuple[str, str, int]
"""Scenario, policy, seed."""


def main() -> int:
    """Print a table by scenario and a JSON row a policy."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="data folder with the corpus")
    parser.add_argument("--smoke", action="store_true", help="one seed, clip and ours: minutes")
    parser.add_argument("--tuning", action="store_true", help="the seeds for tuning, in a file of their own")
    parser.add_argument("--part", default="0/1", help="I/N: every N-th run, to share the work between processes")
    parser.add_argument("--only", nargs="*", help="only these scenarios")
    parser.add_argument("--policies", nargs="*", help="only these policies, and what they are held against")
    parser.add_argument("--compare", nargs="*", type=Path, default=[], help="policies of one's own (YAML)")
    parser.add_argument("--report", action="store_true", help="run nothing: tables of what is there")
    options = parser.parse_args()
    for path in options.compare:
        policy = yaml.safe_load(path.read_text(encoding="utf-8"))
        POLICIES[path.stem] = POLICIES["ours"] | {"monitoring": {"mode": "auto", "policy": policy}}
    torch.set_num_threads(1)
    keep_freed_memory()
    folder = options.home / "benchmarks" / "stability"
    results = folder / ("tuning.jsonl" if options.tuning else "results.jsonl")
    if not options.report:
        dataset = make_dataset(options.home, folder)
        part, num_parts = map(int, options.part.split("/"))
        wanted = [job for job in jobs(options) if chosen(job, options)]
        for number, job in enumerate(wanted):
            if number % num_parts == part and job not in read(results):
                row = run(job, dataset)
                append(results, row)
                print(f"{job[0]:18} {job[1]:10} {job[2]:4} {row['heldout_loss']:.3f} {row['acted']}", flush=True)
    report(read(results), jobs(options))
    return 0


def chosen(job: Job, options: argparse.Namespace) -> bool:
    """Is it to be run? What all are held against always is."""
    name, policy, _ = job
    right = not options.only or name in {"healthy", *options.only}
    return right and (not options.policies or policy in options.policies or (name, policy) == ("healthy", "clip"))


def jobs(options: argparse.Namespace) -> list[Job]:
    """All runs, the fault-free ones first."""
    seeds = TUNING_SEEDS if options.tuning else SEEDS
    quiet_seeds = TUNING_SEEDS if options.tuning else QUIET_SEEDS
    policies = tuple(POLICIES)
    if options.smoke:
        seeds, quiet_seeds, policies = seeds[:1], quiet_seeds[:1], ("clip", "ours")
    found: list[Job] = [("healthy", policy, seed) for seed in seeds for policy in ("clip", "ours")]
    found += [(name, policy, seed) for seed in seeds for name in faults(seed) for policy in policies]
    acting = tuple(policy for policy in policies if policy not in {"none", "clip", "zclip"})
    return found + [(name, policy, seed) for seed in quiet_seeds for name in QUIET for policy in acting]


def make_dataset(home: Path, folder: Path) -> Path:
    """English and French manuals as token shards, made once."""
    done = folder / "dataset"
    if (done / "dataset.json").is_file():
        return done
    partial = folder / "dataset.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    texts = [(language, text) for language, text in passages(home, 400, step=4) if language in {"en", "fr"}]
    tokenizer = train_tokenizer((text for _, text in texts), VOCAB_SIZE)
    num_tokens = {}
    for split, remainder in (("train", range(1, 20)), ("heldout", range(1))):
        writer = ShardWriter(partial, split, VOCAB_SIZE, 1 << 22)
        for number, (language, text) in enumerate(texts):
            if number % 20 in remainder:
                writer.add([*tokenizer.encode(text), tokenizer.eos_token_id], Origin(number, language))
        writer.close()
        num_tokens[split] = writer.num_tokens
    info = {"vocab_size": VOCAB_SIZE, "dtype": "<u2", "eos_token_id": tokenizer.eos_token_id, "num_tokens": num_tokens}
    (partial / "dataset.json").write_text(json.dumps(info), encoding="utf-8")
    partial.rename(done)
    print(f"{len(texts)} passages, {num_tokens['train']:,} training tokens", flush=True)
    return done


def spec_of(job: Job) -> TrainingSpec:
    """The whole spec of a run."""
    name, policy, seed = job
    changes = {} if name == "healthy" else QUIET.get(name) if name in QUIET else faults(seed)[name]
    steps = {"num_steps": QUIET_STEPS} if name in QUIET else {}
    return TrainingSpec.model_validate(BASE | {"seed": seed} | steps | POLICIES[policy] | (changes or {}))


def run(job: Job, dataset: Path) -> Row:
    """Train once. A run that ends early keeps what it reached: that is no recovery."""
    spec, reporter, skip = spec_of(job), MemoryReporter(), SkipStep()
    engine_module.build_controller = (lambda _: skip) if job[1] == "skip_step" else build_controller
    began = time.process_time()
    stopped, summary = None, {"heldout_loss": math.nan}
    with tempfile.TemporaryDirectory(prefix="headrace-stability-") as out:
        try:
            summary = train(spec, dataset=dataset, out=Path(out), reporter=reporter)
        except (TrainingStopped, CheckpointError) as error:
            stopped = str(error)
    reporter.flush()
    losses = dict(reporter.series("loss"))  # of steps done again the last time counts
    interventions = {i.id: i for i in reporter.batch.interventions}
    answered = {kind for rule in spec.monitoring.policy.rules for kind in rule.findings}
    # What the policy only tells of (speed, memory, ...) is no detection, and neither is what comes before the fault.
    seen = [f.step for f in reporter.batch.findings if f.evidence.get("cause") in answered]
    first = 0 if job[0] == "bad_warmup" else onset(job[2])
    return {
        "job": list(job),
        "heldout_loss": summary["heldout_loss"],
        "stopped": stopped,
        "losses": [round(losses.get(step, math.nan), 4) for step in range(spec.num_steps)],
        "acted": [f"{i.step}:{i.action}:{i.evidence.get('cause')}:{i.outcome}" for i in interventions.values()],
        "detected": min((step for step in seen if step >= first), default=skip.first_skip),
        "num_told": len(reporter.batch.findings) - len(seen),
        "num_acted": len(interventions) + skip.num_skipped,
        "tokens_lost": (sum(i.cost_steps for i in interventions.values()) + skip.num_skipped) * spec.tokens_per_step,
        "cpu_seconds": round(time.process_time() - began, 2),
    }


def append(path: Path, row: Row) -> None:
    """One line, flushed."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(row) + "\n")


def read(path: Path) -> dict[Job, Row]:
    """What was run so far; a torn last line is no run."""
    found: dict[Job, Row] = {}
    for line in path.read_text(encoding="utf-8").splitlines() if path.is_file() else []:
        try:
            row = json.loads(line)
        except ValueError:
            continue
        scenario, policy, seed = row["job"]
        found[scenario, policy, seed] = row
    return found


def report(rows: dict[Job, Row], wanted: list[Job]) -> None:
    """A table of scenarios, then a JSON row a policy."""
    rows = {job: row for job, row in rows.items() if job in set(wanted)}
    policies = [policy for policy in POLICIES if any(job[1] == policy for job in rows)]
    scenarios = list(dict.fromkeys(job[0] for job in rows if job[0] not in {"healthy", *QUIET}))
    print(f"\n{'share recovered (final loss over fault-free)':46}" + "".join(f"{p:>16}" for p in policies) + "    lead")
    for name in scenarios:
        cells = []
        for policy in policies:
            found = [ratio(rows, job) for job in rows if job[:2] == (name, policy)]
            good = sum(r <= MARGIN for r in found)
            middle = statistics.median(found) if found else math.nan
            cells.append(f"{good}/{len(found)} ({middle:.3f})")
        leads = [lead for job in rows if job[:2] == (name, "ours") and (lead := lead_steps(rows, job)) is not None]
        shown = f"{statistics.median(leads):8.0f}" if leads else ""
        print(f"{name:46}" + "".join(f"{cell:>16}" for cell in cells) + shown)
    peers = [policy for policy in policies if policy in PEERS]
    best = max(peers, key=lambda p: np.mean(recovered(rows, p) or [0]), default=None)
    for policy in policies:
        found = policy_row(rows, policy, best if policy == "ours" else "ours" if policy not in PEERS else None)
        print(json.dumps(found))
        if policy == "ours":
            print("missed targets: " + (", ".join(missed(found)) or "none"))


def missed(found: Row) -> list[str]:
    """The targets that our policy does not reach. What was not measured is no success."""
    targets = {
        "recovered": lambda x: x >= 0.95,
        "within_spread_of_recovered": lambda x: x >= 0.9,
        "early": lambda x: x >= 0.7,
        "false_per_10k": lambda x: x <= 1,
        "quiet_steps": lambda x: x >= 30_000,
        "overhead": lambda x: x <= 0.02,
    }
    return [f"{name} {found[name]}" for name, good in targets.items() if found[name] is None or not good(found[name])]


def policy_row(rows: dict[Job, Row], policy: str, against: str | None) -> Row:
    """The figures of one policy over all scenarios; `against`: and its difference from another, in pairs of runs."""
    ratios = {job: ratio(rows, job) for job in faulty(rows, policy)}
    good = {job: value for job, value in ratios.items() if value <= MARGIN}
    healthy = [row["heldout_loss"] for job, row in rows.items() if job[:2] == ("healthy", "clip")]
    within = [rows[job]["heldout_loss"] <= max(healthy) for job in good]
    latent = [job for job in ratios if job[0] in LATENT and policy in {"skip_step", "ours"}]
    leads = [lead for job in latent if (lead := lead_steps(rows, job)) is not None]
    quiet = [row for job, row in rows.items() if job[0] in QUIET and job[1] == policy]
    quiet_steps = sum(len(row["losses"]) for row in quiet)
    result: Row = {
        "name": f"stability {policy}",
        "recovered": mean(recovered(rows, policy)),
        "recovered_interval": interval([float(v <= MARGIN) for v in ratios.values()]),
        "final_loss_ratio": shown(statistics.median(ratios.values())) if ratios else None,
        "final_loss_ratio_interval": interval(list(ratios.values()), np.median),
        "within_spread_of_recovered": mean([float(w) for w in within]),
        "early": mean([float(lead >= 0) for lead in leads]),
        "median_lead_steps": statistics.median(leads) if leads else None,
        "false_per_10k": round(1e4 * sum(r["num_acted"] for r in quiet) / quiet_steps, 2) if quiet_steps else None,
        "told_per_10k": round(1e4 * sum(r.get("num_told", 0) for r in quiet) / quiet_steps, 2) if quiet_steps else None,
        "quiet_steps": quiet_steps,
        "overhead": overhead(rows) if policy == "ours" else None,
        "tokens_lost": mean([float(rows[job]["tokens_lost"]) for job in ratios]),
        "seeds": len({job[2] for job in ratios}),
        "runs": len(ratios),
    }
    if against:
        pairs = [(job, (job[0], against, job[2])) for job in ratios if (job[0], against, job[2]) in rows]
        differences = [float(ratios[a] <= MARGIN) - float(ratio(rows, b) <= MARGIN) for a, b in pairs]
        result |= {"against": against, "difference": mean(differences), "difference_interval": interval(differences)}
    return result


def faulty(rows: dict[Job, Row], policy: str) -> Iterator[Job]:
    """Runs with a fault under a policy."""
    return (job for job in rows if job[1] == policy and job[0] != "healthy" and job[0] not in QUIET)


def recovered(rows: dict[Job, Row], policy: str) -> list[float]:
    """1 for each run that recovered, 0 for each that did not."""
    return [float(ratio(rows, job) <= MARGIN) for job in faulty(rows, policy)]


def ratio(rows: dict[Job, Row], job: Job) -> float:
    """Final held-out loss over that of the fault-free run of the seed; infinite when there is none."""
    loss, healthy = rows[job]["heldout_loss"], rows["healthy", "clip", job[2]]["heldout_loss"]
    return loss / healthy if math.isfinite(loss) and not rows[job]["stopped"] else math.inf


def lead_steps(rows: dict[Job, Row], job: Job) -> int | None:
    """Steps from the detection to the loss spike of the same fault with clipping alone; None: it did not spike.

    Never detected counts as after the end.
    """
    name, _, seed = job
    if (name, "clip", seed) not in rows:
        return None
    struck, spared = rows[name, "clip", seed]["losses"], rows["healthy", "clip", seed]["losses"]
    first = 0 if name == "bad_warmup" else onset(seed)
    spike = next((s for s in range(first, len(struck)) if not struck[s] <= SPIKE * spared[s]), None)
    if spike is None:
        return None
    detected = rows[job]["detected"]
    return spike - (detected if detected is not None else len(struck))


def overhead(rows: dict[Job, Row]) -> float | None:
    """Share of CPU time more of fault-free runs with the controller than of the same without."""
    watched = {job[2]: row for job, row in rows.items() if job[:2] == ("healthy", "ours")}
    pairs = [(row, rows.get(("healthy", "clip", seed))) for seed, row in watched.items()]
    shares = [ours["cpu_seconds"] / clip["cpu_seconds"] - 1 for ours, clip in pairs if clip]
    return round(statistics.median(shares), 3) if shares else None


def mean(values: list[float]) -> float | None:
    """Rounded; None of nothing."""
    return round(statistics.fmean(values), 4) if values else None


def interval(values: list[float], figure: Callable[..., Any] = np.mean) -> list[float | None] | None:
    """95 % of the mean (or `figure`), by bootstrap over runs (pairs of runs, where these are differences)."""
    if not values:
        return None
    drawn = np.random.default_rng(0).choice(values, size=(10_000, len(values)))
    return [shown(x) for x in np.percentile(figure(drawn, axis=1), [2.5, 97.5], method="nearest")]


def shown(value: float) -> float | None:
    """Rounded; None where more than half of the runs never came to an end."""
    return round(float(value), 4) if math.isfinite(value) else None


if __name__ == "__main__":
    sys.exit(main())
