"""Runs as workers would report them, through the real API: what the browser tests and the screenshots look at.

`python tests/browser/seed.py URL ADMIN_TOKEN WORKER_TOKEN` fills a running service.
"""

import hashlib
import json
import math
import random
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from corpus import make_versions
from seed_compare import family
from seed_findings import ablation_summary, quality_summary
from seed_layers import layer_columns
from seeder import Seeder, event, progress

from workers.specs.curation import CurationSpec

XSS = '<img src=x onerror="window.hacked=1"><script>window.hacked=1</script>'
"""Shown in names, tags, logs and documents: it must stay text."""

NUM_STEPS = 600
SPIKE_STEP = 331
ROLLBACK_STEP = 299
SECOND_STEP = 470


def loss_at(step: int, noise: random.Random) -> float:
    """A loss curve: from log(8192) down a power law, with noise."""
    return 3.05 + 5.9 * math.exp(-step / 38) + 2.6 * (step + 12) ** -0.42 * 1.4 + noise.gauss(0, 0.035)


def lr_at(step: int, scale: float = 1.0) -> float:
    """WSD: 50 steps of warm-up, the last fifth down to 0."""
    warm = min(1.0, (step + 1) / 50)
    decay = min(1.0, (NUM_STEPS - step) / (NUM_STEPS * 0.2))
    return 3e-3 * warm * decay * scale


STEP_SECONDS = 0.2
ROLLBACK_SECONDS = 6.0


def column(key: str, steps: Iterable[int], values: Iterable[float], branch: int = 0) -> dict[str, Any]:
    """A series as it travels; a later branch was made later."""
    listed = list(steps)
    times = [1.79e9 + (s + 40 * branch) * STEP_SECONDS + branch * ROLLBACK_SECONDS for s in listed]
    return {"key": key, "branch": branch, "steps": listed, "values": list(values), "times": times}


def training_columns(first: int, last: int, branch: int, scale: float, seed: int) -> list[dict[str, Any]]:
    """Series of the steps [first, last]; branch 0 diverges from the spike on."""
    noise = random.Random(seed)
    steps = range(first, last + 1)
    loss = [loss_at(step, noise) for step in steps]
    norm = [0.38 + 1.1 * math.exp(-step / 30) + abs(noise.gauss(0, 0.04)) for step in steps]
    if branch == 0:
        for i, step in enumerate(steps):
            if step >= SPIKE_STEP:
                loss[i] += 1.9 * (1 - math.exp(-(step - SPIKE_STEP + 1) / 3))
                norm[i] *= 7.5
    heldout = [step for step in steps if step % 50 == 0]
    return [
        column("loss", steps, loss, branch),
        column("grad_norm", steps, norm, branch),
        column("update_norm", steps, [n * 0.21 for n in norm], branch),
        column("lr", steps, [lr_at(step, scale) for step in steps], branch),
        column("tokens", steps, [(step + 1) * 4096.0 for step in steps], branch),
        column("flops", steps, [(step + 1) * 4096.0 * 6 * 8.4e6 for step in steps], branch),
        column("tokens_per_second", steps, [21_400 + noise.gauss(0, 350) for _ in steps], branch),
        column("heldout_loss", heldout, [loss_at(step, noise) + 0.06 for step in heldout], branch),
    ]


