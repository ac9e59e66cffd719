"""Commands on the NAS table, and what RADIUS hosts learn of them."""

from __future__ import annotations

import threading
from ipaddress import ip_network
from typing import Any

import pytest
from sqlalchemy import select, text

from core.audit import AuditEntry
from core.database import Database, Transaction
from core.errors import CatracaError, Conflict, InvalidInput, NotFound
from core.secrets import Secret
from radius import nas, replica
from radius.models import Nas, Session
from radius.nas_records import NasEntry, unpack_nas
from tests.factories_accounting import NOW
from tests.factories_sessions import make_session

SECRET = "a shared secret"


def given(**changes: Any) -> dict[str, Any]:
    return {"name": "bras-1", "network": "192.0.2.1", "secret": SECRET, **changes}


def add(database: Database, **changes: Any) -> Nas:
    with database.transaction() as tx:
        return nas.add_nas(tx, **given(**changes))


def fed(tx: Transaction) -> dict[bytes, NasEntry | None]:
    """What the feed tells RADIUS hosts, opened with this installation's keys."""
    return {
        key: None if value is None else unpack_nas(key, value, tx.keyring.unseal)
        for _, key, value in replica.changes_since(tx, 0)
    }


def test_a_new_nas_has_careful_defaults_and_reaches_the_feed(database: Database) -> None:
    made = add(database)
    with database.reading() as tx:
        stored = nas.get_nas(tx, made.id)
        assert (stored.network, stored.vendor, stored.coa_port) == ("192.0.2.1/32", "mikrotik", 3799)
        assert (stored.require_message_authenticator, stored.mac_auth, stored.enabled) == (True, False, True)
        assert stored.secret == Secret(SECRET)
        entry = fed(tx)[b"n%d" % made.id]
    assert entry == NasEntry(
        made.id, "bras-1", ip_network("192.0.2.1/32"), "mikrotik", SECRET.encode(), True, False, 3799, True
    )


def test_the_secret_is_nowhere_in_the_clear(database: Database) -> None:
    add(database)
    with database.reading() as tx:
        (stored,) = tx.session.execute(text("SELECT secret FROM nas")).one()
        ((_, _, value),) = replica.changes_since(tx, 0)
        audit = tx.session.scalars(select(AuditEntry)).one()
    assert SECRET not in stored
    assert value is not None
    assert SECRET.encode() not in value
    assert audit.after is not None
    assert (audit.action, audit.entity, audit.after["secret"]) == ("add", "nas", "***")


NETWORKS = {
    "192.0.2.7": "192.0.2.7/32",
    " 192.0.2.0/24 ": "192.0.2.0/24",
    "2001:DB8::1": "2001:db8::1/128",
    "2001:db8::/32": "2001:db8::/32",
}


@pytest.mark.parametrize(("written", "kept"), NETWORKS.items(), ids=NETWORKS)
def test_networks_in_any_notation(database: Database, written: str, kept: str) -> None:
    assert add(database, network=written).network == kept


WRONG = {
    "no name": {"name": "  "},
    "a name that is too long": {"name": "x" * 65},
    "a name with a line break": {"name": "bras\n1"},
    "no address": {"network": "bras.example"},
    "host bits": {"network": "192.0.2.1/24"},
    "everybody": {"network": "0.0.0.0/0"},
    "everybody in IPv6": {"network": "::/0"},
    "no router's address": {"network": "224.0.0.1"},
    "the unspecified address": {"network": "0.0.0.0"},
    "IPv4 in IPv6's clothes": {"network": "::ffff:192.0.2.1"},
    "an address with a scope": {"network": "fe80::1%eth0"},
    "network: not even text": {"network": 5},
    "an unknown vendor": {"vendor": "acme"},
    "no secret": {"secret": ""},
    "a short secret": {"secret": "1234567"},
    "a secret with a space at its end": {"secret": "12345678 "},
    "a secret that no router can be told": {"secret": "senha secreta ç"},
    "a secret that is too long": {"secret": "x" * 129},
    "port 0": {"coa_port": 0},
    "port 65536": {"coa_port": 65536},
    "port true": {"coa_port": True},
    "mac_auth: yes": {"mac_auth": "yes"},
    "enabled: 1": {"enabled": 1},
    "an identity that is a wildcard": {"radsec_identity": "*.provedor.example"},
    "an identity that is a broken fingerprint": {"radsec_identity": "sha256:12:34"},
    "an identity of spaces": {"radsec_identity": "  "},
    "an identity that is too long": {"radsec_identity": "x" * 201},
    "an identity: not even text": {"radsec_identity": 5},
    "an unknown transport": {"coa_transport": "tcp"},
    "CoA over TLS to nobody knows whom": {"coa_transport": "radsec"},
    "TLS port 0": {"radsec_port": 0},
    "TLS port true": {"radsec_port": True},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG.keys())
