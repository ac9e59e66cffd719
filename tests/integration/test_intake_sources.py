"""Billing sources: what they are checked for, how they change, which of them take events."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select

from billing_bridge.intake.models import BillingSource
from billing_bridge.intake.receive import store_events
from billing_bridge.intake.sources import add_source, change_source, rotate_secret, secrets_of
from core.database import Database, Transaction
from core.errors import Conflict, InvalidInput, NotAllowed, NotFound
from core.secrets import Secret
from provisioning.routines.commands import remove_routine
from provisioning.routines.models import Routine
from provisioning.routines.seeds import missing_seeds
from tests.factories import make_subscription
from tests.factories_core import audit_of
from tests.factories_intake import SECRET, make_event, make_source
from tests.ticking import FakeClock


def hubsoft(tx: Transaction, **values: Any) -> BillingSource:
    given = {"base_url": "https://api.example", "client_id": "12", "username": "api", "password": Secret("p"), **values}
    return make_source(tx, "HubSoft", kind="hubsoft", **given)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        pytest.param({"kind": "fax"}, "kind", id="kind"),
        pytest.param({"name": " "}, "name", id="name"),
        pytest.param({"secret": Secret("x" * 23)}, "secret", id="short secret"),
        pytest.param({"expect_every_hours": 0}, "expect_every_hours", id="hours"),
        pytest.param({"base_url": "https://a.example"}, "base_url", id="not for push"),
        pytest.param({"kind": "hubsoft"}, "base_url", id="no address"),
        pytest.param({"kind": "hubsoft", "base_url": "http://a.example"}, "base_url", id="not encrypted"),
        pytest.param({"kind": "hubsoft", "base_url": "https://u:p@a.example"}, "base_url", id="credentials in it"),
        pytest.param({"kind": "hubsoft", "base_url": "file:///etc/passwd"}, "base_url", id="a file"),
    ],
)
def test_a_source_is_checked(database: Database, values: dict[str, Any], field: str) -> None:
    with database.transaction() as tx, pytest.raises(InvalidInput) as refused:
        add_source(tx, **{"name": "ERP", "kind": "push", "secret": SECRET, **values})
    assert refused.value.field == field


def test_with_the_first_source_that_is_asked_comes_a_routine_that_asks_it(database: Database) -> None:
    with database.transaction() as tx:
        make_source(tx)
        assert list(tx.session.scalars(select(Routine.task))) == []
        hubsoft(tx)
        routine = tx.session.scalars(select(Routine)).one()
        assert (routine.task, routine.hours, routine.enabled) == ("sync", [2, 14], True)
        remove_routine(tx, routine_id=routine.id)
        make_source(tx, "HubSoft 2", kind="hubsoft", base_url="https://b.example", client_id="1", username="u",
                    password=Secret("p"))  # fmt: skip
        assert [r.id for r in tx.session.scalars(select(Routine))] == [routine.id]
    with database.transaction() as tx:
        assert "enable" in {seed.task for seed in missing_seeds(tx)}


def test_a_source_is_added_changed_and_its_secret_replaced(database: Database, clock: FakeClock) -> None:
    with database.transaction() as tx:
        source = hubsoft(tx)
        with pytest.raises(Conflict, match=f"billing source {source.id}"):
            make_source(tx, "HubSoft")
        change_source(tx, source_id=source.id, name="HubSoft 2", window_days=10, enabled=False)
        assert (source.name, source.settings["window_days"], source.enabled) == ("HubSoft 2", 10, False)
        push = make_source(tx)
        with pytest.raises(InvalidInput, match="another secret"):
            rotate_secret(tx, source_id=push.id, secret=SECRET)
        fresh = Secret("another-secret-of-this-source")
        rotate_secret(tx, source_id=push.id, secret=fresh, keep_hours=24)
        end = clock.now + timedelta(hours=24)
        assert secrets_of(push, end - timedelta(seconds=1)) == [fresh, SECRET]
        assert secrets_of(push, end) == [fresh]
    trail = str([(entry.before, entry.after) for entry in audit_of(database, "billing_source")])
    assert SECRET.reveal() not in trail
    assert fresh.reveal() not in trail


def test_sources_that_do_not_take_events(database: Database) -> None:
    with database.transaction() as tx:
        source, maria = make_source(tx).id, make_subscription(tx)
        asked = hubsoft(tx)
        with pytest.raises(NotAllowed, match="takes no events"):
            store_events(tx, source_id=asked.id, events=[make_event(maria)])
        change_source(tx, source_id=source, enabled=False)
        with pytest.raises(NotAllowed, match="disabled"):
            store_events(tx, source_id=source, events=[make_event(maria)])
        with pytest.raises(NotFound):
            store_events(tx, source_id=999_999, events=[make_event(maria)])
