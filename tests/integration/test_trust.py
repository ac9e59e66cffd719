"""Trust unblocks under the company's rules: versions, limits, promises that were not kept, what a grant records."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from core.audit import AuditEntry
from core.database import Database
from core.errors import CatracaError, Forbidden, InvalidInput, NotAllowed
from provisioning.debts import record_debt
from provisioning.models import TimelineEntry, TrustUnblockRow
from provisioning.protocols import get_protocol
from provisioning.trust.rule_book import present_rules, rule_versions, set_trust_rules
from provisioning.trust.unblock import end_trust_unblock, grant_trust_unblock
from tests.factories import ANA, make_subscription, restrict
from tests.ticking import FakeClock

CLERK = replace(ANA, name="rui", permissions=frozenset({"api"}))
CHIEF = replace(ANA, name="chief", permissions=frozenset({"api", "trust.beyond-rules"}))


def suspended(database: Database) -> int:
    with database.transaction(ANA) as tx:
        subscription_id = make_subscription(tx).id
        restrict(tx, subscription_id)
        return subscription_id


def grant(database: Database, subscription_id: int, hours: float = 24, **values: object) -> TrustUnblockRow:
    with database.transaction(values.pop("actor", ANA)) as tx:  # type: ignore[arg-type]
        until = tx.now + timedelta(hours=hours)
        return grant_trust_unblock(tx, subscription_id=subscription_id, until=until, note="pays", **values)  # type: ignore[arg-type]


def pay(database: Database, subscription_id: int, cents: int = 0) -> None:
    with database.transaction(ANA) as tx:
        record_debt(tx, subscription_id=subscription_id, invoice_id=4711, due_on=tx.now.date(), open_cents=cents)


def again_suspended(database: Database, subscription_id: int) -> None:
    with database.transaction(ANA) as tx:
        restrict(tx, subscription_id)


def change_rules(database: Database, **changes: Any) -> int:
    with database.transaction(ANA) as tx:
        return set_trust_rules(tx, **changes).version


def test_without_a_version_the_settings_hold(database: Database) -> None:
    database.settings.trust_max_days = 4
    with database.reading() as tx:
        rules = present_rules(tx)
    assert (rules.version, rules.max_days, rules.uses, rules.period_days) == (0, 4, 2, 30)


def test_a_short_longest_trust_of_the_settings_is_no_hindrance(database: Database) -> None:
    database.settings.trust_max_days = 2
    assert change_rules(database, uses=3) == 1
    with database.reading() as tx:
        assert (present_rules(tx).max_days, present_rules(tx).self_service_max_days) == (2, 2)


def test_each_change_is_a_version_and_earlier_grants_keep_theirs(database: Database) -> None:
    subscription_id = suspended(database)
    first = grant(database, subscription_id)
    assert [change_rules(database, max_days=5), change_rules(database, uses=3)] == [1, 2]
    with database.reading() as tx:
        rules = present_rules(tx)
        assert (rules.version, rules.max_days, rules.uses) == (2, 5, 3)
        assert [(row.version, row.uses) for row in tx.session.scalars(rule_versions())] == [(2, 3), (1, 2)]
        assert tx.session.get_one(TrustUnblockRow, first.id).rule_version == 0
        entry = tx.session.scalars(select(AuditEntry).where(AuditEntry.entity == "trust_rules")).all()[-1]
        assert (entry.before, entry.after) == ({"uses": 2}, {"uses": 3})


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        pytest.param({"max_days": 0}, "max_days", id="no days"),
        pytest.param({"max_days": 366}, "max_days", id="more than a year"),
        pytest.param({"uses": -1}, "uses", id="fewer than none"),
        pytest.param({"uses": True}, "uses", id="a switch for a number"),
        pytest.param({"self_service": 1}, "self_service", id="a number for a switch"),
        pytest.param({"self_service_max_days": 11}, "self_service_max_days", id="more than an operator"),
        pytest.param({"max_days": 2}, "max_days", id="fewer than self-service"),
        pytest.param({"colour": 1}, "colour", id="no such rule"),
    ],
)
def test_rules_that_make_no_sense_are_refused(database: Database, changes: dict[str, int], field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        change_rules(database, **changes)
    assert caught.value.field == field


def test_a_grant_records_rules_channel_and_protocol(database: Database) -> None:
    change_rules(database, max_days=5)
    row = grant(database, suspended(database))
    assert (row.rule_version, row.channel, row.beyond_rules, row.granted_by) == (1, "operator", False, "ana")
    with database.reading() as tx:
        protocol = get_protocol(tx, row.protocol)
        assert (protocol.kind, protocol.subscription_id) == ("trust-unblock", row.subscription_id)
        assert protocol.details["until"] == row.until.isoformat()
        told = tx.session.scalars(select(TimelineEntry).where(TimelineEntry.event == "trust.granted")).one()
        assert (told.details["protocol"], told.note) == (row.protocol, "pays")


def test_the_third_within_thirty_days_is_refused_until_the_first_is_out_of_the_period(
    database: Database, clock: FakeClock
) -> None:
    subscription_id = suspended(database)
    for days in (10, 19):
        grant(database, subscription_id)
        pay(database, subscription_id)
        clock.advance(days=days)
        again_suspended(database, subscription_id)
    with pytest.raises(NotAllowed) as caught:
        grant(database, subscription_id)
    assert (caught.value.extras["rule"], caught.value.extras["from_day"]) == ("uses", "2026-04-01")
    clock.advance(days=1)
    grant(database, subscription_id)


@pytest.mark.parametrize(
    ("seconds", "refused"), [pytest.param(-1, False, id="before its end"), pytest.param(1, True, id="after its end")]
)
def test_a_promise_paid_around_its_end(database: Database, clock: FakeClock, seconds: int, refused: bool) -> None:
    subscription_id = suspended(database)
    grant(database, subscription_id)
    clock.advance(days=1, seconds=seconds)
    pay(database, subscription_id)
    clock.advance(days=3)
    again_suspended(database, subscription_id)
    if refused:
        with pytest.raises(NotAllowed, match="was not kept"):
            grant(database, subscription_id)
    else:
        grant(database, subscription_id)


@pytest.mark.parametrize(
    ("paid", "rule"), [pytest.param(True, "", id="paid"), pytest.param(False, "broken", id="still owed")]
)
def test_a_trust_that_was_ended_early_is_judged_at_that_instant(
    database: Database, clock: FakeClock, paid: bool, rule: str
) -> None:
    subscription_id = suspended(database)
    grant(database, subscription_id)
    clock.advance(hours=2)
    if paid:
        pay(database, subscription_id)
    with database.transaction(ANA) as tx:
        end_trust_unblock(tx, subscription_id=subscription_id)
    clock.advance(seconds=1)
    again_suspended(database, subscription_id)
    assert _refusal(database, subscription_id, clock.now + timedelta(days=1)) == rule


def test_beyond_the_rules_needs_the_permission_and_is_recorded(database: Database) -> None:
    change_rules(database, uses=0)
    subscription_id = suspended(database)
    with pytest.raises(NotAllowed):
        grant(database, subscription_id, actor=CHIEF)
    with pytest.raises(Forbidden):
        grant(database, subscription_id, actor=CLERK, beyond_rules=True)
    row = grant(database, subscription_id, actor=CHIEF, beyond_rules=True)
    assert row.beyond_rules
    with database.reading() as tx:
        assert get_protocol(tx, row.protocol).details["beyond_rules"] == "uses"


def test_beyond_the_rules_within_them_is_an_ordinary_grant(database: Database) -> None:
    assert not grant(database, suspended(database), beyond_rules=True).beyond_rules


def test_the_longest_trust_and_a_second_more(database: Database) -> None:
    """The clock stands at 09:00 on the company's wall: 15 hours are left of the day."""
    change_rules(database, max_days=3)
    subscription_id = suspended(database)
    with pytest.raises(InvalidInput) as caught:
        grant(database, subscription_id, hours=3 * 24 + 15 + 1 / 3600)
    assert caught.value.field == "until"
    grant(database, subscription_id, hours=3 * 24 + 15)


def _refusal(database: Database, subscription_id: int, until: datetime) -> str:
    try:
        with database.transaction(ANA) as tx:
            grant_trust_unblock(tx, subscription_id=subscription_id, until=until, note="pays")
    except CatracaError as error:
        return str(error.extras["rule"])
    return ""
