"""The virtual clock, and the names of the kit."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

import lmos.testing
from lmos.testing import VirtualClock


def test_time_stands_still_until_it_is_moved() -> None:
    clock = VirtualClock(datetime(2026, 1, 1, tzinfo=UTC))
    before = (clock.now(), clock.monotonic())
    clock.advance(90)
    assert clock.now() - before[0] == timedelta(seconds=90)
    assert clock.monotonic() - before[1] == 90


def test_ids_count_up() -> None:
    clock = VirtualClock()
    assert [clock.new_id()[-2:], clock.new_id()[-2:]] == ["01", "02"]


def test_a_clock_does_not_run_backwards_or_without_a_zone() -> None:
    with pytest.raises(ValueError, match="negative"):
        VirtualClock().advance(-1)
    with pytest.raises(ValueError, match="no time zone"):
        VirtualClock(datetime(2026, 1, 1))  # noqa: DTZ001 - what is refused


@pytest.mark.parametrize("name", lmos.testing.__all__)
def test_every_name_of_the_kit_loads(name: str) -> None:
    assert getattr(lmos.testing, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = lmos.testing.nothing
