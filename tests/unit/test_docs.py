"""The docs are of today: generated pages, links, and the README's commands."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer

from app.cli import app as cli

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


def shown_commands(page: Path) -> list[list[str]]:
    """The words of each `headrace ...` of a page: lines of its blocks, and code inside its text."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    found = re.findall(r"(?:^ *|`|\$ |\.venv/bin/|&& )headrace ([a-z][^`\n|]*)", text, re.MULTILINE)
    return [shlex.split(re.sub(r" # .*", "", one).split(" && ")[0].replace("'", '"')) for one in found]


def unknown_words(words: list[str]) -> list[str]:
    """Commands and options that the command line does not have."""
    command: Any = typer.main.get_command(cli)
    while words and hasattr(command, "commands"):
        if words[0] not in command.commands:
            return [words[0]]
        command, words = command.commands[words[0]], words[1:]
    known = {name for option in command.params for name in [*option.opts, *option.secondary_opts]} | {"--help"}
    return [word for word in words if word.startswith("-") and word.partition("=")[0] not in known]


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_pages_name_no_command_or_option_that_does_not_exist(page: Path) -> None:
    wrong = {" ".join(words): unknown for words in shown_commands(page) if (unknown := unknown_words(words))}
    assert wrong == {}
