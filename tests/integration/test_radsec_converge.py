"""A live session is brought to its desired state by CoA over TLS."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from core.runtime import Runtime
from provisioning.models import Divergence
from radius import dynauth_tls, nas
from radius.attributes import COA_REQUEST, DISCONNECT_REQUEST
from tests.factories_tls import Authority
from tests.integration.test_converge import Network, obedient
from tests.udp_peer import UdpPeer
from tests.wire.radsec_server import NAME
from tests.wire.test_dynauth_tls import acknowledge
from tests.wire.tls_peer import TlsPeer


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "tls")


@pytest.fixture
def secured(runtime: Runtime, authority: Authority) -> Iterator[Runtime]:
    """With a certificate of our own, and little patience."""
    own = authority.issue("radius.provedor.example")
    changes = {
        "radsec_certificate": own.certificate,
        "radsec_private_key": own.private_key,
        "radsec_ca": authority.ca,
        "coa_tries": 5,
    }
    yield Runtime(runtime.settings.model_copy(update=changes), runtime.database, runtime.keyring, runtime.clock)
    dynauth_tls.close_lines()


def over_tls(runtime: Runtime, udp: UdpPeer, port: int) -> Network:
    network = Network(runtime, udp, adopts_class=False)
    with runtime.database.transaction() as tx:
        nas.change_nas(tx, network.nas_id, radsec_identity=NAME, coa_transport="radsec", radsec_port=port)
    return network


def reason(network: Network) -> str:
    with network.runtime.database.reading() as tx:
        return tx.session.get_one(Divergence, network.session_id).reason


def test_the_nas_hears_it_over_tls_alone(secured: Runtime, authority: Authority) -> None:
    with TlsPeer(authority.files(authority.issue(dns=[NAME])), acknowledge) as peer, UdpPeer(obedient) as udp:
        network = over_tls(secured, udp, peer.port)
        network.restrict("total")
        network.converge()
        assert {request[0] for request in peer.received} <= {COA_REQUEST, DISCONNECT_REQUEST}
        assert len(peer.received) == 1
        assert udp.received == []
    divergence = network.divergence()
    assert divergence is not None
    assert divergence[1] == "acknowledged"


def test_a_nas_with_the_certificate_of_another_is_told_of_to_people(secured: Runtime, authority: Authority) -> None:
    files = authority.files(authority.issue(dns=["bras-2.provedor.example"]))
    with TlsPeer(files, acknowledge) as peer, UdpPeer(obedient) as udp:
        network = over_tls(secured, udp, peer.port)
        network.restrict("total")
        network.converge()
        assert (peer.received, udp.received) == ([], [])
    assert network.divergence() is not None
    assert f"its certificate shows bras-2.provedor.example and not {NAME}" in reason(network)


def test_without_a_certificate_of_our_own_it_is_not_sent_by_another_way(runtime: Runtime) -> None:
    with UdpPeer(obedient) as udp:
        network = over_tls(runtime, udp, 2083)
        network.restrict("total")
        network.converge()
        assert udp.received == []
    assert reason(network) == "the request could not be sent"
