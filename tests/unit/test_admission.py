"""Who has the right password may still have the wrong line: every row is a call and what comes of it."""

from __future__ import annotations

from pathlib import Path

import pytest

from radius.attributes import CALLING_STATION_ID, NAS_PORT
from radius.line import Line
from radius.policy import Denial
from radius.records import Limits
from radius.reject_note import RejectNote
from tests.factories_auth import NOW, SECRET, Rig, always, entries, mac_record, nas, opened, record
from tests.factories_calls import CALLER, IPOE, LENIENT, STRANGER, STRICT, call, connected, heard, mac_request

BOUND = Limits(mac=bytes.fromhex("02005e10000a"))
AT_NAS_2 = Limits(nas_id=2)
AT_PORT = Limits(nas_id=1, nas_port="ether2")
WRONG = b"errado"

LINES: dict[str, tuple[Limits, bytes, str, tuple[str, str]]] = {
    "anywhere": (Limits(), call(), STRICT, ("accept", "")),
    "bound": (BOUND, call(), STRICT, ("accept", "")),
    "bound, in dots": (BOUND, call(b"0200.5e10.000a"), STRICT, ("accept", "")),
    "bound, as MikroTik's DHCP has it": (BOUND, call(b"1:2:0:5e:10:0:a"), STRICT, ("accept", "")),
    "bound to another": (
        BOUND,
        call(STRANGER),
        STRICT,
        ("mac_not_bound", "bound to 02:00:5E:10:00:0A, called from 02:00:5E:10:00:0B"),
    ),
    "bound, called from what is no MAC address": (
        BOUND,
        call(b"+55 19 99999-0000"),
        STRICT,
        ("mac_not_bound", "bound to 02:00:5E:10:00:0A, called from +55 19 99999-0000"),
    ),
    "bound, called from control characters": (
        BOUND,
        call(b"\x1b[2J"),
        STRICT,
        ("mac_not_bound", "bound to 02:00:5E:10:00:0A, called from hex:1b5b324a"),
    ),
    "bound, caller untold": (
        BOUND,
        call(b""),
        STRICT,
        ("mac_not_bound", "bound to 02:00:5E:10:00:0A, called from an unknown address"),
    ),
    "at its NAS": (AT_NAS_2, call(), LENIENT, ("accept", "")),
    "at another NAS": (AT_NAS_2, call(), STRICT, ("nas_not_allowed", "only at NAS pop-2, called at pop-1")),
    "at a NAS that is gone": (
        Limits(nas_id=99),
        call(),
        STRICT,
        ("nas_not_allowed", "only at NAS 99, called at pop-1"),
    ),
    "at its port": (AT_PORT, call(), STRICT, ("accept", "")),
    "at its port by number": (
        Limits(nas_id=1, nas_port="7"),
        call(CALLER, b"", (NAS_PORT, (7).to_bytes(4))),
        STRICT,
        ("accept", ""),
    ),
    "at its port by number, beside a name": (
        Limits(nas_id=1, nas_port="7"),
        call(CALLER, b"ether2", (NAS_PORT, (7).to_bytes(4))),
        STRICT,
        ("accept", ""),
    ),
    "at another port": (
        AT_PORT,
        call(CALLER, b"ether3"),
        STRICT,
        ("port_not_allowed", "only at port ether2, called at ether3"),
    ),
    "port untold": (AT_PORT, call(CALLER, b""), STRICT, ("port_not_allowed", "only at port ether2, called at none")),
    "the caller is asked before the NAS": (
        Limits(1, BOUND.mac, 2, "x"),
        call(STRANGER),
        STRICT,
        ("mac_not_bound", "bound to 02:00:5E:10:00:0A, called from 02:00:5E:10:00:0B"),
    ),
    "the NAS is asked before the port": (
        Limits(1, BOUND.mac, 2, "x"),
        call(),
        STRICT,
        ("nas_not_allowed", "only at NAS pop-2, called at pop-1"),
    ),
    "a stranger learns nothing": (Limits(1, BOUND.mac, 2, "x"), call(password=WRONG), STRICT, ("wrong_password", "")),
}


class Told:
    """A rig that tells of its last reject; the machine's clock is at `machine`."""

    def __init__(self, directory: Path, *things: object) -> None:
        self.notes: list[RejectNote] = []
        self.machine = NOW.timestamp()
        pops = nas(1, STRICT, name="pop-1"), nas(2, LENIENT, name="pop-2"), nas(3, IPOE, mac_auth=True)
        self.rig = Rig(
            directory,
            *pops,
            *things,  # type: ignore[arg-type]
            reject_delay_seconds=0.0,
            note=self.notes.append,
            machine_clock=lambda: self.machine,
        )

    def ask(self, request: bytes, source: str = STRICT) -> tuple[str, str]:
        code = opened(self.rig.send(request, (source, 40_000)), request, SECRET).code
        return ("accept", "") if code == 2 else (self.notes[-1].reason, self.notes[-1].detail)


@pytest.mark.parametrize(("limits", "request_", "source", "answer"), LINES.values(), ids=LINES.keys())
def test_which_lines_may_come_in(
    tmp_path: Path, limits: Limits, request_: bytes, source: str, answer: tuple[str, str]
) -> None:
    told = Told(tmp_path, record(limits=limits))
    assert told.ask(request_, source) == answer
    told.rig.close()


def test_a_denial_is_the_reason_before_any_line(tmp_path: Path) -> None:
    told = Told(tmp_path, record(spans=always(Denial("suspended")), limits=Limits(1, BOUND.mac, 2)))
    assert told.ask(call(STRANGER)) == ("suspended", "")
    told.rig.close()


