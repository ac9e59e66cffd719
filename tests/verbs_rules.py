"""The verbs of the rules: holidays, notices, and why nobody is restricted."""

from __future__ import annotations

from core.runtime import Runtime
from tests.factories_billing import make_billed, make_invoice, make_method
from tests.verbs_guards import Do


def keep_the_calendar(do: Do) -> None:
    """A holiday of a town comes into its calendar and goes again."""
    body = {"day": "2026-07-14", "name": "Aniversário", "yearly": True, "region": "SP", "city": "Campinas"}
    entry = do("holiday.add", body=body)
    assert do("holiday.list")["items"] == [entry]
    days = do("holiday.calendar", year=2027, region="SP", city="CAMPINAS")["items"]
    assert {"day": "2027-07-14", "weekday": 3, "name": "Aniversário", "own": True} in days
    assert do("holiday.remove", entry["id"])["removed_at"]
    assert do("holiday.list")["items"] == []


def tell_before_restricting(do: Do, runtime: Runtime) -> None:
    """Somebody late is told, once; until the notice is old enough nothing restricts them."""
    with runtime.database.transaction() as tx:
        late = make_billed(tx, make_method(tx, name="Com aviso", notice_days=10))
        invoice = make_invoice(tx, late, late=30)
    [reason] = do("subscription.why-not-restricted", late.id)["reasons"]
    assert reason["code"] == "not_told"
    [wanted] = do("dunning.preview-notices")["items"]
    assert (wanted["subscription_id"], wanted["invoice_id"]) == (late.id, invoice.id)
    assert do("dunning.give-notices") == {"notices": 1, "subscriptions": 1, "last": None}
    [given] = do("dunning.notices")["items"]
    assert (given["invoice_id"], given["level"]) == (invoice.id, "partial")
    [reason] = do("subscription.why-not-restricted", late.id)["reasons"]
    assert (reason["code"], reason["until"]) == ("told_lately", given["restriction_from"])
