"""Which checkpoints go: a pure decision that no clock can turn against the newest."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from milepost.retention import ALWAYS_KEPT, Kept, is_expired, surplus

times = st.floats(-1e10, 1e11)
kept = st.lists(times, max_size=12).map(lambda moments: [Kept(f"c{n}", at) for n, at in enumerate(moments)])
ttls = st.one_of(st.none(), st.floats(0, 1e10))
counts = st.integers(1, 15)


@given(kept, counts, ttls, times)
def test_the_newest_two_always_stay(entries: list[Kept], most: int, ttl: float | None, now: float) -> None:
    """Whatever the clock and the ages say, the newest two stay, or the newest one if that is what was asked for."""
    gone = surplus(entries, most=most, ttl_seconds=ttl, now=now)
    assert not {one.name for one in entries[: min(most, ALWAYS_KEPT)]} & set(gone)


@given(kept, counts, ttls, times)
def test_never_more_than_asked_for(entries: list[Kept], most: int, ttl: float | None, now: float) -> None:
    """No more than the asked number stay, all that go are among the given, each once and in their order."""
    gone = surplus(entries, most=most, ttl_seconds=ttl, now=now)
    assert len(entries) - len(gone) <= most
    assert gone == [one.name for one in entries if one.name in set(gone)]


@given(kept, counts, times)
def test_without_a_ttl_only_the_count_decides(entries: list[Kept], most: int, now: float) -> None:
    """Without a TTL exactly those beyond the newest so many go."""
    assert surplus(entries, most=most, ttl_seconds=None, now=now) == [one.name for one in entries[most:]]


@given(kept, counts, st.floats(0, 1e10), times)
def test_an_age_within_the_ttl_stays(entries: list[Kept], most: int, ttl: float, now: float) -> None:
    """Among the newest so many, exactly those older than the TTL go, the newest two aside."""
    gone = set(surplus(entries, most=most, ttl_seconds=ttl, now=now))
    for one in entries[min(most, ALWAYS_KEPT) : most]:
        assert (one.name in gone) == (now - one.saved_at > ttl)


@given(kept, counts, ttls, times)
def test_deciding_twice_changes_nothing(entries: list[Kept], most: int, ttl: float | None, now: float) -> None:
    """What stayed once stays when it is asked again at the same moment."""
    gone = set(surplus(entries, most=most, ttl_seconds=ttl, now=now))
    left = [one for one in entries if one.name not in gone]
    assert surplus(left, most=most, ttl_seconds=ttl, now=now) == []


@given(times, ttls, st.floats(0, 1e10))
def test_the_future_is_not_old(now: float, ttl: float | None, ahead: float) -> None:
    """What was saved at a later time than now never counts as expired."""
    assert not is_expired(now + ahead, ttl_seconds=ttl, now=now)


def test_the_border_belongs_to_the_ttl() -> None:
    """What is exactly as old as the TTL is not expired, and anything older is."""
    assert not is_expired(100.0, ttl_seconds=10, now=110.0)
    assert is_expired(100.0, ttl_seconds=10, now=110.001)
    assert not is_expired(100.0, ttl_seconds=None, now=1e12)
