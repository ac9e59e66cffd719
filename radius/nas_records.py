"""A NAS as the replica carries it: its own entry `b"n" + id`, JSON with the shared secret sealed.

Workers build their client table from these entries, the CoA client its targets, so neither needs the database.

A field that has come later is left out where it has its default, so that a host that has not been upgraded yet reads
the entry; and what a newer installation adds is passed over here.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field, fields
from ipaddress import IPv4Network, IPv6Network, ip_network

from radius.records import Seal, Unseal

PREFIX = b"n"
UDP, RADSEC = "udp", "radsec"
"""How CoA and Disconnect reach a NAS."""
RADSEC_PORT = 2083


class UnreadableNas(ValueError):
    """A NAS entry that is damaged or sealed with a key that this host lacks."""


@dataclass(frozen=True, slots=True)
class NasEntry:
    """One RADIUS client: an address (a /32 or /128) or a whole network, and how to talk with it.

    `network` and `secret` are for UDP. Over TLS the certificate tells who it is: `radsec_identity`, in the form of
    `radius.radsec_identity`, "" for a NAS that does not speak TLS.
    """

    id: int
    name: str
    network: IPv4Network | IPv6Network
    vendor: str
    secret: bytes = field(repr=False)
    require_message_authenticator: bool = True
    mac_auth: bool = False
    coa_port: int = 3799
    enabled: bool = True
    radsec_identity: str = ""
    coa_transport: str = UDP
    radsec_port: int = RADSEC_PORT

    def __post_init__(self) -> None:
        if not self.secret:
            raise ValueError("a NAS without a shared secret would trust anybody")


_LATER = {"radsec_identity": "", "coa_transport": UDP, "radsec_port": RADSEC_PORT}
_PLAIN = {each.name for each in fields(NasEntry)} - {"network", "secret"}


def nas_key(nas_id: int) -> bytes:
    return PREFIX + str(nas_id).encode("ascii")


def pack_nas(nas: NasEntry, seal: Seal) -> dict[bytes, bytes]:
    """The replica entry of a NAS; the sealed secret is bound to the entry's key."""
    key = nas_key(nas.id)
    document = {
        "id": nas.id,
        "name": nas.name,
        "network": str(nas.network),
        "vendor": nas.vendor,
        "secret": base64.b64encode(seal(nas.secret, key)).decode("ascii"),
        "require_message_authenticator": nas.require_message_authenticator,
        "mac_auth": nas.mac_auth,
        "coa_port": nas.coa_port,
        "enabled": nas.enabled,
        **{name: getattr(nas, name) for name, default in _LATER.items() if getattr(nas, name) != default},
    }
    return {key: json.dumps(document, sort_keys=True, separators=(",", ":")).encode()}


def unpack_nas(key: bytes, value: bytes, unseal: Unseal) -> NasEntry:
    """The NAS of a replica entry; UnreadableNas for anything that `pack_nas` did not write for this host."""
    try:
        document = json.loads(value)
        secret = unseal(base64.b64decode(document.pop("secret"), validate=True), key)
        network = ip_network(document.pop("network"))
        return NasEntry(network=network, secret=secret, **{name: document[name] for name in _PLAIN & document.keys()})
    except Exception as error:
        raise UnreadableNas(f"NAS entry {key!r}: {type(error).__name__}") from error
