"""The API's wire form without any IO: words with their lengths, and sentences that a word of no length ends.

Source: MikroTik's documentation of the API. Lengths take 1 to 5 octets by their size; a longer form than needed is
understood too, as routers do. Octets stay octets: a router has no opinion on character sets.
"""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_WORD = 1 << 26
"""No word of a client is longer; a router closes on what claims to be."""


class NotTheProtocol(Exception):
    """The octets are no words of the API."""


def encode_length(length: int) -> bytes:
    """1, 2, 3, 4 or 5 octets."""
    if length < 0x80:
        return bytes((length,))
    if length < 0x4000:
        return (length | 0x8000).to_bytes(2, "big")
    if length < 0x200000:
        return (length | 0xC00000).to_bytes(3, "big")
    if length < 0x10000000:
        return (length | 0xE0000000).to_bytes(4, "big")
    return b"\xf0" + length.to_bytes(4, "big")


def encode_word(word: bytes) -> bytes:
    return encode_length(len(word)) + word


def encode_sentence(words: Iterable[bytes]) -> bytes:
    return b"".join(encode_length(len(word)) + word for word in words) + b"\0"


def attribute(name: str, value: bytes) -> bytes:
    """The encoded word `=name=value`."""
    return encode_word(b"=%b=%b" % (name.encode(), value))


def _length_at(data: bytearray, at: int) -> tuple[int, int] | None:
    """The length that begins there and where its word does; None while octets are missing."""
    first = data[at]
    if first < 0x80:
        return first, at + 1
    if first >= 0xF8:
        raise NotTheProtocol(f"{first:#x} begins no length")
    more, mask = (1, 0x3F) if first < 0xC0 else (2, 0x1F) if first < 0xE0 else (3, 0x0F) if first < 0xF0 else (4, 0)
    end = at + 1 + more
    if len(data) < end:
        return None
    length = int.from_bytes(data[at + 1 : end], "big") | (first & mask) << (8 * more)
    if length > LONGEST_WORD:
        raise NotTheProtocol(f"a word of {length} octets")
    return length, end


class SentenceReader:
    """Takes octets as they come and gives whole sentences."""

    def __init__(self) -> None:
        self._octets = bytearray()
        self._words: list[bytes] = []

    def feed(self, octets: bytes) -> list[list[bytes]]:
        """The sentences that these octets complete; empty sentences are passed over. Raises NotTheProtocol."""
        data = self._octets
        data += octets
        at, whole = 0, []
        while at < len(data):
            found = _length_at(data, at)
            if found is None or len(data) < found[0] + found[1]:
                break
            length, start = found
            at = start + length
            if length:
                self._words.append(bytes(data[start:at]))
            elif self._words:
                whole.append(self._words)
                self._words = []
        del data[:at]
        return whole
