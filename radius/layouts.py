"""What stands where in datagrams that are built alike, learned once instead of found out once a datagram. Pure.

A NAS builds all its requests of one kind alike: the same attributes in the same order, and mostly of the same lengths.
All octets that say what stands where (types, lengths) are the *layout*. Whether a datagram has a known one, one masking
of the whole as a number tells. A layout is learned from a datagram that was found sound, and its mask covers every
octet that was looked at for that; so whatever has it is sound too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from radius.attributes import VENDOR_SPECIFIC
from radius.codec import HEADER_LENGTH, OTHER_VSA_FORMATS, VENDOR_HEADER

_OFTEN, _SELDOM = 64, 64
"""Learning costs several walks. Where too many layouts come by turns, each would push out another one before that is
met again; so after the first few, only every so many'th takes another's place."""
_MOST, _MOST_OF_A_LENGTH, _LONGEST = 2048, 16, 1024
"""Layouts in all, of one length, and octets of a datagram that is learned from: 5 MiB, whoever sends what."""


class Masked(Protocol):
    """A layout: octets that are `expected` under `mask`, both as one number."""

    @property
    def mask(self) -> int: ...

    @property
    def expected(self) -> int: ...


Learned = TypeVar("Learned", bound=Masked)


class Layouts(Generic[Learned]):
    """The layouts that were learned, the oldest of a length forgotten first, or the oldest length. One thread's.

    `learn` makes one of octets, and may raise or give None for what has none.
    """

    def __init__(self, learn: Callable[[bytes], Learned | None]) -> None:
        self._learn = learn
        self._known: dict[int, list[Learned]] = {}
        self._count = self._crowded = 0

    def find(self, octets: bytes) -> Learned | None:
        """That of these octets, learned from them if need be; None: they have none, or there is no room for it now."""
        whole = int.from_bytes(octets)
        alike = self._known.get(len(octets), ())
        for layout in alike:
            if whole & layout.mask == layout.expected:
                return layout
        if (len(alike) >= _MOST_OF_A_LENGTH or self._count >= _MOST) and not self._may_forget():
            return None
        found = self._learn(octets)
        if found is not None and len(octets) <= _LONGEST:
            self._keep(len(octets), found)
        return found

    def _may_forget(self) -> bool:
        self._crowded += 1
        return self._crowded <= _OFTEN or self._crowded % _SELDOM == 0

    def _keep(self, length: int, layout: Learned) -> None:
        if self._count >= _MOST:
            self._count -= len(self._known.pop(next(iter(self._known))))
        alike = self._known.setdefault(length, [])
        alike.insert(0, layout)
        self._count += 1
        if len(alike) > _MOST_OF_A_LENGTH:
            alike.pop()
            self._count -= 1


def mask_of(raw: bytes) -> tuple[int, int]:
    """The mask of all packets that are built as this sound one, and what they are under it."""
    fixed = bytearray(len(raw))
    fix_datagram(fixed, raw)
    mask = int.from_bytes(fixed)
    return mask, int.from_bytes(raw) & mask


def fix_datagram(fixed: bytearray, octets: bytes, begins: int = 0) -> None:
    """Mark with 0xFF, in `fixed`, what decides whether the sound datagram from `begins` to the end is sound: Code,
    Length, type and length of every attribute, and the insides of Vendor-Specific."""
    for place in (begins, begins + 2, begins + 3):
        fixed[place] = 0xFF
    at = begins + HEADER_LENGTH
    while at < len(octets):
        fixed[at : at + 2] = b"\xff\xff"
        if octets[at] == VENDOR_SPECIFIC:
            _fix_vendor_specific(fixed, octets, at + 2, at + octets[at + 1])
        at += octets[at + 1]


def _fix_vendor_specific(fixed: bytearray, octets: bytes, start: int, end: int) -> None:
    """The vendor, and where sub-attributes begin."""
    at = start + VENDOR_HEADER
    fixed[start:at] = b"\xff" * VENDOR_HEADER
    if int.from_bytes(octets[start:at]) in OTHER_VSA_FORMATS:
        return
    while at < end:
        fixed[at : at + 2] = b"\xff\xff"
        at += octets[at + 1]
