"""The accounting service without a socket: who is answered, when, and what is kept."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator
from ipaddress import ip_address
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radius import attributes as a
from radius.accounting import Received, unpack_received
from radius.acct_service import AcctService
from radius.codec import MAX_ATTRIBUTES, Attribute, encode, encode_attributes
from radius.store import RecordStore
from tests.factories_accounting import NOW, START, acct_answer, acct_attributes, acct_request
from tests.factories_auth import datagram, entries, keyring, nas

SOURCE = ("192.0.2.1", 40_000)
STRANGER = ("192.0.2.9", 40_000)


class Rig:
    """A service for one NAS, 192.0.2.1; time stands still unless it is moved."""

    def __init__(self, store: RecordStore) -> None:
        self.service = AcctService(keyring().unseal)
        self.store = store
        self.tick = 1000.0
        self._revision = itertools.count(1)
        self.apply(entries(nas()))

    def apply(self, changes: dict[bytes, bytes | None] | dict[bytes, bytes]) -> None:
        self.store.apply(changes, next(self._revision))
        with self.store.snapshot() as records:
            self.service.begin(records)

    def send(self, request: bytes, source: tuple[str, int] = SOURCE) -> bytes | None:
        """What is answered before anything was written."""
        return self.service.handle(request, source, NOW, self.tick)

    def settle(self) -> tuple[list[bytes], list[Received]]:
        """Pretend that all was written: the replies that are due now, and what was written."""
        owed, payloads = self.service.collect()
        written = [unpack_received(payload) for payload in payloads]
        assert all(isinstance(each, Received) for each in written)
        return [reply for reply, _ in self.service.acknowledge(owed, self.tick)], written  # type: ignore[return-value]


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    store = RecordStore(tmp_path / "records.lmdb")
    yield Rig(store)
    store.close()


def test_an_answer_is_given_only_once_the_record_is_written(rig: Rig) -> None:
    request = acct_request(acct_attributes(START))
    assert rig.send(request) is None
    [reply], [written] = rig.settle()
    acct_answer(reply, request)
    assert written == Received(1, ip_address("192.0.2.1"), NOW, request)
    assert rig.service.counters() == {("recorded", "mikrotik"): 1}


def test_a_record_that_could_not_be_written_is_new_when_it_comes_again(rig: Rig) -> None:
    request = acct_request(acct_attributes(START))
    rig.send(request)
    rig.service.collect()
    assert rig.send(request) is None
    [reply], [written] = rig.settle()
    acct_answer(reply, request)
    assert written.datagram == request


def test_a_retransmission_gets_the_same_octets_and_is_not_written_again(rig: Rig) -> None:
    request = acct_request(acct_attributes(START))
    rig.send(request)
    [reply], _ = rig.settle()
    assert rig.send(request) == reply
    assert rig.settle() == ([], [])
    assert rig.send(request, ("192.0.2.1", 40_001)) is None, "another port is another sender"
    rig.settle()
    rig.tick += 60
    assert rig.send(request) is None, "after a minute it is new"


def test_a_retransmission_in_the_same_batch_is_written_once(rig: Rig) -> None:
    request = acct_request(acct_attributes(START))
    assert (rig.send(request), rig.send(request)) == (None, None)
    replies, written = rig.settle()
    assert (len(replies), len(written)) == (1, 1)


def test_another_request_under_the_same_identifier_is_new(rig: Rig) -> None:
    one, two = acct_request(acct_attributes(START)), acct_request(acct_attributes(START, delay=3))
    rig.send(one)
    rig.settle()
    rig.send(two)
    [reply], _ = rig.settle()
    acct_answer(reply, two)
    rig.send(one)
    [reply], _ = rig.settle()
    acct_answer(reply, one)


def test_padding_is_not_kept(rig: Rig) -> None:
    request = acct_request(acct_attributes(START))
    rig.send(request + b"padding")
    _, [written] = rig.settle()
    assert written.datagram == request


PROXY_STATES: list[Attribute] = [(a.PROXY_STATE, b"first"), (a.PROXY_STATE, b""), (a.PROXY_STATE, b"\xff" * 253)]


@pytest.mark.parametrize("sign", [False, True], ids=["without Message-Authenticator", "with Message-Authenticator"])
def test_the_response_carries_proxy_state_and_nothing_else(rig: Rig, sign: bool) -> None:
    """A Message-Authenticator in an Accounting-Response means different things to different clients."""
    mixed = [PROXY_STATES[0], *acct_attributes(START), *PROXY_STATES[1:]]
    request = acct_request(mixed, sign=sign)
    rig.send(request)
    [reply], _ = rig.settle()
    packet = acct_answer(reply, request)
    assert list(packet.attributes) == PROXY_STATES


def test_status_server_is_answered_at_once(rig: Rig) -> None:
    request = datagram(PROXY_STATES, code=a.STATUS_SERVER)
    packet = acct_answer(rig.send(request), request)
    assert [kind for kind, _ in packet.attributes] == [a.MESSAGE_AUTHENTICATOR] + [a.PROXY_STATE] * 3
    assert rig.settle() == ([], [])


def spoilt(request: bytes, at: int) -> bytes:
    return request[:at] + bytes((request[at] ^ 1,)) + request[at + 1 :]


GOOD = acct_request(acct_attributes(START))
SIGNED = acct_request(acct_attributes(START), sign=True)


def resigned(request: bytes) -> bytes:
    """With a right Request Authenticator again."""
    blank = request[:4] + bytes(16) + request[20:]
    return blank[:4] + hashlib.md5(blank + b"xyzzy5461").digest() + blank[20:]


SILENT = {
    "a stranger": (GOOD, STRANGER, "unknown_client"),
    "a source that is no address": (GOOD, ("unix", 1), "unknown_client"),
    "another secret": (acct_request(acct_attributes(START), secret=b"guessed"), SOURCE, "request_authenticator_wrong"),
    "a changed attribute": (spoilt(GOOD, len(GOOD) - 1), SOURCE, "request_authenticator_wrong"),
    "a changed Message-Authenticator": (resigned(spoilt(SIGNED, 30)), SOURCE, "message_authenticator_wrong"),
    "a truncated datagram": (GOOD[:-1], SOURCE, "packet_length"),
    "nothing": (b"", SOURCE, "short_datagram"),
    "an Access-Request": (datagram(acct_attributes(START)), SOURCE, "unexpected_code"),
    "an unknown code": (b"\x63" + GOOD[1:], SOURCE, "unknown_code"),
    "Status-Server unsigned": (
        datagram([], code=a.STATUS_SERVER, sign=False),
        SOURCE,
        "message_authenticator_missing",
    ),
    "Status-Server signed by somebody else": (
        datagram([], code=a.STATUS_SERVER, secret=b"guessed"),
        SOURCE,
        "message_authenticator_wrong",
    ),
    "too many attributes": (
        acct_request([(a.CLASS, b"")] * (MAX_ATTRIBUTES + 1)),
        SOURCE,
        "too_many_attributes",
    ),
}


@pytest.mark.parametrize(("request_", "source", "reason"), SILENT.values(), ids=SILENT.keys())
def test_hears_silence(rig: Rig, request_: bytes, source: tuple[str, int], reason: str) -> None:
    assert rig.send(request_, source) is None
    assert rig.settle() == ([], [])
    assert rig.service.counters() == {("silence", reason): 1}


def test_a_bad_authenticator_never_touches_what_is_remembered(rig: Rig) -> None:
    rig.send(GOOD)
    [reply], _ = rig.settle()
    rig.send(spoilt(GOOD, len(GOOD) - 1))
    assert rig.send(GOOD) == reply


def test_a_nas_counts_as_soon_as_it_is_known_and_no_longer_than_it_is(rig: Rig) -> None:
    assert rig.send(GOOD, STRANGER) is None
    rig.apply(entries(nas(2, "192.0.2.9")))
    rig.send(GOOD, STRANGER)
    [_], [written] = rig.settle()
    assert written.nas_id == 2
    rig.apply(entries(nas(2, "192.0.2.9", enabled=False)))
    rig.tick += 60
    rig.send(GOOD, STRANGER)
    assert rig.settle() == ([], [])
    changed = acct_request(acct_attributes(START), secret=b"a new secret")
    rig.apply(entries(nas(secret=b"a new secret")))
    rig.send(changed)
    assert len(rig.settle()[0]) == 1


def test_an_entry_that_cannot_be_read_is_left_out(rig: Rig) -> None:
    rig.apply({b"n7": b"{}", b"n8": b"\xff", **entries(nas(9, "192.0.2.9"))})
    rig.send(GOOD, STRANGER)
    rig.send(GOOD)
    assert len(rig.settle()[0]) == 2


@given(
    garbage=st.binary(max_size=200)
    | st.builds(
        lambda code, body: encode(code, 1, bytes(16), body),
        st.sampled_from(sorted(a.CODES)),
        st.binary(max_size=100),
    ),
)
def test_garbage_is_met_with_silence(rig: Rig, garbage: bytes) -> None:
    assert rig.send(garbage) is None
    assert rig.settle() == ([], [])


def test_no_octet_of_an_authentic_request_can_be_changed(rig: Rig) -> None:
    for at, flip in itertools.product(range(len(SIGNED)), range(1, 256)):
        changed = SIGNED[:at] + bytes((SIGNED[at] ^ flip,)) + SIGNED[at + 1 :]
        assert rig.send(changed) is None
    assert rig.settle() == ([], [])
    assert {result for result, _ in rig.service.counters()} == {"silence"}


@pytest.mark.parametrize("sign", [False, True], ids=["unsigned", "signed"])
def test_the_longest_request_has_an_answer(rig: Rig, sign: bool) -> None:
    room = 4096 - 20 - 18 * sign
    states = [(a.PROXY_STATE, bytes(253))] * (room // 255) + [(a.PROXY_STATE, bytes(room % 255 - 2))]
    request = acct_request(states, sign=sign)
    assert len(request) == 4096
    rig.send(request)
    [reply], _ = rig.settle()
    assert len(acct_answer(reply, request).raw) == 4096 - 18 * sign


@given(st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=60)), max_size=30))
def test_whatever_an_authentic_nas_says_is_kept_or_refused_without_an_error(
    rig: Rig, attributes: list[Attribute]
) -> None:
    own = encode_attributes(attributes)
    request = resigned(encode(a.ACCOUNTING_REQUEST, 1, bytes(16), own))
    rig.tick += 60
    rig.send(request)
    replies, written = rig.settle()
    assert len(replies) == len(written) <= 1
    for reply in replies:
        acct_answer(reply, request)


def test_failures_of_many_kinds_stay_few_counters(rig: Rig) -> None:
    for number in range(1_000):
        rig.service.count_failure(type(f"Kind{number}", (Exception,), {})())
    assert len(rig.service.counters()) <= 257
    assert sum(rig.service.counters().values()) == 1_000
