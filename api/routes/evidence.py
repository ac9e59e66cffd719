"""Exports of connection records for a court's order, as a signed ZIP."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import IO, Any

from fastapi import APIRouter
from fastapi.responses import StreamingResponse
from pydantic import Field
from starlette.requests import Request

from api.fields import Address, Instant, Int, Key, Text
from api.models import Body, Page, View
from api.requests import context_of, read, runtime_of, write
from core.database import Transaction
from provisioning.evidence.export import collect, conclude
from provisioning.evidence.records import Question
from radius.history_signing import PublicKey, make_key, public_keys

router = APIRouter(prefix="/api/v1/evidence", tags=["evidence"])
_CHUNK = 1 << 18
_ZIP: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "registros.csv, manifesto.json, manifesto.sig, chave-publica.pem and LEIA-ME.txt",
        "content": {"application/zip": {"schema": {"type": "string", "format": "binary"}}},
    }
}


class ExportIn(Body):
    since: Instant = Field(description="The beginning of the time asked for", examples=["2026-03-01T00:00:00-03:00"])
    until: Instant = Field(description="The end of the time asked for", examples=["2026-04-01T00:00:00-03:00"])
    reason: Text = Field(
        max_length=500,
        description="The order's reference; it goes into the file and the audit trail",
        examples=["Processo 0001234-56.2026.8.26.0114"],
    )
    address: Address | None = Field(None, description="The records of this address", examples=["203.0.113.7"])
    port: Int | None = Field(None, description="The source port, where CGNAT shares the address", examples=[40001])
    subscription_id: Key | None = Field(None, description="Or the records of this subscription", examples=[12])


class KeyView(View):
    id: int = Field(description="The key's id", examples=[1])
    raw: str = Field(
        description="The public key, 32 octets in base64", examples=["11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="]
    )
    pem: str = Field(
        description="The same as openssl reads it",
        examples=["-----BEGIN PUBLIC KEY-----\n…\n-----END PUBLIC KEY-----\n"],
    )
    created_at: Instant = Field(description="From when it signs", examples=["2026-03-02T12:00:00Z"])


@router.post(
    "",
    operation_id="evidence.export",
    summary="Connection records of an address or a subscription, signed",
    response_class=StreamingResponse,
    responses=_ZIP,
)
def export(request: Request, body: ExportIn) -> StreamingResponse:
    runtime, actor = runtime_of(request), context_of(request).actor
    with ExitStack() as stack:
        file = stack.enter_context(tempfile.TemporaryFile(dir=runtime.settings.data_dir))  # nameless: leaves nothing
        with runtime.database.reading() as tx:
            collected = collect(tx, Question(**body.given()), file)
        with runtime.database.transaction(actor) as tx:
            conclude(tx, collected)
            made_at = tx.now
        stack.pop_all()
    headers = {"Content-Disposition": f'attachment; filename="{_name(made_at)}"'}
    return StreamingResponse(_pour(file), media_type="application/zip", headers=headers)


@router.get("/keys", operation_id="evidence.keys", summary="The public keys of our exports, newest first")
def keys(request: Request) -> Page[KeyView]:
    def look(tx: Transaction) -> Page[KeyView]:
        return Page(items=[_key(key) for key in public_keys(tx)], next=None)

    return read(request, look)


@router.post("/keys", operation_id="evidence.new-key", status_code=201, summary="A new key, which signs from now on")
def new_key(request: Request) -> KeyView:
    return write(request, lambda tx: _key(make_key(tx)))


def _key(key: PublicKey) -> KeyView:
    return KeyView(id=key.id, raw=key.raw, pem=key.pem, created_at=key.created_at)


def _name(made_at: datetime) -> str:
    return f"registros-de-conexao-{made_at.astimezone(UTC):%Y%m%dT%H%M%SZ}.zip"


def _pour(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        while chunk := file.read(_CHUNK):
            yield chunk
