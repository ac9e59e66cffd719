"""Whom the rows of a router belong to, by what the product knows: pure.

A secret is known by its login, a lease or ip-binding by its MAC address, a queue or list entry by the fixed address.
Logins count letter by letter, as RADIUS and RouterOS count them.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from core.secrets import Secret
from core.units import format_rate
from provisioning.routeros.adoption.facts import (
    Candidate,
    Group,
    Known,
    KnownPlan,
    KnownSubscription,
    Left,
    Rate,
    Remark,
    Report,
    Verdict,
)
from provisioning.routeros.adoption.grouping import group_rows, is_on, within
from provisioning.routeros.adoption.guesses import Subscribers, guess_plan
from provisioning.routeros.rows import Access, Menu, ObservedRow

HIDDEN = "•••"


def match(rows: Iterable[ObservedRow], known: Known) -> Report:
    """Compare the rows of a router, as they were read, with what is known."""
    groups, left = group_rows(rows, {one.address for one in known.subscriptions if one.address})
    matcher = _Matcher(known, groups)
    candidates = _refuse_shared([matcher.candidate(group) for group in groups])
    return Report(tuple(candidates), tuple(_with_local_address(one, known) for one in left))


def shown_rate(rate: Rate | None) -> str:
    """`50M/100M`, upload first as RouterOS has it; "" for none."""
    return "/".join(format_rate(bps) for bps in rate) if rate else ""


def _with_local_address(left: Left, known: Known) -> Left:
    """A profile whose local address our own profiles would not have: sessions could come up without one."""
    there = left.row.fields.get("local-address", "")
    if left.why.code != "profile" or not there or there == known.local_address:
        return left
    return Left(left.row, Remark("profile_local", {"address": there, "ours": known.local_address or "-"}))


@dataclass
class _Found:
    """What speaks for a match and against it."""

    subscription: KnownSubscription | None = None
    conflicts: list[Remark] = field(default_factory=list)


class _Matcher:
    def __init__(self, known: Known, groups: Sequence[Group]) -> None:
        self._known = known
        self._by_login = {one.login: one for one in known.subscriptions if one.login}
        self._by_folded = {one.login.casefold(): one for one in known.subscriptions if one.login}
        self._by_mac = {mac: one for one in known.subscriptions for mac in (one.bound_mac, one.mac) if mac}
        self._by_address = {one.address: one for one in known.subscriptions if one.address}
        self._subscribers = Subscribers(known.subscribers)
        self._logins = Counter(group.login for group in groups if group.login)
        self._addresses = Counter(group.address for group in groups if group.address)
        self._macs = Counter(group.mac for group in groups if group.mac and group.access is not Access.PPP)

    def candidate(self, group: Group) -> Candidate:
        suspended = tuple(_signs_of_suspension(group, self._known.restricting))
        found = self._find(group)
        conflicts = [*found.conflicts, *self._twins(group)]
        plan = guess_plan(group, self._known.plans)
        base = Candidate(
            group, Verdict.NEW, plan_id=plan.id if plan else None, remarks=suspended, suspended=bool(suspended)
        )
        if conflicts:
            there = found.subscription.id if found.subscription else None
            return replace(base, verdict=Verdict.CONFLICT, subscription_id=there, remarks=(*conflicts, *suspended))
        if found.subscription is not None:
            return self._known_one(base, found.subscription)
        return self._new_one(base, plan)

    def _find(self, group: Group) -> _Found:
        by_address = self._by_address.get(group.address)
        by_name = self._by_login.get(group.login) if group.access is Access.PPP else self._by_mac.get(group.mac)
        if by_name is not None and by_address is not None and by_name.id != by_address.id:
            return _Found(by_name, [_of("address_of_other", by_address, address=group.address)])
        if group.access is Access.PPP and by_name is None:
            return _Found(None, list(self._login_only(group, by_address)))
        if by_name is None and by_address is not None and group.mac and by_address.mac:
            return _Found(by_address, [_of("other_mac", by_address, mac=group.mac, theirs=by_address.mac)])
        return _Found(by_name or by_address)

    def _login_only(self, group: Group, by_address: KnownSubscription | None) -> Iterator[Remark]:
        """A login that nobody has: whether it is somebody's all the same."""
        if by_address is not None:
            yield _of("address_of_other", by_address, address=group.address)
        elif (almost := self._by_folded.get(group.login.casefold())) is not None:
            yield _of("login_but_for_case", almost, login=almost.login)

    def _twins(self, group: Group) -> Iterator[Remark]:
        if self._logins[group.login] > 1:
            yield Remark("login_twice", {"login": group.login})
        if self._addresses[group.address] > 1:
            yield Remark("address_twice", {"address": group.address})
        if group.access is not Access.PPP and self._macs[group.mac] > 1:
            yield Remark("mac_twice", {"mac": group.mac})

    def _known_one(self, base: Candidate, one: KnownSubscription) -> Candidate:
        differs = dict(_differences(base.group, one))
        remarks = [*base.remarks, *_remarks_on(base, one)]
        contradiction = base.suspended != one.restricted
        if contradiction:
            code = "suspended_here" if base.suspended else "restricted_by_facts"
            remarks.append(Remark(code, {"state": one.state}))
        verdict = Verdict.DIFFERS if differs or contradiction else Verdict.MATCHED
        return replace(
            base, verdict=verdict, subscription_id=one.id, subscriber_id=one.subscriber_id, plan_id=one.plan_id,
            guess_name=one.subscriber_name, differs=differs, remarks=tuple(remarks),
        )  # fmt: skip

    def _new_one(self, base: Candidate, plan: KnownPlan | None) -> Candidate:
        group = base.group
        who = self._subscribers.guess((*group.comments, group.login, group.main.fields.get("name", "")))
        remarks = [*base.remarks, *who.remarks, *self._missing(group, plan)]
        disabled = is_on(group.main)
        return replace(
            base, verdict=Verdict.IGNORED if disabled else Verdict.NEW, remarks=tuple(remarks),
            subscriber_id=who.subscriber_id, guess_document=who.document, guess_name=who.name,
        )  # fmt: skip

    def _missing(self, group: Group, plan: KnownPlan | None) -> Iterator[Remark]:
        if plan is None:
            rate = shown_rate(group.rate)
            yield Remark("no_plan", {"rate": rate}) if rate else Remark("no_rate")
        if group.access is Access.PPP and not group.password:
            yield Remark("password_unseen")
        if group.address and not within(group.address, self._known.subnets):
            yield Remark("no_subnet", {"address": group.address})


