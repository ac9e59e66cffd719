"""What lasts from one datagram to the next: retransmissions, held rejects, NAS that change, counters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from core.secrets import KeyMissing, Keyring
from radius.access_request import read_access_request
from radius.attributes import (
    ACCESS_ACCEPT,
    ACCESS_REJECT,
    CALLING_STATION_ID,
    EAP_MESSAGE,
    PROXY_STATE,
    STATUS_SERVER,
    USER_NAME,
)
from radius.authorise import gate
from radius.nas_table import NasClient
from radius.policy import Denial, Grant, Policy
from radius.records import policy_key
from tests.factories_auth import (
    PLAN,
    SOURCE,
    Rig,
    always,
    datagram,
    entries,
    keyring,
    nas,
    opened,
    pap_request,
    record,
)

RIGHT, WRONG = pap_request(), pap_request(password=b"errado")
OTHER_PORT = (SOURCE[0], 40_001)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    made = Rig(tmp_path, nas(), record())
    yield made
    made.close()


def test_a_retransmission_gets_the_same_octets(rig: Rig) -> None:
    first = rig.send(RIGHT)
    rig.tick += 3
    assert rig.send(RIGHT) == first
    assert rig.counters() == {("accept", "pap"): 1, ("duplicate", "answered"): 1}


def test_a_retransmission_with_other_padding_is_one(rig: Rig) -> None:
    assert rig.send(RIGHT + b"\0\0") == rig.send(RIGHT)
    assert rig.counters()["duplicate", "answered"] == 1


def test_the_reply_is_kept_even_when_the_record_changed_meanwhile(rig: Rig) -> None:
    first = rig.send(RIGHT)
    rig.apply({b"uana": None})
    assert rig.send(RIGHT) == first
    rig.tick += 10
    assert opened(rig.ask(RIGHT), RIGHT).code == ACCESS_REJECT


def test_the_same_request_from_another_port_is_another_request(rig: Rig) -> None:
    rig.send(RIGHT)
    rig.send(RIGHT, OTHER_PORT)
    assert rig.counters() == {("accept", "pap"): 2}


def test_the_same_identifier_with_another_authenticator_is_answered_anew(rig: Rig) -> None:
    other = pap_request(authenticator=bytes(16))
    assert rig.send(RIGHT) != rig.send(other)
    assert opened(rig.send(RIGHT), RIGHT).code == ACCESS_ACCEPT
    assert rig.counters() == {("accept", "pap"): 3}


def test_the_same_authenticator_on_other_content_is_never_answered_from_memory(rig: Rig) -> None:
    """As RFC 2865 §3 has it for Identifier and content; only then is an unsigned request from memory safe."""
    rig.apply(entries(nas(require_message_authenticator=False)))
    assert rig.send(pap_request(sign=False)) is not None
    forged = pap_request(password=b"errado", sign=False)
    assert opened(rig.ask(forged), forged).code == ACCESS_REJECT


@pytest.mark.parametrize(
    "intruder",
    [pap_request(secret=b"other"), pap_request(sign=False), RIGHT[:-1], pap_request(authenticator=bytes(16))[:-1]],
    ids=["signed wrong", "unsigned", "cut short", "other authenticator, cut short"],
)
def test_what_is_not_believed_never_touches_the_cache(rig: Rig, intruder: bytes) -> None:
    first = rig.send(RIGHT)
    assert rig.send(intruder) is None
    assert rig.send(RIGHT) == first
    assert rig.counters()["duplicate", "answered"] == 1


def test_a_reject_waits_for_its_second(rig: Rig) -> None:
    assert rig.send(WRONG) is None
    assert rig.wait(0.9) == []
    (reply,) = rig.wait(0.1)
    assert opened(reply, WRONG).code == ACCESS_REJECT
    assert rig.wait(10) == []


def test_an_unknown_user_waits_as_long_as_a_wrong_password(rig: Rig) -> None:
    unknown = pap_request(b"eva", identifier=6)
    rig.send(WRONG)
    rig.send(unknown)
    assert rig.wait(0.999) == []
    assert len(rig.wait(0.001)) == 2


def test_a_retransmission_of_what_is_held_is_dropped_and_later_gets_the_reject(rig: Rig) -> None:
    rig.send(WRONG)
    rig.tick += 0.5
    assert rig.send(WRONG) is None
    (reply,) = rig.wait(0.5)
    assert rig.send(WRONG) == reply
    assert rig.counters() == {
        ("reject", "wrong_password"): 1,
        ("duplicate", "held_back"): 1,
        ("duplicate", "answered"): 1,
    }


def test_a_held_reject_is_dropped_when_it_is_superseded(rig: Rig) -> None:
    rig.send(WRONG)
    second = pap_request(authenticator=bytes(16))
    assert opened(rig.send(second), second).code == ACCESS_ACCEPT
    assert rig.wait(5) == []


def test_others_are_answered_while_rejects_wait(rig: Rig) -> None:
    rig.send(WRONG)
    right = pap_request(identifier=6)
    assert opened(rig.send(right), right).code == ACCESS_ACCEPT


def test_without_a_delay_a_reject_goes_out_at_once(tmp_path: Path) -> None:
    rig = Rig(tmp_path, nas(), record(), reject_delay_seconds=0.0)
    reply = rig.send(WRONG)
    assert opened(reply, WRONG).code == ACCESS_REJECT
    assert rig.send(WRONG) == reply
    rig.close()


def test_a_status_server_is_answered_every_time(rig: Rig) -> None:
    """RFC 5997 §4.2: not from the duplicate cache, and not disturbing it."""
    status = datagram([], code=STATUS_SERVER, identifier=5)
    first = rig.send(RIGHT)
    assert opened(rig.send(status), status).code == ACCESS_ACCEPT
    assert opened(rig.send(status), status).code == ACCESS_ACCEPT
    assert rig.send(RIGHT) == first
    assert rig.counters()["status", "mikrotik"] == 2


def test_a_nas_that_changes_counts_from_the_next_batch(rig: Rig) -> None:
    signed_anew = pap_request(secret=b"novo", identifier=6)
    assert rig.send(RIGHT) is not None
    rig.apply(entries(nas(secret=b"novo")))
    assert rig.send(pap_request(identifier=7)) is None
    assert opened(rig.send(signed_anew), signed_anew, b"novo").code == ACCESS_ACCEPT
    rig.apply({b"n1": None})
    assert rig.send(pap_request(secret=b"novo", identifier=8)) is None
    assert rig.counters()["silence", "unknown_client"] == 1


def test_a_nas_that_cannot_be_read_leaves_the_others_working(rig: Rig, caplog: pytest.LogCaptureFixture) -> None:
    broken = entries(nas(2, "192.0.2.9", vendor="nobody"))
    rig.apply({b"n3": b"{", b"n4": b"\xff", **broken})
    assert rig.send(RIGHT) is not None
    rig.apply(entries(record(1, "eva")))
    assert len(caplog.records) == 3, "each is told once"
    assert "xyzzy" not in caplog.text


def test_a_nas_whose_key_arrives_later_counts_from_then_on(tmp_path: Path) -> None:
    keys: list[Keyring] = []

    def unseal(blob: bytes, context: bytes) -> bytes:
        if not keys:
            raise KeyMissing("not here yet")
        return keys[0].unseal(blob, context)

    rig = Rig(tmp_path, nas(), record(), unseal=unseal)
    assert rig.send(RIGHT) is None
    keys.append(keyring())
    rig.apply({b"uanything": b""})
    assert opened(rig.send(RIGHT), RIGHT).code == ACCESS_ACCEPT
    rig.close()


def test_a_policy_is_rendered_again_when_the_subscription_gets_another(rig: Rig) -> None:
    slow = Policy(download_bps=1_000_000, upload_bps=1_000_000)
    replies = []
    for identifier, policy in enumerate((PLAN, slow, PLAN)):
        rig.apply(entries(record(spans=always(Grant(policy)))))
        request = pap_request(identifier=identifier)
        replies.append(opened(rig.send(request), request).vendor(14988, 8))
    assert replies == [b"50M/100M", b"1M/1M", b"50M/100M"]


def test_a_record_whose_policy_is_missing_is_met_with_silence(rig: Rig) -> None:
    rig.apply({policy_key(PLAN.policy_id): None})
    assert rig.ask(RIGHT) is None
    assert rig.counters() == {("silence", "policy_missing"): 1}


def test_a_record_that_does_not_open_raises_for_the_worker_to_count(rig: Rig) -> None:
    stolen = entries(record(login="eva"))[b"ueva"]
    rig.apply({b"uana": stolen})
    with pytest.raises(KeyMissing):
        rig.send(RIGHT)
    assert rig.wait(5) == []


def test_counters_do_not_grow_with_reasons_that_come_from_data(rig: Rig) -> None:
    names = [f"user{number}" for number in range(400)]
    rig.apply(entries(*(record(1, name, spans=always(Denial(f"because of {name}"))) for name in names)))
    for number, name in enumerate(names):
        rig.send(pap_request(name.encode()), (SOURCE[0], number))
    counters = rig.counters()
    assert sum(counters.values()) == 400
    assert len(counters) <= 257
    assert counters["reject", "other"] > 100


def test_two_nas_behind_one_store_do_not_share_secrets(rig: Rig) -> None:
    rig.apply(entries(replace(nas(2, "192.0.2.2"), secret=b"other")))
    assert rig.send(RIGHT, ("192.0.2.2", 40_000)) is None
    theirs = pap_request(secret=b"other")
    assert opened(rig.send(theirs, ("192.0.2.2", 40_000)), theirs, b"other").code == ACCESS_ACCEPT


def test_how_each_nas_signs_is_counted_of_requests_alone(rig: Rig) -> None:
    rig.apply(entries(nas(2, "192.0.2.2", require_message_authenticator=False)))
    lenient = "192.0.2.2"
    sent = [
        (pap_request(), SOURCE[0]),
        (pap_request(), SOURCE[0]),  # a retransmission is signed too
        (pap_request(sign=False), SOURCE[0]),
        (pap_request(secret=b"other"), SOURCE[0]),
        (datagram([], code=STATUS_SERVER), SOURCE[0]),
        (datagram([], code=STATUS_SERVER, sign=False), SOURCE[0]),
        (pap_request(sign=False), lenient),
        (pap_request(identifier=6), lenient),
        (pap_request(sign=False), "203.0.113.1"),
    ]
    for request, source in sent:
        rig.send(request, (source, 40_000))
    assert rig.service.sightings() == {1: (2, 0, 1), 2: (1, 1, 0)}


def test_gauges_tell_what_is_being_kept(rig: Rig) -> None:
    rig.send(RIGHT)
    rig.send(pap_request(b"ana", b"errado", (CALLING_STATION_ID, b"x"), identifier=6))
    assert rig.service.gauges() == {"held_rejects": 1.0, "duplicate_cache_entries": 2.0, "throttle_entries": 1.0}


def test_a_client_may_be_known_by_other_than_its_address(rig: Rig) -> None:
    by_certificate = NasClient(nas(9, secret=b"radsec", name="over-tls"))
    request = pap_request(secret=b"radsec")
    reply = rig.service.handle_for(by_certificate, request, ("tls", 9), rig.now, rig.tick)
    assert opened(reply, request, b"radsec").code == ACCESS_ACCEPT
    assert rig.service.sightings() == {9: (1, 0, 0)}


def test_within_tls_a_proxy_needs_no_signature_but_eap_does() -> None:
    """RFC 3579 §3.2 knows no exception; what Proxy-State opens to forgery, TLS closes."""
    client = NasClient(nas(), over_tls=True)
    proxied = pap_request(b"ana", b"segredo", (PROXY_STATE, b"p"), sign=False)
    eap = datagram([(USER_NAME, b"ana"), (EAP_MESSAGE, b"\2\1\0\x08\1ana")], sign=False)
    assert gate(read_access_request(proxied), client) == ""
    assert gate(read_access_request(eap), client) == "message_authenticator_missing"