def test_a_wrong_field_is_named_and_its_example_is_right(database: Database, change: dict[str, Any]) -> None:
    [field] = change
    with pytest.raises(InvalidInput) as caught:
        add(database, **change)
    error = caught.value
    assert error.field == field
    assert "secreta" not in error.detail
    example = str(error.example).partition(" or ")[0] if field == "network" else error.example
    add(database, **{field: example})


def test_a_name_or_network_that_is_taken_names_who_has_it(database: Database) -> None:
    first = add(database)
    for change in ({"network": "192.0.2.9"}, {"name": "bras-2", "network": "192.0.2.1/32"}):
        with pytest.raises(Conflict) as caught:
            add(database, **change)
        assert caught.value.extras == {"nas_id": first.id, "nas_name": "bras-1"}
    add(database, name="bras-2", network="192.0.2.0/24")  # networks may nest


def test_of_two_at_once_one_gets_the_name(database: Database) -> None:
    outcomes: list[object] = []
    together = threading.Barrier(2)

    def race(number: int) -> None:
        together.wait()
        try:
            outcomes.append(add(database, network=f"192.0.2.{number}").id)
        except CatracaError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=race, args=(number,)) for number in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert outcomes.count(Conflict) == 1
    assert len(outcomes) == 2


def test_a_change_is_checked_audited_and_fed(database: Database) -> None:
    made, other = add(database), add(database, name="bras-2", network="192.0.2.2")
    with database.transaction() as tx:
        changed = nas.change_nas(tx, made.id, secret="another secret", coa_port=1700, name="bras-1", enabled=False)
    assert (changed.coa_port, changed.secret) == (1700, Secret("another secret"))
    with database.reading() as tx:
        audit = tx.session.scalars(select(AuditEntry).where(AuditEntry.action == "change")).one()
        assert (audit.before, audit.after) == (
            {"secret": "***", "coa_port": 3799, "enabled": True},
            {"secret": "***", "coa_port": 1700, "enabled": False},
        )
        entry = fed(tx)[b"n%d" % made.id]
    assert entry is not None
    assert (entry.secret, entry.coa_port, entry.enabled) == (b"another secret", 1700, False)
    with pytest.raises(Conflict), database.transaction() as tx:
        nas.change_nas(tx, made.id, network=other.network)
    with pytest.raises(InvalidInput), database.transaction() as tx:
        nas.change_nas(tx, made.id, vendor="acme")
    with pytest.raises(NotFound), database.transaction() as tx:
        nas.change_nas(tx, 4711, name="x")


IDENTITIES = {
    " BRAS-1.Provedor.Example. ": "bras-1.provedor.example",
    "2001:DB8:0::1": "2001:db8::1",
    "Bras 1 Centro": "bras 1 centro",
    "SHA256:" + "AB:" * 31 + "AB": "sha256:" + "ab" * 32,
    "": None,
}


@pytest.mark.parametrize(("written", "kept"), IDENTITIES.items(), ids=lambda each: str(each)[:20])
def test_identities_in_any_notation(database: Database, written: str, kept: str | None) -> None:
    made = add(database, radsec_identity=written)
    assert made.radsec_identity == kept
    with database.reading() as tx:
        entry = fed(tx)[b"n%d" % made.id]
    assert entry is not None
    assert entry.radsec_identity == (kept or "")