def interventions() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Findings and interventions of the training run: a roll-back that recovered, and one still verified."""
    past = [0.41, 0.4, 0.43, 0.39, 0.42, 0.4, 0.41, 0.44, 0.4, 0.42, 0.41, 0.43, 2.9, 3.1]
    findings = [
        {
            "id": "f1", "detector": "spike", "step": SPIKE_STEP + 1, "severity": "critical",
            "message": "Gradient norm is 7.4 times its median of the last 128 steps.",
            "evidence": {"series": "grad_norm", "z": 31.4, "threshold": 8.0, "value": 3.1, "recent": past},
        },
        {
            "id": "f2", "detector": "spike", "step": SECOND_STEP, "severity": "warning",
            "message": "Update norm rises for 2 steps in a row.",
            "evidence": {"series": "update_norm", "z": 9.1, "threshold": 8.0, "value": 0.21},
        },
    ]  # fmt: skip
    actions = [
        {
            "id": "i1", "finding_id": "f1", "step": SPIKE_STEP + 1,
            "action": "rollback+skip_batches+scale_lr+tighten_clip",
            "rule": "grad_norm.z > 8 for 2 steps, window 128", "before": {"lr_scale": 1.0, "clip": 1.0},
            "after": {"lr_scale": 0.5, "clip": 0.5, "to_step": ROLLBACK_STEP},
            "cost_steps": SPIKE_STEP + 1 - ROLLBACK_STEP, "outcome": "recovered", "outcome_step": 372,
        },
        {
            "id": "i2", "finding_id": "f2", "step": SECOND_STEP, "action": "scale_lr",
            "rule": "update_norm.z > 8 for 2 steps, window 128", "before": {"lr_scale": 0.5},
            "after": {"lr_scale": 0.25}, "cost_steps": 0, "outcome": "verifying",
        },
    ]  # fmt: skip
    return findings, actions


def training_spec(name: str, **settings: Any) -> dict[str, Any]:
    """A spec of a training run."""
    return {"kind": "training", "name": name, "num_steps": NUM_STEPS, "dataset": "sha256:" + "a" * 64} | settings


def training(seeder: Seeder, name: str, last: int, finish: bool = False, **more: Any) -> str:
    """A training run up to step `last`, with a spike, a roll-back and a second intervention."""
    run_id = seeder.launch(training_spec(name), **more)
    found, acted = interventions()
    branch0 = training_columns(0, min(last, SPIKE_STEP + 4), 0, 1.0, 1)
    begin = {"level": "info", "message": "8.4 M parameters, 4,096 tokens a step, bfloat16", "step": 0}
    seeder.report(
        run_id, state="running", metrics=branch0, logs=[begin], events=[event("stage", "training", stage="train")]
    )
    for step in range(100, min(last, 300) + 1, 100):
        seeder.artifact(run_id, "checkpoint", f"step-{step}", {"model.bin": f"{run_id}{step}".encode()}, step=step)
        seeder.report(run_id, events=[event("checkpoint", f"checkpoint {step} saved", step)])
    if last > SPIKE_STEP + 4:
        back = event("rollback", f"rolled back to step {ROLLBACK_STEP}", SPIKE_STEP + 4)
        after = training_columns(ROLLBACK_STEP + 1, last, 1, 0.5, 2)
        which = 2 if last >= SECOND_STEP else 1
        after += layer_columns(0, ROLLBACK_STEP, 0) + layer_columns(ROLLBACK_STEP + 1, last, 1)
        seeder.report(run_id, metrics=after, events=[back], findings=found[:which], interventions=acted[:which])
    lines = [
        {"level": "info", "message": f"loss {loss_at(s, random.Random(s)):.4f} grad_norm 0.41", "step": s}
        for s in range(0, last, 10)
    ]
    lines.append({"level": "warning", "message": f"a line with markup {XSS}", "step": last})
    seeder.report(run_id, logs=lines, events=[progress("train", last, NUM_STEPS, "steps")])
    if finish:
        summary = {"first_loss": 9.0111, "last_loss": 3.3127, "heldout_loss": 3.3721, "unigram_loss": 6.9144}
        done = event("summary", "done", **summary)
        seeder.report(run_id, state="completed", events=[progress("train", NUM_STEPS, NUM_STEPS, "steps"), done])
    return run_id


def asking(seeder: Seeder) -> str:
    """A training run that waits for a person's yes; its id."""
    run_id = training(seeder, "smol-8m-asks", 180)
    found, acted = interventions()
    found[0] |= {"id": "asks-f1", "step": 180}
    proposed = acted[0] | {"id": "asks-i1", "finding_id": "asks-f1", "step": 180, "outcome": "proposed"}
    seeder.report(
        run_id, findings=found[:1], interventions=[proposed | {"outcome_step": None, "after": {}, "before": {}}]
    )
    return run_id


