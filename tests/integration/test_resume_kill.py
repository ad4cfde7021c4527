"""kill -9 in the middle of a run, of the run itself and of its workers: nothing is lost, doubled, or different."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from prose import ENGLISH, GERMAN, prose

SCRIPT = """
import sys
from pathlib import Path
from workers.curation import chunks
from workers.curation.pipeline import curate
from workers.reporter import MemoryReporter
from workers.specs.curation import CurationSpec, Dedup, LanguageIdentification
from workers.specs.curation.filters import C4Quality, GopherQuality
from workers.specs.curation.inputs import FolderInput

chunks.MAX_RECORDS = 3

def main():
    root, home, before_filters = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "first"
    spec = CurationSpec(
        input=FolderInput(path=str(root)),
        language=LanguageIdentification(languages=["en", "de"], min_score=0.3),
        filters=[GopherQuality(languages=["en"]), C4Quality()],
        dedup=Dedup(before_filters=before_filters),
        num_processes=2,
    )
    curate(spec, home=home, out=home / "out", reporter=MemoryReporter())

if __name__ == "__main__":
    main()
"""
NUM_DOCUMENTS = 150


def start(folder: Path, home: Path, dedup: str) -> "subprocess.Popen[bytes]":
    script = folder / "run.py"
    script.write_text(SCRIPT)
    return subprocess.Popen(
        [sys.executable, str(script), str(folder / "input"), str(home), dedup],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2]), "OMP_NUM_THREADS": "1"},
        start_new_session=True,
    )


def num_entries(home: Path) -> int:
    return sum(path.is_file() for path in (home / "curation-journal").rglob("*"))


def children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_forked_from(pid: int) -> bool:
    return b"forkserver" in Path(f"/proc/{pid}/cmdline").read_bytes()


def write_input(folder: Path) -> None:
    (folder / "input").mkdir()
    rows = [
        {"text": prose(seed // 2 if seed % 10 == 1 else seed, (ENGLISH, GERMAN)[seed % 2])}
        for seed in range(NUM_DOCUMENTS)
    ]
    rows[7] = {"text": "Too short, but the best of them."}
    lines = [json.dumps(row) for row in rows]
    lines[11] = '{"text": '
    (folder / "input" / "a.jsonl").write_text("\n".join(lines), encoding="utf-8")


@pytest.mark.parametrize("dedup", ["last", "first"])
@pytest.mark.timeout(600)
def test_a_run_killed_again_and_again_gives_the_bytes_of_one_that_was_not(tmp_path: Path, dedup: str) -> None:
    write_input(tmp_path)
    whole = start(tmp_path, tmp_path / "whole", dedup)
    assert whole.wait(200) == 0
    rng = random.Random(f"{dedup} {time.time_ns()}")
    home = tmp_path / "killed"
    num_kills = 0
    total = num_entries(tmp_path / "whole")
    for share in (0.05, 0.3, 0.6, 0.9):  # of the entries of a whole run: the passes are met in turn
        run = start(tmp_path, home, dedup)
        while run.poll() is None and num_entries(home) < share * total:
            time.sleep(0.005)
        if run.poll() is not None:
            break
        workers = [worker for child in children(run.pid) if is_forked_from(child) for worker in children(child)]
        if workers and rng.random() < 0.5:  # a worker first: the run goes on without it
            os.kill(rng.choice(workers), signal.SIGKILL)
            num_kills += 1
        time.sleep(rng.random() * 0.3)
        if run.poll() is None:
            run.kill()
            run.wait(10)
            num_kills += 1
    assert num_kills >= 3
    assert not (home / "out").exists() or num_entries(home) >= total
    last = start(tmp_path, home, dedup)
    assert last.wait(200) == 0
    for path in sorted((tmp_path / "whole" / "out").iterdir()):
        assert (home / "out" / path.name).read_bytes() == path.read_bytes(), path.name
    assert not [path for path in home.iterdir() if path.name not in {"out", "curation-journal"}]
