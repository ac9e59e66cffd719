"""What must never be shown, in the shapes that hostile and careless texts give it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretBytes, SecretStr

from core.redaction import HIDDEN, is_secret_name, redact, redact_text
from core.secrets import Secret

CANARY = "Kanarie9f3x"
PEM = f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{CANARY}\nAQAB\n-----END RSA PRIVATE KEY-----"


@dataclass
class Careless:
    login: str
    password: str


class Unprintable:
    def __str__(self) -> str:
        raise RuntimeError(CANARY)


HOSTILE = {
    "url": f"cannot reach redis://:{CANARY}@10.0.0.1:6379/0",
    "url with a user": f"postgresql+psycopg://catraca:{CANARY}@db/catraca refused",
    "url, password with @": f"amqp://u:a@{CANARY}@host//",
    "url, password with /": f"amqp://u:a/{CANARY}@host//",
    "url, password with :": f"amqp://u:a:{CANARY}@host//",
    "url in quotes": f"connect('redis://u:{CANARY}@h/0')",
    "two urls": f"redis://u:{CANARY}@a/0 and redis://u:{CANARY}@b/0",
    "bearer": f"Authorization: Bearer {CANARY}",
    "bearer, short": "bearer " + CANARY[:5],
    "bearer in a sentence": f"the header was 'bearer {CANARY}', sent twice",
    "basic": "authorised with Basic dTpLYW5hcmllOWYzeA==",
    "basic without padding": "authorised with Basic dTpLYW5hcmllOWYzeA",
    "another scheme": f"Authorization: Token abc {CANARY}",
    "digest": f'Authorization: Digest username="u", response="{CANARY}"',
    "cookie": f"Cookie: a=1; session={CANARY}",
    "set-cookie": f"set-cookie: session={CANARY}; HttpOnly",
    "our token": f"used cat_{CANARY}{CANARY}{CANARY}",
    "json web token": f"eyJhbGciOiJIUzI1NiJ9.eyJ{CANARY}.{CANARY}-sig",
    "private key": f"loaded {PEM} from disk",
    "private key, cut off": PEM[: PEM.index("AQAB")],
    "assigned": f"password={CANARY}",
    "assigned with blanks": f"PASSWORD = {CANARY}",
    "colon": f"client_secret: {CANARY}",
    "arrow": f"'api-key' => '{CANARY}'",
    "longer name": f"radius_secret_of_nas_3={CANARY}",
    "header": f"X-Api-Key: {CANARY}",
    "query": f"GET /hook?token={CANARY}&id=3",
    "portuguese": f"nova senha: {CANARY}",
    "python dict": f"{{'password': 'a b {CANARY}', 'x': 1}}",
    "python bytes": f"D(password=b'a b {CANARY}')",
    "json": f'{{"password":"a \\"b {CANARY}","x":1}}',
    "json inside json": f'{{\\"password\\": \\"a b {CANARY}\\"}}',
    "unquoted, starts like a quote": f"password='{CANARY}",
    "looks hidden already": f"password=***{CANARY}",
}
HARMLESS = [
    "http://10.0.0.1:8080/api/v1/nas is up",
    "postgresql+psycopg://postgres@/db?host=/tmp/x",
    "a basic configuration of the router",
    "the password is wrong",
    "the token has expired",
    "10:30:00 user@realm logged in",
    "see https://example.org/a:b for more",
    "",
]


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_a_secret_in_a_text_is_hidden(text: str) -> None:
    shown = redact_text(text)
    assert HIDDEN in shown
    assert "9f3x" not in shown
    assert "Kana" not in shown
    assert "dTpLYW5h" not in shown


@pytest.mark.parametrize("text", HARMLESS)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact_text(text) == text


def test_what_stands_around_a_secret_stays() -> None:
    assert (
        redact_text("at redis://u:p@h/0 {'password': 'a b', 'x': 1}")
        == "at redis://u:***@h/0 {'password': ***, 'x': 1}"
    )


@given(st.text(st.characters(exclude_categories=["Z", "C"], exclude_characters="'\"\\"), min_size=1, max_size=40))
def test_no_assigned_value_survives(value: str) -> None:
    value = f"Kanarie{value}"
    for text in (f"password={value}", f"'secret': '{value}'", f"amqp://u:{value}@host//", f"bearer {value}"):
        assert value not in redact_text(text)


NAMES = "password User-Password nas_secret X-Api-Key apikey api_key privateKey access_token cookie passphrase pwd senha"


@pytest.mark.parametrize("name", NAMES.split())
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)
    assert redact(CANARY, name) == HIDDEN
    assert redact({name: {"of": [CANARY]}}) != HIDDEN, "the shape stays"


@pytest.mark.parametrize("name", ["login", "key", "note", "passed", "kind", "author"])
def test_names_that_tell_nothing(name: str) -> None:
    assert not is_secret_name(name)


NESTED: list[Any] = [
    pytest.param(Secret(CANARY), id="a Secret"),
    pytest.param(SecretStr(CANARY), id="pydantic's secret"),
    pytest.param(SecretBytes(CANARY.encode()), id="pydantic's secret bytes"),
    pytest.param([(Secret(CANARY),)], id="in a tuple in a list"),
    pytest.param({"a": [{"b": {"token": CANARY}}]}, id="named, deep"),
    pytest.param({"passwords": [CANARY, [CANARY]]}, id="a list under a telling name"),
    pytest.param({f"redis://u:{CANARY}@h": 1}, id="in a key"),
    pytest.param({Secret(CANARY): 1}, id="a Secret as a key"),
    pytest.param({f"password={CANARY}"}, id="in a set"),
    pytest.param(f"password={CANARY}".encode(), id="bytes"),
    pytest.param({"secret": CANARY.encode()}, id="bytes under a telling name"),
    pytest.param(Careless("u", f"a b {CANARY}"), id="repr of an object"),
    pytest.param([Careless("u", CANARY)], id="repr of an object in a list"),
    pytest.param(ValueError(f"password={CANARY}"), id="an exception"),
    pytest.param(Unprintable(), id="an object that cannot be shown"),
]


@pytest.mark.parametrize("value", NESTED)
def test_a_secret_in_a_structure_is_hidden(value: Any) -> None:
    assert CANARY not in repr(redact(value))


def test_a_mapping_that_is_no_dict_is_looked_into() -> None:
    class Headers(Mapping[str, str]):
        def __getitem__(self, name: str) -> str:
            return CANARY

        def __iter__(self) -> Any:
            return iter(["Authorization"])

        def __len__(self) -> int:
            return 1

    assert redact(Headers()) == {"Authorization": HIDDEN}


def test_plain_values_stay_what_they_are() -> None:
    value = {"n": 1, "f": 1.5, "b": True, "none": None, "text": "x", "list": [1, "y"], "password": None, "token": ""}
    assert redact(value) == value


def test_other_values_become_their_text() -> None:
    values = [IPv4Address("10.0.0.1"), Decimal("1.50"), Path("/tmp/x"), datetime(2026, 3, 2, tzinfo=UTC)]
    assert redact(values) == ["10.0.0.1", "1.50", "/tmp/x", "2026-03-02 00:00:00+00:00"]


def test_a_document_without_end_does_not_break_a_log_line() -> None:
    endless: dict[str, Any] = {}
    endless["again"] = [endless]
    deep: Any = CANARY
    for _ in range(100_000):
        deep = [deep]
    assert "…" in repr(redact(endless))
    assert CANARY not in repr(redact(deep))


REPEATED = [
    "a",
    "a://:",
    "password ",
    'password="',
    "password='\\",
    'password=\\"',
    "bearer ",
    "basic ",
    "eyJa.",
    "cookie :  ",
    "-----BEGIN PRIVATE KEY-----",
]


def test_a_long_hostile_text_does_not_stop_the_process() -> None:
    """Takes seconds; a search that grew with the square of its text would take hours and miss the deadline."""
    program = f"from core.redaction import redact_text\nfor it in {REPEATED!r}: redact_text(it * (500_000 // len(it)))"
    subprocess.run([sys.executable, "-c", program], check=True, timeout=120)
