"""Secrets at rest.

The keys live in one file outside the database, mode 0600, newest first, one Fernet key a line. Two ciphers
use them. Columns are encrypted with `MultiFernet`, whose tokens carry their age and are rotated by the
library. What the RADIUS path reads for every packet is *sealed*: AES-128-GCM with a key derived from the
same line (HKDF-SHA256), because opening a Fernet token costs more than the rest of an answer. A sealed value
is `key id (4) + nonce (12) + ciphertext and tag`; its context (the record's key) is authenticated, so a
value that was copied to another record does not open.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_KEY_ID, _NONCE = 4, 12


class KeyMissing(Exception):
    """A value was encrypted with a key that the key file does not hold."""


class Secret:
    """A value that repr, str, logs and errors show as `***`; only `reveal` gives it out."""

    __slots__ = ("_value",)

    def __init__(self, value: str) -> None:
        self._value = value

    def reveal(self) -> str:
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._value == self._value

    def __hash__(self) -> int:
        return hash(self._value)


class Keyring:
    """The keys of one installation, newest first; the first one encrypts, all of them decrypt.

    A keyring of a file follows the file: it looks for a newer key before it encrypts or seals, and again when it cannot
    open a value. So keys are changed while processes run, and none goes on encrypting with a key that was replaced.
    """

    def __init__(self, keys: Sequence[str], source: Path | None = None) -> None:
        self._source = source
        self._stamp = _stamp(source)
        self._keys = _Keys.of(keys)

    @classmethod
    def of_file(cls, path: Path) -> Keyring:
        """The keys in `path`, and whatever they are replaced by later."""
        keyring = cls(_read(path), path)
        keyring._stamp = None  # the file may have changed between our reading and our stamp
        return keyring

    def __repr__(self) -> str:
        return f"Keyring({len(self._keys.sealers)} keys)"

    def encrypt(self, plain: bytes) -> bytes:
        self._follow()
        return self._keys.fernet.encrypt(plain)

    def decrypt(self, token: bytes) -> bytes:
        """The plain bytes; KeyMissing when no key of the ring made this token."""
        try:
            return self._keys.fernet.decrypt(token)
        except InvalidToken as error:
            if self._follow():
                return self.decrypt(token)
            raise KeyMissing("no key in the key file opens this value") from error

    def rotate(self, token: bytes) -> bytes:
        """The same value, encrypted with the newest key; KeyMissing when no key of the ring made this token."""
        self._follow()
        try:
            return self._keys.fernet.rotate(token)
        except InvalidToken as error:
            raise KeyMissing("no key in the key file opens this value") from error

    def seal(self, plain: bytes, context: bytes) -> bytes:
        self._follow()
        keys, nonce = self._keys, os.urandom(_NONCE)
        return keys.newest + nonce + keys.sealers[keys.newest].encrypt(nonce, plain, context)

    def unseal(self, blob: bytes, context: bytes) -> bytes:
        """The plain bytes of `seal`; KeyMissing for an unknown key, a changed value or another context."""
        sealer = self._keys.sealers.get(blob[:_KEY_ID])
        if sealer is None:
            if self._follow():
                return self.unseal(blob, context)
            raise KeyMissing("no key in the key file opens this value")
        try:
            return sealer.decrypt(blob[4:16], blob[16:], context)
        except (InvalidTag, ValueError) as error:  # ValueError: too short to hold a nonce
            raise KeyMissing("the sealed value was changed or belongs to another record") from error

    def _follow(self) -> bool:
        """Read the key file again if it was replaced; says whether it was. A file that is gone changes nothing."""
        stamp = _stamp(self._source)
        if stamp == self._stamp or stamp is None or self._source is None:
            return False
        self._keys = _Keys.of(_read(self._source))
        self._stamp = stamp
        return True


@dataclass(frozen=True)
class _Keys:
    """One reading of the keys, replaced as a whole, so that threads never see half of it."""

    fernet: MultiFernet
    sealers: Mapping[bytes, AESGCM]
    newest: bytes

    @classmethod
    def of(cls, keys: Sequence[str]) -> _Keys:
        if not keys:
            raise KeyMissing("the key file holds no key")
        fernet = MultiFernet([_fernet(key, line) for line, key in enumerate(keys, 1)])
        return cls(fernet, {_key_id(key): AESGCM(_derive(key)) for key in keys}, _key_id(keys[0]))


def open_keyring(path: Path) -> Keyring:
    """The keyring in `path`; a first start writes a new key there (mode 0600), and all processes agree on one."""
    if not path.exists():
        with _alone(path):
            if not path.exists():
                _write(path, [Fernet.generate_key().decode()])
    return Keyring.of_file(path)


def add_key(path: Path) -> Keyring:
    """Put a new key in front: from now on it encrypts, the older ones still decrypt."""
    with _alone(path):
        _write(path, [Fernet.generate_key().decode(), *_read(path)])
    return open_keyring(path)


def drop_old_keys(path: Path) -> Keyring:
    """Keep only the newest key; right only after every stored value was encrypted anew."""
    with _alone(path):
        _write(path, _read(path)[:1])
    return open_keyring(path)


def _stamp(path: Path | None) -> tuple[int, int, int] | None:
    """What changes whenever the file is replaced; None when there is none."""
    try:
        found = path.stat() if path else None
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found else None


def _read(path: Path) -> list[str]:
    return [line.strip() for line in path.read_text("ascii").splitlines() if line.strip()]


@contextmanager
def _alone(path: Path) -> Iterator[None]:
    """One process at a time changes the key file; at the end its name is durable, before anything is encrypted."""
    path.parent.mkdir(parents=True, exist_ok=True)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield
        os.fsync(directory)
    finally:
        os.close(directory)


def _write(path: Path, keys: Sequence[str]) -> None:
    draft = path.with_name(f"{path.name}.new")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        os.fchmod(descriptor, 0o600)  # whatever a draft that was left behind had
        file.write("\n".join(keys) + "\n")
        file.flush()
        os.fsync(descriptor)
    draft.replace(path)


def _fernet(key: str, line: int) -> Fernet:
    try:
        return Fernet(key)
    except ValueError as error:
        raise KeyMissing(f"line {line} of the key file is not a key") from error


def _key_id(key: str) -> bytes:
    return hashlib.sha256(b"catraca key id" + key.encode()).digest()[:_KEY_ID]


def _derive(key: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=16, salt=None, info=b"catraca sealed records").derive(key.encode())
