"""`catraca radius test`: the answer is the workers' own, and what stands beside it tells why."""

from __future__ import annotations

import io
import json
import sys
from datetime import timedelta
from typing import Any

import pytest

from api.cli import main
from core.clock import system_clock
from core.runtime import Runtime
from provisioning import subscriptions
from radius import nas, replica
from radius.auth_service import AuthService
from radius.line import Line
from radius.presence import pack_presence, presence_key
from radius.records import login_key
from radius.reject_book import Bounds, keep_rejects
from radius.reject_events import Folded, Kind
from radius.store import RecordStore
from tests.factories_api import Client, opened, planned, registered
from tests.factories_auth import pap_request
from tests.factories_sessions import make_session
from tests.ticking import FakeClock

SECRET = "xyzzy-5461-xyzzy"
PASSWORD = "s3nha-longa"
CALLER = "02:00:5E:10:00:01"


@pytest.fixture
def client(runtime: Runtime) -> Client:
    """Maria is active; a MikroTik and two generic NAS may ask."""
    with runtime.database.transaction() as tx:
        nas.add_nas(tx, name="pop-centro", network="192.0.2.1", secret=SECRET)
        nas.add_nas(tx, name="pop-norte", network="192.0.2.2", secret=SECRET, vendor="generic")
        nas.add_nas(tx, name="pop-sul", network="192.0.2.3", secret=SECRET, vendor="generic")
    return Client(runtime)


@pytest.fixture
def maria(client: Client) -> int:
    return opened(client, "maria@provedor")


def tried(client: Client, login: str = "maria@provedor", **given: Any) -> dict[str, Any]:
    answer = client.post("/radius/test", {"login": login, **given})
    assert answer.status == 200, answer.content
    assert PASSWORD not in json.dumps(answer.content)
    assert SECRET not in json.dumps(answer.content)
    found: dict[str, Any] = answer.content
    return found


def only(told: dict[str, Any]) -> dict[str, Any]:
    [answer] = told["answers"]
    found: dict[str, Any] = answer
    return found


def nas_id(runtime: Runtime, name: str) -> int:
    with runtime.database.reading() as tx:
        return nas.find_nas(tx, name).id


def connected(runtime: Runtime, subscription_id: int, caller: str = CALLER) -> None:
    """An open session at pop-centro, as accounting leaves it."""
    centro = nas_id(runtime, "pop-centro")
    with runtime.database.transaction() as tx:
        make_session(tx, subscription_id=subscription_id, nas_id=centro, calling_station_id=caller)
        replica.put(tx, {presence_key(subscription_id): pack_presence([Line(centro, caller.encode(), b"")])})


def test_each_vendor_in_use_says_it_in_its_own_words(client: Client, maria: int) -> None:
    told = tried(client)
    assert told["subscription_id"] == maria
    assert told["finding"] == f"there is an access record, of subscription {maria}"
    assert [(each["nas_name"], each["answer"]) for each in told["answers"]] == [
        ("pop-centro", "Access-Accept"),
        ("pop-norte", "Access-Accept"),
    ]
    mikrotik, generic = ({each["name"]: each["value"] for each in answer["attributes"]} for answer in told["answers"])
    assert mikrotik["Mikrotik-Rate-Limit"] == "250M/500M"
    assert generic["WISPr-Bandwidth-Max-Down"] == "500000000"
    assert mikrotik["Framed-Protocol"] == "PPP"
    assert mikrotik["Class"].startswith(f"c1.{maria}.")
    assert told["explanation"]["sentence"] == "ACTIVE: no restriction holds"
    assert told["limits"] == ["1 session at once"]


