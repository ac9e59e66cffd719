"""Certificates for tests: authorities of our own, and what they issue, as PEM files."""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from radius.radsec_tls import TlsFiles

_PEM = serialization.Encoding.PEM
_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Issued:
    """A certificate and its key, in the object and in files; `der` is all of the certificate."""

    certificate: Path
    private_key: Path
    x509: x509.Certificate

    @property
    def der(self) -> bytes:
        return self.x509.public_bytes(serialization.Encoding.DER)

    @property
    def fingerprint(self) -> str:
        return "sha256:" + self.x509.fingerprint(hashes.SHA256()).hex()


class Authority:
    """A certification authority with a directory for what it issues."""

    def __init__(self, directory: Path, name: str = "Test CA") -> None:
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        built = (
            _builder(self._name, self._name, self._key.public_key(), datetime.now(UTC) - _DAY, 3650)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        )
        self.x509 = built.sign(self._key, hashes.SHA256())
        directory.mkdir(parents=True, exist_ok=True)
        self.ca = directory / "ca.pem"
        self.ca.write_bytes(self.pem)

    @property
    def pem(self) -> bytes:
        return self.x509.public_bytes(_PEM)

    def issue(
        self,
        common_name: str = "",
        *,
        dns: Sequence[str] = (),
        ip: Sequence[str] = (),
        days: int = 30,
        usage: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH),
        seconds: float | None = None,
    ) -> Issued:
        """A certificate for `days` from now, or `seconds`; negative ones: it has ended."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])
        until = datetime.now(UTC) + (timedelta(days=days) if seconds is None else timedelta(seconds=seconds))
        built = _builder(subject, self._name, key.public_key(), datetime.now(UTC) - 60 * _DAY, None, until)
        names = [*map(x509.DNSName, dns), *(x509.IPAddress(ip_address(each)) for each in ip)]
        if names:
            built = built.add_extension(x509.SubjectAlternativeName(names), critical=not common_name)
        if usage:
            built = built.add_extension(x509.ExtendedKeyUsage(usage), critical=False)
        identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        made = built.add_extension(identifier, critical=False).sign(self._key, hashes.SHA256())
        stem = self.directory / f"{made.serial_number:x}"
        return write(made, key, stem.with_suffix(".crt"), stem.with_suffix(".key"))

    def crl(self, *revoked: Issued) -> bytes:
        """A revocation list, PEM."""
        now = datetime.now(UTC)
        built = x509.CertificateRevocationListBuilder().issuer_name(self._name).last_update(now - _DAY)
        built = built.next_update(now + 30 * _DAY)
        for each in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(each.x509.serial_number).revocation_date(now - _DAY)
            built = built.add_revoked_certificate(entry.build())
        return built.sign(self._key, hashes.SHA256()).public_bytes(_PEM)

    def files(self, own: Issued) -> TlsFiles:
        """What a peer is set up with that shows `own` and trusts this authority."""
        return TlsFiles(own.certificate, own.private_key, self.ca)


def write(made: x509.Certificate, key: ec.EllipticCurvePrivateKey, certificate: Path, private_key: Path) -> Issued:
    """Put both into these files."""
    certificate.write_bytes(made.public_bytes(_PEM))
    plain = serialization.NoEncryption()
    private_key.write_bytes(key.private_bytes(_PEM, serialization.PrivateFormat.PKCS8, plain))
    return Issued(certificate, private_key, made)


def client_tls(authority: Authority, own: Issued | None, *, version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    """What a NAS would connect with; `own` None: it shows no certificate. `version` pins one version of TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(cafile=authority.ca)
    if own is not None:
        context.load_cert_chain(own.certificate, own.private_key)
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def _builder(
    subject: x509.Name,
    issuer: x509.Name,
    key: ec.EllipticCurvePublicKey,
    since: datetime,
    days: int | None,
    until: datetime | None = None,
) -> x509.CertificateBuilder:
    end = until or since + timedelta(days=days or 0)
    built = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key)
    return built.serial_number(x509.random_serial_number()).not_valid_before(since).not_valid_after(end)