STAGES: list[tuple[str, dict[str, int]]] = [
    ("read", {}),
    ("url", {"url.blocked_words": 31}),
    ("extract", {"extract.empty": 112}),
    ("language", {"language.other": 204, "language.low_score": 61}),
    ("exact", {"exact.duplicate": 188}),
    ("minhash", {"minhash.duplicate": 143}),
    ("gopher_repetition", {"gopher_repetition.max_duplicate_line_fraction": 84,
                           "gopher_repetition.max_top_ngram_char_fraction.2": 57}),
    ("gopher_quality", {"gopher_quality.min_words": 166, "gopher_quality.min_alphabetic_word_ratio": 41}),
    ("c4_quality", {"c4_quality.min_sentences": 63, "c4_quality.drop_curly_bracket": 22}),
    ("fineweb_quality", {"fineweb_quality.max_short_line_ratio": 118,
                         "fineweb_quality.min_line_punctuation_ratio": 37}),
    ("pii", {}),
]  # fmt: skip
SHARES = {"de": 0.14, "en": 0.38, "es": 0.13, "fr": 0.16, "it": 0.1, "pt": 0.09}
NUM_READ = 3214


def by_language(count: int) -> dict[str, int]:
    """A count spread over the languages; the sum stays."""
    spread = {code: int(count * share) for code, share in SHARES.items()}
    spread["en"] += count - sum(spread.values())
    return {code: n for code, n in spread.items() if n}


def funnel() -> list[dict[str, Any]]:
    """The funnel as curation writes it."""
    left, stages = NUM_READ, []
    for stage, dropped in STAGES:
        left -= sum(dropped.values())
        stages.append(
            {
                "stage": stage,
                "documents": by_language(left),
                "bytes": by_language(left * 5200),
                "dropped": {rule: by_language(n) for rule, n in dropped.items()},
            }
        )
    return stages


_LINES = [
    "Notices to skippers", "Depths and tide windows for the inner basin, updated every Monday.", "Berth 4", "3.2 m",
    "Berth 5", "3.6 m", "Berth 6, north side", "2.9 m, silted since August",
    "Depths are given at mean low water, measured from the quay wall.",
    "Vessels drawing more than 3 m wait for the second half of the flood.", "VHF 12",
    "The port office answers in English and French during the day.", "Back to top",
]  # fmt: skip


