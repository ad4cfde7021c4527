"""Commands of people while a scorer is trained."""

from workers.curation.folder import StoppedError
from workers.reporter import Reporter


def heed_stop(reporter: Reporter) -> None:
    """Raises StoppedError when a person asked for it, FencedError when this attempt is over."""
    for command in reporter.commands():
        reporter.ack(command.id)
        if command.kind == "stop":
            raise StoppedError("stopped by command; no scorer was kept")
