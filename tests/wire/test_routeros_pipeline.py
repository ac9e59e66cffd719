"""Many commands on the way at once, whatever their answers: words, traps, orders, characters."""

from __future__ import annotations

import logging
import socket

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.routeros.connection import (
    Command,
    Done,
    Read,
    ReadRefused,
    RouterError,
    Trapped,
)
from provisioning.routeros.driver.pacing import full_bucket
from provisioning.routeros.driver.pipeline import Limits, Pipeline, Request
from provisioning.routeros.driver.stream import Stream
from provisioning.routeros.driver.wire import Charset
from tests.factories_driver import (
    PASSWORD,
    Peer,
    sentence,
    session,
    tag_of,
    word,
)

SET = Command("/ppp/secret/set", {".id": "*1", "comment": "x"})


def test_nothing_of_a_secret_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)

    def refuse(peer: Peer) -> None:
        asked = peer.heard()
        peer.say("!trap", *tag_of(asked), f"=message=bad {PASSWORD}")
        peer.answer(asked)
        peer.answer(peer.heard(), {"password": PASSWORD})

    with session(refuse) as connection:
        connection.write([Command("/ppp/secret/add", {"password": PASSWORD})])
        assert connection.read("/ppp/secret") == [{"password": PASSWORD}]
    assert PASSWORD not in caplog.text


def test_answers_come_in_any_order_and_go_out_in_ours() -> None:
    def backwards(peer: Peer) -> None:
        asked = [peer.heard() for _ in range(5)]
        for number, each in reversed(list(enumerate(asked))):
            peer.say("!done", f"=ret=*{number}", *tag_of(each))

    with session(backwards) as connection:
        assert connection.write([SET] * 5) == [Done(f"*{number}") for number in range(5)]


def test_a_trap_stops_nobody_else() -> None:
    def picky(peer: Peer) -> None:
        for number in range(3):
            asked = peer.heard()
            if number == 1:
                peer.say("!trap", *tag_of(asked), "=category=0", "=message=no such item")
            peer.answer(asked)

    with session(picky) as connection:
        assert connection.write([SET] * 3) == [Done(), Trapped("no such item", 0), Done()]


TRAPS: dict[str, tuple[list[list[str]], Trapped]] = {
    "plain": ([["=message=no such command"]], Trapped("no such command")),
    "with its category": ([["=category=2", "=message=interrupted"]], Trapped("interrupted", 2)),
    "two before one end": ([["=category=1", "=message=a"], ["=message=b"], ["=message=a"]], Trapped("a; b", 1)),
    "no words at all": ([[]], Trapped("no reason given")),
    "a category that is no number": ([["=category=x", "=message=a"]], Trapped("a")),
    "quoting the password": ([[f"=message=bad value {PASSWORD}"]], Trapped("bad value •••")),
}


@pytest.mark.parametrize(("traps", "result"), TRAPS.values(), ids=TRAPS)
def test_traps(traps: list[list[str]], result: Trapped) -> None:
    def refuse(peer: Peer) -> None:
        for _ in range(2):
            asked = peer.heard()
            for words in traps:
                peer.say("!trap", *tag_of(asked), *words)
            peer.answer(asked)

    with session(refuse) as connection:
        assert connection.write([Command("/ppp/secret/add", {"password": PASSWORD})]) == [result]
        with pytest.raises(ReadRefused) as refused:
            connection.read("/ppp/secret")
    assert refused.value.category == result.category


def test_rows_before_a_trap_are_not_taken_for_all_of_them() -> None:
    def half(peer: Peer) -> None:
        asked = peer.heard()
        peer.say("!re", *tag_of(asked), "=.id=*1")
        peer.say("!trap", *tag_of(asked), "=category=2", "=message=interrupted")
        peer.answer(asked)
        peer.answer(peer.heard(), {".id": "*1"})

    with session(half) as connection:
        with pytest.raises(ReadRefused, match="interrupted"):
            connection.read("/ppp/secret")
        assert connection.read("/ppp/secret") == [{".id": "*1"}]


QUIET = {"!empty since 7.18": "!empty", "a word of some later version": "!soon"}


@pytest.mark.parametrize("reply", QUIET.values(), ids=QUIET)
def test_replies_that_say_nothing_are_passed_over(reply: str) -> None:
    def quiet(peer: Peer) -> None:
        asked = peer.heard()
        peer.say(reply, *tag_of(asked))
        peer.answer(asked)

    with session(quiet) as connection:
        assert connection.read("/ppp/secret") == []


def test_what_is_asked_for_goes_out_as_it_is_worded() -> None:
    heard: list[list[str]] = []

    def note(peer: Peer) -> None:
        for _ in range(4):
            heard.append(peer.heard())
            peer.answer(heard[-1])

    with session(note) as connection:
        connection.read_many([Read("/ppp/secret", ("name", ".id"), ("?name=a", "?name=b", "?#|")), Read("/ip/route")])
        connection.write([Command("/ppp/secret/set", {"numbers": "*1,*2", "disabled": "yes"}), Command("/x/y")])
    assert [[each for each in words if each not in tag_of(words)] for words in heard] == [
        ["/ppp/secret/print", "=.proplist=.id,name", "?name=a", "?name=b", "?#|"],
        ["/ip/route/print"],
        ["/ppp/secret/set", "=numbers=*1,*2", "=disabled=yes"],
        ["/x/y"],
    ]
    assert len({tag for words in heard for tag in tag_of(words)}) == 4


def test_a_character_that_the_router_lacks_costs_its_own_command_alone() -> None:
    def obey(peer: Peer) -> None:
        asked = peer.heard()
        assert "=comment=Jo\xe3o" in asked
        peer.answer(asked)
        peer.answer(peer.heard(), {"name": "x"})

    commands = [Command("/ppp/secret/set", {".id": "*1", "comment": name}) for name in ("João", "Wałęsa")]
    with session(obey, charset="latin-1") as connection:
        done, trapped = connection.write(commands)
        refused, rows = connection.read_many([Read("/ppp/secret", (), ("?name=ł",)), Read("/ppp/secret")])
    assert done == Done()
    assert isinstance(trapped, Trapped)
    assert "'ł'" in trapped.message
    assert isinstance(refused, ReadRefused)
    assert rows == [{"name": "x"}]


REPLIES = [b"!re", b"!done", b"!trap", b"!fatal", b"!empty", b"!", b"x"]
WORDS = st.one_of(
    st.sampled_from([b".tag=1", b".tag=2", b".tag=", b"=", b"==", b"=ret", b"=message=", b"=category=9"]),
    st.binary(min_size=1, max_size=20),
    st.just(b"=category=" + b"9" * 5000),
)
SENTENCES = st.builds(
    lambda reply, words: sentence(reply, *words), st.sampled_from(REPLIES), st.lists(WORDS, max_size=3)
)


@given(st.lists(st.one_of(SENTENCES, st.binary(max_size=30)), max_size=6).map(b"".join))
def test_whatever_comes_is_an_answer_or_the_end(data: bytes) -> None:
    ours, theirs = socket.socketpair()
    with theirs:
        pipeline = Pipeline(Stream(ours, "borda"), Charset("utf-8"), full_bucket(0, 0.0))
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        try:
            answers = pipeline.exchange([Request(word(path)) for path in ("/a", "/b")], Limits(5.0, 5.0))
            assert len(answers) == 2
        except RouterError:
            assert pipeline.closed
        finally:
            pipeline.close()
