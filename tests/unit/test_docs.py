"""The docs are of today: generated pages, links, and the README's commands."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_generated_reference_is_of_today() -> None:
    done = subprocess.run(
        [sys.executable, "docs/generate.py", "--check"], capture_output=True, text=True, cwd=ROOT, timeout=120
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_readme_names_every_make_target() -> None:
    targets = re.findall(r"^([a-z]+):.*## ", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert [t for t in targets if t != "help" and f"make {t}" not in readme] == []


def test_each_word_has_its_how_to() -> None:
    words = ("curation", "training", "monitoring", "evaluation", "release")
    assert [w for w in words if not (ROOT / "docs" / "how-to" / f"{w}.md").is_file()] == []


def test_pages_name_no_command_that_does_not_exist() -> None:
    reference = (ROOT / "docs/reference/cli.md").read_text(encoding="utf-8")
    known = {
        line.removeprefix("## headrace ").split()[0]
        for line in reference.splitlines()
        if line.startswith("## headrace ")
    }
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        used = set(re.findall(r"(?:^|`|\$ |\.venv/bin/)headrace ([a-z][a-z-]*)", text, re.MULTILINE))
        assert used <= known, f"{page.name} names {sorted(used - known)}"
