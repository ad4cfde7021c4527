"""MinHash signatures: ours against datatrove 0.10.1's signature block, on one core each, in turn: A B A B.

Both read the same passages, split words by the rules of each language, and write signatures for the next stage. Each
run is a process of its own with empty caches; only the rules of the languages are loaded before the clock starts.
Signatures are compared bit by bit. Needs `headrace corpus fetch office-help` (and `debian-docs` for more passages).
`--documents 2000 --rounds 1` gives a rough idea in a minute.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import numpy as np
from peers.passages import passages
from peers.venv import DATATROVE, peer_python

from workers.curation.dedup import Deduplicator, build_signer
from workers.curation.document import Document
from workers.curation.text import Text
from workers.specs.curation import Dedup

PEER = Path(__file__).resolve().parent / "peers" / "datatrove_minhash.py"
SPEC = Dedup(exact=False)
WORDS = 400
_TIMEOUT_SECONDS = 3600


def main() -> int:
    """Print a table and, last, the JSON row; 1 when too many signatures differ."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", type=Path, default=Path(".headrace"), help="data folder with the corpora")
    parser.add_argument("--documents", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--ours", nargs=3, metavar=("PASSAGES", "SIGNATURES", "SECONDS"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.ours:
        sign_all(*map(Path, options.ours))
        return 0
    python = peer_python("datatrove", DATATROVE)
    with tempfile.TemporaryDirectory(prefix="headrace-minhash-") as folder:
        return compare(options, python, Path(folder))


def compare(options: argparse.Namespace, python: Path, work: Path) -> int:
    count = write_passages(options.home, options.documents, work / "passages.jsonl")
    sides = {"ours": [sys.executable, __file__, "--ours"], "datatrove": [str(python), str(PEER)]}
    runs: dict[str, list[dict[str, float]]] = {"ours": [], "datatrove": []}
    for number in range(options.rounds):
        for side, command in sides.items():
            runs[side].append(run(command, side, work))
            rate, cpu_rate = (count / runs[side][-1][key] for key in ("seconds", "cpu_seconds"))
            print(
                f"round {number + 1} {side:10} {rate:10,.0f} documents/s {cpu_rate:10,.0f} per CPU second", flush=True
            )
    ours, peer = (np.load(work / f"{side}.npy") for side in sides)
    equal = float((ours == peer).all(axis=1).mean())
    for number in np.flatnonzero((ours != peer).any(axis=1))[:5].tolist():
        print(f"different: passage {number}")
    rates = {side: [count / r["seconds"] for r in found] for side, found in runs.items()}
    ratios = [a / b for a, b in zip(rates["ours"], rates["datatrove"], strict=True)]
    row = {
        "name": "minhash",
        "ours": round(statistics.median(rates["ours"])),
        "peer": round(statistics.median(rates["datatrove"])),
        "ratio": round(statistics.median(ratios), 2),
        "ratio_spread": [round(min(ratios), 2), round(max(ratios), 2)],
        "cpu_ratio": round(statistics.median(cpu_ratios(runs)), 2),
        "equal_work": round(equal, 6),
        "documents": count,
        "with_signature": int(peer.any(axis=1).sum()),
    }
    print(json.dumps(row))
    return 0 if equal >= 0.9999 else 1


def cpu_ratios(runs: dict[str, list[dict[str, float]]]) -> list[float]:
    """CPU seconds of the peer over ours, by round: what a busy machine disturbs less."""
    pairs = zip(runs["datatrove"], runs["ours"], strict=True)
    return [peer["cpu_seconds"] / ours["cpu_seconds"] for peer, ours in pairs]


def write_passages(home: Path, limit: int, path: Path) -> int:
    """An even sample over all passages, so that no language is left out; returns how many."""
    found = list(passages(home, WORDS))
    step = max(1, len(found) // limit)
    chosen = list(islice(found[::step], limit))
    with path.open("w", encoding="utf-8") as file:
        for language, text in chosen:
            file.write(json.dumps({"language": language, "text": text}) + "\n")
    words = sum(len(text.split()) for _, text in chosen)
    print(f"{len(chosen)} of {len(found)} passages, {words / len(chosen):.0f} words each")
    return len(chosen)


def run(command: list[str], side: str, work: Path) -> dict[str, float]:
    """One run in a process of its own, on one thread. Raises SystemExit with its last words."""
    outputs = [str(work / "passages.jsonl"), str(work / f"{side}.npy"), str(work / f"{side}.json")]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [*command, *outputs], env=environment, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS
    )
    if done.returncode:
        raise SystemExit(f"{side} failed:\n{done.stderr[-2000:]}")
    seconds: dict[str, float] = json.loads(Path(outputs[2]).read_text(encoding="utf-8"))
    return seconds


def sign_all(passages_file: Path, signatures: Path, seconds: Path) -> None:
    """Our side: sign, and write the keys that the next stage reads."""
    with passages_file.open(encoding="utf-8") as lines:
        given = [json.loads(line) for line in lines]
    documents = [Document("", "", item["text"], "text/plain") for item in given]
    texts = [Text(item["text"], item["language"]) for item in given]
    signer = build_signer(SPEC)
    for language in {text.language for text in texts}:
        sentence = "The word rules of the language are loaded before the clock starts."
        signer.sign(documents[0], Text(sentence, language))
    with tempfile.TemporaryDirectory() as folder:
        deduplicator = Deduplicator(SPEC, Path(folder) / "work")
        found = []
        began, cpu_began = time.perf_counter(), time.process_time()
        for document, text in zip(documents, texts, strict=True):
            signature = signer.sign(document, text)
            deduplicator.add(signature)
            found.append(signature.minhash)
        deduplicator.flush()
        spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
        deduplicator.close()
    none = bytes(8 * SPEC.num_buckets * SPEC.hashes_per_bucket)
    rows = np.frombuffer(b"".join(row or none for row in found), dtype="<u8")
    np.save(signatures, rows.reshape(len(found), -1))
    seconds.write_text(json.dumps(spent), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
