"""`headrace backup | restore`: the whole state in one file, and back."""

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from app.commands.output import console, print_json
from app.commands.stack import AsJson

if TYPE_CHECKING:
    from app.services.backup import Manifest, Show, UrlOf
    from app.settings import Settings


def backup(
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The file to write, say headrace.backup.")],
    as_json: AsJson = False,
) -> None:
    """Save the whole state in one file: runs, metrics, datasets, artifacts, MLflow, Prefect, tokens.

    The stack may run meanwhile. Bytes in a bucket (`s3://`) are not copied. The file holds the secrets of the stack:
    keep it as safe as these.
    """
    from app.services.backup import save
    from app.settings import settings
    from app.stack import home_of

    home = home_of(settings())
    storage = settings().storage or str(home / "storage")
    with _failures(), _databases(settings(), home) as url_of, _progress(as_json) as show:
        manifest = save(home, storage, url_of, target.absolute(), show)
    _tell(manifest, target, f"saved in {target}", as_json)


def restore(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="What `headrace backup` wrote.")],
    as_json: AsJson = False,
) -> None:
    """Bring a saved state back into an empty data folder (HEADRACE_HOME); `headrace up` then starts it.

    Nothing is overwritten: where the folder has a state already, move it away or name another one.
    """
    from app.commands.client import CommandError
    from app.services.backup import folders_of
    from app.settings import settings
    from app.stack import home_of

    home = home_of(settings())
    storage = settings().storage or str(home / "storage")
    for path in (home / "postgres", home / "secrets.json", *folders_of(home, storage).values()):
        if path.exists() and (path.is_file() or any(path.iterdir())):
            raise CommandError(f"{path} is there: move {home} away, or set HEADRACE_HOME to another folder", 2)
    scratch = home / f".restore.{os.getpid()}"
    with _failures(), _progress(as_json) as show:
        try:
            manifest = _bring_back(settings(), home, folders_of(home, storage), source, scratch, show)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)
    _tell(manifest, source, f"restored into {home}; start it with `headrace up`", as_json)


def _bring_back(
    settings: "Settings", home: Path, folders: dict[str, Path], source: Path, scratch: Path, show: "Show"
) -> "Manifest":
    """Everything is made ready in `scratch`; then it is moved into place."""
    from app.services.backup import load_databases, unpack
    from app.services.postgres import EmbeddedPostgres

    scratch.mkdir(parents=True, mode=0o700)
    manifest = unpack(source.absolute(), scratch / "content", show)
    if outside := settings.database_url.get_secret_value():
        load_databases(scratch / "content", manifest, _outside(outside), show)
    else:
        postgres = EmbeddedPostgres(scratch / "postgres")
        try:
            postgres.start()
            load_databases(scratch / "content", manifest, postgres.url, show)
        finally:
            postgres.stop()
        (scratch / "postgres").rename(home / "postgres")
    for name, folder in folders.items():
        if (scratch / "content" / name).exists():
            folder.parent.mkdir(parents=True, exist_ok=True)
            shutil.copytree(scratch / "content" / name, folder, dirs_exist_ok=True, copy_function=shutil.move)
    if (scratch / "content" / "secrets.json").exists():
        (scratch / "content" / "secrets.json").rename(home / "secrets.json")
    return manifest


@contextmanager
def _databases(settings: "Settings", home: Path) -> "Iterator[UrlOf]":
    """Where the databases are. The embedded server is started for the time of it when the stack is down."""
    from app.commands.client import CommandError
    from app.services.postgres import EmbeddedPostgres
    from app.services.stack_file import read_state, take_lock

    if outside := settings.database_url.get_secret_value():
        yield _outside(outside)
        return
    if not (home / "postgres" / "cluster").exists():
        raise CommandError(f"{home} has no state yet: `headrace up` makes one", 2)
    lock = take_lock(home)
    if lock is None:
        yield EmbeddedPostgres(home / "postgres", read_state(home).ports["postgres"]).url
        return
    postgres = EmbeddedPostgres(home / "postgres")
    try:
        postgres.start()
        yield postgres.url
    finally:
        postgres.stop()
        os.close(lock)


def _outside(url: str) -> "UrlOf":
    from urllib.parse import urlsplit, urlunsplit

    return lambda name: urlunsplit(urlsplit(url)._replace(scheme="postgresql", path=f"/{name}"))


@contextmanager
def _failures() -> Iterator[None]:
    from app.commands.client import CommandError
    from app.services.backup import BackupError
    from app.services.postgres import PostgresError

    try:
        yield
    except (BackupError, PostgresError) as error:
        raise CommandError(str(error)) from error


@contextmanager
def _progress(quiet: bool) -> Iterator[Callable[[str, int, int], None]]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=console(stderr=True), disable=quiet, transient=True) as bar:
        task = bar.add_task("", total=None)
        yield lambda what, done, total: bar.update(task, description=what, completed=done, total=total or None)


def _tell(manifest: "Manifest", file: Path, what: str, as_json: bool) -> None:
    if as_json:
        known: dict[str, Any] = asdict(manifest) | {"file": str(file), "bytes": file.stat().st_size}
        print_json(known)
        return
    size = sum(manifest.sizes.values())
    typer.echo(
        f"{what}: {', '.join(manifest.databases)} and stored files, {size / 1e6:,.1f} MB, of {manifest.created_at}"
    )
    if manifest.storage != "included":
        typer.echo(f"the bytes in {manifest.storage} are not in it: save the bucket by itself", err=True)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    app.command()(backup)
    app.command()(restore)
