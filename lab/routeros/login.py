"""Logging in: with the password in plain words since 6.43, by challenge before."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping

from lab.routeros.schema import Version
from lab.routeros.sentences import Answer, Asked
from lab.routeros.traps import Refusal

_PLAIN_SINCE = (6, 43, 0)


class Login:
    """One connection's way in. `user` is None until then."""

    def __init__(self, version: Version, users: Mapping[str, str]) -> None:
        self._version, self._users = version, users
        self._challenge = b""
        self.user: str | None = None

    def take(self, asked: Asked) -> Answer:
        """The answer to `/login`; Refusal when it is the wrong one."""
        if self._version < _PLAIN_SINCE and "response" not in asked.words:
            self._challenge = secrets.token_bytes(16)  # whatever else was said, as old routers do
            return Answer(ret=self._challenge.hex().encode())
        name = asked.words.get("name", b"").decode("utf-8", "replace")
        password = self._users.get(name)
        if password is None or not self._proves(asked, password.encode()):
            old = self._version < _PLAIN_SINCE
            raise Refusal("cannot log in" if old else "invalid user name or password (6)")
        self.user = name
        return Answer()

    def _proves(self, asked: Asked, password: bytes) -> bool:
        if self._version >= _PLAIN_SINCE:
            return hmac.compare_digest(asked.words.get("password", b""), password)
        digest = hashlib.md5(b"\0" + password + self._challenge, usedforsecurity=False).hexdigest()
        return bool(self._challenge) and hmac.compare_digest(asked.words["response"].lower(), b"00" + digest.encode())
