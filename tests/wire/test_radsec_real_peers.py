"""RadSec with software of others: radsecproxy asks our listener, FreeRADIUS takes our CoA and Disconnect over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from typing import NamedTuple

import pytest

from core.settings import Settings
from radius import dynauth_tls
from radius.attributes import CLASS
from radius.codec import encode_attributes
from radius.dynauth import Ack, DynauthResult, Nak, Target
from radius.dynauth_send import ask
from radius.vendors import VENDORS, SessionIdentity
from tests.factories_auth import mac_record, record
from tests.factories_tls import Authority
from tests.freeradius_tls import FreeRadiusTls
from tests.radclient import ACCEPT, ACCOUNTED, REJECT, Attributes, Radclient
from tests.radsecproxy import RadsecProxy, need_radsecproxy
from tests.wire.radsec_server import NAME, Server, running, tls_nas

SERVER, SECRET = "radius.provedor.example", "segredo do UDP"
SIGNED_CLASS = encode_attributes([(CLASS, b"c1.7.x")])


class Behind(NamedTuple):
    """A NAS that speaks UDP with a radsecproxy beside it, which speaks TLS with us."""

    server: Server
    proxy: RadsecProxy
    nas: Radclient


@pytest.fixture
def behind(tmp_path: Path) -> Iterator[Behind]:
    need_radsecproxy()
    with running(tmp_path, tls_nas(mac_auth=True), record(), mac_record()) as server:
        own = server.authority.issue(dns=[NAME])
        files = server.authority.files(own)
        with RadsecProxy(files, server.port, SECRET, SERVER, status="auto") as proxy:
            yield Behind(server, proxy, Radclient(proxy.port, proxy.port, SECRET))


ANA: Attributes = {"User-Name": "ana", "User-Password": "segredo"}
EXCHANGES = {
    "PAP": (ANA, ACCEPT),
    "PAP, wrong": ({**ANA, "User-Password": "errado"}, REJECT),
    "CHAP": ({"User-Name": "ana", "CHAP-Password": "segredo"}, ACCEPT),
    "MS-CHAP": ({"User-Name": "ana", "MS-CHAP-Password": "segredo"}, ACCEPT),
    "MAC": ({"User-Name": "02:00:5e:10:00:01", "User-Password": ""}, ACCEPT),
    "unknown": ({"User-Name": "bia", "User-Password": "segredo"}, REJECT),
}


@pytest.mark.parametrize(("attributes", "expected"), EXCHANGES.values(), ids=EXCHANGES.keys())
def test_authentication_through_radsecproxy(behind: Behind, attributes: Attributes, expected: str) -> None:
    answer = behind.nas.authenticate(attributes)
    assert answer.code == expected, answer.printed + behind.proxy.log[-2000:]
    if expected == ACCEPT:
        assert answer.get("Mikrotik-Rate-Limit") == "50M/100M"


def test_unsigned_requests_through_radsecproxy(behind: Behind) -> None:
    [answer] = behind.nas.run("auth", behind.nas.auth_port, [ANA])
    assert answer.code == ACCEPT, answer.printed


def test_accounting_through_radsecproxy(behind: Behind) -> None:
    told = {"User-Name": "ana", "Acct-Session-Id": "s1"}
    for status in ("Start", "Interim-Update", "Stop"):
        assert behind.nas.account({**told, "Acct-Status-Type": status}).code == ACCOUNTED
    assert [kept.nas_id for kept in behind.server.spooled()] == [1, 1, 1]


def test_radsecproxy_finds_us_alive(behind: Behind) -> None:
    behind.nas.authenticate(ANA)
    behind.proxy.wait_for_log("got status server response from catraca")
    behind.server.wait_until(lambda told: told.get(("status", "mikrotik"), 0) >= 1)


def test_everything_at_once_through_radsecproxy(behind: Behind) -> None:
    answers = behind.nas.together([ANA] * 100)
    assert [answer.code for answer in answers] == [ACCEPT] * 100
    behind.server.wait_until(lambda told: told.get(("accept", "pap")) == 100)
    assert behind.server.told()[("connection", "opened")] == 1


def test_freeradius_takes_coa_and_disconnect_over_tls(tmp_path: Path) -> None:
    authority = Authority(tmp_path / "tls")
    own = authority.issue(SERVER)
    settings = Settings(
        data_dir=tmp_path,
        radsec_certificate=own.certificate,
        radsec_private_key=own.private_key,
        radsec_ca=authority.ca,
        coa_tries=10,
    )
    with FreeRadiusTls(authority.files(authority.issue(NAME, dns=[NAME])), ["ana"], {"bia": 501}) as nas:

        def tell(user: bytes, changes: bytes | None) -> DynauthResult:
            found = SessionIdentity(user, b"81000001", IPv4Address("100.64.0.9"), IPv4Address("10.0.0.1"))
            identity = VENDORS["mikrotik"].identification(found)
            target = Target(ip_address("127.0.0.1"), nas.tls_port, b"the secret of UDP", "radsec", NAME)
            return ask(settings, target, identity, changes, datetime.now(UTC))

        for changes in (SIGNED_CLASS, None):
            assert tell(b"ana", changes) == Ack()
            assert tell(b"bia", changes) == Nak(501, "Administratively-Prohibited")
            assert tell(b"eva", changes) == Nak(503, "Session-Context-Not-Found")
        assert (
            len(
                {
                    line.partition(" port ")[2].partition(",")[0]
                    for line in nas.log.splitlines()
                    if "packet from host" in line
                }
            )
            == 1
        )
        dynauth_tls.close_lines()