def _of(code: str, one: KnownSubscription, **values: str) -> Remark:
    return Remark(code, {"subscription": str(one.id), "name": one.subscriber_name, **values})


def _signs_of_suspension(group: Group, restricting: frozenset[str]) -> Iterator[Remark]:
    if is_on(group.main):
        yield Remark("disabled")
    for row in group.rows:
        if row.menu is Menu.ADDRESS_LIST and row.fields.get("list") in restricting and not is_on(row):
            yield Remark("listed", {"list": row.fields["list"]})
    if group.main.menu is Menu.IP_BINDING and group.main.fields.get("type") == "blocked":
        yield Remark("blocked")
    if group.main.fields.get("block-access") in ("true", "yes"):
        yield Remark("blocked")


def _differences(group: Group, one: KnownSubscription) -> Iterator[tuple[str, tuple[str, str]]]:
    if group.access is Access.PPP and group.password and Secret(group.password) != one.password:
        yield "password", (HIDDEN, HIDDEN if one.password else "")
    if group.address != one.address:
        yield "address", (group.address, one.address)
    if group.pool and group.pool != one.pool and not one.address:
        yield "pool", (group.pool, one.pool)
    if group.mac and group.mac != _mac_of(group, one):
        yield "mac", (group.mac, _mac_of(group, one))
    if (group.rate or one.rate) and group.rate != one.rate:
        yield "rate", (shown_rate(group.rate), shown_rate(one.rate))


def _mac_of(group: Group, one: KnownSubscription) -> str:
    return one.bound_mac if group.access is Access.PPP else one.mac or one.bound_mac


def _remarks_on(base: Candidate, one: KnownSubscription) -> Iterator[Remark]:
    group = base.group
    if group.access is Access.PPP and not group.password:
        yield Remark("password_unseen")
    if one.other_routers:
        yield Remark("served_elsewhere", {"routers": ", ".join(one.other_routers)})
    elsewhere = group.access in (Access.DHCP, Access.STATIC) and not group.address and not one.address
    if elsewhere:
        yield Remark("no_address")


def _refuse_shared(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Two candidates of one subscription are a conflict, both of them."""
    places: Mapping[int, list[int]] = defaultdict(list)
    for place, candidate in enumerate(candidates):
        if candidate.subscription_id is not None and candidate.verdict is not Verdict.CONFLICT:
            places[candidate.subscription_id].append(place)
    found = list(candidates)
    for key, same in places.items():
        for place in same if len(same) > 1 else ():
            others = ", ".join(found[other].group.name for other in same if other != place)
            remark = Remark("same_subscription", {"subscription": str(key), "others": others})
            before = found[place]
            found[place] = replace(before, verdict=Verdict.CONFLICT, remarks=(remark, *before.remarks))
    return found
