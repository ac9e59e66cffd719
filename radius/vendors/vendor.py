"""What a vendor is: a table of rows, one for each aspect of a session, and the few decisions drawn from it.

Adding a vendor is adding a module with one `Vendor` and a line in the table of `radius.vendors`; nothing else in
the product asks which vendor a NAS is of. What a CoA changes is said by the rows alone, so there is one
`coa_changes` for all vendors.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address

from radius.attributes import ACCT_SESSION_ID, FRAMED_IP_ADDRESS, NAS_IP_ADDRESS, USER_NAME
from radius.codec import Attribute, encode_attributes
from radius.policy import Policy
from radius.vendors.aspects import FIELDS, Aspect, Change, Row, interim_words


@dataclass(frozen=True, slots=True)
class SessionIdentity:
    """What accounting told about a live session, in the NAS's own octets."""

    user_name: bytes
    acct_session_id: bytes
    framed_ip_address: IPv4Address | None = None
    nas_ip_address: IPv4Address | None = None
    """NAS-IP-Address as the NAS itself reports it, which may differ from where its packets come from."""


@dataclass(frozen=True, slots=True)
class Vendor:
    """How one kind of NAS is spoken to.

    `rows` has every aspect, in the order in which a reply says them. `identified_by`: the attributes that name a
    session in a CoA or Disconnect; all that are sent must match (RFC 5176 §3), so only what the vendor documents or
    every NAS keeps. `class_by_coa`: whether a CoA may carry Class; some NAS refuse a CoA for an attribute that they do
    not change. `probe`: the aspect that is said again, unchanged, to learn whether the NAS knows a session.
    `walled_garden` and `set_up` are for the documentation.
    """

    name: str
    title: str
    rows: Mapping[Aspect, Row]
    identified_by: tuple[int, ...]
    walled_garden: str
    coa_port: int = 3799
    class_by_coa: bool = True
    probe: Aspect = Aspect.INTERIM
    set_up: str = ""

    def reply(self, policy: Policy) -> bytes:
        """The encoded attributes of an Access-Accept."""
        return encode_attributes(attribute for row in self.rows.values() for attribute in row.words(policy))

    def coa_changes(self, old: Policy, new: Policy) -> tuple[Attribute, ...] | None:
        """The attributes of a CoA-Request that takes a live session from one policy to the other.

        () when the NAS need not be told; None when only a Disconnect (and the new session) brings it there.
        """
        undone: list[Attribute] = []
        said: list[Attribute] = []
        for row, change in self._differences(old, new):
            if change is Change.SESSION:
                return None
            if change is Change.COA:
                undone += row.undo(old)
                said += row.words(new)
        return (*undone, *said)

    def _differences(self, old: Policy, new: Policy) -> Iterator[tuple[Row, Change]]:
        """The rows that the vendor would hear differently, each with what that takes."""
        for aspect, row in self.rows.items():
            if row.words(old) != row.words(new):
                gone = any(_has(old, field) and not _has(new, field) for field in FIELDS[aspect])
                yield row, row.removal if gone else row.change

    def unchanged(self, policy: Policy) -> tuple[Attribute, ...]:
        """Attributes of a CoA-Request that leaves a session of this policy as it is; never ()."""
        return self.rows[self.probe].words(policy) or interim_words(policy)

    def identification(self, session: SessionIdentity) -> tuple[Attribute, ...]:
        """The attributes that find the session in a CoA or Disconnect request."""
        known: dict[int, bytes | None] = {
            USER_NAME: session.user_name,
            ACCT_SESSION_ID: session.acct_session_id,
            FRAMED_IP_ADDRESS: None if session.framed_ip_address is None else session.framed_ip_address.packed,
            NAS_IP_ADDRESS: None if session.nas_ip_address is None else session.nas_ip_address.packed,
        }
        return tuple((kind, value) for kind in self.identified_by if (value := known[kind]) is not None)


def _has(policy: Policy, field: str) -> bool:
    return getattr(policy, field) not in (None, "")
