"""What is known of a router after its connection failed: nothing but what the next session reads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from lab.routeros.emulator import EmulatedRouter
from provisioning.routeros.connection import (
    Command,
    Connection,
    Done,
    RouterError,
    RouterLost,
    RouterSilent,
    RouterUnreachable,
    Target,
    Trapped,
)
from provisioning.routeros.driver.session import connect
from tests.factories_driver import IMPATIENT

LIST = "/ip/firewall/address-list"
COUNT = 100
ADDS = [Command(f"{LIST}/add", {"list": "suspended", "address": f"192.0.2.{number}"}) for number in range(1, COUNT + 1)]


@pytest.fixture
def router() -> Iterator[EmulatedRouter]:
    with EmulatedRouter() as running:
        yield running


def target_of(router: EmulatedRouter, timeout: float = 5.0) -> Target:
    return Target(router.host, router.port, "catraca", "catraca-secret", timeout=timeout)


def written(router: EmulatedRouter) -> int:
    """How many entries a new session sees."""
    connection = connect(target_of(router))
    try:
        return len(connection.read(LIST, ["address"], ["?list=suspended"]))
    finally:
        connection.close()


def fails(connection: Connection, kind: type[RouterError], words: str | None = None) -> None:
    with pytest.raises(kind, match=words):
        connection.write(ADDS)
    with pytest.raises(RouterLost, match="has been closed"):
        connection.read(LIST)


@pytest.mark.parametrize("after", [0, 1, 50, 63, 64, 65, COUNT - 1])
@pytest.mark.parametrize("mid_sentence", [True, False], ids=["in an answer", "before the command"])
def test_a_reset_leaves_what_was_done_until_then(router: EmulatedRouter, after: int, mid_sentence: bool) -> None:
    connection = connect(target_of(router))
    router.faults.reset(after, mid_sentence)
    fails(connection, RouterLost)
    assert written(router) == after + mid_sentence


@pytest.mark.parametrize("after", [0, 70])
def test_a_router_that_hangs_is_left_and_carries_nothing_out_later(router: EmulatedRouter, after: int) -> None:
    connection = connect(target_of(router, IMPATIENT))
    router.faults.hang(after)
    fails(connection, RouterSilent, "has not answered for 0.5 s")
    router.faults.heal()
    assert written(router) == after
    assert router.most_connections <= 2


def test_fatal_ends_it_with_the_routers_words(router: EmulatedRouter) -> None:
    connection = connect(target_of(router))
    router.faults.fatal("rebooting", after=10)
    fails(connection, RouterLost, "ended the session: rebooting")
    assert written(router) == 10


def test_a_reboot_ends_it_and_the_next_session_goes_on(router: EmulatedRouter) -> None:
    connection = connect(target_of(router))
    router.reboot()
    fails(connection, RouterLost)
    assert written(router) == 0


def test_who_is_refused_is_told_so_and_gets_in_when_it_has_healed(router: EmulatedRouter) -> None:
    connection = connect(target_of(router))
    router.faults.refuse()
    fails(connection, RouterLost)
    with pytest.raises(RouterUnreachable, match="refuses"):
        connect(target_of(router))
    router.faults.heal()
    assert written(router) == 0


def test_a_full_disk_refuses_each_command_and_the_connection_lives(router: EmulatedRouter) -> None:
    connection = connect(target_of(router))
    router.faults.no_space()
    results = connection.write(ADDS)
    assert all(isinstance(result, Trapped) for result in results)
    assert len(results) == COUNT
    router.faults.heal()
    assert all(isinstance(result, Done) for result in connection.write(ADDS))
    connection.close()


def test_slow_answers_are_waited_for(router: EmulatedRouter) -> None:
    connection = connect(target_of(router, IMPATIENT))
    router.faults.slow(0.008)
    assert all(isinstance(result, Done) for result in connection.write(ADDS))
    connection.close()


def test_sessions_end_when_they_are_closed(router: EmulatedRouter) -> None:
    for _ in range(5):
        assert written(router) == 0
    with pytest.raises(RouterError):
        connect(replace(target_of(router), password="wrong"))
    assert router.most_connections <= 2  # the router may notice an end a moment after the next beginning