IPOE_CALLS = {
    "caller untold": (mac_request(), ("accept", "")),
    "the same caller": (mac_request(b"02005e100001", b"", (CALLING_STATION_ID, b"02-00-5E-10-00-01")), ("accept", "")),
    "no MAC address": (mac_request(b"02005e100001", b"", (CALLING_STATION_ID, b"ether2")), ("accept", "")),
}


@pytest.mark.parametrize(("request_", "answer"), IPOE_CALLS.values(), ids=IPOE_CALLS.keys())
def test_who_is_found_by_a_mac_address_calls_from_it(tmp_path: Path, request_: bytes, answer: tuple[str, str]) -> None:
    told = Told(tmp_path, mac_record(limits=Limits(mac=bytes.fromhex("02005e100001"))))
    assert told.ask(request_, IPOE) == answer
    told.rig.close()


def test_a_mac_record_bound_to_another_address_is_refused(tmp_path: Path) -> None:
    told = Told(tmp_path, mac_record(limits=BOUND))
    assert told.ask(mac_request(), IPOE)[0] == "mac_not_bound"
    told.rig.close()


OTHER = Line(1, STRANGER, b"3")
SESSIONS: dict[str, tuple[Limits, tuple[Line, ...], bytes, tuple[str, str]]] = {
    "no session": (Limits(), (), call(), ("accept", "")),
    "its own, from before the power went": (Limits(), (Line(1, CALLER, b"ether2"),), call(), ("accept", "")),
    "its own, at another NAS": (Limits(), (Line(2, CALLER, b"x"),), call(), ("accept", "")),
    "its own, by the port": (Limits(), (Line(1, b"", b"ether2"),), call(), ("accept", "")),
    "another": (
        Limits(),
        (OTHER,),
        call(),
        ("session_limit", "other session from 02:00:5E:10:00:0B at NAS pop-1 port 3"),
    ),
    "another at the port that both share": (
        Limits(),
        (Line(1, STRANGER, b"ether2"),),
        call(),
        ("session_limit", "other session from 02:00:5E:10:00:0B at NAS pop-1 port ether2"),
    ),
    "another of which little is known": (Limits(), (Line(77),), call(), ("session_limit", "other session at NAS 77")),
    "one of two": (Limits(sessions=2), (OTHER,), call(), ("accept", "")),
    "two of two": (
        Limits(sessions=2),
        (Line(2, b"02:00:5e:10:00:0c"), OTHER),
        call(),
        ("session_limit", "2 other sessions, the last from 02:00:5E:10:00:0B at NAS pop-1 port 3"),
    ),
    "any number": (Limits(sessions=0), (OTHER, OTHER, OTHER), call(), ("accept", "")),
    "a stranger learns nothing": (Limits(), (OTHER,), call(password=WRONG), ("wrong_password", "")),
}


@pytest.mark.parametrize(("limits", "live", "request_", "answer"), SESSIONS.values(), ids=SESSIONS.keys())
def test_how_many_sessions_there_may_be(
    tmp_path: Path, limits: Limits, live: tuple[Line, ...], request_: bytes, answer: tuple[str, str]
) -> None:
    told = Told(tmp_path, record(limits=limits))
    told.rig.apply(heard() | connected(7, *live))
    assert told.ask(request_) == answer
    told.rig.close()


def test_an_ipoe_line_replaces_its_own_session(tmp_path: Path) -> None:
    """A NAS that tells the MAC address as User-Name alone, in a notation of its own."""
    told = Told(tmp_path, mac_record())
    told.rig.apply(heard() | connected(8, Line(3, b"02-00-5E-10-00-01")))
    assert told.ask(mac_request(), IPOE) == ("accept", "")
    told.rig.close()


@pytest.mark.parametrize(
    ("age", "answer"),
    [(29.0, "session_limit"), (31.0, "accept"), (-31.0, "accept")],
    ids=["heard lately", "heard long ago", "the clock was set back"],
)
def test_nobody_is_refused_for_news_that_is_old(tmp_path: Path, age: float, answer: str) -> None:
    told = Told(tmp_path, record())
    told.rig.apply(heard(NOW.timestamp() - age) | connected(7, OTHER))
    assert told.ask(call())[0] == answer
    told.rig.close()


def test_nobody_is_refused_where_the_database_was_never_heard_of(tmp_path: Path) -> None:
    told = Told(tmp_path, record())
    told.rig.apply(connected(7, OTHER))
    assert told.ask(call()) == ("accept", "")
    told.rig.close()


def test_the_news_is_as_old_as_the_machine_says_whatever_is_rehearsed(tmp_path: Path) -> None:
    told = Told(tmp_path, record())
    told.rig.apply(heard() | connected(7, OTHER))
    told.rig.now += 90 * 86_400
    assert told.ask(call())[0] == "session_limit"
    told.machine += 90 * 86_400
    assert told.ask(call(identifier=6)) == ("accept", "")
    told.rig.close()


def test_a_change_of_limits_counts_at_once(tmp_path: Path) -> None:
    told = Told(tmp_path, record())
    answers = []
    for number, limits in enumerate((Limits(), BOUND, Limits(mac=bytes.fromhex("02005e10000b")))):
        told.rig.apply(dict(entries(record(limits=limits))))
        answers.append(told.ask(call(STRANGER, identifier=number))[0])
    assert answers == ["accept", "mac_not_bound", "accept"]
    told.rig.close()
