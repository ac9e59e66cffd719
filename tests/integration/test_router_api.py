"""Trying a router, and what the API shows of routers: never a password."""

from __future__ import annotations

import json

import pytest
from sqlalchemy import String, select, type_coerce

from api.rotation import newest_of, rotate
from core.database import Database
from core.runtime import Runtime
from lab.routeros.emulator import EmulatedRouter
from provisioning.routeros.models import Router
from provisioning.routeros.routers import change_router, get_router, target_of
from provisioning.routeros.trial import try_router
from tests.factories_api import Client, problem
from tests.factories_driver import Peer, scripted, target
from tests.factories_routers import API_PASSWORD, make_router


def test_a_router_is_tried(database: Database) -> None:
    with EmulatedRouter("6.49.18") as emulator, database.transaction() as tx:
        row = make_router(tx, address=emulator.host, port=emulator.port)
        found = try_router(target_of(row))
        assert (found.ok, found.version, found.identity) == (True, "6.49.18", emulator.identity)
        assert (found.presented, found.missing_rights) == ("", None)
        change_router(tx, row.id, password="wrong")
        refused = try_router(target_of(row))
        assert (refused.ok, refused.version) == (False, "")
        assert "refuses the login" in refused.trouble
        assert "wrong" not in refused.trouble
    gone = try_router(target_of(row))
    assert not gone.ok
    assert gone.trouble


@pytest.mark.parametrize(
    ("policy", "missing"),
    [
        ("local,read,write,policy,test,password,sensitive,api", ()),
        ("read,write,api,!sensitive", ("sensitive",)),
        ("api,!read,!write,!sensitive", ("read", "write", "sensitive")),
        ("", None),
    ],
)
def test_rights_that_are_missing_are_named(policy: str, missing: tuple[str, ...] | None) -> None:
    def tell(peer: Peer) -> None:
        peer.let_in()
        peer.answer(peer.heard(), {".id": "*1", "name": "admin", "group": "full"}, {"name": "catraca", "group": "api"})
        peer.answer(peer.heard(), {".id": "*1", "name": "full", "policy": "api"}, {"name": "api", "policy": policy})
        peer.gone()

    with scripted(tell) as port:
        found = try_router(target(port))
    assert (found.missing_rights, found.ok, found.identity) == (missing, not missing, "borda")


def test_a_router_that_falls_silent_while_it_is_tried() -> None:
    def leave(peer: Peer) -> None:
        peer.let_in()
        peer.heard()

    with scripted(leave) as port:
        found = try_router(target(port))
    assert (found.ok, found.version) == (False, "")
    assert found.trouble


def test_the_api_shows_no_password_and_says_what_is_wrong(runtime: Runtime) -> None:
    client = Client(runtime)
    body = {"name": "borda-1", "address": "192.0.2.1", "login": "catraca", "password": API_PASSWORD}
    made = client.post("/routers", body)
    assert made.status == 201
    shown = [made, client.get("/routers/borda-1"), client.get("/routers"), client.patch("/routers/borda-1", body)]
    assert all(API_PASSWORD not in json.dumps(answer.content) for answer in shown)
    assert problem(client.post("/routers", {**body, "tls": "on"}), 422, "invalid-input")["errors"][0]["field"] == "tls"
    assert problem(client.post("/routers", body), 409, "conflict")["router_id"] == made.content["id"]
    assert problem(client.patch("/routers/borda-1", {"password": None}), 422, "invalid-input")
    problem(client.get("/routers/borda-2"), 404, "not-found")
    problem(client.post("/routers/fingerprint", {"address": "127.0.0.1", "port": 1}), 503, "unavailable")
    tried = client.patch("/routers/borda-1", {"address": "127.0.0.1", "port": 1})
    assert tried.status == 200
    told = client.post("/routers/borda-1/test").content
    assert (told["ok"], told["missing_rights"], told["trouble"] != "") == (False, None, True)


def test_the_api_keeps_a_nas_that_a_router_is(runtime: Runtime) -> None:
    client = Client(runtime)
    nas = client.post("/nas", {"name": "pop-1", "network": "192.0.2.1", "secret": "a-shared-secret"}).content["id"]
    body = {"name": "borda-1", "address": "192.0.2.1", "login": "catraca", "password": API_PASSWORD, "nas": "pop-1"}
    assert client.post("/routers", body).content["nas_id"] == nas
    problem(client.call("DELETE", f"/api/v1/nas/{nas}"), 409, "conflict")
    assert client.call("DELETE", "/api/v1/routers/borda-1").status == 200
    assert client.call("DELETE", f"/api/v1/nas/{nas}").status == 204


def test_a_new_key_covers_the_password(runtime: Runtime) -> None:
    with runtime.database.transaction() as tx:
        row = make_router(tx)
    rotate(runtime)
    with runtime.database.reading() as tx:
        raw = tx.session.scalars(select(type_coerce(Router.password, String))).one()
        newest = newest_of(runtime.settings.resolved_key_file)
        assert newest.decrypt(raw.encode()).decode() == API_PASSWORD == target_of(get_router(tx, row.id)).password
