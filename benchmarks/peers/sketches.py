"""Dedup with datasketch or rensa, each in an environment of its own; run by `dedup_scale.py`.

`python sketches.py datasketch|rensa PASSAGES KEPT SECONDS`: a passage a line in; out a byte a passage, 1 where it is
kept. Words are runs of letters and digits in lower case. The first of a group of near-duplicates stays, and only what
stays goes into the index, which is the least work that either library can do.
"""

import json
import re
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

NUM_BANDS, HASHES_PER_BAND, NGRAM = 14, 8, 5
NUM_HASHES = NUM_BANDS * HASHES_PER_BAND
_BATCH = 4096
_WORD = re.compile(r"\w+")


def shingles(line: str) -> set[str]:
    words = _WORD.findall(line.lower())
    return {" ".join(words[i : i + NGRAM]) for i in range(max(1, len(words) - NGRAM + 1))}


def keep_by_datasketch(lines: Iterator[str]) -> bytearray:
    from datasketch import MinHash, MinHashLSH

    index = MinHashLSH(num_perm=NUM_HASHES, params=(NUM_BANDS, HASHES_PER_BAND))
    first = MinHash(num_perm=NUM_HASHES)
    kept = bytearray()
    for number, line in enumerate(lines):
        sketch = first.copy()  # its permutations are made once
        sketch.update_batch([shingle.encode() for shingle in shingles(line)])
        if index.query(sketch):
            kept.append(0)
        else:
            index.insert(number, sketch, check_duplication=False)
            kept.append(1)
    return kept


def keep_by_rensa(lines: Iterator[str]) -> bytearray:
    from rensa import RMinHash, RMinHashDeduplicator

    index = RMinHashDeduplicator((1 / NUM_BANDS) ** (1 / HASHES_PER_BAND), NUM_HASHES, True, NUM_BANDS)
    kept = bytearray()
    while batch := list(islice(lines, _BATCH)):
        sketches = RMinHash.from_token_sets([list(shingles(line)) for line in batch], NUM_HASHES, 42)
        keys = (str(number) for number in range(len(kept), len(kept) + len(batch)))
        kept += bytearray(map(int, index.add_pairs(list(zip(keys, sketches, strict=True)))))
    return kept


def main() -> None:
    keep = {"datasketch": keep_by_datasketch, "rensa": keep_by_rensa}[sys.argv[1]]
    began, cpu_began = time.perf_counter(), time.process_time()
    with Path(sys.argv[2]).open(encoding="utf-8") as lines:
        kept = keep(lines)
    spent = {"seconds": time.perf_counter() - began, "cpu_seconds": time.process_time() - cpu_began}
    Path(sys.argv[3]).write_bytes(kept)
    Path(sys.argv[4]).write_text(json.dumps(spent), encoding="utf-8")


if __name__ == "__main__":
    main()
