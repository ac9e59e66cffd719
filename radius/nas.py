"""Commands on the NAS table. What a RADIUS host needs of it goes to the feed in the same transaction.

One network has one NAS, but networks may nest: the longest prefix wins (`radius.nas_table`). So a provider may
name a whole access network once and give a single router in it a secret of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.exc import IntegrityError

from core.database import Transaction
from core.errors import Conflict, InvalidInput, NotFound
from core.secrets import Secret
from radius import replica
from radius.fold import REMOVED
from radius.models import Nas, Session
from radius.nas_records import NasEntry, nas_key, pack_nas
from radius.vendors import VENDORS

SHORTEST_SECRET, LONGEST_SECRET = 8, 128


@dataclass(frozen=True, slots=True)
class VendorDefaults:
    coa_port: int
    coa_echoes_class: bool


_DEFAULTS = {"mikrotik": VendorDefaults(coa_port=3799, coa_echoes_class=False)}
_OTHER_VENDOR = VendorDefaults(coa_port=3799, coa_echoes_class=False)
"""RFC 5176 §2.1. No vendor is believed to adopt a Class from a CoA until somebody has seen it do so."""

_FLAGS = ("require_message_authenticator", "mac_auth", "coa_echoes_class", "enabled")


def add_nas(
    tx: Transaction,
    *,
    name: str,
    network: str,
    secret: str | Secret,
    vendor: str = "mikrotik",
    coa_port: int | None = None,
    require_message_authenticator: bool = True,
    mac_auth: bool = False,
    coa_echoes_class: bool | None = None,
    enabled: bool = True,
) -> Nas:
    """A new RADIUS client. `network` is an address or CIDR; what is None follows from the vendor.

    InvalidInput names the field; Conflict the NAS that has the name or the network already.
    """
    defaults = _DEFAULTS.get(vendor, _OTHER_VENDOR)
    values = _checked(
        {
            "name": name,
            "network": network,
            "secret": secret,
            "vendor": vendor,
            "coa_port": defaults.coa_port if coa_port is None else coa_port,
            "require_message_authenticator": require_message_authenticator,
            "mac_auth": mac_auth,
            "coa_echoes_class": defaults.coa_echoes_class if coa_echoes_class is None else coa_echoes_class,
            "enabled": enabled,
        }
    )
    _refuse_taken(tx, values)
    nas = Nas(created_at=tx.now, **values)
    tx.session.add(nas)
    _flush(tx)
    tx.audit("add", "nas", nas.id, after=values)
    publish(tx, nas)
    return nas


def change_nas(
    tx: Transaction,
    nas_id: int,
    *,
    name: str | None = None,
    network: str | None = None,
    secret: str | Secret | None = None,
    vendor: str | None = None,
    coa_port: int | None = None,
    require_message_authenticator: bool | None = None,
    mac_auth: bool | None = None,
    coa_echoes_class: bool | None = None,
    enabled: bool | None = None,
) -> Nas:
    """Change what is not None. Errors as of `add_nas`, and NotFound."""
    nas = get_nas(tx, nas_id, lock=True)
    given = {
        "name": name,
        "network": network,
        "secret": secret,
        "vendor": vendor,
        "coa_port": coa_port,
        "require_message_authenticator": require_message_authenticator,
        "mac_auth": mac_auth,
        "coa_echoes_class": coa_echoes_class,
        "enabled": enabled,
    }
    values = _checked({field: value for field, value in given.items() if value is not None})
    before = {field: getattr(nas, field) for field in values if getattr(nas, field) != values[field]}
    after = {field: values[field] for field in before}
    if not after:
        return nas
    _refuse_taken(tx, after)
    for field, value in after.items():
        setattr(nas, field, value)
    _flush(tx)
    tx.audit("change", "nas", nas_id, before, after)
    publish(tx, nas)
    return nas


def remove_nas(tx: Transaction, nas_id: int) -> None:
    """Hear this NAS no more; its open sessions end here, because nobody will tell us when they do. NotFound."""
    nas = get_nas(tx, nas_id, lock=True)
    still_open = update(Session).where(Session.nas_id == nas_id, Session.stopped_at.is_(None))
    ended = {"stopped_at": tx.now, "closed_by": REMOVED, "terminate_cause": "NAS-Request"}
    tx.session.execute(still_open.values(ended), execution_options={"synchronize_session": False})
    tx.audit("remove", "nas", nas_id, before={"name": nas.name, "network": nas.network})
    tx.session.delete(nas)
    tx.session.flush()
    replica.delete(tx, [nas_key(nas_id)])


def get_nas(tx: Transaction, nas_id: int, *, lock: bool = False) -> Nas:
    """The NAS of this number; NotFound."""
    nas = tx.session.get(Nas, nas_id, with_for_update=lock or None)
    if nas is None:
        raise NotFound("nas", nas_id)
    return nas


def find_nas(tx: Transaction, name: str) -> Nas:
    """The NAS of this name; NotFound."""
    nas = tx.session.scalar(select(Nas).where(Nas.name == name))
    if nas is None:
        raise NotFound("nas", name)
    return nas


def list_nas(tx: Transaction, *, after_id: int = 0, limit: int = 100) -> list[Nas]:
    """A page of NAS in order of number, beginning after `after_id`."""
    return list(tx.session.scalars(select(Nas).where(Nas.id > after_id).order_by(Nas.id).limit(limit)))


def entry_of(nas: Nas) -> NasEntry:
    """The NAS as RADIUS hosts and the CoA client know it; holds the secret in the clear."""
    return NasEntry(
        id=nas.id,
        name=nas.name,
        network=ip_network(nas.network),
        vendor=nas.vendor,
        secret=nas.secret.reveal().encode(),
        require_message_authenticator=nas.require_message_authenticator,
        mac_auth=nas.mac_auth,
        coa_port=nas.coa_port,
        enabled=nas.enabled,
    )


def publish(tx: Transaction, nas: Nas) -> None:
    """Put the NAS into the feed, its secret sealed with the newest key."""
    replica.put(tx, pack_nas(entry_of(nas), tx.keyring.seal))


def publish_all(tx: Transaction) -> int:
    """Put every NAS into the feed again, as after a change of keys; gives how many."""
    every = list(tx.session.scalars(select(Nas)))
    for nas in every:
        publish(tx, nas)
    return len(every)


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    """The fields in the form that is stored; InvalidInput for the first that breaks its rule."""
    checks = {"name": _name, "network": _network, "secret": _secret, "vendor": _vendor, "coa_port": _port}
    checked: dict[str, Any] = {}
    for field, value in values.items():
        if field in _FLAGS and not isinstance(value, bool):
            raise InvalidInput(field, "true or false", True)
        checked[field] = value if field in _FLAGS else checks[field](value)
    return checked


def _name(value: Any) -> str:
    text = value.strip() if isinstance(value, str) else ""
    if not 1 <= len(text) <= 64 or not text.isprintable():
        raise InvalidInput("name", "1 to 64 printable characters", "pop-centro")
    return text


def _network(value: Any) -> str:
    example = "192.0.2.1 or 192.0.2.0/24"
    try:
        network = ip_network(value.strip()) if isinstance(value, str) else None
    except ValueError:
        network = None
    if network is None or getattr(network.network_address, "scope_id", None):
        raise InvalidInput("network", "an IPv4 or IPv6 address, or a network in CIDR notation", example)
    if not network.prefixlen:
        raise InvalidInput("network", "not everybody: a NAS is an address or a network that you run", example)
    if network.is_multicast or network.is_unspecified or _is_mapped(network):
        raise InvalidInput("network", "an address that a router can send from", example)
    return str(network)


def _is_mapped(network: IPv4Network | IPv6Network) -> bool:
    return isinstance(network, IPv6Network) and network.network_address.ipv4_mapped is not None


def _secret(value: Any) -> Secret:
    text = value.reveal() if isinstance(value, Secret) else value
    sound = isinstance(text, str) and text.isprintable() and text.isascii() and text == text.strip()
    if not sound or not SHORTEST_SECRET <= len(text) <= LONGEST_SECRET:
        rule = f"{SHORTEST_SECRET} to {LONGEST_SECRET} printable ASCII characters, no space at either end"
        raise InvalidInput("secret", rule, "kX7-two-dozen-random-characters")
    return Secret(text)


def _vendor(value: Any) -> str:
    if not isinstance(value, str) or value not in VENDORS:
        raise InvalidInput("vendor", f"one of {', '.join(sorted(VENDORS))}", "mikrotik")
    return value


def _port(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= 65535:
        raise InvalidInput("coa_port", "a UDP port, 1 to 65535", 3799)
    return value


def _refuse_taken(tx: Transaction, values: Mapping[str, Any]) -> None:
    for field in ("name", "network"):
        if field in values:
            taken = tx.session.scalar(select(Nas).where(getattr(Nas, field) == values[field]))
            if taken is not None:
                what = f"the {field} {values[field]}"
                raise Conflict(f"{what} belongs to NAS {taken.name} already", nas_id=taken.id, nas_name=taken.name)


def _flush(tx: Transaction) -> None:
    """Write now; two requests that passed the look-up together meet in the unique constraint."""
    try:
        tx.session.flush()
    except IntegrityError as error:
        raise Conflict("another NAS was just given this name or network") from error