def samples() -> bytes:
    """Samples of each rule and of what is kept, as JSON lines; one document is hostile markup."""
    rows = []
    rules: list[str | None] = [rule for _, dropped in STAGES for rule in dropped]
    for number, rule in enumerate([None, *rules]):
        for copy in range(4):
            code = list(SHARES)[(number + copy) % len(SHARES)]
            text = "\n".join(_LINES[copy:] + _LINES[:copy])
            start = text.index("Berth 4")
            rows.append(
                {
                    "document_id": hashlib.sha256(f"{rule}{copy}".encode()).hexdigest(),
                    "source": f"harbour-{number}.warc.gz#{copy}", "url": f"https://port.example/notices/{number}/{copy}",
                    "language": code, "rule": rule, "figure": None if rule is None else 0.64 + copy / 100,
                    "threshold": None if rule is None else 0.67, "span": None if rule is None else [start, start + 13],
                    "text": text, "truncated": copy == 3,
                }
            )  # fmt: skip
    hostile = dict(rows[4], document_id="f" * 64, text=f"{XSS}\nA page that tries to run.", span=[0, len(XSS)])
    rows.insert(0, hostile)
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def curation(seeder: Seeder, name: str = "debian-docs", **more: Any) -> tuple[str, str]:
    """A finished curation run; its id and the dataset's digest."""
    run_id = seeder.launch({"kind": "curation", "name": name}, **more)
    seeder.report(run_id, state="running", events=[progress("extract", 1200, NUM_READ, "documents")])
    steps = range(0, 3300, 100)
    seeder.report(run_id, metrics=[column("documents_per_second", steps, (52 + 4 * math.sin(s / 300) for s in steps))])
    stages = funnel()
    statistics = {
        "read": NUM_READ,
        "funnel": stages,
        "num_tokens": {"train": 2_418_000, "heldout": 126_000},
        "tokens": {code: {"train": n, "heldout": n // 19} for code, n in by_language(2_418_000).items()},
    }
    files = {"samples.jsonl": samples(), "dataset.json": json.dumps(statistics).encode()}
    digest = seeder.artifact(run_id, "dataset", name, files, statistics=statistics, lineage={"input": "debian-docs"})
    ends = [progress(s, NUM_READ, NUM_READ, "documents") for s in ("extract", "dedup", "tokenize")]
    summary = event("summary", "done", read=NUM_READ, kept=sum(stages[-1]["documents"].values()), seconds=71.4)
    seeder.report(run_id, state="completed", events=[*ends, summary])
    return run_id, digest


def curated(seeder: Seeder, spec: CurationSpec, folder: Path) -> str:
    """A finished curation run with the dataset that the real curation left in a folder; the version's digest."""
    run_id = seeder.launch(spec.model_dump(mode="json"))
    seeder.report(run_id, state="running")
    files = {path.name: path.read_bytes() for path in sorted(folder.iterdir())}
    info = json.loads(files["dataset.json"])
    lineage = info.pop("lineage")
    digest = seeder.artifact(run_id, "dataset", spec.name, files, statistics=info, lineage=lineage)
    kept = sum(info["funnel"][-1]["documents"].values())
    seeder.report(run_id, state="completed", events=[event("summary", "done", read=info["read"], kept=kept)])
    return digest


def evaluation(seeder: Seeder, name: str, shift: float = 0.0, **more: Any) -> str:
    """A finished evaluation: bits per byte by language, and a cloze task with items."""
    run_id = seeder.launch({"kind": "evaluation", "name": name}, **more)
    bits = {"de": 1.92, "en": 1.71, "es": 1.83, "fr": 1.86, "it": 1.95, "pt": 1.98}

    def around(value: float, half: float) -> dict[str, float]:
        return {"value": value - shift, "low": value - shift - half, "high": value - shift + half}

    slices = {code: around(value, 0.05) | {"num_items": 40} for code, value in bits.items()}
    results = [
        {"task": "bits_per_byte", "metric": "bits_per_byte", **around(1.86, 0.021), "num_items": 240, "slices": slices},
        {
            "task": "cloze", "metric": "accuracy", "value": 0.41 + shift, "low": 0.345 + shift, "high": 0.475 + shift,
            "chance": 0.25, "num_items": 200, "slices": {},
        },
    ]  # fmt: skip
    seeder.report(run_id, state="running")
    seeder.artifact(run_id, "evaluation", name, {"scores.json": json.dumps(results).encode()}, results=results)
    other = int(shift > 0)
    items = [
        {
            "item_id": f"cloze-{n:03}", "slice": "en" if n < 20 else "de", "score": 0.9 - n / 40 - (n % 5) * shift,
            "correct": (n + other) % 3 != 0,
            "data": {"context": "A rower pulls the boat onto the slip. She", "answer": 1, "chosen": (n + other) % 3,
                     "bits_per_byte": [1.9, 1.2 + shift, 1.4, 2.2 - shift],
                     "choices": ["ties the rope to the ring.", "folds the sail.", XSS, "sings to the water."]},
        }
        for n in range(30)
    ]  # fmt: skip
    body = {"attempt": 1, "task": "cloze", "items": items}
    seeder._send("POST", f"/ingest/runs/{run_id}/evaluation-items", seeder.worker_token, json=body)
    seeder.report(run_id, state="completed", events=[progress("cloze", 200, 200, "items")])
    return run_id


def cloze_of(seeder: Seeder, run_id: str) -> str:
    """The id of a run's scores on the cloze task."""
    found = seeder.get(f"/evaluations?run_id={run_id}&task=cloze")["items"]
    return str(found[0]["id"])


def pipeline(seeder: Seeder) -> str:
    """A pipeline in its second stage; its id."""
    spec = {"kind": "pipeline", "name": "Six languages, 8 M"}
    parent = seeder.launch(spec, tags=["demo"])
    seeder.report(parent, state="running", events=[progress("curation", 1, 1, "")])
    curation(seeder, "debian-docs", parent_id=parent, stage="curation")
    training(seeder, "smol-8m-pipeline", 470, parent_id=parent, stage="training")
    seeder.report(parent, events=[progress("training", 470, 600, "steps")])
    return parent


def quality(seeder: Seeder) -> str:
    """A finished training of a scorer; its id."""
    labels = {"kind": "file", "path": "/data/labels.jsonl"}
    run_id = seeder.launch({"kind": "quality", "name": "edu-scorer", "labels": labels})
    seeder.report(run_id, state="running")
    seeder.report(run_id, state="completed", events=[event("summary", "done", **quality_summary())])
    return run_id


def ablation(seeder: Seeder) -> str:
    """A finished ablation with one of its trainings; its id."""
    variants = [
        {"name": "no-repetition", "without": ["gopher_repetition"]},
        {"name": "no-dedup", "curation": {"dedup": {"minhash": False}}},
        {"name": "no-filters", "curation": {"filters": []}},
    ]
    run_id = seeder.launch({"kind": "ablation", "name": "which filters pay", "variants": variants})
    seeder.report(run_id, state="running")
    child = {"parent_id": run_id, "stage": "training no-dedup seed 0"}
    training(seeder, "no-dedup seed 0", 60, **child)
    seeder.report(run_id, state="completed", events=[event("summary", "done", **ablation_summary())])
    return run_id


def hello(seeder: Seeder) -> None:
    """A worker that is there."""
    body = {
        "name": "cpu-1", "pool": "cpu", "host": "mill", "version": "0.1.0", "spec_version": 1,
        "resources": {"cores": 2, "memory_gb": 24},
    }  # fmt: skip
    seeder._send("POST", "/workers/hello", seeder.worker_token, json=body)


def everything(seeder: Seeder, datasets: Iterable[tuple[CurationSpec, Path]] = ()) -> dict[str, str]:
    """One of each; their ids by what they are. Datasets that were really curated are `dataset1`, `dataset2`, ..."""
    hello(seeder)
    ids = {"pipeline": pipeline(seeder)}
    ids["curation"], ids["dataset"] = curation(seeder, "harbour-web")
    ids |= {f"dataset{n}": curated(seeder, spec, folder) for n, (spec, folder) in enumerate(datasets, start=1)}
    ids["training"] = training(seeder, "smol-8m-muon-seed3", 512, tags=["baseline", "muon"])
    ids["finished"] = training(seeder, "smol-8m-adamw-seed1", 600, finish=True, tags=["adamw"])
    ids["evaluation"] = evaluation(seeder, "smol-8m-adamw-seed1, final")
    ids["evaluation2"] = evaluation(seeder, "smol-8m-muon-seed2, final", 0.04)
    ids["family"] = ",".join(family(seeder))
    ids |= {name: cloze_of(seeder, ids[run]) for name, run in (("score", "evaluation"), ("score2", "evaluation2"))}
    ids["quality"], ids["ablation"] = quality(seeder), ablation(seeder)
    ids["failed"] = training(seeder, "smol-8m-lr6e2", 60)
    error = "The budget of 8 interventions is used up.\nThe last checkpoint, step 50, is whole."
    seeder.report(ids["failed"], state="failed", error=error)
    ids["queued"] = seeder.launch({"kind": "training", "name": "smol-12m-gpu", "resources": {"gpus": 1}})
    ids["hostile"] = seeder.launch({"kind": "curation", "name": XSS}, tags=[XSS[:40]])
    ids["asking"] = asking(seeder)
    ids["paused"] = training(seeder, "smol-8m-warmup200", 220)
    seeder.report(ids["paused"], state="paused")
    return ids


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as made:
        print(json.dumps(everything(Seeder(*sys.argv[1:4]), make_versions(Path(made))), indent=2))
