"""What differs between RouterOS 6.49 and the 7.x releases, in one table. Pure.

Everything that asks for a version asks here, by the difference's name. A column of a menu is named `<menu> <field>`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from provisioning.routeros.connection import RouterVersion


@dataclass(frozen=True, slots=True)
class Difference:
    """Present from `since` on (None: always) and no longer at `until` (None: to this day); `words` say what it is."""

    words: str
    since: RouterVersion | None = None
    until: RouterVersion | None = None

    def holds(self, version: RouterVersion) -> bool:
        number = order(version)
        begun = self.since is None or number >= order(self.since)
        return begun and (self.until is None or number < order(self.until))


def order(version: RouterVersion) -> tuple[int, int, int]:
    """What versions are compared by."""
    return version.major, version.minor, version.patch


_V6_43, _V7, _V7_18 = RouterVersion(6, 43), RouterVersion(7, 0), RouterVersion(7, 18)

DIFFERENCES: Mapping[str, Difference] = {
    "challenge-login": Difference("the API's login answers an MD5 challenge", until=_V6_43),
    "empty-sentence": Difference("a read that finds nothing is answered `!empty` before `!done`", since=_V7_18),
    "ipv6-package": Difference("the menus of `/ipv6` need the package ipv6, which may be off", until=_V7),
    "routing-mark": Difference("`/ip/route` names another table by `routing-mark`, not `routing-table`", until=_V7),
    "absent-flags": Difference("flags such as `dynamic` are left out of a row where they do not hold", since=_V7),
    "/ppp/secret ipv6-routes": Difference("a secret routes IPv6 networks to its session", since=_V7),
}
"""Sources: the RouterOS manual and changelog, and the Ansible collection community.routeros's table of fields."""


def has(version: RouterVersion, name: str) -> bool:
    """Whether `version` has what the table calls `name`; what the table does not name is in every version."""
    difference = DIFFERENCES.get(name)
    return difference is None or difference.holds(version)
