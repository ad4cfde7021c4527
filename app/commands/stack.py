"""`headrace up | down | status | login`: the embedded stack."""

from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from app.commands.output import console, plain, print_json, styled, table

if TYPE_CHECKING:
    from app.services.stack_file import StackState
    from app.settings import Settings

AsJson = Annotated[bool, typer.Option("--json", help="One line of JSON on stdout.")]


def up(as_json: AsJson = False) -> None:
    """Start the stack: Postgres, Prefect, MLflow, the API with the UI, workers. Returns when all is healthy."""
    from app import stack
    from app.commands.client import CommandError
    from app.services.ports import PortTakenError
    from app.services.postgres import PostgresError
    from app.services.stack_file import is_running, read_state
    from app.settings import settings

    home = stack.home_of(settings())
    if is_running(home):
        state = read_state(home)
        if not as_json:
            typer.echo("Headrace runs already.")
    else:
        progress = _Progress(quiet=as_json)
        try:
            state = stack.start(settings(), progress.show)
        except (stack.StackError, PortTakenError, PostgresError, ValueError) as error:
            raise CommandError(str(error)) from error
    if as_json:
        print_json(asdict(state))
    else:
        _print_addresses(settings(), state)


class _Progress:
    """One line for each part as it becomes healthy or fails."""

    def __init__(self, quiet: bool) -> None:
        self.quiet = quiet
        self.shown: dict[str, tuple[str, str]] = {}

    def show(self, state: "StackState") -> None:
        for name, part in state.parts.items():
            if part.phase in {"waiting", "starting"} or self.shown.get(name) == (part.phase, part.detail):
                continue
            self.shown[name] = (part.phase, part.detail)
            if not self.quiet:
                console(stderr=True).print(f"  {name:<15} {styled(part.phase)} {plain(part.detail)}")


def _print_addresses(settings: "Settings", state: "StackState") -> None:
    from app.commands.client import CommandError

    typer.echo(f"Headrace  {state.url}")
    for name in ("prefect", "mlflow"):
        if name in state.parts:
            typer.echo(f"{name:<8}  {state.parts[name].url}")
    typer.echo(f"secrets   {settings.home.expanduser().absolute() / 'secrets.json'}")
    try:
        typer.echo(f"Log in    {login_link()}")
    except CommandError as error:
        typer.echo(f"Log in    `headrace login` makes a link ({error})")


def down(as_json: AsJson = False) -> None:
    """Stop the stack and leave no process."""
    from app import stack
    from app.settings import settings

    stopped = stack.stop(settings())
    if as_json:
        print_json({"stopped": stopped})
    else:
        typer.echo("Headrace is stopped." if stopped else "Nothing ran.")


def status(as_json: AsJson = False) -> None:
    """Show the parts of the stack. Exit code 1 when it does not run or a part is not healthy."""
    from app.services.stack_file import is_running, read_state
    from app.settings import settings
    from app.stack import home_of

    home = home_of(settings())
    running, state = is_running(home), read_state(home)
    healthy = running and state.healthy
    if as_json:
        print_json({"running": running, "healthy": healthy, "home": str(home), **asdict(state)})
    elif not running:
        typer.echo(f"Nothing runs in {home}." + (f" It ended: {state.error}" if state.error else ""))
    else:
        rows = table("part", "state", "#pid", "#restarts", "address", "detail")
        for name, part in state.parts.items():
            pid = str(part.pid) if part.pid else ""
            rows.add_row(name, styled(part.phase), pid, str(part.restarts), part.url or "", plain(part.detail))
        console().print(rows)
    raise typer.Exit(0 if healthy else 1)


def login_link() -> str:
    """A fresh one-time link for the browser."""
    from app.commands.client import connect

    client = connect()
    answer = client.call("POST", "/auth/login-link")
    link = str(answer.get("url") or f"/login?code={answer['code']}")
    return link if link.startswith("http") else client.url + link


def login(as_json: AsJson = False) -> None:
    """Print a fresh one-time link that logs the browser in."""
    link = login_link()
    print_json({"url": link}) if as_json else typer.echo(link)


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (up, down, status, login):
        app.command()(command)
