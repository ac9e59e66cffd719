"""The file of an export: a ZIP with the records (CSV), a manifest (JSON) that says what was asked and holds the CSV's
SHA-256, and the manifest's Ed25519 signature.

The signature is over the manifest's exact bytes, and through the hash in it over the CSV: so who asked, what and when
cannot be changed either. No cell of the CSV begins like a formula, because spreadsheets would run it (CWE-1236). The
file is for Brazilian courts: its column names and its explanation are in Portuguese.
"""

from __future__ import annotations

import csv
import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from zoneinfo import ZoneInfo

from provisioning.evidence.records import ACCOUNTING, Record

FORMAT = "catraca-evidence/1"
CSV_NAME, MANIFEST_NAME, SIGNATURE_NAME, KEY_NAME = (
    "registros.csv",
    "manifesto.json",
    "manifesto.sig",
    "chave-publica.pem",
)
README_NAME = "LEIA-ME.txt"

COLUMNS = {
    "origem": "contabilidade (a conexão, como o equipamento de acesso a relatou) ou endereço fixo (a quem estava dado)",
    "endereco": "endereço IP, ou prefixo IPv6, usado pelo terminal",
    "inicio_utc": "início, em UTC (ISO 8601)",
    "fim_utc": "fim, em UTC; vazio: em curso quando o arquivo foi feito",
    "inicio_local": "início, no fuso da empresa, com a diferença para UTC",
    "fim_local": "fim, no fuso da empresa",
    "duracao_segundos": "duração; vazia: em curso",
    "endereco_publico": "com CGNAT: endereço IPv4 visto na Internet",
    "porta_inicial": "com CGNAT: primeira porta de origem reservada ao terminal",
    "porta_final": "com CGNAT: última porta de origem reservada ao terminal",
    "cgnat_desde_utc": "com CGNAT: desde quando, nesta conexão, o endereço público e as portas valem",
    "cgnat_ate_utc": "com CGNAT: até quando; vazio: ainda valem",
    "assinatura": "número da assinatura (contrato de serviço)",
    "titular": "nome do titular",
    "documento": "CPF ou CNPJ do titular",
    "usuario": "User-Name da autenticação",
    "estacao": "Calling-Station-Id: em geral, o endereço MAC do terminal",
    "nas": "número do equipamento de acesso (NAS)",
    "porta_nas": "NAS-Port-Id: porta ou VLAN no equipamento de acesso",
    "sessao": "Acct-Session-Id",
}
_README = """\
Registros de conexão (Lei 12.965/2014, art. 5º, VI, e art. 13)

{csv}: os registros, em CSV (UTF-8, vírgula, primeira linha com os nomes das colunas). Instantes em ISO 8601.
Uma célula que começaria como fórmula de planilha tem um apóstrofo à frente.

{columns}

{manifest}: o que foi pedido, por quem, quando, quantos registros, e o SHA-256 de {csv}.
{signature}: assinatura Ed25519 (RFC 8032) dos bytes de {manifest}; {key} é a chave pública.

Conferir, com OpenSSL 3:

    sha256sum {csv}          # tem de ser igual a "sha256" em {manifest}
    openssl pkeyutl -verify -pubin -inkey {key} -rawin -in {manifest} -sigfile {signature}

Que a chave é a do provedor, ele confirma por outro meio (catraca evidence keys).
"""


