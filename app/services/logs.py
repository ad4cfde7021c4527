"""The service's own log: one JSON object a line, tracebacks as plain text.

structlog's default draws tracebacks with every local variable: that blocks the event loop for seconds on a large
object, and puts secrets into the log.
"""

import structlog


def configure() -> None:
    """Set structlog up for this process. Calling it again is harmless."""
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.processors.JSONRenderer(),
        ],
        cache_logger_on_first_use=True,
    )
