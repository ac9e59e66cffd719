"""A command sentence taken apart, and the sentences that answer it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from lab.routeros.traps import Refusal
from lab.routeros.words import attribute, encode_sentence, encode_word

_RE, _DONE, _EMPTY = encode_word(b"!re"), encode_word(b"!done"), encode_word(b"!empty")


@dataclass(slots=True)
class Asked:
    """A command: `path` such as `/ppp/secret`, `verb` such as `print`, attribute words, query words, tag."""

    path: str
    verb: str
    words: dict[str, bytes] = field(default_factory=dict)
    query: list[bytes] = field(default_factory=list)
    tag: bytes | None = None

    @property
    def command(self) -> str:
        return f"{self.path}/{self.verb}"

    @classmethod
    def read(cls, sentence: Sequence[bytes]) -> Asked:
        path, _, verb = sentence[0].decode("latin-1").rpartition("/")
        asked = cls(path, verb)
        for word in sentence[1:]:
            if word.startswith(b"="):
                name, _, value = word[1:].partition(b"=")
                asked.words[name.decode("latin-1")] = value
            elif word.startswith(b"?"):
                asked.query.append(word)
            elif word.startswith(b".tag="):
                asked.tag = word[5:]
        return asked


@dataclass(slots=True)
class Answer:
    """What a command gives: rows (their encoded words), or `ret`. `empty`: it could have had rows and has none."""

    rows: Sequence[bytes] = ()
    ret: bytes | None = None
    empty: bool = False

    def encode(self, tag: bytes | None) -> bytes:
        tail = tail_of(tag)
        between = tail + _RE
        body = _RE + between.join(self.rows) + tail if self.rows else b""
        nothing = _EMPTY + tail if self.empty else b""
        ret = attribute("ret", self.ret) if self.ret is not None else b""
        return body + nothing + _DONE + ret + tail


def tail_of(tag: bytes | None) -> bytes:
    """What ends each sentence of an answer."""
    return (encode_word(b".tag=" + tag) if tag is not None else b"") + b"\0"


def encode_row(body: bytes, tag: bytes | None) -> bytes:
    """One `!re` alone."""
    return _RE + body + tail_of(tag)


def encode_refusal(refused: Refusal, tag: bytes | None) -> bytes:
    """`!trap`, a second one where RouterOS sends two, and the `!done` that ends every command."""
    tail = tail_of(tag)
    category = b"" if refused.category is None else attribute("category", str(refused.category).encode())
    first = encode_word(b"!trap") + category + attribute("message", refused.message.encode()) + tail
    second = encode_word(b"!trap") + attribute("message", refused.then.encode()) + tail if refused.then else b""
    return first + second + _DONE + tail


def encode_fatal(message: str) -> bytes:
    return encode_sentence([b"!fatal", message.encode()])
