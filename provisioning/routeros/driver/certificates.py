"""API-SSL: TLS to a router whose certificate is pinned, or vouched for by an authority, before a word is sent.

Routers mostly have certificates that they signed themselves: pinning one is as good as an authority, and needs none.
"""

from __future__ import annotations

import ssl
from functools import cache, lru_cache
from hashlib import sha256
from hmac import compare_digest
from pathlib import Path

from provisioning.routeros.connection import CertificateRefused, RouterLost, Target
from provisioning.routeros.driver.stream import Stream, dial

OFF, PINNED, CA = "off", "pinned", "ca"


def open_stream(target: Target) -> Stream:
    """A connection to the target with its certificate found good. RouterError."""
    if target.tls == OFF:
        return Stream(dial(target.host, target.port, target.timeout), f"{target.host} port {target.port}")
    if target.tls == PINNED:
        return _pinned(target)
    if target.tls == CA:
        return _shake_hands(target.host, target.port, target.timeout, _vouched(target.ca_file))
    raise ValueError(f"tls {target.tls!r}: one of {OFF}, {PINNED}, {CA}")


def presented_fingerprint(host: str, port: int, timeout: float) -> str:
    """SHA-256, in hexadecimal, of the certificate that the router presents now: to be compared and pinned.

    Nothing is sent over the connection, no password above all. RouterError.
    """
    stream = _shake_hands(host, port, timeout, _unchecked())
    try:
        return _fingerprint(stream)
    finally:
        stream.close()


def plain_fingerprint(written: str) -> str:
    """A fingerprint as people write it (`SHA256:AB:CD:…`) in the form in which it is compared."""
    return written.strip().lower().removeprefix("sha256:").replace(":", "").replace(" ", "")


def _pinned(target: Target) -> Stream:
    pin = plain_fingerprint(target.fingerprint)
    if not pin:
        raise CertificateRefused("no fingerprint is pinned for this router: read the one it presents, compare, pin it")
    stream = _shake_hands(target.host, target.port, target.timeout, _unchecked())
    shown = _fingerprint(stream)
    if compare_digest(shown.encode(), pin.encode()):
        return stream
    stream.close()
    raise CertificateRefused(
        f"{stream.where} presents the certificate {shown}, and {pin} is pinned: if it was renewed, compare it at the "
        "router and pin the new one; if not, somebody is in between"
    )


def _shake_hands(host: str, port: int, timeout: float, context: ssl.SSLContext) -> Stream:
    where = f"{host} port {port}"
    sock = dial(host, port, timeout)
    try:
        stream = Stream(context.wrap_socket(sock, server_hostname=host, do_handshake_on_connect=False), where)
    except (OSError, ValueError) as error:
        sock.close()
        raise RouterLost(f"{where}: TLS cannot begin: {type(error).__name__}") from None
    try:
        stream.handshake(timeout)
        return stream
    except ssl.SSLCertVerificationError as error:
        stream.close()
        raise CertificateRefused(_unvouched(where, error)) from None
    except ssl.SSLError as error:
        stream.close()
        why = error.reason or "it ended in the middle"
        raise RouterLost(
            f"{where}: the TLS handshake failed ({why}): check that it is API-SSL's port (8729) and that its service "
            "has a certificate"
        ) from None
    except BaseException:
        stream.close()
        raise


def _unvouched(where: str, error: ssl.SSLCertVerificationError) -> str:
    return (
        f"the certificate of {where} is not accepted: {error.verify_message}. Give the router one for this address "
        "from an authority that is known here, name that authority's file, or pin the certificate"
    )


@cache
def _unchecked() -> ssl.SSLContext:
    """Takes any certificate: whoever uses it compares what was presented before sending a word."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def _vouched(ca_file: str | None) -> ssl.SSLContext:
    """Checks name or address, dates and authority: those of the file, or the system's."""
    file = ca_file or ssl.get_default_verify_paths().cafile
    try:
        return _checking(ca_file, _stamp(file) if file else ())
    except (OSError, ssl.SSLError) as error:
        why = error.strerror or type(error).__name__
        raise CertificateRefused(f"the authorities in {file} cannot be read: {why}") from None


@lru_cache(maxsize=16)
def _checking(ca_file: str | None, stamp: tuple[int, ...]) -> ssl.SSLContext:
    """Made anew when the file has changed (`stamp`): reading the system's takes longer than the whole connection."""
    return ssl.create_default_context(cafile=ca_file)


def _stamp(file: str) -> tuple[int, ...]:
    found = Path(file).stat()
    return found.st_ino, found.st_size, found.st_mtime_ns


def _fingerprint(stream: Stream) -> str:
    return sha256(stream.certificate()).hexdigest()
