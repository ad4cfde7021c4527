"""`headrace corpus fetch | list`: named corpora, by the worker's own module in a process of its own."""

import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from app.commands.stack import AsJson

corpus = typer.Typer(no_args_is_help=True, help="Named corpora.")


def run_module(home: Path, *arguments: str, capture: bool = False) -> subprocess.CompletedProcess[str]:
    """`python -m workers.curation.corpora`; its progress goes to this terminal."""
    command = [sys.executable, "-m", "workers.curation.corpora", *arguments, "--home", str(home)]
    return subprocess.run(command, stdout=subprocess.PIPE if capture else None, text=True)


def _home() -> Path:
    from app.settings import settings

    return settings().home.expanduser().absolute()


@corpus.command("fetch")
def fetch(name: Annotated[str, typer.Argument()] = "debian-docs", as_json: AsJson = False) -> None:
    """Download a corpus into the data folder, verify and pack it. Resumes; works offline once it is there."""
    raise typer.Exit(run_module(_home(), "fetch", name, *(["--json"] if as_json else [])).returncode)


@corpus.command("list")
def show(as_json: AsJson = False) -> None:
    """List the corpora, and which of them are fetched."""
    raise typer.Exit(run_module(_home(), "list", *(["--json"] if as_json else [])).returncode)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.add_typer(corpus, name="corpus")
