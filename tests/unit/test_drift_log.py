"""Who changed a row, from the router's log in the words of RouterOS 6 and 7."""

from __future__ import annotations

from typing import Any

import pytest

from provisioning.routeros.router_log import entries_of, who_changed
from provisioning.routeros.rows import Menu


def line(message: str, time: str = "12:03:04") -> dict[str, str]:
    return {".id": "*1", "time": time, "topics": "system,info", "message": message}


BY_API = "ppp secret <maria> changed by api/tcp-msg(api):catraca@192.0.2.2/action:3 (/ppp secret set)"
BY_WINBOX = "ppp secret <maria> changed by winbox-3.41/tcp-msg(winbox):ana@192.0.2.7/action:12 (/ppp secret set)"
CASES: list[Any] = [
    pytest.param(
        ["simple queue changed by admin"], Menu.SIMPLE_QUEUE, "changed", "q", "admin, 12:03:04", id="6: who and when"
    ),
    pytest.param(
        [BY_WINBOX],
        Menu.PPP_SECRET,
        "changed",
        "maria",
        "ana from 192.0.2.7 by winbox-3.41, 12:03:04",
        id="7: and where from",
    ),
    pytest.param([BY_WINBOX], Menu.PPP_SECRET, "changed", "jose", "", id="another row"),
    pytest.param([BY_WINBOX], Menu.PPP_SECRET, "removed", "maria", "", id="another kind of change"),
    pytest.param([BY_WINBOX], Menu.SIMPLE_QUEUE, "changed", "maria", "", id="another menu"),
    pytest.param([BY_API], Menu.PPP_SECRET, "changed", "maria", "", id="ourselves"),
    pytest.param(
        ["address list entry removed by ana", "address list entry removed by zeca"],
        Menu.ADDRESS_LIST,
        "removed",
        "192.0.2.9",
        "zeca, 12:03:04",
        id="the newest counts",
    ),
    pytest.param(
        [BY_WINBOX, "ppp secret changed by zeca"],
        Menu.PPP_SECRET,
        "changed",
        "maria",
        "ana from 192.0.2.7 by winbox-3.41, 12:03:04",
        id="one that names the row before one that does not",
    ),
    pytest.param(
        ["nat rule moved by admin"], Menu.NAT, "changed", "dstnat", "admin, 12:03:04", id="a rule that was moved"
    ),
    pytest.param(["ppp secret disabled by admin"], Menu.PPP_SECRET, "changed", "x", "admin, 12:03:04", id="disabled"),
    pytest.param(["login failure for user admin from 192.0.2.66"], Menu.PPP_SECRET, "changed", "x", "", id="no change"),
    pytest.param([""], Menu.PPP_SECRET, "changed", "x", "", id="an empty line"),
]


@pytest.mark.parametrize(("messages", "menu", "kind", "name", "words"), CASES)
def test_who_changed_it(messages: list[str], menu: Menu, kind: str, name: str, words: str) -> None:
    entries = entries_of([line(message) for message in messages], "catraca")
    assert who_changed(entries, menu, kind, name) == words


def test_a_log_without_times() -> None:
    entries = entries_of([{"message": "simple queue changed by admin"}], "catraca")
    assert who_changed(entries, Menu.SIMPLE_QUEUE, "changed", "q") == "admin"
