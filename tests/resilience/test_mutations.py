"""Damaged datagrams at the processes themselves; `python -m bench.mutations` sends a million."""

from __future__ import annotations

import random

import pytest

from bench.mutants import Oracle, parsed
from bench.mutations import PASSWORD, SECRET, VICTIM, add_lenient_nas, mutate, originals
from bench.records import SECRET as SECRET_TEXT
from bench.wire import attribute, pap_request, signed
from tests.resilience.conftest import StartHost

COUNT = 30_000
MOST_GROWTH = 5 << 20


def test_no_crash_no_wrong_answer_no_growth(start_host: StartHost, migrated_url: str) -> None:
    host = start_host(migrated_url, duplicate_cache_seconds=5.0)
    add_lenient_nas(host)
    found = mutate(host, COUNT, warm_up=COUNT // 2, rest_seconds=6.0)
    assert found.sent >= COUNT
    assert found.wrong == []
    assert found.crashes == []
    assert max(found.grown.values()) <= MOST_GROWTH, found.grown
    assert {2, 3, 5} <= set(found.replies), "the mutants must reach both sides of each decision"
    assert found.records > 0
    assert found.disagreements == []
    assert found.put_aside == 0, "whatever is acknowledged can be written, however odd"


def test_the_oracle_knows_the_originals() -> None:
    oracle = Oracle(SECRET, {VICTIM: PASSWORD}, signed_only=True)
    auth, acct = originals((oracle,))
    assert [oracle.may_accept(each) for each in auth] == [True, True, True, True, True, False, False]
    assert all(oracle.may_acknowledge(each) for each in acct)


FLIPS = 200


def test_the_oracle_forgives_no_flipped_bit() -> None:
    oracle, chance = Oracle(SECRET, {VICTIM: PASSWORD}, signed_only=True), random.Random(1)
    for original in (each for made in originals((oracle,)) for each in made):
        for _ in range(FLIPS):
            octets = bytearray(original)
            octets[chance.randrange(len(octets))] ^= 1 << chance.randrange(8)
            assert not oracle.may_accept(bytes(octets))
            assert not oracle.may_acknowledge(bytes(octets))


@pytest.mark.parametrize(
    ("user", "password", "secret"),
    [
        pytest.param(VICTIM, b"pass000002", SECRET_TEXT, id="another's password"),
        pytest.param(b"user000009", PASSWORD, SECRET_TEXT, id="another's name"),
        pytest.param(VICTIM, PASSWORD, "testing124", id="another secret"),
        pytest.param(VICTIM, b"", SECRET_TEXT, id="no password"),
    ],
)
def test_the_oracle_accepts_nobody_else(user: bytes, password: bytes, secret: str) -> None:
    oracle = Oracle(SECRET, {VICTIM: PASSWORD}, signed_only=True)
    assert not oracle.may_accept(pap_request(1, user, password, b"", secret.encode()))
    assert oracle.may_accept(pap_request(1, VICTIM, PASSWORD, b"", SECRET))


def test_the_oracle_reads_packets_strictly() -> None:
    good = signed(1, 0, bytes(16), attribute(1, VICTIM), SECRET)
    assert parsed(good) is not None
    assert parsed(good[:-1]) is None
    assert parsed(good[:-1] + b"\xff") is not None
    assert parsed(good + b"\x01") is None
