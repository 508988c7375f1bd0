"""The change log that readers follow: order, resuming, and what happens to those who are too slow."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Literal

import pytest

from lmos.operator.base import Listing, ResourceExpired, WatchEvent
from lmos.operator.feed import Change, Feed
from lmos.resources.base import Resource
from tests.operator.builders import agent

pytestmark = pytest.mark.anyio

Told = tuple[str, str, int]


def stored(name: str, version: int) -> Resource:
    return agent(name).with_meta(resource_version=str(version))


def event(
    name: str, version: int, change: Literal["added", "modified", "deleted"] = "added", *, told_by: int | None = None
) -> WatchEvent:
    return WatchEvent(change, str(told_by or version), stored(name, version))


def bookmark(version: int) -> WatchEvent:
    return WatchEvent("bookmark", str(version))


def started(version: int = 10, *, size: int = 1024) -> Feed:
    feed = Feed(size=size)
    feed.listed(Listing((), str(version)), vanished=False)
    return feed


def told(changes: Sequence[Change]) -> list[Told]:
    return [(change.type, change.resource.metadata.name, change.version) for change in changes]


def test_a_feed_is_ready_once_the_kind_is_listed() -> None:
    feed = Feed()
    assert not feed.ready
    feed.listed(Listing((), "7"), vanished=False)
    assert (feed.ready, feed.latest) == (True, 7)


def test_a_reader_gets_what_comes_after_its_position_once_and_in_order() -> None:
    feed = started()
    reader = feed.follow(10)
    for number, name in enumerate("abc", start=11):
        feed.told(event(name, number), news=True)
    assert told(reader.take(2)) == [("added", "a", 11), ("added", "b", 12)]
    assert (told(reader.take()), reader.position) == ([("added", "c", 13)], 13)
    assert told(reader.take()) == []


def test_a_reader_resumes_in_the_middle() -> None:
    feed = started()
    for number, name in enumerate("abc", start=11):
        feed.told(event(name, number), news=True)
    assert told(feed.follow(12).take()) == [("added", "c", 13)]


def test_what_the_operator_knew_already_is_told_to_readers_all_the_same() -> None:
    feed = started()
    feed.told(event("a", 11), news=False)
    assert told(feed.follow(10).take()) == [("added", "a", 11)]


def test_an_event_told_twice_is_told_to_readers_once() -> None:
    feed = started()
    feed.told(event("a", 11), news=True)
    feed.told(event("a", 11), news=False)
    assert told(feed.follow(10).take()) == [("added", "a", 11)]


def test_a_bookmark_moves_readers_on() -> None:
    feed = started()
    reader = feed.follow(10)
    feed.told(bookmark(50), news=False)
    assert (told(reader.take()), reader.position) == ([], 50)


def test_a_position_that_is_not_kept_any_more_has_expired() -> None:
    feed = started(size=4)
    slow = feed.follow(10)
    for number in range(11, 31):
        feed.told(event("a", number), news=True)
    with pytest.raises(ResourceExpired, match="list again"):
        slow.take()
    with pytest.raises(ResourceExpired):
        feed.follow(12)
    assert told(feed.follow(28).take()) == [("added", "a", 29), ("added", "a", 30)]


def test_a_feed_keeps_at_least_its_size_and_at_most_twice_that() -> None:
    feed = started(size=4)
    kept: list[int] = []
    for number in range(11, 60):
        feed.told(event("a", number), news=True)
        kept.append(sum(1 for since in range(10, number) if _follows(feed, since)))
    assert 4 <= min(kept[8:]) <= max(kept) <= 8


def _follows(feed: Feed, since: int) -> bool:
    try:
        feed.follow(since)
    except ResourceExpired:
        return False
    return True


def test_a_version_from_before_the_first_list_has_expired() -> None:
    with pytest.raises(ResourceExpired):
        started(10).follow(9)


def test_a_reader_that_is_ahead_of_this_replica_hears_what_is_newer_than_it_knows() -> None:
    feed = started(10)
    ahead = feed.follow(20)
    feed.told(event("a", 15), news=True)
    assert told(ahead.take()) == []
    feed.told(event("b", 21), news=True)
    assert told(ahead.take()) == [("added", "b", 21)]


def test_after_a_gap_readers_get_what_the_list_shows_as_newer() -> None:
    feed = started(10)
    reader = feed.follow(10)
    feed.listed(Listing((stored("b", 15), stored("a", 12), stored("old", 9)), "20"), vanished=False)
    assert (told(reader.take()), reader.position) == ([("modified", "a", 12), ("modified", "b", 15)], 20)
    assert told(feed.follow(12).take()) == [("modified", "b", 15)]


def test_after_a_gap_in_which_something_vanished_readers_list_again() -> None:
    feed = started(10)
    reader = feed.follow(10)
    feed.listed(Listing((), "20"), vanished=True)
    with pytest.raises(ResourceExpired):
        reader.take()
    assert told(feed.follow(20).take()) == []


def test_news_out_of_order_has_no_place_so_that_readers_list_again() -> None:
    feed = started(10)
    reader = feed.follow(10)
    feed.told(event("b", 12), news=True)
    reader.take()
    feed.told(event("a", 11), news=True)
    with pytest.raises(ResourceExpired):
        reader.take()


async def test_waiting_readers_wake_for_changes_bookmarks_restarts_and_the_end() -> None:
    feed = started()
    for happening in (
        lambda: feed.told(event("a", 11), news=True),
        lambda: feed.told(bookmark(12), news=False),
        lambda: feed.listed(Listing((), "12"), vanished=True),
        feed.close,
    ):
        waiting = asyncio.create_task(feed.follow(feed.latest).wait())
        await asyncio.sleep(0)
        assert not waiting.done()
        happening()
        await asyncio.wait_for(waiting, 1)


def test_readers_see_that_the_feed_has_ended() -> None:
    feed = started()
    reader = feed.follow(10)
    assert not reader.ended
    feed.close()
    assert reader.ended
