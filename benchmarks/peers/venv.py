"""Peers live in virtual environments of their own, `benchmarks/.venvs/NAME`, built when a benchmark first asks."""

import fcntl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

VENVS = Path(__file__).resolve().parent.parent / ".venvs"
_TIMEOUT_SECONDS = 1800
# What datatrove needs for web pages; its own `processing` extra draws much more.
DATATROVE = (
    "datatrove==0.10.1",
    "spacy==3.8.18",
    "trafilatura>=1.8,<1.12",
    "warcio",
    "orjson",
    "zstandard",
    "xxhash<4",  # 4 hashes no strings, which datatrove hands it
    "regex",
    "nltk",
    "lxml_html_clean",
    "tokenizers",
    "pandas",
    "ftfy",
    "fasteners",
    "tldextract",
    "pyahocorasick",
    "fasttext-numpy2-wheel",
    "faust-cchardet",
    "python-magic",
)


class PeerError(RuntimeError):
    """A peer's environment could not be built."""


def peer_python(name: str, requirements: Sequence[str], overrides: Sequence[str] = ()) -> Path:
    """The Python of the environment NAME with these requirements; it is built or brought up to date where needed.

    `overrides` are installed last and without regard to what the requirements say of them.
    Raises PeerError with pip's last words.
    """
    folder = VENVS / name
    python, stamp = folder / "bin" / "python", folder / "headrace-requirements.txt"
    wanted = "\n".join([*requirements, "# overrides", *overrides, ""])
    VENVS.mkdir(parents=True, exist_ok=True)
    with _locked(VENVS / f"{name}.lock"):
        if python.exists() and stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
            return python
        if not python.exists():
            _run([sys.executable, "-m", "venv", str(folder)], name)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--retries", "5"]
        _run([*pip, *requirements], name)
        if overrides:
            _run([*pip, "--no-deps", *overrides], name)
        partial = stamp.with_suffix(".partial")
        partial.write_text(wanted, encoding="utf-8")
        partial.rename(stamp)
    return python


def _run(command: list[str], name: str) -> None:
    sys.stderr.write(f"{name}: {' '.join(command[1:])[:150]}\n")
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        raise PeerError(
            f"the environment of {name} was not built in {_TIMEOUT_SECONDS} s: is there a network?"
        ) from None
    if done.returncode:
        raise PeerError(f"the environment of {name} could not be built:\n{done.stderr[-2000:]}")


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """One builder at a time."""
    with path.open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
