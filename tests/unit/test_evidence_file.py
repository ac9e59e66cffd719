"""The export's file: its cells, and that nobody can change it unseen."""

from __future__ import annotations

import base64
import csv
import io
import json
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from ipam.cgnat import PortBlock
from provisioning.address_trace import Person
from provisioning.evidence.file import (
    COLUMNS,
    CSV_NAME,
    KEY_NAME,
    MANIFEST_NAME,
    README_NAME,
    SIGNATURE_NAME,
    cells,
    check_file,
    harmless,
    manifest_bytes,
    seal,
    write_records,
)
from provisioning.evidence.records import ACCOUNTING, FIXED, PublicSide, Record
from radius.history_signing import verifies
from tests.factories_history import make_use
from tests.ticking import START

ZONE = ZoneInfo("America/Sao_Paulo")
MARIA = Person(12, "maria@x", 7, "Maria da Silva", "390.533.447-05")


def record(name: str = "Maria da Silva") -> Record:
    use = make_use("100.64.0.9", calling_station_id="02:00:5E:10:00:01", nas_port_id="vlan-1", acct_session_id="81c0")
    block = PortBlock("203.0.113.7", 1024, 5055)  # type: ignore[arg-type]
    person = Person(12, "maria@x", 7, name, "390.533.447-05")
    return Record(ACCOUNTING, use.network, use.since, use.until, 12, person, PublicSide(block, START, use.until), use)


def test_a_record_says_what_the_law_asks_for() -> None:
    row = dict(zip(COLUMNS, cells(record(), ZONE), strict=True))
    user = row.pop("usuario")
    assert user.startswith("user")
    assert row == {
        "origem": "contabilidade",
        "endereco": "100.64.0.9",
        "inicio_utc": "2026-03-02T12:00:00+00:00",
        "fim_utc": "2026-03-02T13:00:00+00:00",
        "inicio_local": "2026-03-02T09:00:00-03:00",
        "fim_local": "2026-03-02T10:00:00-03:00",
        "duracao_segundos": "3600",
        "endereco_publico": "203.0.113.7",
        "porta_inicial": "1024",
        "porta_final": "5055",
        "cgnat_desde_utc": "2026-03-02T12:00:00+00:00",
        "cgnat_ate_utc": "2026-03-02T13:00:00+00:00",
        "assinatura": "12",
        "titular": "Maria da Silva",
        "documento": "390.533.447-05",
        "estacao": "02:00:5E:10:00:01",
        "nas": "1",
        "porta_nas": "vlan-1",
        "sessao": "81c0",
    }


def test_what_goes_on_has_no_end_and_no_duration() -> None:
    row = dict(zip(COLUMNS, cells(Record(FIXED, "100.64.0.9", START, None, 12, MARIA), ZONE), strict=True))
    assert (row["origem"], row["fim_utc"], row["fim_local"], row["duracao_segundos"]) == ("endereço fixo", "", "", "")
    assert (row["endereco_publico"], row["usuario"], row["titular"]) == ("", "", "Maria da Silva")


CELLS = {
    "=1+1": "'=1+1",
    "+55": "'+55",
    "-5": "'-5",
    "@SUM(A1)": "'@SUM(A1)",
    "\t=1": "'\t=1",
    "\r=1": "'\r=1",
    "  =1": "'  =1",
    "＝1": "'＝1",
    "maria@x": "maria@x",
    "": "",
    " ": " ",
}


@pytest.mark.parametrize(("cell", "expected"), CELLS.items(), ids=repr)
def test_no_cell_begins_like_a_formula(cell: str, expected: str) -> None:
    assert harmless(cell) == expected


@given(st.text(st.characters(codec="utf-8"), max_size=8))
def test_a_spreadsheet_runs_nothing(cell: str) -> None:
    assert harmless(cell).strip()[:1] not in tuple("=+-@")


Build = Callable[..., Path]


