"""Certificates of servers of this machine."""

import datetime as dt
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def make_certificate(folder: Path, days: int = 2, host: str = "127.0.0.1") -> Path:
    """Make a self-signed certificate of a host, with its key, that is valid for so many days."""
    ends = dt.datetime.now(dt.UTC) + dt.timedelta(days=days)
    key = ec.generate_private_key(ec.SECP256R1())
    serial = x509.random_serial_number()
    # An issuer is looked for by its name: those of two certificates differ.
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"test {serial}")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(ends - dt.timedelta(days=3))
        .not_valid_after(ends)
        .add_extension(x509.SubjectAlternativeName([_general_name(host)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    encoding, form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    file = folder / "certificate.pem"
    file.write_bytes(made.public_bytes(encoding) + key.private_bytes(encoding, form, serialization.NoEncryption()))
    return file


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)
