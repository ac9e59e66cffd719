"""Rejects on their way from a worker: folded, never waited for, bounded, over a real socket."""

from __future__ import annotations

import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius.reject_events import MOST_KEPT, EventReceiver, Events, Kind, RejectSender, merge, read_events
from radius.reject_reasons import REASONS, words_of
from tests.factories_metrics import NOW, reject_note

KIND = Kind(b"ana", "wrong_password", 1, b"02:00:5E:10:00:01")


@contextmanager
def receiving(path: Path) -> Iterator[EventReceiver]:
    receiver = EventReceiver(path)
    yield receiver
    receiver.close()


@contextmanager
def sending(path: Path) -> Iterator[RejectSender]:
    sender = RejectSender(path)
    yield sender
    sender.close()


def everything(receiver: EventReceiver) -> Events:
    """All that waits in the socket."""
    found = Events({}, {})
    while (told := receiver.receive(0.0)) is not None:
        merge(found, told)
    return found


@pytest.mark.parametrize("directory", ["short", "x" * 120], ids=["short path", "path longer than a socket's address"])
def test_what_is_alike_is_told_once_with_its_number(tmp_path: Path, directory: str) -> None:
    path = tmp_path / directory / "rejects.sock"
    with receiving(path) as receiver, sending(path) as sender:
        assert path.stat().st_mode & 0o777 == 0o600
        for second in range(3):
            sender.note(reject_note(at=NOW + second, detail=f"try {second}"))
        sender.note(reject_note(b'\xff\0"', calling_station_id=b"\xfe", subscription_id=0, reason="unknown_user"))
        assert receiver.receive(0.0) is None, "nothing is sent until it is time"
        sender.flush()
        told = everything(receiver).rejects
        assert (told[KIND].first_at, told[KIND].last_at, told[KIND].times) == (NOW, NOW + 2, 3)
        assert told[KIND].detail == "try 2"
        assert told[Kind(b'\xff\0"', "unknown_user", 1, b"\xfe")].subscription_id == 0
        assert sender.counters() == {("note", "sent"): 4, ("note", "dropped"): 0}
        sender.flush()
        assert receiver.receive(0.0) is None


def test_what_somebody_waits_for_is_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "rejects.sock"
    with receiving(path) as receiver, sending(path) as sender:
        sender.note(reject_note(reason="session_limit"))
        assert receiver.receive(0.0) is not None


def test_nobody_waits_for_a_receiver_that_is_not_there(tmp_path: Path) -> None:
    path = tmp_path / "rejects.sock"
    with sending(path) as sender:
        sender.note(reject_note())
        sender.flush()
        with receiving(path) as receiver:
            sender.flush()
            assert everything(receiver).rejects[KIND].times == 1, "kept until somebody listens"
        sender.note(reject_note())
        sender.flush()
        with receiving(path) as receiver:
            sender.flush()
            assert everything(receiver).rejects[KIND].times == 1, "and across its restart"


def test_a_flood_of_names_is_bounded_and_what_was_dropped_is_counted(tmp_path: Path) -> None:
    with sending(tmp_path / "rejects.sock") as sender:
        for number in range(MOST_KEPT + 500):
            sender.note(reject_note(b"stranger-%d" % number))
        sender.note(reject_note(b"stranger-0"))
        assert sender.counters()["note", "dropped"] == 500


def test_a_receiver_that_does_not_read_costs_nothing_but_its_news(tmp_path: Path) -> None:
    path = tmp_path / "rejects.sock"
    with receiving(path) as receiver, sending(path) as sender:
        for number in range(40 * MOST_KEPT):
            sender.note(reject_note(b"%d" % number + b"x" * 240))
            if number % MOST_KEPT == 0:
                sender.flush()
        counted = sender.counters()
        assert counted["note", "dropped"] > 0
        sent = counted["note", "sent"]
        told = everything(receiver).rejects
        assert sum(folded.times for folded in told.values()) == sent > 0


def test_sightings_are_told_when_they_are_new(tmp_path: Path) -> None:
    path = tmp_path / "rejects.sock"
    with receiving(path) as receiver, sending(path) as sender:
        sender.see({1: (5, 0, 0), 2: (0, 3, 2)}, NOW)
        sender.see({1: (5, 1, 0), 2: (0, 3, 2)}, NOW + 1)
        sender.flush()
        assert everything(receiver).seen == {1: (NOW, NOW + 1, None), 2: (None, NOW, NOW)}
        sender.see({1: (5, 1, 0), 2: (0, 3, 2)}, NOW + 2)
        sender.flush()
        assert receiver.receive(0.0) is None
        many = dict.fromkeys(range(5000), (1, 0, 0))
        sender.see(many, NOW)
        sender.flush()
        assert len(everything(receiver).seen) + len(sender._seen) == 5_000


@given(st.binary(max_size=200))
def test_strange_datagrams_tell_nothing(datagram: bytes) -> None:
    assert read_events(datagram) == Events({}, {})


@pytest.mark.parametrize(
    "datagram",
    [
        b"{}",
        b'{"rejects":[],"seen":[[1,2,3]]}',
        b'{"rejects":[["zz","r",1,"",1]],"seen":[]}',
        b'{"rejects":[["61","r",1,"62","d",7]],"seen":[]}',
        b'{"rejects":[["61","r",1,"62","d","x",1.0,2.0,3]],"seen":[]}',
    ],
)
def test_datagrams_of_another_shape_tell_nothing(tmp_path: Path, datagram: bytes) -> None:
    path = tmp_path / "rejects.sock"
    with receiving(path) as receiver, socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.sendto(datagram, str(path))
        assert receiver.receive(0.0) == Events({}, {})


def test_every_reason_that_the_code_gives_has_words_in_both_languages() -> None:
    found = set()
    for module in Path("radius").glob("*.py"):
        found |= set(re.findall(r"""Reject\(\s*"([a-z_]+)["]""", module.read_text()))
    assert {"unknown_user", "mac_mismatch"} <= found
    assert found <= set(REASONS), "radius/reject_reasons.py lacks words"
    for words in REASONS.values():
        assert words.en != words.pt
        assert words.en == words.en.strip()


@pytest.mark.parametrize(
    ("reason", "detail", "words"),
    [
        ("wrong_password", "", "wrong password"),
        ("session_limit", "other session at NAS pop-1", "session limit, other session at NAS pop-1"),
        ("legal_block", "", "legal block"),
    ],
)
def test_a_reason_is_spelled_out(reason: str, detail: str, words: str) -> None:
    assert words_of(reason, detail).en == words
