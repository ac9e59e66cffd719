"""Everything that goes wrong, as problem+json (RFC 9457).

`type` is a reference such as `/problems/invalid-input`; GET on it explains the problem in a few words. A problem with
a field carries `errors`: one entry for each field, with `field`, `rule` and an `example` that would pass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from starlette.responses import JSONResponse, Response

from core.errors import CatracaError, TooManyTries, Unauthorised, Unavailable
from core.redaction import redact

MEDIA_TYPE = "application/problem+json"


@dataclass(frozen=True)
class Explanation:
    title: str
    words: str


EXPLANATIONS: dict[str, Explanation] = {
    "bad-request": Explanation("The request cannot be carried out", "The detail says why; nothing was changed."),
    "invalid-input": Explanation(
        "A field is not valid",
        "`errors` names each field that breaks a rule, the rule, and an example that would pass. Nothing was changed.",
    ),
    "malformed-json": Explanation("The body is not JSON", "The body could not be read as JSON in UTF-8 (RFC 8259)."),
    "not-found": Explanation("There is no such thing", "`kind` and `key` say what was looked for."),
    "no-such-route": Explanation("There is no such address", "/api/v1/openapi.json lists every address of this API."),
    "method-not-allowed": Explanation(
        "This address does not take that method", "The header Allow lists the methods that it takes."
    ),
    "conflict": Explanation(
        "It is taken already", "Something that must be unique is taken; further members name what has it."
    ),
    "not-allowed": Explanation(
        "The present state does not permit this", "The detail says which state it is in and which one is needed."
    ),
    "needs-approval": Explanation(
        "A guard stopped this until somebody approves it",
        "More would change than one run may change by itself. Look at the preview, then send it again approved.",
    ),
    "unauthorised": Explanation(
        "Who are you?", "Send the header `Authorization: Bearer cat_…` with a token that is neither revoked nor over."
    ),
    "forbidden": Explanation(
        "You may not do this",
        "`permission` is the word that the token would need. Ask for a token that holds it: `catraca token create`.",
    ),
    "needs-confirmation": Explanation(
        "This cannot be taken back: confirm it",
        "Nothing was changed. `would` shows what would happen; send it again with `confirm` set to true.",
    ),
    "too-many-tries": Explanation(
        "Too many tries", "The header Retry-After says in how many seconds it may be tried again."
    ),
    "unavailable": Explanation(
        "Out of reach for now", "A part of the product cannot be reached. Nothing was changed: try again later."
    ),
    "radius-not-started": Explanation("RADIUS could not be started", "The detail says what to mend."),
    "radius-unwell": Explanation(
        "RADIUS on this host is not well", "`complaints` names each process, replica or spool that needs somebody."
    ),
    "not-ready": Explanation("Not ready to serve", "The detail says what is missing."),
    "too-large": Explanation("The body is too large", "A body may have at most `limit` bytes."),
    "too-slow": Explanation("The body came too slowly", "Send the whole body within half a minute."),
    "unsupported-media-type": Explanation(
        "This media type is not read", "Bodies are JSON: send the header `Content-Type: application/json`."
    ),
    "idempotency-key-reused": Explanation(
        "This Idempotency-Key belongs to another request", "Use a new key for each new request."
    ),
    "request-under-way": Explanation(
        "The same request is being carried out", "Ask again in a moment with the same key to get its answer."
    ),
    "changed-meanwhile": Explanation(
        "Somebody changed this at the same time", "Nothing was changed by this request: read again, then try again."
    ),
    "internal-error": Explanation(
        "A fault of ours", "The fault was logged under `error_id`; nothing was changed by this request."
    ),
}


@dataclass(frozen=True)
class Problem:
    """One problem object; `members` are its extension members."""

    status: int
    slug: str
    title: str
    detail: str
    members: Mapping[str, object] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)

    def content(self, request_id: str) -> dict[str, Any]:
        own = {"type": f"/problems/{self.slug}", "title": self.title, "status": self.status, "detail": self.detail}
        extras = {name: value for name, value in self.members.items() if name not in own}
        return {**own, "request_id": request_id, **_plain(extras)}

    def response(self, request_id: str) -> Response:
        return JSONResponse(self.content(request_id), self.status, dict(self.headers), media_type=MEDIA_TYPE)


def named(slug: str, status: int, detail: str, members: Mapping[str, object] | None = None, **headers: str) -> Problem:
    """A problem of the table above."""
    return Problem(
        status,
        slug,
        EXPLANATIONS[slug].title,
        detail,
        members or {},
        {name.replace("_", "-"): value for name, value in headers.items()},
    )


def from_error(error: CatracaError) -> Problem:
    """The problem that a command's refusal is."""
    headers: dict[str, str] = {}
    if isinstance(error, Unavailable | TooManyTries):
        headers["Retry-After"] = str(error.retry_after)
    if isinstance(error, Unauthorised):
        headers["WWW-Authenticate"] = 'Bearer realm="catraca"'
    return Problem(error.status, error.slug, error.title, error.detail, error.extras, headers)


def explanation(slug: str) -> Explanation | None:
    return EXPLANATIONS.get(slug)


def _plain(extras: Mapping[str, object]) -> dict[str, Any]:
    """As JSON, secrets hidden; `errors` hold examples of our own and nothing that the caller sent."""
    shown = {name: value if name == "errors" else redact(value, name) for name, value in extras.items()}
    return {name: _json(value) for name, value in shown.items()}


def _json(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_json(item) for item in value]
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)
