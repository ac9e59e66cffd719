"""The questions that find the rows of a few subscriptions, so that a payment does not read a whole router. Pure.

Rows of ours are found by their comment: those from `catraca:s42:` up to `catraca:s42;`, with whatever people wrote
behind the mark, and each desired key exactly, should a release not compare text. Whatever has a name or address that is
wanted is found too, whoever's it is. What is missed all the same is found by the next full read.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice

from provisioning.routeros.connection import Read, RouterVersion
from provisioning.routeros.mark import PREFIX, comment_of
from provisioning.routeros.menus import MENUS, observed_row, proplist
from provisioning.routeros.notation import address
from provisioning.routeros.plan.owners import session_queues
from provisioning.routeros.rows import Desired, DesiredRow, Menu, ObservedRow

AT_ONCE = 100
"""Alternatives in one question."""
_NOT_ASKED = frozenset({Menu.FILTER, Menu.NAT})
_ADDRESSES = ("remote-address", "target", "address", "src-address", "dst-address", "gateway")
_COMMENTED = ("?>comment=",)
"""Source: the RouterOS manual, API, "Queries": what has a comment that is not empty."""
Alternative = tuple[str, ...]
"""Query words that leave one answer on the stack of the router."""


def queries(desired: Desired, menus: Collection[Menu], version: RouterVersion) -> list[Read]:
    """Questions for the subscriptions that `desired` is of, in the menus that are read on this router.

    The walled garden is not asked for: a partial plan leaves it alone. `address_queries` follow upon the answers.
    """
    return [
        read
        for menu in sorted(set(menus) - _NOT_ASKED)
        for read in _reads(menu, dict.fromkeys(_alternatives(menu, desired)), version)
    ]


def whole_reads(desired: Desired, menus: Collection[Menu], version: RouterVersion) -> list[Read]:
    """Questions for all of a router that a plan looks at, without what may be there by the hundred thousand.

    Of address lists (block lists of others) and routes (a full table): what has a comment, as every row of ours has,
    and what is in lists of ours or to networks that are wanted.
    """
    narrowed = {
        Menu.ADDRESS_LIST: [_equal("list", name) for name in sorted(_lists(desired))],
        Menu.ROUTE: [
            _equal("dst-address", row.fields["dst-address"]) for row in desired.rows if row.menu is Menu.ROUTE
        ],
    }
    return [
        read
        for menu in sorted(set(menus))
        for read in (
            _reads(menu, dict.fromkeys([_COMMENTED, *narrowed[menu]]), version)
            if menu in narrowed
            else [Read(str(menu), proplist(menu, version))]
        )
    ]


def address_queries(active: Iterable[ObservedRow], version: RouterVersion) -> list[Read]:
    """Questions for the lists that live sessions' addresses are in. `active`: rows of `/ppp/active`."""
    found = sorted({row.fields.get("address", "") for row in active if row.menu is Menu.PPP_ACTIVE} - {""})
    return list(_reads(Menu.ADDRESS_LIST, dict.fromkeys(_equal("address", one) for one in found), version))


def rows_found(
    answers: Iterable[tuple[Read, Sequence[Mapping[str, str]]]], version: RouterVersion
) -> tuple[ObservedRow, ...]:
    """What the questions found, each row once."""
    rows: dict[tuple[Menu, str], ObservedRow] = {}
    for read, found in answers:
        for raw in found:
            menu = Menu(read.path)
            rows.setdefault((menu, raw.get(".id", "")), observed_row(menu, raw, len(rows), version))
    return tuple(rows.values())


def _reads(menu: Menu, alternatives: Iterable[Alternative], version: RouterVersion) -> Iterator[Read]:
    left = iter(alternatives)
    while some := list(islice(left, AT_ONCE)):
        any_of = ("?#" + "|" * (len(some) - 1),) if len(some) > 1 else ()
        yield Read(str(menu), proplist(menu, version), (*(word for words in some for word in words), *any_of))


def _alternatives(menu: Menu, desired: Desired) -> Iterator[Alternative]:
    logins = [session.login for session in desired.sessions]
    own = [row for row in desired.rows if row.menu is menu and not row.key.startswith("garden:")]
    if menu in (Menu.PPP_ACTIVE, Menu.PPP_SECRET):
        yield from (_equal("name", login) for login in logins)
    if menu is Menu.SIMPLE_QUEUE:
        yield from (_equal("name", name) for login in logins for name in session_queues(login))
        yield from (_equal("target", row.fields["target"]) for row in own)
    if menu is Menu.ADDRESS_LIST:
        yield from (_equal("address", one) for one in _addresses(desired.rows))
    if MENUS[menu].columns:
        yield from _marked(menu, desired)
        for row in own:
            yield _equal("comment", comment_of(row.key))
            yield from _named(row)


def _marked(menu: Menu, desired: Desired) -> Iterator[Alternative]:
    """All rows of each subscription: what begins with its mark."""
    for number in sorted(desired.served | desired.absent) if menu is not Menu.PPP_PROFILE else ():
        yield f"?>comment={PREFIX}s{number}:", f"?<comment={PREFIX}s{number};", "?#&"


def _named(row: DesiredRow) -> Iterator[Alternative]:
    """Whatever is where the row wants to be."""
    for names in MENUS[row.menu].naturals:
        if row.fields.get(names[-1]):
            words = [f"?{name}={row.fields[name]}" for name in names]
            yield (*words, *(["?#" + "&" * (len(words) - 1)] if len(words) > 1 else []))


def _lists(desired: Desired) -> frozenset[str]:
    """The lists that are ours, and those that somebody of ours is in."""
    own = {row.fields["list"] for row in desired.rows if row.menu is Menu.ADDRESS_LIST}
    return frozenset(own).union(*(session.other_lists | session.address_lists for session in desired.sessions))


def _addresses(rows: Iterable[DesiredRow]) -> list[str]:
    """The addresses of subscriptions, as an address list shows them."""
    values = (row.fields.get(name, "") for row in rows if row.subscription_id for name in _ADDRESSES)
    found = {address(part) for value in values for part in value.split(",")}
    return sorted(one for one in found if one and ":" not in one)


def _equal(name: str, value: str) -> Alternative:
    return (f"?{name}={value}",)
