"""`headrace worker`: join a service from this machine."""

from pathlib import Path
from typing import Annotated

import typer


def worker(
    pool: Annotated[str, typer.Option(help="Work pool: cpu, gpu or control.")] = "cpu",
    url: Annotated[str, typer.Option(help="Address of the service; else HEADRACE_API_URL.")] = "",
    token: Annotated[str, typer.Option(help="Token with the role worker; better: HEADRACE_API_TOKEN.")] = "",
    name: Annotated[str, typer.Option(help="How it is listed; unique. Default: this host and the pool.")] = "",
    home: Annotated[Path | None, typer.Option(help="Its work folder. Default: HEADRACE_HOME.")] = None,
) -> None:
    """Run a worker until it is stopped with Ctrl-C or SIGTERM. Needs one address and one token."""
    import logging
    import socket

    from app.commands.client import CommandError
    from app.settings import settings
    from app.worker import WorkerRefusedError, work

    address = url or settings().api_url
    secret = token or settings().api_token.get_secret_value()
    if not address or not secret:
        raise CommandError("give the address and the token: --url and --token, or HEADRACE_API_URL and _TOKEN", 2)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
    logging.getLogger("httpx").setLevel(logging.WARNING)
    folder = (home or settings().home).expanduser().absolute()
    try:
        work(address, secret, pool, name or f"{socket.gethostname()}-{pool}", folder, warm=settings().warm_runs)
    except WorkerRefusedError as error:
        raise CommandError(str(error)) from error


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(worker)
