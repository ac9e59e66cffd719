"""Of which NAS Message-Authenticator can be demanded."""

from __future__ import annotations

from datetime import timedelta

import pytest

from radius.signing import RECENT, VERDICTS, verdict_on
from tests.ticking import START

NOW = START
LATELY = NOW - timedelta(days=1)
JUST_NOW = NOW - timedelta(seconds=1)
LONG_AGO = NOW - RECENT - timedelta(days=1)


@pytest.mark.parametrize(
    ("required", "signed", "unsigned", "refused", "verdict"),
    [
        pytest.param(True, None, None, None, "never_heard", id="silent, demanded"),
        pytest.param(False, None, None, None, "never_heard", id="silent, not demanded"),
        pytest.param(True, LATELY, None, None, "demanded", id="demanded and sent"),
        pytest.param(True, None, None, LATELY, "refused", id="demanded and never sent"),
        pytest.param(True, LATELY, None, JUST_NOW, "refused", id="demanded, sent once, lacking now"),
        pytest.param(True, JUST_NOW, None, LATELY, "demanded", id="demanded and mended since"),
        pytest.param(True, LONG_AGO, None, LONG_AGO, "demanded", id="demanded, trouble long ago"),
        pytest.param(True, None, LATELY, None, "refused", id="demanded a moment ago of one that sends none"),
        pytest.param(False, LATELY, None, None, "safe", id="sends it"),
        pytest.param(False, LATELY, LONG_AGO, None, "safe", id="sends it by now"),
        pytest.param(False, None, LATELY, None, "unsigned", id="sends none"),
        pytest.param(False, None, LONG_AGO, None, "unsigned", id="sent none when last heard"),
        pytest.param(False, LATELY, JUST_NOW, None, "mixed", id="several routers, not all send it"),
        pytest.param(False, LONG_AGO, LATELY, None, "unsigned", id="sends it no more"),
    ],
)
def test_the_verdict(required: bool, signed: object, unsigned: object, refused: object, verdict: str) -> None:
    assert verdict_on(required, signed, unsigned, refused, NOW) == verdict  # type: ignore[arg-type]
    assert verdict in VERDICTS
