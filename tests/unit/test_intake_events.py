"""Reading events, choosing between two states of one invoice, and signatures."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing_bridge.intake.events import (
    BadEvent,
    Snapshot,
    Standing,
    SubscriptionRef,
    Verdict,
    at_version,
    parse_event,
    parse_snapshot,
    supersedes,
)
from billing_bridge.intake.signatures import WINDOW_SECONDS, is_signed, sign
from core.secrets import Secret

GOOD: dict[str, Any] = {
    "event_id": "evt-1",
    "invoice": {
        "id": "F-1",
        "version": 3,
        "subscription": {"login": "maria@provedor", "document": "390.533.447-05"},
        "due_on": "2026-03-10",
        "amount_cents": 9990,
        "open_cents": 5000,
        "status": "open",
    },
}
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
KEY, OTHER = Secret("first-secret-of-this-source"), Secret("second-secret-of-this-source")


def with_invoice(**fields: Any) -> dict[str, Any]:
    return {**GOOD, "invoice": {**GOOD["invoice"], **fields}}


def test_an_event_is_read_whole() -> None:
    event = parse_event(with_invoice(paid_at="2026-03-01T09:00:00-03:00", description="March", colour="red"))
    assert event.invoice == Snapshot(
        external_id="F-1",
        version=3,
        subscription=SubscriptionRef(login="maria@provedor", document="39053344705"),
        due_on=date(2026, 3, 10),
        amount_cents=9990,
        open_cents=5000,
        status="open",
        description="March",
        paid_at=datetime(2026, 3, 1, 12, 0, tzinfo=UTC),
    )
    assert "colour" not in event.body["invoice"]
    assert parse_event(event.body) == event


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        pytest.param({"id": ""}, "invoice.id", id="no id"),
        pytest.param({"id": "x" * 81}, "invoice.id", id="long id"),
        pytest.param({"id": "a\x00b"}, "invoice.id", id="control character"),
        pytest.param({"id": "a\ud800"}, "invoice.id", id="half a character"),
        pytest.param({"version": -1}, "invoice.version", id="negative version"),
        pytest.param({"version": True}, "invoice.version", id="version true"),
        pytest.param({"version": 2**63}, "invoice.version", id="huge version"),
        pytest.param({"due_on": "10/03/2026"}, "invoice.due_on", id="other notation"),
        pytest.param({"due_on": "2026-02-30"}, "invoice.due_on", id="no such day"),
        pytest.param({"due_on": "1999-12-31"}, "invoice.due_on", id="too early"),
        pytest.param({"amount_cents": 0}, "invoice.amount_cents", id="nothing"),
        pytest.param({"amount_cents": 99.9}, "invoice.amount_cents", id="fraction"),
        pytest.param({"open_cents": 9991}, "invoice.open_cents", id="more open than owed"),
        pytest.param({"open_cents": 0}, "invoice.open_cents", id="open and nothing open"),
        pytest.param({"open_cents": None}, "invoice.open_cents", id="open without an amount"),
        pytest.param({"status": "paid"}, "invoice.open_cents", id="paid and still open"),
        pytest.param({"status": "cancelled"}, "invoice.open_cents", id="cancelled and still open"),
        pytest.param({"status": "late"}, "invoice.status", id="unknown status"),
        pytest.param({"paid_at": "2026-03-01T09:00:00"}, "invoice.paid_at", id="no zone"),
        pytest.param({"subscription": {}}, "invoice.subscription", id="nobody meant"),
        pytest.param({"subscription": {"id": 0}}, "invoice.subscription.id", id="id zero"),
        pytest.param({"subscription": "maria"}, "invoice.subscription", id="no object"),
    ],
)
def test_a_bad_event_names_its_field(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(BadEvent) as refused:
        parse_event(with_invoice(**fields))
    assert field in {error.field for error in refused.value.errors}
    assert all(error.example is not None for error in refused.value.errors)


def test_every_fault_is_named_at_once() -> None:
    with pytest.raises(BadEvent) as refused:
        parse_event({"event_id": 7, "invoice": {}})
    named = {error.field for error in refused.value.errors}
    assert named >= {"event_id", "invoice.id", "invoice.version", "invoice.due_on", "invoice.status"}


@pytest.mark.parametrize("raw", [None, [], "x", 7, {"event_id": "e", "invoice": None}])
def test_what_is_no_event_is_refused(raw: object) -> None:
    with pytest.raises(BadEvent):
        parse_event(raw)


def test_the_digest_tells_of_the_content_and_not_of_the_version() -> None:
    snapshot = parse_event(GOOD).invoice
    assert at_version(snapshot, 99).digest == snapshot.digest
    assert parse_event(with_invoice(open_cents=4999)).invoice.digest != snapshot.digest
    assert parse_snapshot({**snapshot.content, "version": 3}) == snapshot


def standing(version: int = 3, open_cents: int = 100, day: int = 10, digest: str = "b") -> Standing:
    return Standing(version, open_cents, date(2026, 3, day), digest)


@pytest.mark.parametrize(
    ("stored", "incoming", "verdict"),
    [
        pytest.param(None, standing(), Verdict.NEWER, id="nothing held"),
        pytest.param(standing(3), standing(4), Verdict.NEWER, id="higher"),
        pytest.param(standing(3), standing(2), Verdict.OLDER, id="lower"),
        pytest.param(standing(), standing(), Verdict.DUPLICATE, id="the same"),
        pytest.param(standing(open_cents=100), standing(open_cents=99, digest="a"), Verdict.CONFLICT_WON, id="less"),
        pytest.param(standing(open_cents=99), standing(open_cents=100, digest="c"), Verdict.CONFLICT_LOST, id="more"),
        pytest.param(standing(day=10), standing(day=11, digest="a"), Verdict.CONFLICT_WON, id="due later"),
        pytest.param(standing(day=11), standing(day=10, digest="c"), Verdict.CONFLICT_LOST, id="due earlier"),
        pytest.param(standing(digest="b"), standing(digest="c"), Verdict.CONFLICT_WON, id="greater digest"),
        pytest.param(standing(digest="b"), standing(digest="a"), Verdict.CONFLICT_LOST, id="lesser digest"),
    ],
)
def test_which_of_two_states_holds(stored: Standing | None, incoming: Standing, verdict: Verdict) -> None:
    assert supersedes(stored, incoming) is verdict


standings = st.builds(
    Standing,
    version=st.integers(0, 3),
    open_cents=st.integers(0, 3),
    due_on=st.integers(1, 3).map(lambda day: date(2026, 3, day)),
    digest=st.sampled_from("abcd"),
)


@given(st.lists(standings, min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_any_order_and_any_repetition_end_in_the_same_state(came: list[Standing], chance: random.Random) -> None:
    again = came + [chance.choice(came) for _ in range(len(came))]
    chance.shuffle(again)
    # Equal digests are equal contents: the generator may draw the same letter for two contents, so take it by content.
    named = {item: Standing(item.version, item.open_cents, item.due_on, repr(item)) for item in again}
    assert held([named[item] for item in again]) == held([named[item] for item in came])
    assert held([named[item] for item in came]).rank == max(named[item].rank for item in came)


def held(came: list[Standing]) -> Standing:
    state: Standing | None = None
    for item in came:
        if supersedes(state, item) in (Verdict.NEWER, Verdict.CONFLICT_WON):
            state = item
    assert state is not None
    return state


@pytest.mark.parametrize(
    ("moved", "valid"),
    [
        pytest.param(0, True, id="now"),
        pytest.param(WINDOW_SECONDS, True, id="at the edge"),
        pytest.param(WINDOW_SECONDS + 1, False, id="too old"),
        pytest.param(-WINDOW_SECONDS, True, id="ahead, at the edge"),
        pytest.param(-WINDOW_SECONDS - 1, False, id="too far ahead"),
    ],
)
def test_a_signature_holds_for_five_minutes(moved: int, valid: bool) -> None:
    at = int(NOW.timestamp())
    later = NOW + timedelta(seconds=moved)
    assert is_signed([KEY], str(at), sign(KEY, at, b"{}"), b"{}", later) is valid


def test_a_signature_is_for_one_body_one_instant_and_one_secret() -> None:
    at = int(NOW.timestamp())
    good = sign(KEY, at, b"{}")
    assert is_signed([KEY, OTHER], str(at), good, b"{}", NOW)
    assert is_signed([OTHER, KEY], str(at), f"{sign(Secret('unknown'), at, b'{}')}, {good}", b"{}", NOW)
    assert not is_signed([OTHER], str(at), good, b"{}", NOW)
    assert not is_signed([KEY], str(at), good, b"{ }", NOW)
    assert not is_signed([KEY], str(at + 1), good, b"{}", NOW)
    assert not is_signed([], str(at), good, b"{}", NOW)


@pytest.mark.parametrize("timestamp", ["", "soon", "-1", "1e9", "9" * 13, "１７７２４５２８００"])
@pytest.mark.parametrize("signature", ["", "v1=", "v1=zz", "v0=00", "é"])
def test_nonsense_is_no_signature(timestamp: str, signature: str) -> None:
    assert not is_signed([KEY], timestamp, signature, b"{}", NOW)
    at = int(NOW.timestamp())
    assert not is_signed([KEY], timestamp, sign(KEY, at, b"{}"), b"{}", NOW)
    assert not is_signed([KEY], str(at), signature, b"{}", NOW)
