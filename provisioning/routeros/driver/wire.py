"""RouterOS API sentences as bytes: words with their lengths, and what they say. No IO.

Lengths are librouteros's, plus the five-byte form that it lacks. Its protocol object is not used: it receives byte by
byte, formats every word (passwords too) for a log that nobody reads, drops bytes that it cannot decode, and makes
numbers and booleans of texts.
"""

from __future__ import annotations

from collections.abc import Iterable

from librouteros.exceptions import ProtocolError
from librouteros.protocol import decode_length, determine_length, encode_length

from provisioning.routeros.rows import SENSITIVE

END = b"\x00"
LONGEST_WORD = 16 * 1024 * 1024
_FIVE_BYTES = 0xF0


class NotTheProtocol(Exception):
    """These bytes are not the RouterOS API."""


class Lacking(ValueError):
    """A field has a character that the router's character set does not have; which one is not told of a secret."""

    def __init__(self, charset: str, field: str, character: str) -> None:
        shown = "a character" if field in SENSITIVE else repr(character)
        super().__init__(f"{field} has {shown} that the router's character set {charset} lacks")


def encode_word(word: bytes) -> bytes:
    """A word with its length; ValueError for an empty one, which would end the sentence in the middle."""
    if not word:
        raise ValueError("an empty word would end the sentence")
    size = len(word)
    if size < 0x10000000:
        return bytes(encode_length(size)) + word
    return bytes((_FIVE_BYTES,)) + size.to_bytes(4, "big") + word


class Charset:
    """Text of a router. Out: only what its character set has. In: what is not of it is read as latin-1."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._names: dict[bytes, str] = {}
        """Names of fields by their bytes: a menu repeats them in each row."""

    def encode(self, text: str, field: str = "the text") -> bytes:
        """Lacking for a character that the router could not store; `field` says where it is."""
        try:
            return text.encode(self.name)
        except UnicodeEncodeError as error:
            raise Lacking(self.name, field, text[error.start]) from None

    def decode(self, data: bytes) -> str:
        try:
            return data.decode(self.name)
        except UnicodeDecodeError:
            return data.decode("latin-1")

    def fields(self, sentence: Iterable[bytes]) -> dict[str, str]:
        """The attribute words of a sentence by name; other words (reply, tag, section) are left out."""
        found: dict[str, str] = {}
        names, decode = self._names, self.decode
        for word in sentence:
            if word.startswith(b"="):
                key, _, value = word[1:].partition(b"=")
                name = names.get(key)
                if name is None:
                    name = names[key] = decode(key)
                found[name] = decode(value)
        return found


class Sentences:
    """Takes bytes as they come and gives whole sentences; a started one waits for its rest."""

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._words: list[bytes] = []
        self._needed = 1
        """So many bytes must be there before looking again pays: a large word comes in many pieces."""

    def feed(self, data: bytes) -> list[list[bytes]]:
        """The sentences that these bytes complete, each a list of words. NotTheProtocol."""
        self._buffer += data
        if len(self._buffer) < self._needed:
            return []
        whole: list[list[bytes]] = []
        taken = self._parse(bytes(self._buffer), whole)
        del self._buffer[:taken]
        return whole

    def _parse(self, data: bytes, whole: list[list[bytes]]) -> int:
        """Put sentences into `whole`; returns how many bytes are done with."""
        at, size, words = 0, len(data), self._words
        while at < size:
            length, start = data[at], at + 1
            if length >= 0x80:
                length, start = _length(data, at)
            end = start + length
            if end > size:
                break
            if length:
                words.append(data[start:end])
            elif words:  # a sentence without words says nothing
                whole.append(words)
                words = self._words = []
            at = end
        else:
            end = at + 1
        self._needed = end - at
        return at


def _length(data: bytes, at: int) -> tuple[int, int]:
    """The word's length and where it begins; where the length itself is cut off, more than there is."""
    try:
        extra = 4 if data[at] == _FIVE_BYTES else determine_length(data[at : at + 1])
    except ProtocolError:
        raise NotTheProtocol(f"control byte 0x{data[at]:02x}") from None
    start = at + 1 + extra
    if start > len(data):
        return 0, start
    length = int.from_bytes(data[at + 1 : start], "big") if extra == 4 else decode_length(data[at:start])
    if length > LONGEST_WORD:
        raise NotTheProtocol(f"a word of {length} bytes")
    return length, start
