"""The TLS contexts of RadSec, made of the three files that the settings name, and made anew when these change.

TLS 1.2 at least (RFC 9325 §3.1.1), with the cipher suites that the interpreter offers by itself: forward secret and
authenticated ones alone. Both sides show a certificate and both are verified up to our own CAs, never the system's.

No session is resumed: a resumed one skips verification, and a NAS whose certificate has been revoked meanwhile would be
let in. Connections last for days, so a handshake more costs nothing.
"""

from __future__ import annotations

import logging
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from core.settings import Settings

ALPN = "radius/1.0"
"""RFC 9765 §3.3: RADIUS as everybody speaks it. Who does not ask for a protocol gets the same."""
_CRL = b"-----BEGIN X509 CRL-----"
_log = logging.getLogger(__name__)


class TlsUnusable(OSError):
    """The certificate, its key or the CAs cannot be used; the text says which setting and why."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: our certificate with its chain, its key, and the CAs (and CRLs) of the other side."""

    certificate: Path
    private_key: Path
    ca: Path

    @classmethod
    def of(cls, settings: Settings) -> TlsFiles:
        """Those of the settings; TlsUnusable when they name none."""
        named = settings.radsec_certificate, settings.radsec_private_key, settings.radsec_ca
        certificate, private_key, ca = named
        if certificate is None or private_key is None or ca is None:
            raise TlsUnusable("radsec_certificate, radsec_private_key and radsec_ca are not set")
        return cls(certificate, private_key, ca)

    def stamp(self) -> tuple[tuple[int, int, int], ...]:
        """What differs once a file has been changed or replaced; OSError when one is missing."""
        found = (path.stat() for path in (self.certificate, self.private_key, self.ca))
        return tuple((each.st_ino, each.st_size, each.st_mtime_ns) for each in found)


def server_context(files: TlsFiles) -> ssl.SSLContext:
    """For the listener; TlsUnusable."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.num_tickets = 0
    return _prepared(context, files)


def client_context(files: TlsFiles) -> ssl.SSLContext:
    """For connections to a NAS; TlsUnusable. Whose certificate it is remains to be looked at."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    return _prepared(context, files)


def _prepared(context: ssl.SSLContext, files: TlsFiles) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    context.set_alpn_protocols([ALPN])
    _load_own(context, files)
    _load_trust(context, files.ca)
    return context


def _load_own(context: ssl.SSLContext, files: TlsFiles) -> None:
    _read("radsec_certificate", files.certificate)
    _read("radsec_private_key", files.private_key)
    try:
        context.load_cert_chain(files.certificate, files.private_key, password=_no_password)
    except ssl.SSLError as error:
        pair = f"radsec_certificate {files.certificate} and radsec_private_key {files.private_key}"
        raise TlsUnusable(f"{pair} are no certificate and its key in PEM: {error.reason or 'unreadable'}") from error


def _load_trust(context: ssl.SSLContext, ca: Path) -> None:
    content = _read("radsec_ca", ca)
    try:
        context.load_verify_locations(cafile=ca)
    except ssl.SSLError as error:
        raise TlsUnusable(f"radsec_ca {ca} holds no certificate in PEM: {error.reason or 'unreadable'}") from error
    if _CRL in content:
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_LEAF


def _read(setting: str, path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise TlsUnusable(f"{setting} {path}: {error.strerror}") from error


def _no_password() -> str:
    raise TlsUnusable("radsec_private_key is encrypted, and there is nobody to type its password")


class WatchedContext:
    """The context of these files. `refresh` makes it anew when they have changed; TlsUnusable at the start only."""

    def __init__(self, files: TlsFiles, make: Callable[[TlsFiles], ssl.SSLContext]) -> None:
        self._files = files
        self._make = make
        self._told = ""
        self._load()

    def refresh(self) -> bool:
        """Whether there is a new context. Files that cannot be used leave the last one in force, and are tried again.

        They are often replaced one after the other, so for a moment key and certificate may not fit.
        """
        try:
            if self._files.stamp() == self._stamp:
                return False
            self._load()
        except OSError as error:
            if self._told != str(error):
                self._told = str(error)
                _log.error("the last TLS certificate stays in use: %s", error)
            return False
        self._told = ""
        return True

    def _load(self) -> None:
        try:
            stamp = self._files.stamp()
        except FileNotFoundError as error:
            raise TlsUnusable(f"{error.filename}: {error.strerror}") from error
        self.context = self._make(self._files)
        self.trust = sha256(self._files.ca.read_bytes()).digest()
        """Stands for the CAs and CRLs that are trusted now."""
        self._stamp = stamp
