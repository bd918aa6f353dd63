"""Certificates of every kind, good and bad, made on the spot, and what a server needs to show them."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

DAY = dt.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its key, and the files that hold them."""

    x509: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    file: Path
    key_file: Path

    def server(self) -> ssl.SSLContext:
        """What a server shows it with."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.file, self.key_file)
        return context


def certificate(
    folder: Path,
    *names: str,
    issuer: Certificate | None = None,
    from_days: float = -1,
    until_days: float = 1,
    is_authority: bool = False,
) -> Certificate:
    """A certificate for `names`, host names or IP addresses, in files of `folder`.

    Args:
        folder: Exists.
        names: None of them is needed for an authority.
        issuer: Who signs it; without one, it does so itself.
        from_days: When it begins, from now.
        until_days: When it ends, from now.
        is_authority: Whether it may sign others.
    """
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, names[0] if names else "an authority")])
    now = dt.datetime.now(dt.UTC)
    built = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.x509.subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + from_days * DAY)
        .not_valid_after(now + until_days * DAY)
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([_name_of(name) for name in names or ("authority.test",)]), False)
        .sign(issuer.key if issuer else key, hashes.SHA256())
    )
    stem = folder / f"{built.serial_number:x}"
    file, key_file = stem.with_suffix(".pem"), stem.with_suffix(".key")
    file.write_bytes(built.public_bytes(serialization.Encoding.PEM))
    unprotected = serialization.NoEncryption()
    key_file.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, unprotected))
    return Certificate(built, key, file, key_file)


def _name_of(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
