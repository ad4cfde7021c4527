"""How a range of steps is cut into roll-up buckets and points."""

from hypothesis import given
from hypothesis import strategies as st

from app.models.metrics import FACTOR_BITS, NUM_LEVELS
from app.queries.charts import cover, fit

_steps = st.integers(0, 3_000_000)


@given(_steps, _steps, st.integers(0, NUM_LEVELS))
def test_segments_make_up_the_range_exactly(a, b, level):
    first, last = min(a, b), max(a, b)
    place = first
    for segment in cover(first, last, level):
        span = 1 << FACTOR_BITS * segment.level
        assert segment.level <= level
        assert segment.first == place
        assert segment.first % span == 0
        assert (segment.last + 1) % span == 0 or segment.level == 0
        place = segment.last + 1
    assert place == last + 1


@given(_steps, _steps)
def test_few_rows_are_read_besides_the_top_level(a, b):
    first, last = min(a, b), max(a, b)
    for segment in cover(first, last, NUM_LEVELS):
        if segment.level < NUM_LEVELS:
            rows = (segment.last + 1 - segment.first) >> FACTOR_BITS * segment.level
            assert rows < 2 << FACTOR_BITS


@given(st.integers(0, 1 << 61), st.integers(0, 3_000_000) | st.integers(0, 1 << 61), st.integers(1, 2000))
def test_never_more_buckets_than_asked(first, length, buckets):
    last = first + length
    width, level = fit(first, last, buckets)
    assert last // width - first // width + 1 <= buckets
    assert width % (1 << FACTOR_BITS * level) == 0
