"""What each type of field reads, and in which words it refuses."""

from __future__ import annotations

from contextlib import suppress
from datetime import UTC, date, datetime
from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from api import fields

EARLIEST, LATEST = datetime(1970, 1, 2), datetime(9998, 12, 30)  # noqa: DTZ001, hypothesis adds the zones
INSTANT = datetime(2026, 3, 5, 21, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("kind", "value", "expected"),
    [
        pytest.param(fields.Instant, "2026-03-05T18:00:00-03:00", INSTANT, id="instant with offset"),
        pytest.param(fields.Instant, "2026-03-05T21:00:00Z", INSTANT, id="instant in UTC"),
        pytest.param(fields.Instant, "2026-03-05T21:00z", INSTANT, id="instant without seconds"),
        pytest.param(fields.Instant, "2026-03-05 21:00:00.000+00:00", INSTANT, id="instant with a blank"),
        pytest.param(fields.Day, "2026-02-28", date(2026, 2, 28), id="day"),
        pytest.param(fields.Rate, 50_000_000, 50_000_000, id="rate as a number"),
        pytest.param(fields.Rate, "50M", 50_000_000, id="rate as text"),
        pytest.param(fields.Rate, "1.5g", 1_500_000_000, id="rate with a fraction"),
        pytest.param(fields.Address, "100.64.0.1", ip_address("100.64.0.1"), id="address"),
        pytest.param(fields.Network, "100.64.0.0/24", ip_network("100.64.0.0/24"), id="network"),
        pytest.param(fields.Text, "  Maria  ", "Maria", id="text is trimmed"),
        pytest.param(fields.Note, "first\nsecond", "first\nsecond", id="note of two lines"),
        pytest.param(fields.Cents, 0, 0, id="no cents"),
    ],
)
def test_reads(kind: Any, value: object, expected: object) -> None:
    assert TypeAdapter(kind).validate_python(value) == expected


@pytest.mark.parametrize(
    ("kind", "value", "rule"),
    [
        pytest.param(fields.Instant, "2026-03-05T18:00:00", "no time zone", id="naive instant"),
        pytest.param(fields.Instant, "2026-02-30T18:00:00Z", "exists in the calendar", id="instant on no day"),
        pytest.param(fields.Instant, "0001-01-01T00:00:00+14:00", "exists in the calendar", id="instant before time"),
        pytest.param(fields.Instant, "tomorrow", "ISO 8601", id="instant in words"),
        pytest.param(fields.Instant, 1_772_000_000, "ISO 8601", id="instant as a number"),
        pytest.param(fields.Day, "2026-02-30", "exists in the calendar", id="no such day"),
        pytest.param(fields.Day, "28/02/2026", "YYYY-MM-DD", id="day of another notation"),
        pytest.param(fields.Day, 20260228, "YYYY-MM-DD", id="day as a number"),
        pytest.param(fields.Rate, "fast", "bits per second", id="rate in words"),
        pytest.param(fields.Rate, True, "bits per second", id="rate true"),
        pytest.param(fields.Rate, 1.5, "bits per second", id="rate with a fraction of a bit"),
        pytest.param(fields.Rate, 0, "greater than or equal to 1", id="rate zero"),
        pytest.param(fields.Rate, "2000G", "less than or equal", id="rate too high"),
        pytest.param(fields.Address, "100.64.0.256", "IP address", id="no address"),
        pytest.param(fields.Address, 1681915905, "IP address", id="address as a number"),
        pytest.param(fields.Network, "100.64.0.1/24", "no host bits", id="network with host bits"),
        pytest.param(fields.Text, "a\x00b", "control characters", id="NUL"),
        pytest.param(fields.Text, "a\x1b[31m", "control characters", id="terminal escape"),
        pytest.param(fields.Note, "a\x00b", "control characters", id="NUL in a note"),
        pytest.param(fields.Text, "a\ud800b", "unicode", id="lone surrogate"),
        pytest.param(fields.Name, "   ", "must not be empty", id="blank name"),
        pytest.param(fields.Cents, "12", "integer", id="cents as text"),
        pytest.param(fields.Cents, 12.0, "integer", id="cents with a point"),
        pytest.param(fields.Cents, -1, "greater than or equal to 0", id="negative cents"),
        pytest.param(fields.Key, 2**63, "less than or equal", id="id beyond 64 bits"),
        pytest.param(fields.Flag, "yes", "boolean", id="flag in words"),
        pytest.param(fields.Flag, 1, "boolean", id="flag as a number"),
    ],
)
def test_refuses(kind: Any, value: object, rule: str) -> None:
    with pytest.raises(ValidationError) as refused:
        TypeAdapter(kind).validate_python(value)
    assert rule.lower() in refused.value.errors()[0]["msg"].lower()


@given(st.datetimes(min_value=EARLIEST, max_value=LATEST, timezones=st.timezones()))
def test_an_instant_that_was_written_reads_the_same(instant: datetime) -> None:
    assert fields.read_instant(fields.write_instant(instant)) == instant.astimezone(UTC)


KINDS: list[Any] = [fields.Instant, fields.Day, fields.Rate, fields.Address, fields.Network, fields.Text, fields.Note]


@given(st.text())
def test_text_is_read_or_refused_and_never_breaks(text: str) -> None:
    for kind in KINDS:
        with suppress(ValidationError):
            TypeAdapter(kind).validate_python(text)
