"""Asking a NAS to change or end a session, over whatever transport its entry names.

Whoever decides about sessions calls `ask`; only this table knows how a request travels. A sender takes the settings,
the target, what identifies the session, the encoded changes (None: a Disconnect) and the time, and gives one of the
three results of `radius.dynauth`; it raises ValueError or OSError when nothing could be sent.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from core.columns import Address
from core.settings import Settings
from radius.codec import Attribute
from radius.dynauth import DynauthResult, Target, change_of_authorization, disconnect
from radius.dynauth_tls import over_tls
from radius.models import Nas

Sender = Callable[[Settings, Target, tuple[Attribute, ...], bytes | None, datetime], DynauthResult]


def lease_name(nas_id: int) -> str:
    """The lease under which one worker at a time changes or asks about the sessions of a NAS."""
    return f"nas:{nas_id}"


def target_of(nas: Nas, address: Address) -> Target:
    """Where the NAS listens, for a session whose packets come from `address`; holds the secret in the clear."""
    port = nas.radsec_port if nas.coa_transport == "radsec" else nas.coa_port
    secret = nas.secret.reveal().encode()
    return Target(address, port, secret, nas.coa_transport, nas.radsec_identity or "")


def ask(
    settings: Settings, target: Target, identity: tuple[Attribute, ...], changes: bytes | None, now: datetime
) -> DynauthResult:
    """Send a CoA with these changes, or a Disconnect (None), and wait for its result."""
    sender = SENDERS.get(target.transport)
    if sender is None:
        raise ValueError(f"CoA cannot be sent over {target.transport}")
    return sender(settings, target, identity, changes, now)


def over_udp(
    settings: Settings, target: Target, identity: tuple[Attribute, ...], changes: bytes | None, now: datetime
) -> DynauthResult:
    timeout, tries, source = settings.coa_timeout_seconds, settings.coa_tries, settings.coa_source_address
    if changes is None:
        return disconnect(target, identity, now=now, timeout=timeout, tries=tries, source_address=source)
    return change_of_authorization(
        target, identity, changes, now=now, timeout=timeout, tries=tries, source_address=source
    )


SENDERS: dict[str, Sender] = {"udp": over_udp, "radsec": over_tls}
"""By `Nas.coa_transport`."""
