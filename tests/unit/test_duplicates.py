"""Retransmissions and held rejects, by the clock of the caches."""

from __future__ import annotations

import random

import pytest

from radius.duplicates import PENDING, DuplicateCache
from radius.reject_delay import RejectDelay

KEY, OTHER = (("192.0.2.1", 40_000), 5), (("192.0.2.1", 40_001), 5)


def cache_with(reply: bytes = b"reply") -> DuplicateCache:
    cache = DuplicateCache(10.0)
    cache.put(KEY, b"request", reply, 100.0)
    return cache


def test_the_same_datagram_gets_the_same_reply() -> None:
    assert cache_with().find(KEY, b"request", 101.0) == b"reply"


@pytest.mark.parametrize(("tick", "expected"), [(109.99, b"reply"), (110.0, None), (500.0, None)])
def test_a_reply_is_kept_for_its_seconds(tick: float, expected: bytes | None) -> None:
    assert cache_with().find(KEY, b"request", tick) == expected


def test_a_generation_that_was_swapped_out_still_answers() -> None:
    cache = DuplicateCache(10.0)
    cache.put(OTHER, b"first", b"1", 100.0)
    cache.put(KEY, b"request", b"reply", 109.0)
    cache.put(OTHER, b"second", b"2", 111.0)
    assert cache.find(KEY, b"request", 112.0) == b"reply"
    assert cache.find(OTHER, b"second", 112.0) == b"2"


def test_another_port_or_identifier_is_another_request() -> None:
    assert cache_with().find(OTHER, b"request", 101.0) is None
    assert cache_with().find((KEY[0], 6), b"request", 101.0) is None


def test_another_request_under_the_key_makes_the_first_forgotten() -> None:
    cache = cache_with()
    assert cache.find(KEY, b"another", 101.0) is None
    assert cache.find(KEY, b"request", 101.0) is None
    assert len(cache) == 0


def test_a_pending_request_is_known_until_it_is_answered() -> None:
    request = b"request"
    cache = DuplicateCache(10.0)
    cache.put(KEY, request, PENDING, 100.0)
    assert cache.find(KEY, request, 100.5) == PENDING
    assert cache.is_pending(KEY, request)
    cache.put(KEY, request, b"reject", 101.0)
    assert not cache.is_pending(KEY, request)
    assert cache.find(KEY, request, 101.5) == b"reject"


def test_a_pending_request_that_was_superseded_is_owed_nothing() -> None:
    first, second = b"request one", b"request two"
    cache = DuplicateCache(10.0)
    cache.put(KEY, first, PENDING, 100.0)
    assert cache.find(KEY, second, 100.5) is None
    assert not cache.is_pending(KEY, first)
    cache.put(KEY, second, PENDING, 100.5)
    assert not cache.is_pending(KEY, first)
    assert cache.is_pending(KEY, second)


def test_the_cache_is_bounded_whatever_is_sent() -> None:
    cache = DuplicateCache(10.0, limit=100)
    chance = random.Random(1)
    for step in range(10_000):
        key = (("192.0.2.1", chance.randrange(65_536)), chance.randrange(256))
        cache.put(key, b"request", b"reply", 100.0 + step / 1000)
        assert len(cache) <= 200


def test_rejects_come_out_when_due_and_in_order() -> None:
    line = RejectDelay(1.0)
    line.hold(KEY, b"one", b"reject one", KEY[0], 100.0)
    line.hold(OTHER, b"two", b"reject two", OTHER[0], 100.4)
    assert line.next_due() == 101.0
    assert line.due(100.9) == []
    assert [held.reply for held in line.due(101.0)] == [b"reject one"]
    assert line.next_due() == 101.4
    assert [(held.reply, held.source) for held in line.due(102.0)] == [(b"reject two", OTHER[0])]
    assert line.next_due() is None


def test_a_line_that_is_full_lets_the_oldest_go_early() -> None:
    line = RejectDelay(1.0, limit=3)
    for number in range(5):
        line.hold(KEY, b"", str(number).encode(), KEY[0], 100.0)
    assert [held.reply for held in line.due(100.0)] == [b"0", b"1"]
    assert len(line) == 3
