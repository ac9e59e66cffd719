"""What the product relies on in a router's API: against the emulator in several versions, and against a real router.

A real one is tried when CATRACA_ROUTEROS_ADDRESS (`host` or `host:port`), _LOGIN and _PASSWORD are set, with
CATRACA_ROUTEROS_TLS for `pinned` (to what it presents now) or `ca`. Nothing is written there but address-list entries
of a list of our own, which are removed again.
"""

from __future__ import annotations

import os
import ssl
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from lab.routeros.emulator import EmulatedRouter
from provisioning.routeros.connection import (
    Command,
    Connection,
    Done,
    LoginRefused,
    Read,
    ReadRefused,
    Target,
    Trapped,
)
from provisioning.routeros.driver.session import connect, presented_fingerprint
from tests.factories_tls import Authority

LIST = "/ip/firewall/address-list"
MISSING = "*FFFFFF"
TLS = "7.20.4 over TLS"
EMULATED = ["6.42.12", "6.49.18", "7.16.2", "7.20.4", TLS]
REAL = os.environ.get("CATRACA_ROUTEROS_ADDRESS", "")
PASSWORD = "catraca-secret"


@dataclass(frozen=True)
class Ground:
    """A router to try, and a list on it that is this test's own."""

    target: Target
    connection: Connection
    name: str

    def add(self, count: int, **words: str) -> list[str]:
        """New entries 192.0.2.1 and on; gives their ids."""
        given = [{"list": self.name, "address": f"192.0.2.{number}", **words} for number in range(1, count + 1)]
        results = self.connection.write([Command(f"{LIST}/add", each) for each in given])
        assert all(isinstance(result, Done) for result in results)
        return [result.ret for result in results if isinstance(result, Done)]

    def rows(self, *fields: str, connection: Connection | None = None) -> list[dict[str, str]]:
        return (connection or self.connection).read(LIST, fields, [f"?list={self.name}"])

    def write(self, verb: str, **words: str) -> Done | Trapped:
        named = {name.replace("_", "-") if name != "id" else ".id": value for name, value in words.items()}
        return self.connection.write([Command(f"{LIST}/{verb}", named)])[0]


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module", params=[*EMULATED, *(["a real router"] if REAL else [])])
def where(request: pytest.FixtureRequest, authority: Authority) -> Iterator[Target]:
    if request.param == "a real router":
        yield real_target()
        return
    tls = presenting(authority) if request.param == TLS else None
    with EmulatedRouter(version=request.param.split()[0], users={"catraca": PASSWORD}, tls=tls) as router:
        yield emulated(router, ca=authority.ca if tls else None)


@pytest.fixture
def ground(where: Target) -> Iterator[Ground]:
    connection = connect(where)
    made = Ground(where, connection, f"catraca-contract-{uuid4().hex[:8]}")
    try:
        yield made
        connection.write([Command(f"{LIST}/remove", {".id": row[".id"]}) for row in made.rows(".id")])
    finally:
        connection.close()


def emulated(router: EmulatedRouter, ca: Path | None = None) -> Target:
    plain = Target(router.host, router.port, "catraca", PASSWORD)
    return replace(plain, tls="ca", ca_file=str(ca)) if ca else plain


def presenting(authority: Authority) -> ssl.SSLContext:
    own = authority.issue("borda", ip=["127.0.0.1"])
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own.certificate, own.private_key)
    return context


def real_target() -> Target:
    tls = os.environ.get("CATRACA_ROUTEROS_TLS", "off")
    host, _, port = REAL.partition(":")
    number = int(port or (8728 if tls == "off" else 8729))
    pin = presented_fingerprint(host, number, 10) if tls == "pinned" else ""
    login, password = os.environ["CATRACA_ROUTEROS_LOGIN"], os.environ["CATRACA_ROUTEROS_PASSWORD"]
    return Target(host, number, login, password, tls, pin)


def test_it_says_what_it_is(ground: Ground) -> None:
    assert ground.connection.version.major in (6, 7)
    assert ground.connection.identity
    assert ground.connection.board


def test_nothing_is_an_empty_answer(ground: Ground) -> None:
    assert ground.rows() == []


def test_rows_come_and_change_and_go(ground: Ground) -> None:
    first, second, third = ground.add(3, comment="catraca:s1:list")
    assert ground.write("set", id=second, comment="catraca:s2:list da Maria") == Done()
    assert ground.rows("comment", "address") == [
        {".id": first, "comment": "catraca:s1:list", "address": "192.0.2.1"},
        {".id": second, "comment": "catraca:s2:list da Maria", "address": "192.0.2.2"},
        {".id": third, "comment": "catraca:s1:list", "address": "192.0.2.3"},
    ]
    assert ground.write("remove", id=second) == Done()
    assert [row[".id"] for row in ground.rows(".id")] == [first, third]


@pytest.mark.parametrize("name", [".id", "numbers"])
def test_one_command_takes_many_rows(ground: Ground, name: str) -> None:
    ids = ground.add(4)
    few = ",".join(ids[:3])
    written = ground.connection.write(
        [Command(f"{LIST}/set", {name: few, "disabled": "yes"}), Command(f"{LIST}/remove", {name: ",".join(ids[:2])})]
    )
    assert written == [Done(), Done()]
    assert ground.rows("disabled") == [
        {".id": ids[2], "disabled": "true"},
        {".id": ids[3], "disabled": "false"},
    ]


