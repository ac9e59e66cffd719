"""Whether somebody who has proven who he is may come in from here, now. Pure.

These checks come after the password, so that a stranger learns nothing of them, and in this order: the caller, the NAS,
the port, the number of sessions. The first that fails is the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from radius.access_request import AccessRequest
from radius.attributes import CALLING_STATION_ID
from radius.line import Line, ports_of, told, told_caller
from radius.mac_address import read_mac
from radius.presence import in_the_way
from radius.records import Limits
from radius.refusal import Reject

NasName = Callable[[int], str]
"""A NAS as people call it, by its id."""


def refused_line(
    limits: Limits, request: AccessRequest, nas_id: int, key: bytes, nas_name: NasName = str
) -> Reject | None:
    """Why `limits` do not let the record under `key` be used from where this request comes from; None: they do."""
    if limits.mac is not None and caller_mac(request, key) != limits.mac:
        return Reject("mac_not_bound", f"bound to {_mac(limits.mac)}, called from {_caller(request, key)}")
    if limits.nas_id is not None and limits.nas_id != nas_id:
        return Reject("nas_not_allowed", f"only at NAS {nas_name(limits.nas_id)}, called at {nas_name(nas_id)}")
    if limits.nas_port:
        ports = ports_of(request)
        if limits.nas_port.encode() not in ports:
            return Reject("port_not_allowed", f"only at port {limits.nas_port}, called at {told(ports[0]) or 'none'}")
    return None


def caller_mac(request: AccessRequest, key: bytes) -> bytes | None:
    """The six octets that the call came from; None when the NAS tells no MAC address.

    What is not known to be the bound address is not it: such a request is refused. A record that is found by its MAC
    address (IPoE) is called from that address where the NAS does not repeat it.
    """
    mac = read_mac(request.value(CALLING_STATION_ID) or b"")
    return key[1:] if mac is None and key.startswith(b"m") else mac


def refused_session(limits: Limits, live: Sequence[Line], line: Line, nas_name: NasName = str) -> Reject | None:
    """Why there is no session more to be had; None: there is."""
    other = in_the_way(live, limits.sessions, line)
    if other is None:
        return None
    place = f"at NAS {nas_name(other.nas_id)}" + (f" port {told(other.port)}" if other.port else "")
    caller = f" from {told_caller(other.caller)}" if other.caller else ""
    which = "other session" if len(live) == 1 else f"{len(live)} other sessions, the last"
    return Reject("session_limit", f"{which}{caller} {place}")


def _caller(request: AccessRequest, key: bytes) -> str:
    mac = caller_mac(request, key)
    if mac is not None:
        return _mac(mac)
    return told(request.value(CALLING_STATION_ID) or b"") or "an unknown address"


def _mac(octets: bytes) -> str:
    return octets.hex(":").upper()
