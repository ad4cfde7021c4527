"""When a worker's question for work is worth passing on to Prefect.

Prefect's workers poll: at one question a second each, an idle stack burnt a quarter of a core in Prefect and Postgres
for answers that were empty. The service knows when there is something to fetch, as all that makes or ends a flow run
passes through it, so it holds a question until then: work starts sooner, and an idle worker costs next to nothing.
"""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

HOLD_SECONDS = 5.0
"""After an empty answer. Bounds the wait for what only Prefect knows of: its schedules, and another replica's runs.
Below a worker's look ahead (10 s), so a scheduled run is never late for it."""
PAUSE_SECONDS = 1.0
"""After an answer with runs: a worker at its limit is told of them again and again."""

T = TypeVar("T")


class WorkPolls:
    """The polls of all work pools. One instance for the service's life, used from its event loop."""

    def __init__(self) -> None:
        self._generation = 0
        self._woken = asyncio.Event()
        self._last: dict[str, tuple[int, float]] = {}

    def wake(self) -> None:
        """Something was submitted or has ended: whoever waits may ask."""
        self._generation += 1
        self._woken.set()
        self._woken = asyncio.Event()

    async def ask(self, pool: str, question: Callable[[], Awaitable[T]], is_empty: Callable[[T], bool]) -> T:
        """The answer to `question` once asking can bring something new for `pool`."""
        generation, until = self._last.get(pool, (-1, 0.0))
        if generation == self._generation and (seconds := until - time.monotonic()) > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._woken.wait(), seconds)
        generation = self._generation  # before the question: what happens meanwhile counts as news
        answer = await question()
        hold = HOLD_SECONDS if is_empty(answer) else PAUSE_SECONDS
        self._last[pool] = generation, time.monotonic() + hold
        return answer
