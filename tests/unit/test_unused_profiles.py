"""Which profiles an apply took secrets off: only those are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from provisioning.routeros.cycle.apply_report import ApplyReport, Failure
from provisioning.routeros.cycle.unused_profiles import left_behind
from provisioning.routeros.rows import Change, Desired, DesiredRow, Menu, ObservedRow, Remove, Step

QUEUE = ObservedRow(Menu.SIMPLE_QUEUE, "*7", {"name": "maria", "profile": "catraca-10M"}, "s7:queue")
NEW = DesiredRow(Menu.PPP_PROFILE, "profile:catraca-20M", {"name": "catraca-20M"})


def moved(was: dict[str, str]) -> Change:
    row = DesiredRow(Menu.PPP_SECRET, "s7:secret", {"name": "maria", "profile": "catraca-20M"}, 7)
    return Change(row, "*7", dict.fromkeys(was, "new"), was)


def gone(profile: str) -> Remove:
    return Remove(ObservedRow(Menu.PPP_SECRET, "*7", {"name": "maria", "profile": profile}, "s7:secret"), 7)


CASES: list[Any] = [
    pytest.param([moved({"profile": "catraca-10M"})], ["catraca-10M"], id="another profile"),
    pytest.param([moved({"password": "x"})], [], id="another password"),
    pytest.param([moved({"profile": "default"})], [], id="from a profile of the router's people"),
    pytest.param([moved({"profile": "catraca-20M"})], [], id="to and fro: it is wanted in this turn"),
    pytest.param([gone("catraca-10M")], ["catraca-10M"], id="the secret went"),
    pytest.param([gone("default")], [], id="the secret went, its profile is not ours"),
    pytest.param([gone("catraca-10M"), moved({"profile": "catraca-10M"})], ["catraca-10M"], id="once each"),
    pytest.param([Remove(QUEUE, 7)], [], id="no secret"),
]


@pytest.mark.parametrize(("steps", "names"), CASES)
def test_what_an_apply_leaves_behind(steps: list[Step], names: list[str]) -> None:
    wanted = Desired(rows=(NEW,))
    assert left_behind(ApplyReport(done=steps), wanted) == names
    assert left_behind(ApplyReport(failures=[Failure(step, "no") for step in steps]), wanted) == []


def test_a_secret_that_was_gone_already_leaves_its_profile_too() -> None:
    assert left_behind(ApplyReport(unneeded=[gone("catraca-10M")]), Desired()) == ["catraca-10M"]
