"""The words that a token may hold, and what each of them permits. A token without a list may do everything."""

from __future__ import annotations

from collections.abc import Collection

from core.errors import InvalidInput

API = "api"
SELF_SERVICE = "self-service"

PERMISSIONS: dict[str, str] = {
    API: "every route, but for what needs a word of its own",
    SELF_SERVICE: "the routes of a subscriber portal or a phone system, and no others",
    "receipt.change-amount": "receive another amount than what is due",
    "guard.approve": "approve a run that a guard stopped",
    "trust.beyond-rules": "grant a trust unblock that the company's rules refuse",
}


def checked_permissions(words: Collection[str]) -> list[str]:
    """The words, sorted, each once. InvalidInput for none at all or for one that is not known."""
    unknown = sorted(set(words) - set(PERMISSIONS))
    if unknown or not words:
        known = ", ".join(PERMISSIONS)
        what = f"{unknown[0]} is not a permission; the permissions are" if unknown else "at least one of"
        raise InvalidInput("permissions", f"{what} {known}", [SELF_SERVICE])
    return sorted(set(words))
