"""What a run depends on is told: commit and changes of the checkout, packages, machine; and what differs is found."""

import json
import subprocess
from importlib.metadata import version
from pathlib import Path

from app.commands.reproduce import compare_environments, compare_figures, compare_series
from workers.provenance import describe_code, describe_environment


def git(folder: Path, *words: str) -> str:
    author = ["-c", "user.name=a", "-c", "user.email=a@b"]
    done = subprocess.run(["git", *author, *words], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_commit_and_changes_of_a_checkout_are_told(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "code.py").write_text("lr = 1\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-qm", "first")
    clean = describe_code(tmp_path)
    assert clean == {"commit": git(tmp_path, "rev-parse", "HEAD"), "dirty": False, "diff": ""}
    (tmp_path / "code.py").write_text("lr = 2\n")
    changed = describe_code(tmp_path)
    assert (changed["commit"], changed["dirty"]) == (clean["commit"], True)
    assert "+lr = 2" in changed["diff"]
    (tmp_path / "installed").mkdir()
    assert describe_code(tmp_path / "installed")["commit"] is None, "a folder inside somebody's repository is not ours"


def test_the_environment_names_packages_and_machine_and_is_json() -> None:
    found = describe_environment()
    assert found["packages"]["numpy"] == version("numpy")
    assert found["num_cpus"] >= 1
    assert found["memory_bytes"] > 1 << 20
    assert json.loads(json.dumps(found)) == found


def test_only_what_differs_is_named() -> None:
    here = describe_environment()
    assert compare_environments(here, here) == {}
    other = here | {"packages": here["packages"] | {"numpy": "0.1"}, "commit": "abc", "diff": "+x"}
    differences = compare_environments(other, here)
    assert differences["package numpy"] == ["0.1", version("numpy")]
    assert set(differences) - {"package numpy"} <= {"commit", "uncommitted changes"}
    assert compare_environments(None, here) == {"environment": ["not recorded", "recorded"]}


def test_figures_are_the_same_only_within_the_tolerance() -> None:
    old, new = {"loss": 2.0, "tokens": 5.0}, {"loss": 2.001}
    assert [f["same"] for f in compare_figures(old, new, 0.0).values()] == [False, False]
    assert [f["same"] for f in compare_figures(old, new, 0.01).values()] == [True, False]


def test_the_first_step_that_differs_is_named() -> None:
    old = {1: 3.0, 2: 2.0, 3: 1.0}
    assert compare_series(old, dict(old), 0.0)["same"]
    assert compare_series(old, old | {2: 2.5}, 0.0)["first_difference"] == 2
    assert compare_series(old, {1: 3.0}, 0.0)["first_difference"] == 2
    assert not compare_series({}, {}, 0.0)["same"]
