"""What an answer says about a session that stands in somebody's way."""

from __future__ import annotations

from datetime import timedelta

import pytest

from radius.dynauth import Ack, DynauthResult, Nak, TimedOut
from radius.fold import GONE, choose, close, fold
from radius.session_check import Verdict, verdict
from tests.factories_accounting import INTERIM, NOW, START, told

UNKNOWN, UNSUPPORTED = Nak(503, "Session-Context-Not-Found"), Nak(401, "Unsupported-Attribute")
ANSWERS: dict[str, tuple[DynauthResult | None, Verdict, Verdict]] = {
    "it does not know the session": (UNKNOWN, Verdict.GONE, Verdict.GONE),
    "acknowledged": (Ack(), Verdict.ALIVE, Verdict.ALIVE),
    "refused for another reason": (UNSUPPORTED, Verdict.ALIVE, Verdict.ALIVE),
    "refused without a reason": (Nak(None, "no Error-Cause"), Verdict.ALIVE, Verdict.ALIVE),
    "no answer": (TimedOut(3), Verdict.ALIVE, Verdict.STALE),
    "could not be asked": (None, Verdict.ALIVE, Verdict.STALE),
}


@pytest.mark.parametrize(("result", "heard", "silent"), ANSWERS.values(), ids=ANSWERS.keys())
def test_verdicts(result: DynauthResult | None, heard: Verdict, silent: Verdict) -> None:
    assert verdict(result, silent=False) is heard
    assert verdict(result, silent=True) is silent


@pytest.mark.parametrize(("seconds", "reopened"), [(3000, False), (3700, True)], ids=["of before", "of later"])
def test_an_interim_proves_the_inference_wrong(seconds: float, reopened: bool) -> None:
    """The session was closed an hour after it began."""
    closed_at = NOW + timedelta(seconds=3600)
    state = fold(None, told(START))
    ended = close(state, closed_at, GONE, "Session-Context-Not-Found")
    assert fold(ended, told(INTERIM, seconds)).open is reopened


def test_a_session_that_begins_under_its_number_later_is_another_one() -> None:
    ended = close(fold(None, told(START)), NOW + timedelta(seconds=3600), GONE, "Session-Context-Not-Found")
    assert choose([ended], told(START, 3700, began_at=NOW + timedelta(seconds=3700))) is None
    assert choose([ended], told(INTERIM, 3700)) == 0
