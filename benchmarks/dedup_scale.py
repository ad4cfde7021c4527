"""Dedup end to end, passages to verdicts: ours by memory setting against datasketch and rensa, on one core, in turn.

Passages are made of sentences of real pages, a fifth of them copies with words replaced, so recall and precision are
known. Needs `headrace corpus fetch office-help`. One million passages take 1 GB of disk for the passages and 1 GB for
the spilled keys, and datasketch some GB of memory. `--documents 20000 --rounds 1` gives a rough idea in a minute.
"""

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from peers.planted import Pair, write_planted
from peers.trees import measure
from peers.venv import peer_python

from workers.curation.dedup import Deduplicator, build_signer
from workers.curation.document import Document
from workers.curation.text import Text
from workers.specs.curation import Dedup

PEERS = {"datasketch": ("datasketch==2.0.0", "numpy"), "rensa": ("rensa==0.5.0", "numpy")}
PEER = Path(__file__).resolve().parent / "peers" / "sketches.py"
SIMILAR = 0.8
"""Pairs at least so similar are to be found; 14 x 8 hashes find 92% of those that are just so similar."""


@dataclass(slots=True, frozen=True)
class Run:
    """One run of one side."""

    seconds: float
    cpu_seconds: float
    rss_mb: float
    kept: npt.NDArray[np.bool_]


def main() -> int:
    """Print a table and, last, a JSON row for each peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="data folder with the corpora")
    parser.add_argument("--documents", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--memory", type=int, nargs="+", default=[512, 128], help="memory settings of ours, in MB")
    parser.add_argument("--work", type=Path, help="folder for passages and spilled keys (else a temporary one)")
    parser.add_argument("--ours", nargs=4, metavar=("MB", "PASSAGES", "KEPT", "SECONDS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ours:
        dedup_all(int(options.ours[0]), *map(Path, options.ours[1:]))
        return 0
    with tempfile.TemporaryDirectory(prefix="headrace-dedup-", dir=options.work) as folder:
        return compare(options, Path(folder))


def compare(options: argparse.Namespace, work: Path) -> int:
    sides = {f"ours-{mb}": [sys.executable, __file__, "--ours", str(mb)] for mb in options.memory}
    sides |= {name: [str(peer_python(name, wanted)), str(PEER), name] for name, wanted in PEERS.items()}
    pairs = write_planted(options.home, options.documents, work / "passages.txt")
    print(f"{options.documents:,} passages, {len(pairs):,} of them copies", flush=True)
    runs: dict[str, list[Run]] = {side: [] for side in sides}
    for number in range(options.rounds):
        for side, command in sides.items():
            found = run(command, side, work)
            runs[side].append(found)
            recall, precision = judge(found.kept, pairs)
            print(
                f"round {number + 1} {side:10} {options.documents / found.seconds:9,.0f} documents/s "
                f"{found.rss_mb:7,.0f} MB   recall {recall:.4f}   precision {precision:.4f}",
                flush=True,
            )
    ours = {mb: runs[f"ours-{mb}"] for mb in options.memory}
    for name in PEERS:
        print(json.dumps(make_row(name, ours, runs[name], pairs)))
    return 0


def run(command: list[str], side: str, work: Path) -> Run:
    """One run in a process of its own, on one thread."""
    kept, seconds = work / f"{side}.kept", work / f"{side}.json"
    os.environ["OMP_NUM_THREADS"] = "1"
    cost = measure([*command, str(work / "passages.txt"), str(kept), str(seconds)], work / f"{side}.log")
    spent = json.loads(seconds.read_text(encoding="utf-8"))
    return Run(spent["seconds"], spent["cpu_seconds"], cost.rss_mb, np.fromfile(kept, dtype=np.bool_))


def judge(kept: npt.NDArray[np.bool_], pairs: list[Pair]) -> tuple[float, float]:
    """Recall on copies that are similar enough, and the share of dropped passages that are copies."""
    similar = [pair.copy for pair in pairs if pair.similarity >= SIMILAR]
    dropped = int((~kept).sum())
    copies = int((~kept[[pair.copy for pair in pairs]]).sum())
    return float((~kept[similar]).mean()), copies / dropped if dropped else 1.0


def make_row(name: str, ours: dict[int, list[Run]], peer: list[Run], pairs: list[Pair]) -> dict[str, Any]:
    """A row of the results: ours at the largest memory setting against one peer."""
    best = ours[max(ours)]
    count = len(best[0].kept)
    ratios = [p.seconds / o.seconds for o, p in zip(best, peer, strict=True)]
    recall, precision = judge(best[0].kept, pairs)
    peer_recall, peer_precision = judge(peer[0].kept, pairs)
    row = {
        "name": f"dedup_scale_{name}",
        "ours": round(count / statistics.median(r.seconds for r in best)),
        "peer": round(count / statistics.median(r.seconds for r in peer)),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_spread": [round(min(ratios), 2), round(max(ratios), 2)],
        "cpu_ratio": round(peer[0].cpu_seconds / best[0].cpu_seconds, 2),
        "equal_work": round(float((best[0].kept == peer[0].kept).mean()), 5),
        "same_for_all_memory": all((r.kept == best[0].kept).all() for runs in ours.values() for r in runs),
        "recall": round(recall, 4),
        "peer_recall": round(peer_recall, 4),
        "precision": round(precision, 4),
        "peer_precision": round(peer_precision, 4),
        "peer_rss": round(max(r.rss_mb for r in peer)),
        "documents": count,
    }
    return row | {f"ours_rss_{mb}mb": round(max(r.rss_mb for r in runs)) for mb, runs in ours.items()}


def dedup_all(memory_mb: int, passages: Path, kept: Path, seconds: Path) -> None:
    """Our side."""
    spec = Dedup(exact=False, memory_mb=memory_mb)
    began, cpu_began = time.perf_counter(), time.process_time()
    signer, deduplicator = build_signer(spec), Deduplicator(spec, kept.with_suffix(".work"))
    document = Document("", "", "", "text/plain")
    with passages.open(encoding="utf-8") as lines:
        for line in lines:
            deduplicator.add(signer.sign(document, Text(line, "en")))
    flags = bytearray(verdict.drop is None for verdict in deduplicator.verdicts())
    deduplicator.close()
    spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
    kept.write_bytes(flags)
    seconds.write_text(json.dumps(spent), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
