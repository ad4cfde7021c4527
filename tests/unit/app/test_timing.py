"""Times of schedules: the same as Prefect's own, on random cron expressions, intervals and zones."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prefect.client.schemas.schedules import CronSchedule, IntervalSchedule
from prefect.server.schemas.schedules import CronSchedule as ServerCron
from prefect.server.schemas.schedules import IntervalSchedule as ServerInterval

from app.schedule_schemas import CronTiming, IntervalTiming, RuleTiming
from app.services import timing
from app.services.problems import ProblemError

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe"]
WINTER = datetime(2026, 1, 10, 11, 7, tzinfo=UTC)
"""No zone of these changes its clock within the days that are looked at."""


def theirs(schedule, after, count):
    found = asyncio.run(schedule.get_dates(n=count + 1, start=after))
    return [moment.astimezone(UTC) for moment in found if moment > after][:count]


@given(
    st.integers(0, 59), st.sampled_from(["*", "*/3", "2", "6,18", "8-17"]), st.sampled_from(["*", "1-5", "0"]),
    st.sampled_from(ZONES), st.integers(0, 86_400 * 6),
)  # fmt: skip
@settings(max_examples=60)
def test_cron_is_due_when_prefect_says(minute, hours, weekdays, zone, seconds):
    cron, after = f"{minute} {hours} * * {weekdays}", WINTER + timedelta(seconds=seconds)
    ours = timing.following(CronTiming(cron=cron, timezone=zone), after, 4)
    assert ours == theirs(ServerCron(cron=cron, timezone=zone), after, 4)
    CronSchedule(cron=cron, timezone=zone)  # and Prefect's client takes it


@given(st.integers(60, 86_400 * 20), st.integers(-(10**6), 10**6), st.sampled_from(ZONES))
@settings(max_examples=60)
def test_an_interval_is_due_when_prefect_says(seconds, offset, zone):
    anchor = WINTER + timedelta(seconds=offset)
    ours = timing.following(IntervalTiming(seconds=seconds, anchor=anchor, timezone=zone), WINTER, 2)
    schedule = ServerInterval(interval=timedelta(seconds=seconds), anchor_date=anchor, timezone=zone)
    assert ours == theirs(schedule, WINTER, 2)
    IntervalSchedule(interval=timedelta(seconds=seconds), anchor_date=anchor, timezone=zone)


def test_a_daily_time_stays_on_the_wall_clock_when_summer_comes():
    before = datetime(2026, 3, 28, 12, tzinfo=UTC)  # the clocks change on the 29th
    for when in (
        CronTiming(cron="30 8 * * *", timezone="Europe/Berlin"),
        IntervalTiming(seconds=86_400, anchor=datetime(2026, 3, 1, 7, 30, tzinfo=UTC), timezone="Europe/Berlin"),
    ):
        assert [moment.hour for moment in timing.following(when, before, 2)] == [6, 6]
    assert [moment.hour for moment in timing.following(CronTiming(cron="30 8 * * *"), before, 2)] == [8, 8]


def test_times_between_two_moments():
    when = CronTiming(cron="0 2 * * *")
    found = timing.between(when, WINTER, WINTER + timedelta(days=3), 100)
    assert [moment.day for moment in found] == [11, 12, 13]
    assert len(timing.between(when, WINTER, WINTER + timedelta(days=300), 100)) == 100


@pytest.mark.parametrize("cron", ["every day at noon", "61 * * * *", "0 0 31 2 *", "* * * * * * *", "0 2 * *"])
def test_what_is_no_cron_expression_is_told_at_its_field(cron):
    with pytest.raises(ProblemError) as told:
        timing.check(CronTiming(cron=cron.ljust(9)))
    assert (told.value.status, told.value.errors[0]["pointer"]) == (422, "/timing/cron")


@pytest.mark.parametrize(
    ("when", "words"),
    [
        (CronTiming(cron="0 2 * * *"), "At 02:00 every day"),
        (IntervalTiming(seconds=21_600), "Every 6 hours"),
        (IntervalTiming(seconds=5400), "Every 90 minutes"),
        (IntervalTiming(seconds=604_800), "Every week"),
        (IntervalTiming(seconds=90), "Every 90 seconds"),
        (RuleTiming(rrule="FREQ=DAILY"), "FREQ=DAILY"),
    ],
)
def test_a_timing_in_words(when, words):
    assert timing.in_words(when) == words


def test_a_rule_is_prefects_to_count():
    assert timing.following(RuleTiming(rrule="FREQ=DAILY"), WINTER, 3) == []
