"""Logging in to a router, the ways in which that fails, and what is told of it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest

from provisioning.routeros.connection import (
    LoginRefused,
    RouterError,
    RouterLost,
    RouterSilent,
    RouterUnreachable,
    RouterVersion,
)
from provisioning.routeros.driver.session import connect, version_of
from provisioning.routeros.driver.stream import dial
from tests.factories_driver import (
    IMPATIENT,
    PASSWORD,
    Peer,
    Script,
    closed_port,
    closes_between_answers,
    hangs,
    says_fatal,
    scripted,
    tag_of,
    target,
)


def test_an_old_router_asks_a_challenge_on_the_same_connection() -> None:
    heard: list[list[str]] = []

    def old(peer: Peer) -> None:
        for reply in (["!done", "=ret=00112233445566778899aabbccddeeff"], ["!done"]):
            heard.append(peer.heard())
            peer.say(*reply)  # and no tags before the session has begun
        peer.answer(peer.heard(), {"version": "6.42.12 (long-term)", "board-name": "RB750"})
        peer.answer(peer.heard(), {"name": "velho"})

    with scripted(old) as port:
        connection = connect(target(port))
        connection.close()
    assert (connection.version, connection.identity, connection.board) == (RouterVersion(6, 42, 12), "velho", "RB750")
    response = "005fe3e5e73a8923da3e084eae83e61edd"  # as librouteros computes it
    assert [[each for each in words if each not in tag_of(words)] for words in heard] == [
        ["/login", "=name=catraca", f"=password={PASSWORD}"],
        ["/login", "=name=catraca", f"=response={response}"],
    ]


def refuses(*words: str) -> Script:
    def play(peer: Peer) -> None:
        asked = peer.heard()
        peer.say("!trap", *tag_of(asked), *words)
        peer.answer(asked)

    return play


def may_not_read(peer: Peer) -> None:
    peer.answer(peer.heard())
    for _ in range(2):
        asked = peer.heard()
        peer.say("!trap", *tag_of(asked), "=message=not enough permissions (9)")
        peer.answer(asked)


def is_of_no_version(peer: Peer) -> None:
    peer.answer(peer.heard())
    peer.answer(peer.heard(), {"version": "SwOS"})
    peer.answer(peer.heard())


def asks_something_new(peer: Peer) -> None:
    asked = peer.heard()
    peer.say("!done", *tag_of(asked), "=ret=scram-sha-256")


LOGINS: dict[str, tuple[Script, type[RouterError], str]] = {
    "6.x": (refuses("=message=cannot log in"), LoginRefused, r"login catraca: cannot log in\. Check user"),
    "7.x": (refuses("=message=invalid user name or password (6)"), LoginRefused, "invalid user name or password"),
    "quoting the password": (refuses(f"=message=not {PASSWORD}"), LoginRefused, "not •••"),
    "no right to read": (may_not_read, LoginRefused, "not enough permissions.*`read`"),
    "no version": (is_of_no_version, RouterLost, "SwOS"),
    "an unknown kind of login": (asks_something_new, RouterLost, "not known here"),
    "fatal": (says_fatal, RouterLost, "session terminated"),
    "silence": (hangs, RouterSilent, "has not answered"),
    "the end": (closes_between_answers, RouterLost, "closed|broke"),
}


@pytest.mark.parametrize(("script", "kind", "words"), LOGINS.values(), ids=LOGINS)
def test_logins_that_fail(script: Script, kind: type[RouterError], words: str) -> None:
    with scripted(script) as port, pytest.raises(kind, match=words) as failed:
        connect(target(port, timeout=IMPATIENT))
    assert PASSWORD not in str(failed.value)


def test_a_password_that_the_router_cannot_word_is_not_sent() -> None:
    with scripted(hangs) as port, pytest.raises(LoginRefused, match="password has a character") as failed:
        connect(target(port, password="zażółć", charset="latin-1"))
    assert "ż" not in str(failed.value)


VERSIONS = {
    "6.49.18 (long-term)": RouterVersion(6, 49, 18),
    "7.20.4 (stable)": RouterVersion(7, 20, 4),
    "7.20rc3 (testing)": RouterVersion(7, 20),
    "7.21beta2 (development)": RouterVersion(7, 21),
    "7.1": RouterVersion(7, 1),
    " 6.43 ": RouterVersion(6, 43),
}


@pytest.mark.parametrize(("shown", "version"), VERSIONS.items())
def test_versions(shown: str, version: RouterVersion) -> None:
    assert version_of(shown) == version


UNREACHABLE: dict[str, tuple[Callable[[], dict[str, Any]], str]] = {
    "nobody there": (lambda: {"port": closed_port()}, r"refuses: enable the API there \(/ip service\)"),
    "no such name": (lambda: {"port": 8728, "host": "router.invalid"}, "router.invalid is not an address"),
    "a name that cannot be one": (lambda: {"port": 8728, "host": "a" * 70}, "is not an address"),
    "no way there": (lambda: {"port": 8728, "host": "255.255.255.255"}, "cannot be reached"),
}


@pytest.mark.parametrize(("where", "words"), UNREACHABLE.values(), ids=UNREACHABLE)
def test_routers_that_cannot_be_reached(where: Callable[[], dict[str, Any]], words: str) -> None:
    with pytest.raises(RouterUnreachable, match=words):
        connect(target(**where()))


def test_commands_go_at_once_and_a_vanished_router_is_noticed() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener, dial("127.0.0.1", listener.getsockname()[1], 5) as sock:
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
