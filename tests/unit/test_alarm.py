"""An alarm is heard at its beginning, while it lasts and at its end, and not more often."""

from __future__ import annotations

import logging

import pytest

from radius.alarm import AGAIN_SECONDS, Alarm

log = logging.getLogger("test.alarm")


def test_it_is_told_at_once_then_now_and_then_and_when_it_is_over(caplog: pytest.LogCaptureFixture) -> None:
    alarm = Alarm(log, "accounting is not acknowledged")
    alarm.end(0.0)
    assert not caplog.records
    for tenth in range(int(2.5 * AGAIN_SECONDS * 10)):
        alarm.ring("disk full", 100.0 + tenth / 10)
        assert alarm.rings
    assert [record.getMessage() for record in caplog.records] == [
        "accounting is not acknowledged: disk full",
        "accounting is not acknowledged for 10 s, 101 times: disk full",
        "accounting is not acknowledged for 20 s, 201 times: disk full",
    ]
    alarm.end(130.0)
    alarm.end(131.0)
    assert not alarm.rings
    assert caplog.records[-1].getMessage() == "over after 30 s and 250 times: accounting is not acknowledged"
    alarm.ring("again", 132.0)
    assert caplog.records[-1].getMessage() == "accounting is not acknowledged: again"
    assert len(caplog.records) == 5
