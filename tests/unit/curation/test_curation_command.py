"""`python -m workers.curation` without a service: exit codes, messages, and the summary as the last line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from workers.curation.__main__ import UsageError, load_spec

ROOT = Path(__file__).parents[3]


def command(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "workers.curation", *arguments],
        capture_output=True,
        text=True,
        timeout=240,
        cwd=ROOT,
        env=os.environ | {"COLUMNS": "400"},
    )


def write_spec(path: Path, folder: Path, extra: str = "") -> str:
    path.write_text(
        f"kind: curation\ninput: {{kind: folder, path: {folder}}}\nnum_processes: 1\n"
        f"language: {{languages: [en], min_score: 0.3}}\ntokenizer: {{vocab_size: 300}}\n{extra}"
    )
    return str(path)


def test_a_folder_becomes_a_dataset(tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.mkdir()
    for number, animal in enumerate(["horse", "sparrow", "salmon", "beetle"]):
        (texts / f"{number}.txt").write_text(f"This page tells how a {animal} lives, what it eats and where it sleeps.")
    spec = write_spec(tmp_path / "spec.yaml", texts, "filters: []\ndedup: {minhash: false}\n")
    done = command(spec, "--out", str(tmp_path / "out"))
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert sum(summary["documents"]["en"].values()) == 4
    assert summary["documents"]["en"]["heldout"] == 1
    assert (tmp_path / "out" / "dataset" / "dataset.json").is_file()


def test_wrong_usage_is_2_and_failure_is_1(tmp_path: Path) -> None:
    missing = command(write_spec(tmp_path / "spec.yaml", tmp_path / "nowhere"), "--out", str(tmp_path / "out"))
    assert missing.returncode == 2
    assert f"{tmp_path / 'nowhere'} does not exist" in missing.stderr
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "a.txt").write_text("Only a few words of English are in here.")
    spec = write_spec(tmp_path / "spec.yaml", tmp_path / "texts", "filters: [{kind: gopher_quality}]\n")
    dropped = command(spec, "--out", str(tmp_path / "out"))
    assert dropped.returncode == 1
    assert "none of 1 documents was kept; gopher_quality.min_words dropped most" in dropped.stderr
    assert "Traceback" not in dropped.stderr + missing.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("kind: curation\nnam: x\n", r"/curation/nam: there is no such field"),
        ("kind: curation\nlimits: {max_reject_share: 2}\n", "/curation/limits/max_reject_share"),
        ("kind: training\n", "is a training spec"),
        ("kind: [", "is no YAML"),
        ("", "Input should be"),
    ],
)
def test_what_is_wrong_with_a_spec(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "spec.yaml"
    path.write_text(text)
    with pytest.raises(UsageError, match=message):
        load_spec(str(path))


def test_an_unknown_name_lists_the_presets() -> None:
    with pytest.raises(UsageError, match=r"No such file.*fineweb2"):
        load_spec("nosuch")
    assert load_spec("fineweb2").name == "fineweb2"