@dataclass(frozen=True, slots=True)
class Written:
    """The CSV as it stands in the ZIP: how many records, and its hash."""

    rows: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of a file found; `sound` when hash and signature fit. `public_key`: raw, base64."""

    sound: bool
    finding: str
    public_key: str
    manifest: Mapping[str, Any]


def write_records(file: IO[bytes], records: Iterable[Record], zone: ZoneInfo, now: datetime) -> Written:
    """Begin the ZIP with the CSV, row by row; memory stays the same however many there are."""
    with zipfile.ZipFile(file, "w") as bundle, bundle.open(_entry(CSV_NAME, now), "w", force_zip64=True) as entry:
        sheet = _Sheet(entry)
        rows = csv.writer(sheet)
        rows.writerow(COLUMNS)
        for record in records:
            rows.writerow([harmless(cell) for cell in cells(record, zone)])
        return Written(sheet.lines - 1, sheet.hash.hexdigest())


def seal(file: IO[bytes], manifest: bytes, signature: bytes, key_pem: str, now: datetime) -> None:
    """Complete the ZIP with manifest, signature, key and explanation."""
    names = {"csv": CSV_NAME, "manifest": MANIFEST_NAME, "signature": SIGNATURE_NAME, "key": KEY_NAME}
    columns = "\n".join(f"    {name:<17} {meaning}" for name, meaning in COLUMNS.items())
    readme = _README.format(columns=columns, **names)
    parts = (MANIFEST_NAME, manifest), (SIGNATURE_NAME, signature), (KEY_NAME, key_pem), (README_NAME, readme)
    with zipfile.ZipFile(file, "a") as bundle:
        for name, content in parts:
            bundle.writestr(_entry(name, now), content)


def manifest_bytes(written: Written, asked: Mapping[str, Any], by: str, at: datetime, zone: str, key: str) -> bytes:
    """The manifest as it is signed. `asked`: the question, as JSON may hold it; `key`: raw, base64."""
    content = {
        "format": FORMAT,
        "file": CSV_NAME,
        "sha256": written.sha256,
        "records": written.rows,
        "asked": asked,
        "made_by": by,
        "made_at": at.astimezone(UTC).isoformat(),
        "local_time_zone": zone,
        "columns": COLUMNS,
        "signature": {"algorithm": "Ed25519", "file": SIGNATURE_NAME, "public_key": key},
    }
    return json.dumps(content, ensure_ascii=False, indent=2).encode() + b"\n"


def check_file(path: Path, verifies: Callable[[str, bytes, bytes], bool]) -> Verdict:
    """Whether the file is as it was made: `verifies(public key, message, signature)` judges the signature."""
    try:
        with zipfile.ZipFile(path) as bundle:
            manifest, signature = bundle.read(MANIFEST_NAME), bundle.read(SIGNATURE_NAME)
            content = json.loads(manifest)
            key = str(content["signature"]["public_key"])
            with bundle.open(CSV_NAME) as records:
                digest = _sha256(records)
    except (OSError, zipfile.BadZipFile, KeyError, TypeError, ValueError) as error:
        return Verdict(False, f"this is not an export, or a damaged one ({type(error).__name__})", "", {})
    if not verifies(key, manifest, signature):
        return Verdict(False, f"the signature is not one over {MANIFEST_NAME} by the key in it", key, content)
    if digest != content.get("sha256"):
        return Verdict(False, f"{CSV_NAME} is not the file that was signed", key, content)
    return Verdict(True, "the records are those that were signed, by the key shown", key, content)


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(1 << 20):
        digest.update(chunk)
    return digest.hexdigest()


def cells(record: Record, zone: ZoneInfo) -> list[str]:
    """The record as text, in the order of `COLUMNS`."""
    use, public, person = record.use, record.public, record.person
    duration = "" if record.until is None else str(max(0, round((record.until - record.since).total_seconds())))
    return [
        "contabilidade" if record.source == ACCOUNTING else "endereço fixo",
        record.network,
        _instant(record.since, UTC),
        _instant(record.until, UTC),
        _instant(record.since, zone),
        _instant(record.until, zone),
        duration,
        str(public.block.outside) if public else "",
        str(public.block.first_port) if public else "",
        str(public.block.last_port) if public else "",
        _instant(public.since, UTC) if public else "",
        _instant(public.until, UTC) if public else "",
        "" if record.subscription_id is None else str(record.subscription_id),
        person.name if person else "",
        person.document if person else "",
        use.user_name if use else "",
        use.calling_station_id if use else "",
        str(use.nas_id) if use else "",
        use.nas_port_id if use else "",
        use.acct_session_id if use else "",
    ]


def harmless(cell: str) -> str:
    """The cell, with an apostrophe in front where a spreadsheet would take it for a formula."""
    return f"'{cell}" if cell.lstrip(" \u00a0")[:1] in tuple("=+-@\t\r\n|％＝＋－＠") else cell


def _instant(value: datetime | None, zone: Any) -> str:
    return "" if value is None else value.astimezone(zone).isoformat()


def _entry(name: str, now: datetime) -> zipfile.ZipInfo:
    entry = zipfile.ZipInfo(name, date_time=now.astimezone(UTC).timetuple()[:6])
    entry.compress_type = zipfile.ZIP_DEFLATED
    entry.external_attr = 0o600 << 16
    return entry


class _Sheet:
    """Takes the lines of a CSV, one a call, and passes them on as UTF-8, hashed and counted."""

    def __init__(self, sink: IO[bytes]) -> None:
        self._sink = sink
        self.hash = hashlib.sha256()
        self.lines = 0

    def write(self, line: str) -> int:
        octets = line.encode()
        self.hash.update(octets)
        self.lines += 1
        return self._sink.write(octets)