@pytest.fixture
def build(tmp_path: Path) -> Build:
    """Builds a signed file of these records."""

    def make(*records: Record) -> Path:
        private = Ed25519PrivateKey.generate()
        form = (serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        pem = private.public_key().public_bytes(*form).decode()
        raw = base64.b64encode(private.public_key().public_bytes_raw()).decode()
        path = tmp_path / "export.zip"
        with path.open("w+b") as file:
            written = write_records(file, records or [record()], ZONE, START)
            manifest = manifest_bytes(written, {"address": "203.0.113.7"}, "ana", START, str(ZONE), raw)
            seal(file, manifest, private.sign(manifest), pem, START)
        return path

    return make


def rewrite(path: Path, name: str, change: Callable[[bytes], bytes]) -> None:
    """Change one part of the ZIP."""
    with zipfile.ZipFile(path) as old:
        parts = {each: old.read(each) for each in old.namelist()}
    with zipfile.ZipFile(path, "w") as new:
        for each, content in parts.items():
            new.writestr(each, change(content) if each == name else content)


def test_a_whole_file_is_sound(build: Build) -> None:
    path = build(record(), record("=HYPERLINK(1)"))
    verdict = check_file(path, verifies)
    assert verdict.sound
    assert (verdict.manifest["records"], verdict.manifest["made_by"]) == (2, "ana")
    with zipfile.ZipFile(path) as bundle:
        assert bundle.testzip() is None
        assert set(bundle.namelist()) == {CSV_NAME, MANIFEST_NAME, SIGNATURE_NAME, KEY_NAME, README_NAME}
        rows = list(csv.DictReader(io.StringIO(bundle.read(CSV_NAME).decode())))
        assert [row["titular"] for row in rows] == ["Maria da Silva", "'=HYPERLINK(1)"]
        readme = bundle.read(README_NAME).decode()
        assert all(name in readme for name in (*COLUMNS, "openssl pkeyutl -verify", "sha256sum"))


CHANGES: dict[str, tuple[str, Callable[[bytes], bytes]]] = {
    "a record": (CSV_NAME, lambda octets: octets.replace(b"100.64.0.9", b"100.64.0.8")),
    "a record taken out": (CSV_NAME, lambda octets: octets.splitlines(keepends=True)[0]),
    "who asked": (MANIFEST_NAME, lambda octets: octets.replace(b'"ana"', b'"rui"')),
    "the hash": (MANIFEST_NAME, lambda octets: octets.replace(b'"sha256": "', b'"sha256": "0')),
    "the key in the manifest": (
        MANIFEST_NAME,
        lambda octets: json.dumps({**json.loads(octets), "signature": {"public_key": "A" * 43 + "="}}).encode(),
    ),
    "the signature": (SIGNATURE_NAME, lambda octets: bytes(64)),
    "a signature cut short": (SIGNATURE_NAME, lambda octets: octets[:63]),
    "a manifest that is none": (MANIFEST_NAME, lambda _octets: b"[]"),
    "a manifest that is no JSON": (MANIFEST_NAME, lambda octets: octets[:40]),
}


@pytest.mark.parametrize(("name", "change"), CHANGES.values(), ids=CHANGES.keys())
def test_a_change_is_seen(build: Build, name: str, change: Callable[[bytes], bytes]) -> None:
    path = build()
    rewrite(path, name, change)
    assert not check_file(path, verifies).sound


def test_what_is_no_export_is_not_sound(tmp_path: Path) -> None:
    for content in (b"", b"PK\x03\x04", b"hello"):
        (tmp_path / "x.zip").write_bytes(content)
        assert not check_file(tmp_path / "x.zip", verifies).sound


def test_the_duration_of_a_use_that_ended_before_it_began_is_nothing() -> None:
    """A router's clock was set back."""
    use = make_use(until=START - timedelta(seconds=5))
    row = dict(
        zip(COLUMNS, cells(Record(ACCOUNTING, "x", use.since, use.until, None, None, None, use), ZONE), strict=True)
    )
    assert (row["duracao_segundos"], row["assinatura"], row["titular"]) == ("0", "", "")
