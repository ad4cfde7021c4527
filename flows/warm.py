"""`python -m flows.warm COMMAND...`: a Prefect worker beside a process that has loaded what its flow runs need."""

import runpy
import sys
import warnings

from flows.start import SOCKET
from workers.forks import ForkServer

_ALWAYS = (
    "prefect.flow_engine", "prefect.task_engine", "prefect.client.orchestration", "prefect.logging.handlers",
    "prefect.events.worker", "prefect.runtime.flow_run", "prefect._internal.observers", "anyio._backends._asyncio",
)  # fmt: skip
_CONTROL = ("flows.pipeline", "flows.exploration", "flows.monitoring", "flows.launch")
_WORK = (
    "flows.training", "flows.evaluation", "flows.curation", "flows.quality", "flows.release", "torch",
    "workers.training.trainer", "workers.storage",
    "torch._inductor",  # asking torch to be deterministic loads it with all that compiles
    "pyarrow.parquet", "pandas",  # figures by layer are written through them
)  # fmt: skip


def modules_of(pool: str) -> tuple[str, ...]:
    """What flow runs of a work pool load. Those of `control` need no torch."""
    return _ALWAYS + (_CONTROL if pool == "control" else _WORK)


def run_engine() -> None:
    """In a fork: Prefect's engine, as `python -m prefect.engine` runs it."""
    from prefect.context import refresh_global_settings_context

    refresh_global_settings_context()
    sys.argv = ["prefect.engine"]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # "found in sys.modules": it is the warm copy that we want
        runpy.run_module("prefect.engine", run_name="__main__", alter_sys=True)


def main(command: list[str]) -> int:
    """The command's exit code; in a fork that of the flow run."""
    pool = command[command.index("--pool") + 1]
    return ForkServer(command, SOCKET, modules_of(pool), "headrace-run").serve(run_engine)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