def test_it_is_what_a_worker_answers(client: Client, runtime: Runtime, maria: int) -> None:
    """The same records in a store, the same code on them."""
    store = RecordStore(runtime.settings.data_dir / "store" / "records.lmdb")
    with runtime.database.reading() as tx:
        entries = {key: value for _, key, value in replica.changes_since(tx, 0)}
    store.apply(entries, 1)
    service = AuthService(runtime.keyring.unseal, reject_delay_seconds=0.0)
    with store.snapshot() as snapshot:
        service.begin(snapshot)
        request = pap_request(b"maria@provedor", PASSWORD.encode(), secret=SECRET.encode())
        reply = service.handle(request, ("192.0.2.2", 1), runtime.clock().timestamp(), 0.0)
    store.close()
    assert reply is not None
    told = only(tried(client, nas="pop-norte"))
    for attribute in told["attributes"]:
        if attribute["name"] in ("Class", "Filter-Id", "Framed-Pool"):
            assert attribute["value"].encode() in reply
    assert len([each for each in told["attributes"] if each["name"] == "Class"]) == 1


@pytest.mark.parametrize(
    ("password", "answer", "words"),
    [(PASSWORD, "Access-Accept", ""), ("guess", "Access-Reject", "wrong password"), (None, "Access-Accept", "")],
    ids=["the right one", "a wrong one", "none"],
)
def test_a_password_is_tried_when_it_is_given(
    client: Client, maria: int, password: str | None, answer: str, words: str
) -> None:
    given = {} if password is None else {"password": password}
    told = only(tried(client, nas="pop-centro", **given))
    assert (told["answer"], told["words"]) == (answer, words)


def test_the_line_that_is_connected_gets_in_again_and_another_does_not(
    client: Client, runtime: Runtime, maria: int
) -> None:
    connected(runtime, maria)
    told = tried(client, nas="pop-centro")
    assert (only(told)["answer"], only(told)["calling_station_id"]) == ("Access-Accept", CALLER)
    assert told["sessions"][0]["nas_name"] == "pop-centro"
    other = only(tried(client, nas="pop-norte", caller="02:00:5E:10:00:99"))
    assert (other["answer"], other["reason"]) == ("Access-Reject", "session_limit")
    assert other["words"] == f"session limit, other session from {CALLER} at NAS pop-centro"


def test_limits_are_told_and_hold(client: Client, runtime: Runtime, maria: int) -> None:
    from provisioning.refresh import refresh

    sul = nas_id(runtime, "pop-sul")
    with runtime.database.transaction() as tx:
        row = subscriptions.get_subscription(tx, maria)
        row.session_limit, row.allowed_nas_id, row.allowed_nas_port = 2, sul, "vlan-101"
        row.mac_binding, row.bound_mac = "pinned", CALLER.lower()
        tx.session.flush()
        refresh(tx, [maria])
    told = tried(client)
    assert told["limits"] == [
        "2 sessions at once", f"only from {CALLER}", "only at NAS pop-sul", "only at port vlan-101",
    ]  # fmt: skip
    answers = {each["nas_name"]: (each["answer"], each["reason"]) for each in told["answers"]}
    assert answers == {
        "pop-centro": ("Access-Reject", "nas_not_allowed"),
        "pop-sul": ("Access-Accept", ""),
    }, "of the generic ones the NAS that it may use is chosen"
    assert only(tried(client, nas="pop-sul", caller="02:00:5E:10:00:99"))["reason"] == "mac_not_bound"
    assert only(tried(client, nas="pop-sul", port="vlan-7"))["reason"] == "port_not_allowed"


def test_the_answer_at_another_instant(client: Client, maria: int, clock: FakeClock) -> None:
    until = clock() + timedelta(days=3)
    body = {"download_bps": "900M", "upload_bps": "900M", "until": until.isoformat()}
    assert client.post(f"/subscriptions/{maria}/speed", body).status == 201
    rates = [
        next(each["value"] for each in only(tried(client, nas="pop-centro", at=at.isoformat()))["attributes"]
             if each["name"] == "Mikrotik-Rate-Limit")
        for at in (until - timedelta(seconds=1), until)
    ]  # fmt: skip
    assert rates == ["900M/900M", "250M/500M"]


def test_why_there_is_no_record(client: Client, runtime: Runtime, maria: int) -> None:
    nobody = tried(client, "nobody")
    assert (nobody["finding"], nobody["subscription_id"]) == ("no subscription has this login", None)
    assert {each["reason"] for each in nobody["answers"]} == {"unknown_user"}
    with runtime.database.transaction() as tx:
        replica.delete(tx, [login_key(b"maria@provedor")])
    assert "run `catraca recompile`" in tried(client)["finding"]
    assert client.post(f"/subscriptions/{maria}/cancel", {"note": "moved away", "confirm": True}).status == 200
    gone = tried(client)
    assert gone["finding"].endswith("it is cancelled, so there is no access record")
    assert gone["explanation"]["state"] == "CANCELLED"