def test_the_refusal_of_one_stops_no_other(ground: Ground) -> None:
    commands = [
        Command(f"{LIST}/add", {"list": ground.name, "address": "192.0.2.1"}),
        Command(f"{LIST}/set", {".id": MISSING, "comment": "x"}),
        Command(f"{LIST}/add", {"list": ground.name, "address": "192.0.2.1"}),
        Command(f"{LIST}/nonsense"),
        Command(f"{LIST}/add", {"list": ground.name, "address": "192.0.2.2"}),
    ]
    first, missing, twice, nonsense, last = ground.connection.write(commands)
    assert isinstance(first, Done)
    assert missing == Trapped("no such item", 0)
    assert isinstance(twice, Trapped)
    assert "already have" in twice.message
    assert isinstance(nonsense, Trapped)
    assert "no such command" in nonsense.message
    assert [row[".id"] for row in ground.rows(".id")] == [first.ret, last.ret if isinstance(last, Done) else ""]


def test_many_are_on_the_way_at_once_and_keep_their_order(ground: Ground) -> None:
    ids = ground.add(250)
    assert [(row[".id"], row["address"]) for row in ground.rows("address")] == [
        (made, f"192.0.2.{number}") for number, made in enumerate(ids, start=1)
    ]
    removals = [Command(f"{LIST}/remove", {".id": ",".join(ids[at : at + 50])}) for at in range(0, 250, 50)]
    assert ground.connection.write(removals) == [Done()] * 5
    assert ground.rows() == []


def test_queries_find_the_rows_of_a_few(ground: Ground) -> None:
    ids = ground.add(5)
    for number, each in enumerate(ids):
        ground.write("set", id=each, comment=f"catraca:s{number}:list")
    words = ["?comment=catraca:s1:list", "?comment=catraca:s3:list", "?#|"]
    assert [row[".id"] for row in ground.connection.read(LIST, ["comment"], words)] == [ids[1], ids[3]]


def test_rows_are_counted_without_being_sent(ground: Ground) -> None:
    ids = ground.add(5)
    ground.write("set", id=ids[0], comment="catraca:s1:list")
    every, one, none, refused = ground.connection.count(
        [
            Read(LIST, query=(f"?list={ground.name}",)),
            Read(LIST, ("address",), (f"?list={ground.name}", "?comment=catraca:s1:list")),
            Read(LIST, query=(f"?list={ground.name}-of-nobody",)),
            Read("/no/such/menu"),
        ]
    )
    assert (every, one, none) == (5, 1, 0)
    assert isinstance(refused, ReadRefused)


def test_several_menus_are_read_in_one_go_and_a_missing_one_harms_none(ground: Ground) -> None:
    ground.add(1)
    rows, refused, identity = ground.connection.read_many(
        [
            Read(LIST, ("address",), (f"?list={ground.name}",)),
            Read("/no/such/menu"),
            Read("/system/identity", ("name",)),
        ]
    )
    assert isinstance(rows, list)
    assert [row["address"] for row in rows] == ["192.0.2.1"]
    assert isinstance(refused, ReadRefused)
    assert "no such command" in str(refused)
    assert isinstance(identity, list)
    assert identity[0]["name"] == ground.connection.identity


def test_a_refused_read_leaves_the_connection_alive(ground: Ground) -> None:
    with pytest.raises(ReadRefused, match="no such command"):
        ground.connection.read("/no/such/menu")
    assert ground.rows() == []


TEXTS = {
    "a number": "007",
    "a boolean": "yes",
    "Portuguese": "João Conceição, avó",
    "beyond latin-1": "Wałęsa € 漢字 🛜",
    "equals signs": "a=b=c",
    "a list": "a,b,c",
    "quotes": 'o "bom" \\ $x',
}


@pytest.mark.parametrize("text", TEXTS.values(), ids=TEXTS)
def test_text_comes_back_as_it_went(ground: Ground, text: str) -> None:
    ground.add(1, comment=text)
    assert [row["comment"] for row in ground.rows("comment")] == [text]


def test_what_was_written_in_latin_1_is_read_in_utf_8_too(ground: Ground) -> None:
    """Winbox of 6.x wrote in the computer's own character set."""
    old = connect(replace(ground.target, charset="latin-1"))
    try:
        words = {"list": ground.name, "address": "192.0.2.1", "comment": "João"}
        assert isinstance(old.write([Command(f"{LIST}/add", words)])[0], Done)
        assert [row["comment"] for row in ground.rows("comment", connection=old)] == ["João"]
    finally:
        old.close()
    assert [row["comment"] for row in ground.rows("comment")] == ["João"]


WRONG: dict[str, dict[str, Any]] = {"password": {"password": "not it"}, "user": {"login": "nobody-of-that-name"}}


@pytest.mark.parametrize("other", WRONG.values(), ids=WRONG)
def test_a_wrong_login_is_refused(where: Target, other: dict[str, Any]) -> None:
    with pytest.raises(LoginRefused, match=r"refuses the login .* Check user and password") as refused:
        connect(replace(where, **other))
    assert PASSWORD not in str(refused.value)
    assert "not it" not in str(refused.value)


def test_the_presented_certificate_can_be_pinned(authority: Authority) -> None:
    with EmulatedRouter(tls=presenting(authority), users={"catraca": PASSWORD}) as router:
        pin = presented_fingerprint(router.host, router.port, 5)
        connect(replace(emulated(router), tls="pinned", fingerprint=pin)).close()


def test_a_password_of_any_letters_logs_in() -> None:
    for version in ("6.42.12", "7.20.4"):
        with EmulatedRouter(version=version, users={"catraca": "água-e-pão-ł"}) as router:
            connect(replace(emulated(router), password="água-e-pão-ł")).close()
