"""The API's wire form in the emulator, and its notations: tables of RouterOS's own spellings."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from librouteros.protocol import encode_length as their_length

from lab.routeros import notation as n
from lab.routeros.traps import Refusal
from lab.routeros.words import NotTheProtocol, SentenceReader, encode_length, encode_sentence

LENGTHS = [
    (0, "00"),
    (0x7F, "7f"),
    (0x80, "8080"),
    (0x3FFF, "bfff"),
    (0x4000, "c04000"),
    (0x1FFFFF, "dfffff"),
    (0x200000, "e0200000"),
    (0xFFFFFFF, "efffffff"),
    (0x10000000, "f010000000"),
]


@pytest.mark.parametrize(("length", "octets"), LENGTHS)
def test_length(length: int, octets: str) -> None:
    assert encode_length(length).hex() == octets


@given(st.integers(0, 0xFFFFFFF))
def test_lengths_are_those_of_a_known_client(length: int) -> None:
    assert encode_length(length) == their_length(length)


@given(st.lists(st.lists(st.binary(min_size=1, max_size=300), min_size=1, max_size=4), max_size=5), st.data())
def test_sentences_come_whole_however_the_octets_are_cut(sentences: list[list[bytes]], data: st.DataObject) -> None:
    octets = b"".join(encode_sentence(words) for words in sentences)
    cuts = sorted(data.draw(st.sets(st.integers(0, len(octets)), max_size=6)) | {0, len(octets)})
    reader = SentenceReader()
    read = [got for start, end in pairwise(cuts) for got in reader.feed(octets[start:end])]
    assert read == sentences


LONG_FORMS = {
    "two octets": "8006",
    "three octets": "c00006",
    "four octets": "e0000006",
    "five octets": "f000000006",
}


@pytest.mark.parametrize("head", LONG_FORMS.values(), ids=LONG_FORMS)
def test_longer_form_than_needed(head: str) -> None:
    assert SentenceReader().feed(bytes.fromhex(head) + b"/login\0") == [[b"/login"]]


@pytest.mark.parametrize("octets", ["f8", "ff", "f0ffffffff", "efffffff"])
def test_not_the_protocol(octets: str) -> None:
    with pytest.raises(NotTheProtocol):
        SentenceReader().feed(bytes.fromhex(octets))


def test_empty_sentences_are_passed_over() -> None:
    assert SentenceReader().feed(b"\0\0\x05/quit\0\0") == [[b"/quit"]]


def _names(path: str, name: bytes) -> bool:
    return (path, name) in {("/interface", b"ether1"), ("/ip/pool", b"pool1")}


SHOWN = [
    ("rates are bits per second", n.pair(n.rate), "500M/250M", "500000000/250000000"),
    ("one rate is both", n.pair(n.rate), "10M", "10000000/10000000"),
    ("kilo and giga", n.pair(n.rate), "64k/1G", "64000/1000000000"),
    ("a bare rate", n.rate, "100M", "100000000"),
    ("yes is shown as true", n.boolean, "yes", "true"),
    ("false stays", n.boolean, "false", "false"),
    ("minutes", n.duration, "90m", "1h30m"),
    ("clock", n.duration, "1d 02:03:00", "1d2h3m"),
    ("bare seconds", n.duration, "3600", "1h"),
    ("no time", n.duration, "0s", "0s"),
    ("burst times", n.pair(n.duration), "8/8s", "8s/8s"),
    ("small MAC", n.mac, "aa:bb:cc:00:11:22", "AA:BB:CC:00:11:22"),
    ("MAC with dashes", n.mac, "aa-bb-cc-00-11-22", "AA:BB:CC:00:11:22"),
    ("MAC without colons", n.mac, "aabbcc001122", "AA:BB:CC:00:11:22"),
    ("a target gets its length", n.targets, "10.0.0.5,2001:db8::/64", "10.0.0.5/32,2001:db8::/64"),
    ("a target may be an interface", n.targets, "ether1", "ether1"),
    ("a list shows a host bare", n.list_address, "10.0.0.5/32", "10.0.0.5"),
    ("a list shows a network's first address", n.list_address, "10.0.0.7/24", "10.0.0.0/24"),
    ("a list takes names", n.list_address, "pix.bank.example", "pix.bank.example"),
    ("a list takes ranges", n.list_address, "10.0.0.1-10.0.0.9", "10.0.0.1-10.0.0.9"),
    ("a rule takes all others", n.matched_address, "!10.0.0.5/32", "!10.0.0.5"),
    ("a pool instead of an address", n.ipv4_or_name_in("/ip/pool"), "pool1", "pool1"),
    ("a route's destination", n.network, "10.0.0.5", "10.0.0.5/32"),
    ("a DHCP client's identifier", n.duid, "0x0003000144AA", "0x0003000144aa"),
    ("a delegated prefix", n.ipv6_prefix, "2001:DB8:0:1::/64", "2001:db8:0:1::/64"),
]


@pytest.mark.parametrize(("kind", "given", "shown"), [row[1:] for row in SHOWN], ids=[row[0] for row in SHOWN])
def test_values_are_shown_as_the_router_shows_them(kind: n.Kind, given: str, shown: str) -> None:
    assert kind("x", given.encode(), _names).decode() == shown
    assert kind("x", shown.encode(), _names).decode() == shown


REFUSED = [
    ("no rate", n.rate, "fast", "invalid value for argument x"),
    ("no boolean", n.boolean, "maybe", "invalid value for argument x"),
    ("out of range", n.whole(1, 8), "9", "value of x out of range (1..8)"),
    ("no such word", n.one_of("pppoe"), "pppoo", "input does not match any value of x"),
    ("no such profile", n.name_in("/ppp/profile"), "gold", "input does not match any value of x"),
    ("no such pool", n.ipv4_or_name_in("/ip/pool"), "pool2", "input does not match any value of x"),
    ("no MAC", n.mac, "aa:bb", "invalid value for argument x"),
    ("no address", n.list_address, "10.0.0.300", "failure: 10.0.0.300 is not a valid dns name"),
    ("no identifier", n.duid, "0003000144AA", "failure: Invalid DUID!"),
    ("host bits", n.network, "10.0.0.5/24", "invalid value for argument x"),
    ("not ASCII", n.ipv6_prefix, "é", "invalid value for argument x"),
]


@pytest.mark.parametrize(("kind", "given", "words"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_values_are_refused_in_the_routers_words(kind: n.Kind, given: str, words: str) -> None:
    with pytest.raises(Refusal, match=r".") as refused:
        kind("x", given.encode(), _names)
    assert refused.value.message == words
