"""Damaged RADIUS datagrams, and the oracle that says which of them a server may answer. Pure.

The oracle has a parser and a verifier of its own. It forgives nothing: an Access-Accept needs the credentials of a
known subscriber, whole, and an Accounting-Response the secret's signature over exactly these octets.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections.abc import Callable, Mapping, Sequence

from bench.wire import ACCESS_REQUEST, ACCOUNTING_REQUEST, STATUS_SERVER, attribute, hidden, number, signed

Attributes = list[tuple[int, bytes]]
_USER_NAME, _USER_PASSWORD, _CHAP_PASSWORD, _VENDOR, _CHAP_CHALLENGE, _MARK = 1, 2, 3, 26, 60, 80
_MS_CHALLENGE, _MS_RESPONSE, _MS2_RESPONSE = b"\0\0\x01\x37\x0b", b"\0\0\x01\x37\x01", b"\0\0\x01\x37\x19"
_ODD_KINDS = (1, 2, 3, 8, 25, 26, 31, 33, 40, 44, 55, 60, 79, 80, 97)


class Oracle:
    """Knows the secret, the passwords and the MS-CHAP exchanges that were made from them."""

    def __init__(self, secret: bytes, passwords: Mapping[bytes, bytes], *, signed_only: bool) -> None:
        """`signed_only`: the NAS must send Message-Authenticator."""
        self._secret, self._passwords, self._signed_only = secret, passwords, signed_only
        self.ms_chap: set[tuple[bytes, bytes, bytes]] = set()
        """(User-Name, challenge, the proving part of the response) that are right."""

    def may_accept(self, datagram: bytes) -> bool:
        """Whether Access-Accept can be the answer."""
        packet = trimmed(datagram)
        found = parsed(packet)
        if found is None or not self._mark_holds(packet, found, bytes(packet[4:20])):
            return False
        if packet[0] == STATUS_SERVER:
            return any(kind == _MARK for kind, _ in found)
        if packet[0] != ACCESS_REQUEST:
            return False
        if self._signed_only and not any(kind == _MARK for kind, _ in found):
            return False
        return any(self._proven(name, packet, found) for kind, name in found if kind == _USER_NAME)

    def may_acknowledge(self, datagram: bytes) -> bool:
        """Whether Accounting-Response can be the answer."""
        packet = trimmed(datagram)
        found = parsed(packet)
        if found is None:
            return False
        if packet[0] == STATUS_SERVER:
            return any(kind == _MARK for kind, _ in found) and self._mark_holds(packet, found, bytes(packet[4:20]))
        right = hashlib.md5(packet[:4] + bytes(16) + packet[20:] + self._secret).digest() == packet[4:20]
        return packet[0] == ACCOUNTING_REQUEST and right

    def _mark_holds(self, packet: bytes, found: Attributes, authenticator: bytes) -> bool:
        at = 20
        for kind, value in found:
            if kind == _MARK:
                if len(value) != 16:
                    return False
                blank = packet[:4] + authenticator + packet[20 : at + 2] + bytes(16) + packet[at + 18 :]
                return hmac.compare_digest(value, hmac.digest(self._secret, blank, "md5"))
            at += len(value) + 2
        return True

    def _proven(self, name: bytes, packet: bytes, found: Attributes) -> bool:
        password = self._passwords.get(name)
        if password is None:
            return False
        authenticator = packet[4:20]
        challenges = [value for kind, value in found if kind == _CHAP_CHALLENGE and value] or [authenticator]
        for kind, value in found:
            if kind == _USER_PASSWORD and self._shown(value, authenticator).rstrip(b"\0") == password:
                return True
            if kind == _CHAP_PASSWORD and len(value) == 17:
                digests = (hashlib.md5(value[:1] + password + each).digest() for each in challenges)
                if any(digest == value[1:] for digest in digests):
                    return True
        return not self.ms_chap.isdisjoint((name, *each) for each in ms_chap_of(found))

    def _shown(self, value: bytes, authenticator: bytes) -> bytes:
        out, last = b"", authenticator
        for at in range(0, len(value) - 15, 16):
            pad, block = hashlib.md5(self._secret + last).digest(), value[at : at + 16]
            out += bytes(one ^ two for one, two in zip(pad, block, strict=True))
            last = block
        return out


def ms_chap_of(found: Attributes) -> list[tuple[bytes, bytes]]:
    """(challenge, what the response proves) of every pair of MS-CHAP attributes."""
    vendor = [value for kind, value in found if kind == _VENDOR]
    challenges = [value[6:] for value in vendor if value[:5] == _MS_CHALLENGE]
    proofs = [value[32:56] for value in vendor if value[:5] == _MS_RESPONSE]
    proofs += [value[8:24] + value[32:56] for value in vendor if value[:5] == _MS2_RESPONSE]
    return [(challenge, proof) for challenge in challenges for proof in proofs]


def trimmed(datagram: bytes) -> bytes:
    """Without padding; whatever is no packet stays as it is."""
    length = int.from_bytes(datagram[2:4])
    return datagram[:length] if 20 <= length <= len(datagram) else datagram


def parsed(packet: bytes) -> Attributes | None:
    """Type and value of every attribute; None when this is no packet."""
    if len(packet) < 20 or int.from_bytes(packet[2:4]) != len(packet):
        return None
    found, at = [], 20
    while at < len(packet):
        length = packet[at + 1] if at + 1 < len(packet) else 0
        if length < 2 or at + length > len(packet):
            return None
        found.append((packet[at], packet[at + 2 : at + length]))
        at += length
    return found


def pap_original(user: bytes, password: bytes, secret: bytes, more: bytes, authenticator: bytes) -> bytes:
    own = attribute(_USER_NAME, user) + attribute(_USER_PASSWORD, hidden(password, authenticator, secret))
    return signed(ACCESS_REQUEST, 0, authenticator, own + more, secret)


def chap_original(user: bytes, password: bytes, secret: bytes, more: bytes, authenticator: bytes) -> bytes:
    proof = b"\x07" + hashlib.md5(b"\x07" + password + authenticator).digest()
    own = attribute(_USER_NAME, user) + attribute(_CHAP_PASSWORD, proof) + attribute(_CHAP_CHALLENGE, authenticator)
    return signed(ACCESS_REQUEST, 0, authenticator, own + more, secret)


def change_octets(original: bytes, chance: random.Random) -> bytes:
    octets = bytearray(original)
    for _ in range(chance.randint(1, 4)):
        octets[chance.randrange(len(octets))] = chance.randrange(256)
    return bytes(octets)


def flip_a_bit(original: bytes, chance: random.Random) -> bytes:
    octets = bytearray(original)
    octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
    return bytes(octets)


def change_a_length(original: bytes, chance: random.Random) -> bytes:
    """That of the packet, or of an attribute."""
    starts, at = [3], 20
    while at + 1 < len(original) and original[at + 1] >= 2:
        starts.append(at + 1)
        at += original[at + 1]
    at = chance.choice(starts)
    return original[:at] + bytes((chance.choice((0, 1, 2, 3, 255, chance.randrange(256))),)) + original[at + 1 :]


def cut_short(original: bytes, chance: random.Random) -> bytes:
    return original[: chance.randrange(len(original))]


def cut_and_relabel(original: bytes, chance: random.Random) -> bytes:
    return relabelled(original[: chance.randrange(20, len(original))])


def insert_octets(original: bytes, chance: random.Random) -> bytes:
    at = chance.randrange(20, len(original) + 1)
    return relabelled(original[:at] + chance.randbytes(chance.randint(1, 40)) + original[at:])


def splice(original: bytes, chance: random.Random) -> bytes:
    """Leave out, double or swap attributes, and put strange ones between."""
    found = parsed(original) or []
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(found) + 1)
        step = chance.randrange(4)
        if step == 0 or not found:
            value = chance.randbytes(chance.choice((0, 1, 4, 6, 16, 17, 50, 253)))
            found.insert(at, (chance.choice((*_ODD_KINDS, chance.randrange(256))), value))
        elif step == 1:
            del found[at % len(found)]
        elif step == 2:
            found.insert(at, chance.choice(found))
        else:
            chance.shuffle(found)
    return relabelled(original[:20] + b"".join(attribute(kind, value) for kind, value in found))


def lengthen(original: bytes, chance: random.Random) -> bytes:
    """Towards, and beyond, the most attributes and octets that a packet may have."""
    return relabelled(original + b"\x12\x02" * chance.choice((180, 190, 200, 210, 220, 2_000, 2_030)))


def strange_counters(original: bytes, chance: random.Random) -> bytes:
    """Counters, times and statuses at the ends of their ranges, last ones winning or losing."""
    kinds = (40, 41, 42, 43, 46, 47, 49, 52, 53, 55)
    values = (0, 1, 2**31 - 1, 2**31, 2**32 - 1, chance.getrandbits(32))
    more = b"".join(number(chance.choice(kinds), chance.choice(values)) for _ in range(chance.randint(1, 5)))
    return relabelled(original[:20] + (more + original[20:] if chance.random() < 0.5 else original[20:] + more))


def relabelled(octets: bytes) -> bytes:
    """With a Length that agrees again."""
    return octets[:2] + min(len(octets), 65_535).to_bytes(2) + octets[4:]


def resigned(mutant: bytes, secret: bytes) -> bytes:
    """With right authenticators over what it has become, where it still is a packet: so that deep code is reached."""
    packet = trimmed(mutant)
    found = parsed(packet)
    if found is None:
        return mutant
    accounting, at = packet[0] == ACCOUNTING_REQUEST, 20
    if accounting:
        packet = packet[:4] + bytes(16) + packet[20:]
    for kind, value in found:
        if kind == _MARK and len(value) == 16:
            blank = packet[: at + 2] + bytes(16) + packet[at + 18 :]
            packet = blank[: at + 2] + hmac.digest(secret, blank, "md5") + blank[at + 18 :]
            break
        at += len(value) + 2
    if accounting:
        packet = packet[:4] + hashlib.md5(packet + secret).digest() + packet[20:]
    return packet


MUTATIONS: Sequence[Callable[[bytes, random.Random], bytes]] = (
    change_octets,
    flip_a_bit,
    change_a_length,
    cut_short,
    cut_and_relabel,
    insert_octets,
    splice,
    splice,
    strange_counters,
    lengthen,
)
_WEIGHTS = (100, 100, 100, 60, 80, 80, 140, 140, 140, 3)


def mutant(originals: Sequence[bytes], secret: bytes, chance: random.Random) -> bytes:
    """One damaged datagram: of three, two are signed again after the damage."""
    original = chance.choice(originals)
    damage = chance.choices(MUTATIONS, _WEIGHTS)[0]
    damaged = damage(original, chance)
    return resigned(damaged, secret) if chance.random() < 0.67 else damaged
