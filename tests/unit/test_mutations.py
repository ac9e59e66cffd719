"""A hundred thousand damaged datagrams: silence or a reject, never an exception, an accept, or growth."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

from radius.attributes import (
    ACCESS_ACCEPT,
    CHAP_CHALLENGE,
    CHAP_PASSWORD,
    EAP_MESSAGE,
    FRAMED_PROTOCOL,
    PROXY_STATE,
    STATUS_SERVER,
    USER_NAME,
)
from radius.codec import Malformed, trim
from tests.factories_auth import (
    ANA,
    CHALLENGE,
    MAC,
    Rig,
    chap,
    datagram,
    mac_record,
    ms_chap,
    nas,
    opened,
    pap_request,
    record,
)

ROUNDS = 100_000
LENIENT = "192.0.2.2"

ORIGINALS = (
    pap_request(b"ana", b"segredo", (PROXY_STATE, b"state"), (FRAMED_PROTOCOL, (1).to_bytes(4))),
    datagram([ANA, (CHAP_PASSWORD, chap(b"segredo", CHALLENGE)), (CHAP_CHALLENGE, CHALLENGE)]),
    datagram([ANA, *ms_chap(2)]),
    datagram([ANA, *ms_chap(1)]),
    datagram([(USER_NAME, MAC.encode())]),
    datagram([ANA, (EAP_MESSAGE, b"\2\1\0\x08\1ana")]),
    datagram([], code=STATUS_SERVER),
)
UNSIGNED = (
    pap_request(sign=False),
    datagram([ANA, (CHAP_PASSWORD, chap(b"segredo", CHALLENGE)), (CHAP_CHALLENGE, CHALLENGE)], sign=False),
    datagram([ANA, *ms_chap(2)], sign=False),
)


def change_octets(original: bytes, chance: random.Random) -> bytes:
    octets = bytearray(original)
    for _ in range(chance.randint(1, 4)):
        octets[chance.randrange(len(octets))] = chance.randrange(256)
    return bytes(octets)


def change_a_length(original: bytes, chance: random.Random) -> bytes:
    at = chance.choice([2, 3, 21, 39])
    if at >= len(original):
        at = 3
    return original[:at] + bytes((chance.randrange(256),)) + original[at + 1 :]


def cut_short(original: bytes, chance: random.Random) -> bytes:
    return original[: chance.randrange(len(original))]


def cut_and_relabel(original: bytes, chance: random.Random) -> bytes:
    return relabelled(original[: chance.randrange(20, len(original))] if len(original) > 20 else original)


def insert(original: bytes, chance: random.Random) -> bytes:
    at, extra = chance.randrange(20, len(original) + 1), chance.randbytes(chance.randint(1, 40))
    return relabelled(original[:at] + extra + original[at:])


def append_attribute(original: bytes, chance: random.Random) -> bytes:
    kind = chance.choice([1, 2, 3, 26, 33, 79, 80, chance.randrange(256)])
    value = chance.randbytes(chance.choice([0, 4, 16, 17, 50]))
    return relabelled(original + bytes((kind, len(value) + 2)) + value)


def lengthen(original: bytes, chance: random.Random) -> bytes:
    return relabelled(original + b"\x12\x02" * chance.randint(150, 2_030))


def relabelled(octets: bytes) -> bytes:
    """With a Length that agrees again."""
    return octets[:2] + min(len(octets), 65_535).to_bytes(2) + octets[4:]


MUTATIONS: tuple[Callable[[bytes, random.Random], bytes], ...] = (
    change_octets,
    change_octets,
    change_octets,
    change_a_length,
    cut_short,
    cut_and_relabel,
    insert,
    append_attribute,
    lengthen,
)


def trimmed(octets: bytes) -> bytes:
    try:
        return trim(octets)
    except Malformed:
        return b""


def test_mutated_datagrams(tmp_path: Path) -> None:
    chance = random.Random(20_260_302)
    rig = Rig(
        tmp_path,
        nas(1, "192.0.2.1", mac_auth=True),
        nas(2, LENIENT, require_message_authenticator=False, mac_auth=True),
        nas(3, "198.18.0.0/15"),
        record(),
        mac_record(),
    )
    for number, original in enumerate(ORIGINALS):
        assert opened(rig.ask(original, ("192.0.2.1", number)), original).code in (2, 3)
    accepted = 0
    for number in range(ROUNDS):
        unsigned = number % 5 == 0
        original = chance.choice(UNSIGNED if unsigned else ORIGINALS)
        mutant = chance.choice(MUTATIONS)(original, chance)
        address = LENIENT if unsigned else f"198.{18 + number % 2}.{number % 251}.{number % 241}"
        reply = rig.send(mutant, (address, chance.randrange(1024, 65_536)))
        if reply is not None and reply[0] == ACCESS_ACCEPT:
            accepted += 1
            assert unsigned or trimmed(mutant) in ORIGINALS, f"round {number} accepted {mutant.hex()}"
        if not number % 500:
            rig.wait(0.5)
            service = rig.service
            assert len(service._duplicates) <= 2 * 65_536
            assert len(service._held) <= 65_536
            assert len(service._sources) <= 4_096
            assert len(service.counters()) < 60
            assert len(service._policies) < 10
    counters = rig.counters()
    assert 0 < accepted < ROUNDS / 5, "the mutations must reach both sides of the decision"
    assert counters["silence", "message_authenticator_wrong"] > 10_000
    assert counters["silence", "attribute_length"] > 10_000
    assert counters["reject", "wrong_password"] > 1_000
    rig.close()
