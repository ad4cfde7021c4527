"""The state machine of a run, without a database."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from app.services.lifecycle import TRANSITIONS, retry_delay, settle
from workers.specs.events import TERMINAL, RunState

REPORTABLE = [state for state in RunState if state is not RunState.QUEUED]


def test_every_state_has_its_row_and_terminal_ones_have_no_way_out():
    assert set(TRANSITIONS) == set(RunState)
    for state in RunState:
        assert (TRANSITIONS[state] == frozenset()) == (state in TERMINAL)


def test_every_active_state_can_end():
    for state in set(RunState) - TERMINAL:
        assert TRANSITIONS[state] & TERMINAL


@pytest.mark.parametrize("reported", [RunState.FAILED, RunState.CRASHED, RunState.CANCELLED])
def test_what_dies_while_it_is_being_cancelled_is_cancelled(reported):
    assert settle(RunState.CANCELLING, reported) is RunState.CANCELLED


def test_a_run_that_finished_before_it_could_be_cancelled_is_completed():
    assert settle(RunState.CANCELLING, RunState.COMPLETED) is RunState.COMPLETED


def test_a_late_running_does_not_undo_a_cancellation():
    assert settle(RunState.CANCELLING, RunState.RUNNING) is None


@given(st.sampled_from(list(RunState)), st.sampled_from(list(RunState)))
def test_settle_leads_only_along_the_table(state, reported):
    following = settle(state, reported)
    assert following is None or following in TRANSITIONS[state]


@given(st.integers(1, 100))
def test_retries_wait_longer_and_longer_up_to_a_minute(attempt):
    assert retry_delay(attempt) <= retry_delay(attempt + 1) <= 60


class Life(RuleBasedStateMachine):
    """Whatever sources report, in whatever order."""

    def __init__(self):
        super().__init__()
        self.state = RunState.QUEUED
        self.was_cancelling = False
        self.ended_as = None

    @rule(reported=st.sampled_from(REPORTABLE))
    def report(self, reported):
        following = settle(self.state, reported)
        if following is None:
            return
        self.state = following
        self.was_cancelling |= following is RunState.CANCELLING
        if following in TERMINAL and self.ended_as is None:
            self.ended_as = following

    @invariant()
    def the_end_stays_the_end(self):
        assert self.ended_as is None or self.state is self.ended_as

    @invariant()
    def a_cancelled_run_never_works_again(self):
        if self.was_cancelling:
            assert self.state in {RunState.CANCELLING, RunState.CANCELLED, RunState.COMPLETED}


TestLife = Life.TestCase
TestLife.settings = settings(max_examples=200, stateful_step_count=20)
