"""Commands on the NAS table. What a RADIUS host needs of it goes to the feed in the same transaction.

One network has one NAS, but networks may nest: the longest prefix wins (`radius.nas_table`). So a provider may
name a whole access network once and give a single router in it a secret of its own.

A NAS that speaks TLS (RFC 6614) is told by its certificate, `radsec_identity`. Its `network` stands for UDP alone, and
the address that it connects from does not matter; one without an address of its own is given any that nobody else has,
such as its loopback's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import ip_network
from typing import Any

from sqlalchemy import select
from sqlalchemy.exc import IntegrityError

from core.database import Transaction
from core.errors import Conflict, NotFound
from core.secrets import Secret
from radius import replica
from radius.fold import REMOVED
from radius.models import Nas, Session
from radius.nas_fields import check_transport, checked
from radius.nas_records import RADSEC_PORT, UDP, NasEntry, nas_key, pack_nas
from radius.session_end import end_sessions
from radius.vendors import VENDORS


@dataclass(frozen=True, slots=True)
class VendorDefaults:
    coa_port: int
    coa_echoes_class: bool


_DEFAULTS = {
    vendor.name: VendorDefaults(coa_port=vendor.coa_port, coa_echoes_class=False) for vendor in VENDORS.values()
}
_OTHER_VENDOR = VendorDefaults(coa_port=3799, coa_echoes_class=False)
"""RFC 5176 §2.1. No vendor is believed to adopt a Class from a CoA until somebody has seen it do so."""


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
    radsec_identity: str = "",
    coa_transport: str = UDP,
    radsec_port: int = RADSEC_PORT,
) -> Nas:
    """A new RADIUS client. `network` is an address or CIDR; what is None follows from the vendor.

    `radsec_identity` is the name in its certificate, "" for none (`radius.radsec_identity`); `coa_transport` "udp" or
    "radsec", to its `radsec_port`.

    InvalidInput names the field; Conflict the NAS that has the name or the network already.
    """
    defaults = _DEFAULTS.get(vendor, _OTHER_VENDOR)
    values = checked(
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
            "radsec_identity": radsec_identity,
            "coa_transport": coa_transport,
            "radsec_port": radsec_port,
        }
    )
    check_transport(values["coa_transport"], values["radsec_identity"])
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
    radsec_identity: str | None = None,
    coa_transport: str | None = None,
    radsec_port: int | None = None,
) -> Nas:
    """Change what is not None; the identity "" removes it. Errors as of `add_nas`, and NotFound."""
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
        "radsec_identity": radsec_identity,
        "coa_transport": coa_transport,
        "radsec_port": radsec_port,
    }
    values = checked({field: value for field, value in given.items() if value is not None})
    before = {field: getattr(nas, field) for field in values if getattr(nas, field) != values[field]}
    after = {field: values[field] for field in before}
    if not after:
        return nas
    check_transport(values.get("coa_transport", nas.coa_transport), values.get("radsec_identity", nas.radsec_identity))
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
    end_sessions(tx, Session.nas_id == nas_id, by=REMOVED, cause="NAS-Request", at=tx.now)
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
        radsec_identity=nas.radsec_identity or "",
        coa_transport=nas.coa_transport,
        radsec_port=nas.radsec_port,
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


def _refuse_taken(tx: Transaction, values: Mapping[str, Any]) -> None:
    for field in ("name", "network", "radsec_identity"):
        if values.get(field) is not None:
            taken = tx.session.scalar(select(Nas).where(getattr(Nas, field) == values[field]))
            if taken is not None:
                what = f"the {field} {values[field]}"
                raise Conflict(f"{what} belongs to NAS {taken.name} already", nas_id=taken.id, nas_name=taken.name)


def _flush(tx: Transaction) -> None:
    """Write now; two requests that passed the look-up together meet in the unique constraint."""
    try:
        tx.session.flush()
    except IntegrityError as error:
        raise Conflict("another NAS was just given this name, network or identity") from error
