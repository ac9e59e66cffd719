"""New keys for stored secrets, while everything runs."""

from __future__ import annotations

import os
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import String, select, text, type_coerce, update

from api import rotation
from api.idempotency import IdempotencyKey
from api.rotation import drop_old, encrypt_anew, newest_of, recompile, rotate, secret_columns
from core.clock import system_clock
from core.errors import NotAllowed
from core.runtime import Runtime
from core.secrets import KeyMissing, Secret, add_key, open_keyring
from provisioning.models import Subscription
from radius.models import Nas, ReplicaEntry
from radius.nas_records import unpack_nas
from radius.records import password_of
from tests.factories_api import Client, opened


@pytest.fixture
def client(runtime: Runtime) -> Client:
    """An installation with a secret of each kind."""
    found = Client(runtime)
    opened(found)
    body = {"name": "pop-1", "network": "192.0.2.1", "secret": "a-shared-secret"}
    assert found.post("/nas", body, key="k-1").status == 201
    return found


def key_file(client: Client) -> Path:
    return client.runtime.settings.resolved_key_file


def age(path: Path, by: timedelta) -> None:
    moment = (system_clock() - by).timestamp()
    os.utime(path, (moment, moment))


def readable_with_the_newest_key(client: Client) -> bool:
    """Whether every stored and every published secret opens with the newest key alone."""
    newest = newest_of(key_file(client))
    try:
        with client.runtime.database.reading() as tx:
            for table, columns in secret_columns().items():
                for column in columns:
                    for raw in tx.session.scalars(select(type_coerce(column, String)).select_from(table)):
                        newest.decrypt(raw.encode()) if raw is not None else None
            for key, value in tx.session.execute(select(ReplicaEntry.key, ReplicaEntry.value)):
                assert value is not None
                if key[:1] == b"u":
                    assert password_of(key, value, newest.unseal) == b"s3nha-longa"
                elif key[:1] == b"n":
                    assert unpack_nas(key, value, newest.unseal).secret == b"a-shared-secret"
    except KeyMissing:
        return False
    return True


def test_every_column_of_secrets_is_known(client: Client) -> None:
    named = {f"{table.name}.{column.name}" for table, columns in secret_columns().items() for column in columns}
    stored = {"subscription.password", "nas.secret", "router.password", "evidence_key.private_key"}
    stored |= {"adoption_candidate.password"}
    stored |= {f"billing_source.{name}" for name in ("secret", "previous_secret", "password")}
    assert named == stored | {"idempotency_key.fingerprint", "idempotency_key.body"}


def test_a_rotation_leaves_nothing_under_the_old_key(client: Client) -> None:
    assert readable_with_the_newest_key(client)
    add_key(key_file(client))
    assert not readable_with_the_newest_key(client)
    report = rotate(client.runtime, new_key=False)
    assert readable_with_the_newest_key(client)
    assert (report.secrets, report.nas, report.records) == (4, 1, 1)


def test_doing_it_again_finds_nothing_to_do(client: Client) -> None:
    rotate(client.runtime)
    assert rotate(client.runtime, new_key=False).secrets == 0


def test_an_interrupted_rotation_goes_on(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with client.runtime.database.transaction() as tx:
        for number in range(7):
            tx.session.add(
                IdempotencyKey(
                    scope=str(number), fingerprint=Secret("f"), status=201, body=Secret("b"), created_at=tx.now
                )
            )
    monkeypatch.setattr(rotation, "BATCH", 2)
    add_key(key_file(client))
    newest = newest_of(key_file(client))
    batches = rotation._batches(client.runtime.database)
    for _ in range(2):
        table, rows = next(batches)
        assert rotation._encrypt_batch(client.runtime.database, table, rows, newest) > 0
    assert 0 < encrypt_anew(client.runtime.database, newest) < 18
    rotate(client.runtime, new_key=False)
    assert readable_with_the_newest_key(client)


def test_a_value_that_changes_meanwhile_stays_as_it_was_changed(client: Client) -> None:
    database = client.runtime.database
    add_key(key_file(client))
    newest = newest_of(key_file(client))
    [(table, rows)] = [found for found in rotation._batches(database) if found[0].name == "nas"]
    with database.transaction() as tx:
        tx.session.execute(update(Nas).values(secret=Secret("changed-meanwhile")))
    assert rotation._encrypt_batch(database, table, rows, newest) == 0
    with database.reading() as tx:
        assert tx.session.scalars(select(Nas)).one().secret == Secret("changed-meanwhile")


def test_processes_that_run_follow_the_key_file(client: Client) -> None:
    """What one process encrypts with a new key another one reads, and from then on writes with it too."""
    runtime = client.runtime
    other = open_keyring(key_file(client))
    add_key(key_file(client))
    sealed, token = other.seal(b"x", b"context"), other.encrypt(b"x")
    assert newest_of(key_file(client)).unseal(sealed, b"context") == b"x"
    assert runtime.keyring.unseal(sealed, b"context") == b"x"
    assert runtime.keyring.decrypt(token) == b"x"
    rotate(runtime, new_key=False)
    assert client.get("/nas").content["items"]


def test_old_keys_are_dropped_when_nothing_needs_them(client: Client) -> None:
    rotate(client.runtime)
    with pytest.raises(NotAllowed, match="too young"):
        drop_old(client.runtime)
    age(key_file(client), timedelta(minutes=3))
    assert drop_old(client.runtime).keys_dropped == 1
    assert len(key_file(client).read_text().split()) == 1
    runtime = client.runtime
    with runtime.database.reading() as tx:
        assert tx.session.scalars(select(Subscription)).one().password == Secret("s3nha-longa")
    assert client.post("/nas", {"name": "pop-1", "network": "192.0.2.1", "secret": "a-shared-secret"},
                       key="k-1").status == 201  # fmt: skip


def test_dropping_finishes_a_rotation_that_was_interrupted(client: Client) -> None:
    add_key(key_file(client))
    age(key_file(client), timedelta(minutes=3))
    assert drop_old(client.runtime).secrets == 4
    assert readable_with_the_newest_key(client)


def test_keys_stay_while_something_is_left_under_them(client: Client) -> None:
    """An entry that nobody publishes anew, as of a subscription that a fault left behind."""
    database = client.runtime.database
    with database.transaction() as tx:
        sealed = tx.keyring.seal(b"password", b"ughost")
        value = b"\x01\x00" + len(sealed).to_bytes(2) + bytes(8) + sealed
        tx.session.add(ReplicaEntry(key=b"ughost", revision=1, value=value))
    add_key(key_file(client))
    age(key_file(client), timedelta(minutes=3))
    with pytest.raises(NotAllowed, match="1 published records"):
        drop_old(client.runtime)
    assert len(key_file(client).read_text().split()) == 2


def test_recompiling_publishes_everything_again(client: Client) -> None:
    with client.runtime.database.transaction() as tx:
        tx.session.execute(text("DELETE FROM replica_entry"))
    assert recompile(client.runtime) == 1
    with client.runtime.database.reading() as tx:
        keys = {key[:1] for key in tx.session.scalars(select(ReplicaEntry.key))}
    assert keys == {b"u", b"p", b"n"}
