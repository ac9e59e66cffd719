"""The driver against a router that sends what no well-behaved one would, byte by byte."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from typing import Any

import pytest

from provisioning.routeros.connection import (
    Command,
    Connection,
    Done,
    RouterError,
    RouterLost,
    RouterSilent,
)
from provisioning.routeros.driver.pipeline import WINDOW, WINDOW_BYTES
from tests.factories_driver import (
    IDLE,
    IMPATIENT,
    Peer,
    Script,
    closes_between_answers,
    hangs,
    says_fatal,
    sentence,
    session,
    tag_of,
    word,
)

SET = Command("/ppp/secret/set", {".id": "*1", "comment": "x"})


def resets_in_a_length(peer: Peer) -> None:
    peer.send(sentence("!re", *tag_of(peer.heard())) + b"\x81")
    peer.reset()


def closes_in_a_word(peer: Peer) -> None:
    peer.send(word("!re") + word("=name=maria")[:-3] + b"")
    peer.heard()


def says_fatal_with_a_message(peer: Peer) -> None:
    peer.heard()
    peer.say("!fatal", "=message=too many sessions")


def says_fatal_and_no_more(peer: Peer) -> None:
    peer.heard()
    peer.say("!fatal")


def speaks_http(peer: Peer) -> None:
    peer.heard()
    peer.send(b"\x08HTTP/1.1\x03400\0")


def sends_noise(peer: Peer) -> None:
    peer.heard()
    peer.send(b"\xff\xfe\xfd")


def answers_another(peer: Peer) -> None:
    peer.heard()
    peer.say("!done", ".tag=999")


def answers_nobody(peer: Peer) -> None:
    peer.heard()
    peer.say("!done")


ENDS: dict[str, tuple[Script, type[RouterError], str]] = {
    "hangs": (hangs, RouterSilent, r"has not answered for 0.5 s"),
    "resets in the middle of a length": (resets_in_a_length, RouterLost, "broke|closed"),
    "closes in the middle of a word": (closes_in_a_word, RouterLost, "closed|broke"),
    "closes instead of answering": (closes_between_answers, RouterLost, "closed|broke"),
    "fatal": (says_fatal, RouterLost, "ended the session: session terminated on request"),
    "fatal with a message": (says_fatal_with_a_message, RouterLost, "too many sessions"),
    "fatal without a word": (says_fatal_and_no_more, RouterLost, "it gave no reason"),
    "another protocol": (speaks_http, RouterLost, "does not speak the RouterOS API"),
    "noise": (sends_noise, RouterLost, "does not speak the RouterOS API"),
    "an answer to another command": (answers_another, RouterLost, "answered what was not asked"),
    "an answer without a tag": (answers_nobody, RouterLost, "answered what was not asked"),
}


@pytest.mark.parametrize(("script", "kind", "words"), ENDS.values(), ids=ENDS)
def test_a_broken_connection_is_told_and_unusable(script: Script, kind: type[RouterError], words: str) -> None:
    with session(script, timeout=IMPATIENT) as connection:
        with pytest.raises(kind, match=words):
            connection.read("/ppp/secret")
        with pytest.raises(RouterLost, match="has been closed"):
            connection.write([SET])


def test_a_late_answer_is_nobody_elses() -> None:
    """Bare librouteros gives the next command the answer that came too late for the one before it."""
    timed_out = threading.Event()

    def late(peer: Peer) -> None:
        asked = peer.heard()
        timed_out.wait(5)
        peer.answer(asked, {"name": "of the first"})
        peer.gone()

    with session(late, timeout=IMPATIENT) as connection:
        with pytest.raises(RouterSilent):
            connection.read("/ppp/secret")
        timed_out.set()
        with pytest.raises(RouterLost):
            connection.read("/ip/address")


def test_a_trickling_router_is_given_up_in_the_end() -> None:
    def trickle(peer: Peer) -> None:
        asked = peer.heard()
        while True:
            peer.say("!re", *tag_of(asked), "=name=x")
            threading.Event().wait(0.02)

    with session(trickle, read_seconds=0.6) as connection, pytest.raises(RouterSilent, match=r"within 0\.6 s"):
        connection.read("/ppp/secret")


def test_slow_writes_may_take_longer_together_than_one_may() -> None:
    def slow(peer: Peer) -> None:
        for _ in range(8):
            peer.answer(peer.heard())
            threading.Event().wait(0.15)

    with session(slow, read_seconds=1) as connection:
        assert connection.write([SET] * 8) == [Done()] * 8


def test_no_silence_is_counted_while_nothing_is_asked() -> None:
    def obey(peer: Peer) -> None:
        for _ in range(2):
            peer.answer(peer.heard(), {"name": "x"})

    with session(obey, timeout=IMPATIENT) as connection:
        connection.read("/ppp/secret")
        threading.Event().wait(IMPATIENT + 0.2)
        assert connection.read("/ppp/secret") == [{"name": "x"}]


def test_writes_wait_for_their_pace_and_that_is_no_silence() -> None:
    early: list[bytes] = []

    def obey(peer: Peer) -> None:
        peer.answer(peer.heard())
        peer.sock.settimeout(0.3)
        with suppress(TimeoutError):
            early.append(peer.sock.recv(1))
        peer.sock.settimeout(IDLE)
        peer.answer(peer.heard())

    with session(obey, writes_per_second=1, timeout=IMPATIENT, read_seconds=0.7) as connection:
        assert connection.write([SET] * 2) == [Done()] * 2
    assert early == []


def test_large_words_and_many_pieces() -> None:
    script = "x" * 200 * 1024

    def large(peer: Peer) -> None:
        asked = peer.heard()
        data = sentence("!re", *tag_of(asked), f"=source={script}") + sentence("!done", *tag_of(asked))
        for at in range(0, len(data), 1000):
            peer.send(data[at : at + 1000])

    with session(large) as connection:
        assert connection.read("/system/script") == [{"source": script}]


def test_a_word_larger_than_the_window_goes_by_itself() -> None:
    text = "x" * 200 * 1024
    heard: list[list[str]] = []

    def listen(peer: Peer) -> None:
        for _ in range(3):
            heard.append(peer.heard())
            peer.answer(heard[-1])

    with session(listen) as connection:
        assert connection.write([SET, Command("/system/script/add", {"source": text}), SET]) == [Done()] * 3
    assert f"=source={text}" in heard[1]


def test_last_words_are_read_even_when_nothing_can_be_sent_any_more() -> None:
    connected, gone = threading.Event(), threading.Event()

    def leave(peer: Peer) -> None:
        connected.wait(5)
        peer.say("!fatal", "router is rebooting")
        peer.reset()
        gone.set()

    with session(leave) as connection:
        connected.set()
        assert gone.wait(5)
        with pytest.raises(RouterLost, match="router is rebooting"):
            connection.write([SET])


def test_neither_side_waits_for_the_other_when_both_have_much_to_say() -> None:
    """The router answers at once and does not read on while its answer does not go: sending it all first would hang."""
    text = "y" * 30_000

    def chatty(peer: Peer) -> None:
        peer.sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        for _ in range(300):
            asked = peer.heard()
            peer.say("!done", *tag_of(asked), f"=ret={text}")

    with session(chatty) as connection:
        results = connection.write([Command("/ppp/secret/set", {".id": "*1", "comment": text})] * 300)
    assert results == [Done(text)] * 300


WINDOWS = {"many small ones": ("x", WINDOW), "few large ones": ("x" * (WINDOW_BYTES // 3), 2)}


@pytest.mark.parametrize(("text", "most"), WINDOWS.values(), ids=WINDOWS)
def test_only_a_window_is_on_the_way(text: str, most: int) -> None:
    early: list[bytes] = []

    def slow(peer: Peer) -> None:
        asked = [peer.heard() for _ in range(most)]
        peer.sock.settimeout(0.1)
        with suppress(TimeoutError):
            early.append(peer.sock.recv(1))
        peer.sock.settimeout(IDLE)
        for each in asked:
            peer.answer(each)
        for _ in range(2 * most):
            peer.answer(peer.heard())

    with session(slow) as connection:
        commands = [Command("/ppp/secret/set", {".id": "*1", "comment": text})] * (3 * most)
        assert connection.write(commands) == [Done()] * (3 * most)
    assert early == []


def test_a_second_thread_is_refused_and_the_first_goes_on() -> None:
    asked, answer = threading.Event(), threading.Event()

    def wait(peer: Peer) -> None:
        words = peer.heard()
        asked.set()
        answer.wait(5)
        peer.answer(words, {"name": "x"})

    found: list[Any] = []
    with session(wait) as connection:
        first = threading.Thread(target=lambda: found.append(connection.read("/ppp/secret")))
        first.start()
        assert asked.wait(5)
        with pytest.raises(RuntimeError, match="another thread"):
            connection.read("/ip/route")
        answer.set()
        first.join(5)
    assert found == [[{"name": "x"}]]


def test_closing_ends_the_wait_of_another_thread() -> None:
    asked = threading.Event()

    def wait(peer: Peer) -> None:
        peer.heard()
        asked.set()
        peer.gone()

    found: list[BaseException] = []

    def read(connection: Connection) -> None:
        try:
            connection.read("/ppp/secret")
        except RouterError as error:
            found.append(error)

    with session(wait, timeout=30) as connection:
        first = threading.Thread(target=read, args=(connection,))
        first.start()
        assert asked.wait(5)
        connection.close()
        first.join(5)
    assert [type(error) for error in found] == [RouterLost]
