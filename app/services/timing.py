"""When a schedule is due: times of cron expressions and intervals, and each in words.

Cron days of month and of week are joined by OR when both are given, as in Vixie cron and in Prefect. iCalendar rules,
which only Prefect makes, are Prefect's to count.
"""

import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from app.schedule_schemas import AnyTiming, CronTiming, IntervalTiming, RuleTiming
from app.services.problems import invalid

_UNITS = (("week", 604_800), ("day", 86_400), ("hour", 3600), ("minute", 60), ("second", 1))


def check(timing: AnyTiming, pointer: str = "/timing") -> None:
    """Raises a 422 problem for a cron expression that is none, or that never comes."""
    if not isinstance(timing, CronTiming):
        return
    try:
        next(_cron(timing, datetime.now(UTC)))
    except (CronSimError, ValueError) as error:
        raise invalid(
            f"{timing.cron!r} is no cron expression: it needs minute, hour, day of month, month and day of week.",
            [{"pointer": f"{pointer}/cron", "message": str(error) or "not a cron expression"}],
        ) from error
    except StopIteration:
        message = {"pointer": f"{pointer}/cron", "message": "never comes"}
        raise invalid(f"{timing.cron!r} never comes.", [message]) from None


def following(timing: AnyTiming, after: datetime, count: int) -> list[datetime]:
    """The next `count` times after a moment, in UTC; fewer where they end, none where they cannot be told."""
    try:
        return list(islice(_times(timing, after), count))
    except (CronSimError, ValueError):
        return []


def between(timing: AnyTiming, after: datetime, until: datetime, limit: int) -> list[datetime]:
    """Times in (after, until], in UTC, at most the first `limit`."""
    return [moment for moment in following(timing, after, limit) if moment <= until]


def in_words(timing: AnyTiming) -> str:
    """`At 02:00 every day`, `Every 6 hours`."""
    if isinstance(timing, IntervalTiming):
        return f"Every {_distance(timing.seconds)}"
    if isinstance(timing, RuleTiming):
        return timing.rrule
    try:
        return CronSim(timing.cron, datetime.now(UTC)).explain()
    except CronSimError:
        return timing.cron


def _times(timing: AnyTiming, after: datetime) -> Iterator[datetime]:
    if isinstance(timing, CronTiming):
        return _cron(timing, after)
    if isinstance(timing, IntervalTiming):
        return _interval(timing, after)
    return iter(())


def _cron(timing: CronTiming, after: datetime) -> Iterator[datetime]:
    return (moment.astimezone(UTC) for moment in CronSim(timing.cron, after.astimezone(ZoneInfo(timing.timezone))))


def _interval(timing: IntervalTiming, after: datetime) -> Iterator[datetime]:
    """From a day on the wall clock's hour stays over a change to summer time, as Prefect does it."""
    zone = ZoneInfo(timing.timezone) if timing.seconds >= 86_400 else UTC
    anchor = (timing.anchor or after).astimezone(zone)
    number = math.floor((after - anchor).total_seconds() / timing.seconds) - 1
    while True:
        moment = (anchor + timedelta(seconds=number * timing.seconds)).astimezone(UTC)
        if moment > after:
            yield moment
        number += 1


def _distance(seconds: float) -> str:
    """`6 hours`, `90 minutes`: in the largest unit that fits whole."""
    for unit, size in _UNITS:
        count = seconds / size
        if count >= 1 and count == int(count):
            return unit if count == 1 else f"{int(count)} {unit}s"
    return f"{seconds:g} seconds"