def test_a_line_without_a_password(client: Client, runtime: Runtime) -> None:
    body = {"subscriber_id": registered(client), "plan_id": planned(client), "mac": "02:00:5e:10:00:07"}
    key = client.post("/subscriptions", body).content["id"]
    client.post(f"/subscriptions/{key}/activate")
    told = tried(client, "02-00-5E-10-00-07", nas="pop-centro")
    assert "do not ask by MAC address" in told["finding"]
    assert only(told)["reason"] == "unknown_user"
    centro = nas_id(runtime, "pop-centro")
    with runtime.database.transaction() as tx:
        nas.change_nas(tx, centro, mac_auth=True)
    told = tried(client, "02-00-5E-10-00-07", nas="pop-centro")
    assert (only(told)["answer"], told["subscription_id"]) == ("Access-Accept", key)
    other = only(tried(client, "02:00:5e:10:00:07", nas="pop-centro", caller="02:00:5e:10:00:08"))
    assert other["reason"] == "mac_mismatch"


def test_a_nas_that_is_disabled_hears_nothing(client: Client, runtime: Runtime, maria: int) -> None:
    norte = nas_id(runtime, "pop-norte")
    with runtime.database.transaction() as tx:
        nas.change_nas(tx, norte, enabled=False)
    told = only(tried(client, nas="pop-norte"))
    assert told["answer"] == "silence"
    assert "NAS pop-norte is disabled" in told["words"]
    assert [each["nas_name"] for each in tried(client)["answers"]] == ["pop-centro", "pop-sul"]
    assert client.post("/radius/test", {"login": "x", "nas": "nowhere"}).status == 404
    assert client.post("/radius/test", {"login": ""}).status == 422


def test_hosts_and_rejects_stand_beside_it(client: Client, runtime: Runtime, maria: int, clock: FakeClock) -> None:
    with runtime.database.transaction() as tx:
        last = replica.current_revision(tx)
        replica.report(tx, "radius-1", last, before=None, now=system_clock())
        replica.report(tx, "radius-2", 1, before=None, now=system_clock() - timedelta(hours=1))
        at = clock().timestamp()
        kind = Kind(b"maria@provedor", "wrong_password", 1, CALLER.encode())
        keep_rejects(tx, {kind: Folded("", maria, at, at, 3)}, Bounds())
    told = tried(client)
    assert [(each["host"], each["current"], each["live"]) for each in told["hosts"]] == [
        ("radius-1", True, True),
        ("radius-2", False, False),
    ]
    assert [(each["words"], each["times"]) for each in told["rejects"]] == [("wrong password", 3)]


def test_on_the_command_line(
    client: Client,
    runtime: Runtime,
    maria: int,
    command_line: None,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    connected(runtime, maria)
    assert main(["radius", "test", "maria@provedor"]) == 0
    shown = capsys.readouterr().out
    assert f"pop-centro (mikrotik, caller {CALLER})  Access-Accept" in shown
    assert "    Mikrotik-Rate-Limit = 250M/500M" in shown
    assert "service  ACTIVE: no restriction holds; 500M down, 250M up (plan)" in shown
    assert "limits  1 session at once" in shown
    assert PASSWORD not in shown
    monkeypatch.setattr(sys, "stdin", io.StringIO("not it\n"))
    assert main(["radius", "test", "maria@provedor", "--nas", "pop-centro", "--password", "-", "--json"]) == 0
    assert only(json.loads(capsys.readouterr().out))["reason"] == "wrong_password"
    assert main(["radius", "test", "maria@provedor", "--nas", "nowhere"]) == 1
    assert "there is no nas nowhere" in capsys.readouterr().err
    assert main(["radius", "test", "maria@provedor", "--password", "typed-in-history"]) == 2
    assert "typed-in-history" not in capsys.readouterr().err
    assert main(["radius", "nonsense"]) == 2
