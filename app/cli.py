"""`headrace ...`: a thin client of the REST API, plus `up`, `down` and `worker`.

Commands import what they need when they run, so that `headrace --help` is quick.
"""

import sys

import typer

from app.commands import (
    ablation,
    again,
    audit,
    backup,
    control,
    corpus,
    datasets,
    deletion,
    demo,
    estimate,
    export,
    projects,
    quality,
    replay,
    reproduce,
    runs,
    schedules,
    stack,
    tokens,
    users,
    webhooks,
    worker,
)

app = typer.Typer(
    name="headrace",
    help="From raw documents to a trained, measured, released small language model.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
COMMANDS = (
    stack, demo, runs, again, control, reproduce, deletion, export, estimate, quality, replay, ablation, corpus,
    datasets, worker, schedules, webhooks, projects, users, tokens, audit, backup,
)  # fmt: skip
"""In the order of the help."""
for module in COMMANDS:
    module.register(app)


def main() -> None:
    """Run a command. Exit codes: 0 done, 1 failure, 2 wrong usage, 130 stopped by Ctrl-C."""
    try:
        app()
    except KeyboardInterrupt:
        sys.exit(130)
    except RuntimeError as error:
        code = getattr(error, "code", None)
        if code is None:
            raise
        typer.echo(f"headrace: {error}", err=True)
        sys.exit(code)


if __name__ == "__main__":
    main()
