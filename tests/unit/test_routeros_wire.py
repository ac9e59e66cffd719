"""Sentences of the RouterOS API as bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from provisioning.routeros.driver.wire import LONGEST_WORD, Charset, Lacking, NotTheProtocol, Sentences, encode_word
from tests.factories_driver import sentence, word

LENGTHS = [1, 0x7F, 0x80, 0x3FFF, 0x4000, 0x1FFFFF, 0x200000]


@pytest.mark.parametrize("size", LENGTHS)
def test_each_form_of_length_goes_out_and_comes_in(size: int) -> None:
    data = b"x" * size
    assert encode_word(data) == word(data)
    assert Sentences().feed(encode_word(data) + b"\0") == [[data]]


def test_the_five_byte_form_comes_in() -> None:
    assert Sentences().feed(b"\xf0\x00\x00\x00\x05!done\0") == [[b"!done"]]


def test_longer_forms_than_needed_come_in() -> None:
    assert (
        Sentences().feed(b"\x80\x05!done\0" + b"\xc0\x00\x05!done\0" + b"\xe0\x00\x00\x05!done\0") == [[b"!done"]] * 3
    )


def test_an_empty_word_never_goes_out() -> None:
    with pytest.raises(ValueError, match="empty word"):
        encode_word(b"")


def test_sentences_without_words_say_nothing() -> None:
    assert Sentences().feed(b"\0\0" + sentence("!done") + b"\0") == [[b"!done"]]


WRONG = {
    "reserved control byte": b"\xf8",
    "the highest byte": b"\xff\xff\xff\xff\xff",
    "a word of 4 GiB": b"\xf0\xff\xff\xff\xff",
    "a word just too long": b"\xf0" + (LONGEST_WORD + 1).to_bytes(4, "big"),
}


@pytest.mark.parametrize("data", WRONG.values(), ids=WRONG)
def test_what_is_not_the_protocol_is_told_at_once(data: bytes) -> None:
    with pytest.raises(NotTheProtocol):
        Sentences().feed(data)


@given(
    st.lists(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=5), max_size=5),
    st.lists(st.integers(1, 40), min_size=1),
)
def test_however_the_bytes_are_cut_the_sentences_are_the_same(said: list[list[bytes]], cuts: list[int]) -> None:
    data = b"".join(sentence(*words) for words in said)
    sentences, heard, at, turn = Sentences(), [], 0, 0
    while at < len(data):
        size = cuts[turn % len(cuts)]
        heard += sentences.feed(data[at : at + size])
        at, turn = at + size, turn + 1
    assert heard == said


READ = {
    "as it is": ("utf-8", "=name=João".encode(), {"name": "João"}),
    "latin-1 on a router of utf-8": ("utf-8", "=name=João".encode("latin-1"), {"name": "João"}),
    "a byte that cp1252 lacks": ("cp1252", b"=name=\x81", {"name": "\x81"}),
    "cp1252's own": ("cp1252", b"=name=\x80", {"name": "€"}),
    "numbers stay text": ("utf-8", b"=name=007", {"name": "007"}),
    "booleans stay text": ("utf-8", b"=disabled=yes", {"disabled": "yes"}),
    "equals signs in the value": ("utf-8", b"=comment=a=b=c", {"comment": "a=b=c"}),
    "no value": ("utf-8", b"=comment=", {"comment": ""}),
    "not even a second sign": ("utf-8", b"=comment", {"comment": ""}),
    "no attribute": ("utf-8", b".section=0", {}),
    "line ends": ("utf-8", b"=comment=a\r\nb", {"comment": "a\r\nb"}),
}


@pytest.mark.parametrize(("charset", "data", "fields"), READ.values(), ids=READ)
def test_fields_are_text(charset: str, data: bytes, fields: dict[str, str]) -> None:
    assert Charset(charset).fields([b"!re", b".tag=1", data]) == fields


def test_a_character_that_the_router_lacks_is_named() -> None:
    with pytest.raises(Lacking, match="comment has 'ł' that the router's character set latin-1 lacks"):
        Charset("latin-1").encode("=comment=Wałęsa", "comment")


def test_nothing_is_told_of_a_secret() -> None:
    with pytest.raises(Lacking, match="password has a character") as refused:
        Charset("latin-1").encode("=password=ł", "password")
    assert "ł" not in str(refused.value)