def test_a_nas_that_speaks_tls(database: Database) -> None:
    made = add(database, radsec_identity="bras-1.example", coa_transport="radsec", radsec_port=3799)
    add(database, name="bras-2", network="192.0.2.2")
    third = add(database, name="bras-3", network="192.0.2.3")
    assert (third.radsec_identity, third.coa_transport, third.radsec_port) == (None, "udp", 2083)
    with database.reading() as tx:
        entry = fed(tx)[b"n%d" % made.id]
        assert entry is not None
        assert (entry.radsec_identity, entry.coa_transport, entry.radsec_port) == ("bras-1.example", "radsec", 3799)
    with pytest.raises(Conflict) as caught, database.transaction() as tx:
        nas.change_nas(tx, third.id, radsec_identity="BRAS-1.example")
    assert caught.value.extras == {"nas_id": made.id, "nas_name": "bras-1"}


def test_the_identity_goes_only_when_nothing_needs_it(database: Database) -> None:
    made = add(database, radsec_identity="bras-1.example", coa_transport="radsec")
    with pytest.raises(InvalidInput) as caught, database.transaction() as tx:
        nas.change_nas(tx, made.id, radsec_identity="")
    assert caught.value.field == "coa_transport"
    with database.transaction() as tx:
        nas.change_nas(tx, made.id, radsec_identity="", coa_transport="udp")
    with database.reading() as tx:
        assert nas.get_nas(tx, made.id).radsec_identity is None
        audit = tx.session.scalars(select(AuditEntry).where(AuditEntry.action == "change")).one()
        assert audit.after == {"radsec_identity": None, "coa_transport": "udp"}
    with pytest.raises(InvalidInput), database.transaction() as tx:
        nas.change_nas(tx, made.id, coa_transport="radsec")
    with database.transaction() as tx:
        nas.change_nas(tx, made.id, coa_transport="radsec", radsec_identity="bras-9.example")


def test_a_change_of_nothing_is_nothing(database: Database) -> None:
    made = add(database)
    with database.reading() as tx:
        before = replica.current_revision(tx)
    with database.transaction() as tx:
        nas.change_nas(
            tx, made.id, name="bras-1", secret=SECRET, network="192.0.2.1/32", radsec_identity="", coa_transport="udp"
        )
    with database.reading() as tx:
        assert replica.current_revision(tx) == before
        assert tx.session.scalars(select(AuditEntry.action)).all() == ["add"]


def test_a_removed_nas_is_forgotten_its_history_is_not(database: Database) -> None:
    made = add(database)
    with database.transaction() as tx:
        gone, done = make_session(tx, nas_id=made.id), make_session(tx, nas_id=made.id, stopped_at=NOW)
        nas.remove_nas(tx, made.id)
    with database.reading() as tx:
        assert fed(tx) == {b"n%d" % made.id: None}
        ends = {each.id: (each.stopped_at, each.closed_by) for each in tx.session.scalars(select(Session))}
        assert ends == {gone.id: (NOW, "removed"), done.id: (NOW, "stop")}
        with pytest.raises(NotFound):
            nas.get_nas(tx, made.id)
    assert add(database).id > made.id, "its number is not given to another one"


def test_finding_and_listing(database: Database) -> None:
    made = [add(database, name=f"bras-{number}", network=f"192.0.2.{number}") for number in range(1, 6)]
    with database.reading() as tx:
        assert nas.find_nas(tx, "bras-3").id == made[2].id
        with pytest.raises(NotFound):
            nas.find_nas(tx, "bras-9")
        page = nas.list_nas(tx, limit=2)
        rest = nas.list_nas(tx, after_id=page[-1].id)
    assert [each.id for each in (*page, *rest)] == [each.id for each in made]


def test_after_a_change_of_keys_every_nas_can_be_sealed_anew(database: Database) -> None:
    made = add(database)
    with database.reading() as tx:
        before = {key: value for _, key, value in replica.changes_since(tx, 0)}
    with database.transaction() as tx:
        assert nas.publish_all(tx) == 1
    with database.reading() as tx:
        after = {key: value for _, key, value in replica.changes_since(tx, 0)}
        entry = fed(tx)[b"n%d" % made.id]
    assert after.keys() == before.keys()
    assert after != before
    assert entry is not None
    assert entry.secret == SECRET.encode()
