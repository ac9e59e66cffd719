"""Asking HubSoft: one connection with its token, careful about time, and silent about secrets.

Only GETs are tried again: when the connection fails, on 429 and on 5xx, with growing pauses. A 401 makes us log in
once more, since tokens may be revoked before they expire. Redirects are not followed: the credentials are for one host.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any

import httpx

from billing_bridge.gateways.hubsoft.contract import (
    BY_DUE,
    CLIENTS_PATH,
    INVOICES_PATH,
    MOST_ITEMS,
    SUCCESS,
    TOKEN_PATH,
    Question,
)
from billing_bridge.gateways.hubsoft.mapping import listed, question_of, services_of, step_of
from billing_bridge.gateways.listing import FeedError, Page, Step
from core.redaction import redact_text
from core.secrets import Secret

CONNECT_SECONDS, READ_SECONDS = 5.0, 20.0
PAUSES = (0.5, 1.0)
"""Before the second and the third try."""
EARLY_SECONDS = 60
LARGEST_ANSWER = 32 * 1024 * 1024


class _Busy(httpx.HTTPError):
    """A login that was not answered: worth another try, as any failure of the connection."""


class HubSoft:
    """One connection. `seconds` and `pause` are the machine's own, but for tests."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: Secret,
        username: str,
        password: Secret,
        *,
        read_seconds: float = READ_SECONDS,
        pause: Callable[[float], None] = time.sleep,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._http = httpx.Client(
            base_url=base_url,
            timeout=httpx.Timeout(read_seconds, connect=CONNECT_SECONDS),
            headers={"Accept": "application/json"},
            follow_redirects=False,
            trust_env=False,
        )
        self._credentials = (client_id, client_secret, username, password)
        self._pause, self._seconds = pause, seconds
        self._token, self._expires = Secret(""), 0.0

    def fetch(self, step: Mapping[str, Any], page: int) -> Page:
        """One page of a step of the plan. FeedError when the answer cannot be had or believed."""
        if step["ask"] == "services":
            content = self._get(CLIENTS_PATH, {"pagina": str(page), "itens_por_pagina": str(MOST_ITEMS)})
            rows = _rows(content, "clientes")
            services = tuple(service for row in rows for service in services_of(row))
            return Page(services=services, more=_more(content, rows, page))
        content = self._get(INVOICES_PATH, question_of(step).parameters(page))
        rows = _rows(content, "faturas")
        return Page(invoices=tuple(listed(row) for row in rows), more=_more(content, rows, page))

    def due_on(self, day: date) -> Step:
        return step_of(Question(BY_DUE, day, day))

    def close(self) -> None:
        self._http.close()

    def _get(self, path: str, parameters: Mapping[str, str]) -> dict[str, Any]:
        answer = self._try(path, parameters)
        if answer.status_code == 401:
            self._token = Secret("")
            answer = self._try(path, parameters)
        if answer.status_code != 200:
            raise FeedError(f"HTTP {answer.status_code} from {path}")
        return _envelope(answer, path)

    def _try(self, path: str, parameters: Mapping[str, str]) -> httpx.Response:
        """The answer, after up to two more tries; a connection that fails to the last is a FeedError."""
        for pause in (*PAUSES, None):
            try:
                answer = self._http.get(path, params=dict(parameters), headers=self._authorised())
                if pause is None or not (answer.status_code == 429 or answer.status_code >= 500):
                    return answer
            except httpx.HTTPError as error:
                if pause is None:
                    why = str(error) if isinstance(error, _Busy) else type(error).__name__
                    raise FeedError(f"no answer from {path}: {why}") from None
            self._pause(pause)
        raise AssertionError("unreachable")

    def _authorised(self) -> dict[str, str]:
        if not self._token.reveal() or self._seconds() >= self._expires:
            self._log_in()
        return {"Authorization": f"Bearer {self._token.reveal()}"}

    def _log_in(self) -> None:
        client_id, client_secret, username, password = self._credentials
        answer = self._http.post(
            TOKEN_PATH,
            json={
                "grant_type": "password",
                "client_id": client_id,
                "client_secret": client_secret.reveal(),
                "username": username,
                "password": password.reveal(),
            },
        )
        if answer.status_code >= 500 or answer.status_code == 429:
            raise _Busy(f"HTTP {answer.status_code} from {TOKEN_PATH}")
        if answer.status_code != 200:
            raise FeedError(f"the credentials were refused: HTTP {answer.status_code} from {TOKEN_PATH}")
        content = _json(answer, TOKEN_PATH)
        token, lasts = content.get("access_token"), content.get("expires_in")
        if not isinstance(token, str) or not token or isinstance(lasts, bool) or not isinstance(lasts, int | float):
            raise FeedError(f"no token in the answer of {TOKEN_PATH}")
        self._token, self._expires = Secret(token), self._seconds() + max(0.0, lasts - EARLY_SECONDS)


def _envelope(answer: httpx.Response, path: str) -> dict[str, Any]:
    content = _json(answer, path)
    if str(content.get("status", "")).lower() not in SUCCESS:
        words = redact_text(str(content.get("msg", "")))[:200]
        raise FeedError(f"{path} answered an error: {words or 'without a word'}")
    return content


def _json(answer: httpx.Response, path: str) -> dict[str, Any]:
    if len(answer.content) > LARGEST_ANSWER:
        raise FeedError(f"{path} answered more than {LARGEST_ANSWER} bytes")
    try:
        content = answer.json()
    except (ValueError, RecursionError):
        raise FeedError(f"{path} did not answer JSON") from None
    if not isinstance(content, dict):
        raise FeedError(f"{path} did not answer an object")
    return content


def _rows(content: Mapping[str, Any], name: str) -> list[Any]:
    rows = content.get(name)
    if not isinstance(rows, list) or len(rows) > MOST_ITEMS:
        raise FeedError(f"the answer has no list of at most {MOST_ITEMS} {name}")
    return rows


def _more(content: Mapping[str, Any], rows: list[Any], page: int) -> bool:
    """Whether there is another page; where the answer does not number its pages, a full one is followed by another."""
    numbered = content.get("paginacao")
    last = numbered.get("ultima_pagina") if isinstance(numbered, dict) else None
    return page < last if isinstance(last, int) and not isinstance(last, bool) else len(rows) == MOST_ITEMS
