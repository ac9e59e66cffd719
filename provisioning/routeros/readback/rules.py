"""Whether a router's own rows show what a session was told by CoA. Pure.

What RADIUS gives a session stands on a MikroTik as a dynamic simple queue, whose `max-limit` is `upload/download` from
the router's side (RouterOS manual, Queues, PPP AAA, Hotspot):

    PPP      `<pppoe-LOGIN>`, with the service that /ppp/active shows: l2tp, pptp, sstp, ovpn
    hotspot  `<hotspot-LOGIN>`
    DHCP     a queue whose target is the leased address

The queue shows the rate, which is all of a CoA that can be seen there: it says nothing of the PPP profile (Group).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from radius.policy import Policy

ACTIVE, QUEUES = "/ppp/active", "/queue/simple"
ACTIVE_FIELDS = ("name", "service", "address")
QUEUE_FIELDS = ("name", "target", "max-limit", "dynamic")
AT_ONCE = 50
"""Sessions that one query names."""

Row = Mapping[str, str]
SETTLING = timedelta(seconds=2)
"""A router may take a moment to do what it has acknowledged."""
PATIENCE = timedelta(minutes=2)
"""A session of which the rows tell nothing for so long is left as it is: acknowledged."""
_UNITS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}
_RATE = re.compile(r"(\d+)([kMG]?)")


@dataclass(frozen=True, slots=True)
class Question:
    """A session whose NAS acknowledged the policy `fingerprint`; `rate` is upload and download in bits per second.

    0 is no limit; `address` is "" where it is not known.
    """

    session_id: int
    login: str
    address: str
    fingerprint: str
    rate: tuple[int, int]
    acked_at: datetime


def tells(before: Policy | None, after: Policy) -> bool:
    """Whether the rate can prove that a session went from one policy to the other, or there and back again."""
    if before is None or before == after:
        return before is not None
    return before.group == after.group and rate_of(before) != rate_of(after)


def rate_of(policy: Policy) -> tuple[int, int]:
    """Upload and download, 0 where there is no limit: as the queue words it."""
    return policy.upload_bps or 0, policy.download_bps or 0


def any_of(words: Iterable[tuple[str, str]]) -> list[str]:
    """The query for rows of which one of these fields has its value."""
    asked = [f"?{name}={value}" for name, value in words]
    return asked + ["?#|"] * (len(asked) - 1)


def active_query(questions: Sequence[Question]) -> list[str]:
    return any_of(("name", login) for login in dict.fromkeys(question.login for question in questions))


def queue_query(questions: Sequence[Question], active: Sequence[Row]) -> list[str]:
    """The queues that the sessions may have, by what is active."""
    return any_of(dict.fromkeys(word for question in questions for word in _places(question, active)))


def verdict(question: Question, active: Sequence[Row], queues: Sequence[Row]) -> bool | None:
    """True: the session runs the policy; False: it does not; None: the rows do not tell."""
    calls = _calls(question, active)
    if len(calls) > 1:
        return None  # several lines of one login: nothing tells which queue is whose
    places = set(_places(question, active))
    mine = [queue for queue in queues if places & {(field, queue.get(field, "")) for field in ("name", "target")}]
    dynamic = [queue for queue in mine if queue.get("dynamic") in ("true", "yes")]
    if len(dynamic) > 1 or (mine and not dynamic):
        return None  # somebody else's queue decides
    if not dynamic:
        return question.rate == (0, 0) if calls else None
    limit = read_rate(dynamic[0].get("max-limit", ""))
    return None if limit is None else limit == question.rate


def is_final(question: Question, runs: bool | None, now: datetime) -> bool:
    """Whether the verdict stands; else it is worth reading again."""
    age = now - question.acked_at
    return runs is True or age >= (PATIENCE if runs is None else SETTLING)


def read_rate(text: str) -> tuple[int, int] | None:
    """`2M/1000000` → (2000000, 1000000); one number is of both directions; "" is no limit. None for anything else."""
    first, slash, second = (text or "0").partition("/")
    both = [_bits(first), _bits(second if slash else first)]
    return None if both[0] is None or both[1] is None else (both[0], both[1])


def _bits(text: str) -> int | None:
    found = _RATE.fullmatch(text.strip())
    return int(found[1]) * _UNITS[found[2]] if found else None


def _calls(question: Question, active: Sequence[Row]) -> list[Row]:
    return [row for row in active if row.get("name") == question.login]


def _places(question: Question, active: Sequence[Row]) -> list[tuple[str, str]]:
    """Field and value by which the session's queue is known."""
    calls = _calls(question, active)
    if calls:
        return [("name", f"<{row.get('service') or 'pppoe'}-{question.login}>") for row in calls]
    leased = [("target", f"{question.address}/32")] if question.address else []
    return [("name", f"<hotspot-{question.login}>"), *leased]
