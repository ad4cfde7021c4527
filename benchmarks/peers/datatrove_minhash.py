"""datatrove's MinHash signature block over passages, run by `minhash.py` in datatrove's own environment.

`python datatrove_minhash.py PASSAGES SIGNATURES SECONDS`: JSON lines {language, text} in; out the signatures as rows of
`numpy.save` (zeros where a passage has none), and the seconds of the block's own `run`, one language after the other.
"""

import json
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.dedup.minhash import MinhashConfig, MinhashDedupSignature

CONFIG = MinhashConfig()
RECORD = np.dtype([("hashes", "<u8", CONFIG.hashes_per_bucket), ("document", "<u4")])


def main() -> None:
    passages: dict[str, list[tuple[int, Document]]] = defaultdict(list)
    with Path(sys.argv[1]).open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            given = json.loads(line)
            passages[given["language"]].append((number, Document(text=given["text"], id=str(number))))
    count = sum(map(len, passages.values()))
    signatures = np.zeros((count, CONFIG.num_buckets, CONFIG.hashes_per_bucket), dtype=np.uint64)
    seconds = cpu_seconds = 0.0
    for language, pairs in sorted(passages.items()):
        with tempfile.TemporaryDirectory() as folder:
            block = MinhashDedupSignature(folder, CONFIG, language=language)
            block.get_shingles("The word rules of the language are loaded before the clock starts.")
            began, cpu_began = time.perf_counter(), time.process_time()
            block.run((document for _, document in pairs), 0, 1)
            seconds, cpu_seconds = (
                seconds + time.perf_counter() - began,
                cpu_seconds + time.process_time() - cpu_began,
            )
            numbers = np.array([number for number, _ in pairs])
            for bucket in range(CONFIG.num_buckets):
                records = np.fromfile(Path(folder) / f"bucket_{bucket:03d}" / "00000.minhash.sig", dtype=RECORD)
                signatures[numbers[records["document"]], bucket] = records["hashes"]
    np.save(sys.argv[2], signatures.reshape(count, -1))
    Path(sys.argv[3]).write_text(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds}), encoding="utf-8")


if __name__ == "__main__":
    main()
