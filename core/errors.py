"""Errors that a person gets to read: each says what is wrong and how to mend it.

The API renders them as problem+json (RFC 9457), the command line as text. `slug` names the problem type;
`extras` become members of the problem object.
"""

from __future__ import annotations

from collections.abc import Mapping


class CatracaError(Exception):
    """The base: `status` is an HTTP status, `detail` a sentence for a person."""

    status = 400
    slug = "bad-request"
    title = "The request cannot be carried out"

    def __init__(self, detail: str, **extras: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.extras: Mapping[str, object] = extras


class InvalidInput(CatracaError):
    """One field breaks a rule; the error carries an example that would pass."""

    status = 422
    slug = "invalid-input"
    title = "A field is not valid"

    def __init__(self, field: str, rule: str, example: object) -> None:
        super().__init__(f"{field}: {rule}; for example {example!r}")
        self.field, self.rule, self.example = field, rule, example
        self.extras = {"errors": [{"field": field, "rule": rule, "example": example}]}


class NotFound(CatracaError):
    status = 404
    slug = "not-found"
    title = "There is no such thing"

    def __init__(self, kind: str, key: object) -> None:
        super().__init__(f"there is no {kind} {key}", kind=kind, key=str(key))


class Conflict(CatracaError):
    """Something that must be unique is taken; `extras` name what has it."""

    status = 409
    slug = "conflict"
    title = "It is taken already"


class NotAllowed(CatracaError):
    """The present state does not permit the change."""

    status = 409
    slug = "not-allowed"
    title = "The present state does not permit this"


class NeedsApproval(CatracaError):
    """A guard stopped a mass action: a person has to look and approve."""

    status = 409
    slug = "needs-approval"
    title = "A guard stopped this until somebody approves it"


class Unauthorised(CatracaError):
    status = 401
    slug = "unauthorised"
    title = "Who are you?"


class Forbidden(CatracaError):
    """The caller is known, and may not do this."""

    status = 403
    slug = "forbidden"
    title = "You may not do this"

    def __init__(self, permission: str) -> None:
        super().__init__(f"this needs the permission {permission}", permission=permission)
        self.permission = permission


class NeedsConfirmation(CatracaError):
    """It cannot be taken back: `extras` show what would happen, and the caller has to say so once more."""

    status = 409
    slug = "needs-confirmation"
    title = "This cannot be taken back: confirm it"


class TooManyTries(CatracaError):
    """The same thing was tried too often; `retry_after` seconds from now it may be tried again."""

    status = 429
    slug = "too-many-tries"
    title = "Too many tries"

    def __init__(self, detail: str, retry_after: int) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after


class Unavailable(CatracaError):
    """A part of the product is out of reach for now; nothing was changed."""

    status = 503
    slug = "unavailable"
    title = "Out of reach for now"

    def __init__(self, detail: str, retry_after: int = 5) -> None:
        super().__init__(detail, retry_after=retry_after)
        self.retry_after = retry_after
