"""Billing methods: their rules as versions, and the accounts that use them."""

from __future__ import annotations

import pytest
from sqlalchemy import select

from billing_bridge.accounts import get_billing, set_billing
from billing_bridge.methods import (
    add_billing_method,
    change_billing_method,
    get_billing_method,
    list_billing_methods,
    rule_versions,
)
from core.audit import AuditEntry
from core.database import Database
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from provisioning.cancellation import cancel
from tests.factories import make_subscription
from tests.factories_billing import make_method


def test_a_changed_rule_is_a_new_version_and_the_old_one_stays(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx, total_days=30)
        change_billing_method(tx, billing_method_id=method.id, total_days=45, minimum_open_cents=500)
    with database.reading() as tx:
        versions = [(row.version, row.total_days, row.minimum_open_cents) for row in rule_versions(tx, method.id)]
        assert versions == [(1, 30, 1000), (2, 45, 500)]
        assert get_billing_method(tx, method.id).rules.version == 2


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"total_days": 30}, id="the same value"),
        pytest.param({"name": "Boleto 2"}, id="only the name"),
        pytest.param({}, id="nothing"),
    ],
)
def test_no_version_without_a_changed_rule(database: Database, changes: dict[str, object]) -> None:
    with database.transaction() as tx:
        method = make_method(tx, total_days=30)
        assert change_billing_method(tx, billing_method_id=method.id, **changes).rule_version == 1
        assert len(rule_versions(tx, method.id)) == 1


def test_a_change_is_audited_with_both_values(database: Database) -> None:
    with database.transaction() as tx:
        method = make_method(tx, total_days=30)
        change_billing_method(tx, billing_method_id=method.id, total_days=45)
    with database.reading() as tx:
        [entry] = tx.session.scalars(select(AuditEntry).where(AuditEntry.action == "change"))
        assert (entry.before, entry.after) == ({"total_days": 30}, {"total_days": 45, "rule_version": 2})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        pytest.param("name", " ", id="blank name"),
        pytest.param("name", "x" * 61, id="name too long"),
        pytest.param("total_days", 0, id="zero days"),
        pytest.param("total_days", 366, id="more than a year"),
        pytest.param("partial_days", True, id="a switch for a number"),
        pytest.param("partial_days", 30, id="partial not before total"),
        pytest.param("minimum_open_cents", -1, id="negative minimum"),
        pytest.param("total_enabled", 1, id="a number for a switch"),
        pytest.param("colour", "red", id="unknown field"),
    ],
)
def test_bad_rules_are_refused_by_field(database: Database, field: str, value: object) -> None:
    with database.transaction() as tx:
        method = make_method(tx, total_days=30, partial_days=15)
    with pytest.raises(InvalidInput) as refused, database.transaction() as tx:
        change_billing_method(tx, billing_method_id=method.id, **{field: value})
    assert refused.value.field == field
    with database.reading() as tx:
        assert get_billing_method(tx, method.id).rule_version == 1


def test_partial_days_do_not_matter_where_a_level_is_off(database: Database) -> None:
    with database.transaction() as tx:
        method = add_billing_method(tx, name="x", total_enabled=False, total_days=5, partial_days=20)
        assert (method.rules.total_days, method.rules.partial_days) == (None, 20)


def test_names_are_unique_and_the_holder_is_named(database: Database) -> None:
    with database.transaction() as tx:
        first = make_method(tx, name="Boleto")
        other = make_method(tx, name="Pix")
    with pytest.raises(Conflict) as taken, database.transaction() as tx:
        make_method(tx, name="Boleto")
    assert taken.value.extras["billing_method_id"] == first.id
    with pytest.raises(Conflict), database.transaction() as tx:
        change_billing_method(tx, billing_method_id=other.id, name="Boleto")


def test_methods_are_listed_by_id(database: Database) -> None:
    with database.transaction() as tx:
        ids = [make_method(tx, name=name).id for name in ("a", "b", "c")]
        assert [method.id for method in list_billing_methods(tx, after=ids[0], limit=1)] == [ids[1]]


def test_an_account_is_set_and_changed(database: Database) -> None:
    with database.transaction() as tx:
        boleto, pix, subscription = make_method(tx, name="Boleto"), make_method(tx, name="Pix"), make_subscription(tx)
        set_billing(tx, subscription_id=subscription.id, billing_method_id=boleto.id, due_day=10)
        set_billing(tx, subscription_id=subscription.id, billing_method_id=pix.id, due_day=31)
    with database.reading() as tx:
        account = get_billing(tx, subscription.id)
        assert (account.billing_method.name, account.due_day) == ("Pix", 31)
        entries = tx.session.scalars(select(AuditEntry).where(AuditEntry.action == "set-billing")).all()
        assert entries[1].before == {"billing_method": "Boleto", "due_day": 10}


@pytest.mark.parametrize("due_day", [0, 29, 30, 32, True])
def test_due_days_that_some_month_lacks_are_refused(database: Database, due_day: int) -> None:
    with database.transaction() as tx:
        method, subscription = make_method(tx), make_subscription(tx)
        with pytest.raises(InvalidInput, match="due_day"):
            set_billing(tx, subscription_id=subscription.id, billing_method_id=method.id, due_day=due_day)


def test_accounts_need_what_they_join(database: Database) -> None:
    with database.transaction() as tx:
        method, subscription = make_method(tx), make_subscription(tx)
        with pytest.raises(NotFound, match="billing account"):
            get_billing(tx, subscription.id)
        with pytest.raises(NotFound, match="billing method"):
            set_billing(tx, subscription_id=subscription.id, billing_method_id=999, due_day=1)
        with pytest.raises(NotFound, match="subscription"):
            set_billing(tx, subscription_id=999, billing_method_id=method.id, due_day=1)
        cancel(tx, subscription_id=subscription.id)
        with pytest.raises(NotAllowed, match="cancelled"):
            set_billing(tx, subscription_id=subscription.id, billing_method_id=method.id, due_day=1)
