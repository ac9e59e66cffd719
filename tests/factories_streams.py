"""Streams of accounting as a few routers might tell it: mostly Interims, some of them late, twice, odd or missing."""

from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_address
from typing import Any

from hypothesis import strategies as st

from radius import attributes as a
from radius.accounting import Received
from radius.codec import Attribute, integer
from tests.factories_accounting import FAST, INTERIM, NOW, ON, SLOW, START, STOP, acct_attributes, acct_request

_PREFIXES = tuple(b"\0\x38" + ip_address(text).packed[:7] for text in ("2001:db8:1::", "2001:db8:2::"))


@st.composite
def records(draw: st.DrawFn) -> list[Received]:
    """Records in order of receipt, from two days; of three session numbers on two NAS, one of them without a Class."""
    clock, beginnings = 0.0, [0.0]
    stream = []
    for _ in range(draw(st.integers(2, 14))):
        clock += draw(st.sampled_from([0, 0.5, 30, 300, 300, 300, 300, 700, 700, 20_000]))
        if draw(st.sampled_from([False] * 5 + [True])):
            beginnings.append(clock)  # the routers count their sessions from the beginning again
        stream.append(_record(draw, clock, beginnings))
    return stream


def _record(draw: st.DrawFn, clock: float, beginnings: list[float]) -> Received:
    at = NOW + timedelta(seconds=clock)
    status = draw(st.sampled_from([INTERIM] * 10 + [START, STOP, ON]))
    nas_id, source = draw(st.sampled_from([(1, "192.0.2.1")] * 4 + [(2, "192.0.2.2")]))
    if status == ON:
        return Received(nas_id, ip_address(source), at, acct_request(acct_attributes(ON, b"", b"")))
    odd = _Oddities(draw, draw(st.sampled_from(["none", "none", "none", "none", "some", "many"])))
    number = draw(st.sampled_from([1, 1, 1, 2, 2, 3]))
    began = odd.of(beginnings[-1], beginnings[0], beginnings[-1] - 1, clock)
    attributes = acct_attributes(
        status,
        b"s%d" % number,
        b"ana" if number < 3 else b"bia",
        *_line(odd, number),
        seconds=odd.of(int(clock - began), int(clock) + 1, None),
        octets=None if status == START else (_counter(odd, clock), _counter(odd, clock)),
        address=odd.of("100.64.0.9", "100.64.0.10", None),
        grant=None if number == 3 else odd.of(FAST, SLOW, None),
        subscription=odd.of(7, 8),
        event=odd.of(None, at, at - timedelta(seconds=300), at - timedelta(seconds=5_000), at - timedelta(days=2)),
        delay=odd.of(None, 0, 30),
    )
    return Received(nas_id, ip_address(source), at, acct_request(attributes))


class _Oddities:
    """Chooses between what is usual and what is not: never, sometimes or often."""

    def __init__(self, draw: st.DrawFn, how_many: str) -> None:
        self._draw = draw
        self._usual = {"none": 0, "some": 8, "many": 1}[how_many]

    def of(self, usual: Any, *others: Any) -> Any:
        if not self._usual:
            return usual
        return self._draw(st.sampled_from([usual] * self._usual * len(others) + list(others)))


def _line(odd: _Oddities, number: int) -> list[Attribute]:
    told = [
        (a.CALLING_STATION_ID, odd.of(b"02:00:5e:10:00:01", b"02:00:5e:10:00:02", None)),
        (a.NAS_PORT_ID, odd.of(b"ppp0", b"ppp1", None)),
        (a.DELEGATED_IPV6_PREFIX, odd.of(_PREFIXES[0], _PREFIXES[1], None) if number == 2 else None),
        (a.NAS_IP_ADDRESS, odd.of(b"\x0a\0\0\x01", b"\x0a\0\0\x02", None)),
        (a.NAS_PORT, integer(5)),
    ]
    return [(kind, value) for kind, value in told if value is not None]


def _counter(odd: _Oddities, clock: float) -> int:
    """What an honest counter would be, sometimes beyond 32 bits, sometimes lower than before."""
    return int(odd.of(int(clock) * 1_000, int(clock) << 20, 5))


@st.composite
def batches(draw: st.DrawFn) -> list[list[Received]]:
    """A stream, cut into the batches in which it is drained; some records come again."""
    stream = draw(records())
    for _ in range(draw(st.integers(0, 2))):
        again = draw(st.sampled_from(stream))
        stream.insert(draw(st.integers(0, len(stream))), again)
    drained: list[list[Received]] = [[]]
    for record in stream:
        drained[-1].append(record)
        if draw(st.sampled_from([False, False, True])):
            drained.append([])
    return [batch for batch in drained if batch]
