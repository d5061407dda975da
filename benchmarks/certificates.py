"""A certificate authority of this run, and a certificate of the loopback address, as AWS's endpoints have them."""

import datetime as dt
import ipaddress
from pathlib import Path
from typing import NamedTuple

import botocore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

_PEM = serialization.Encoding.PEM


class TlsFiles(NamedTuple):
    """The server's certificate with its key, and the trust store of the clients, for AWS_CA_BUNDLE."""

    server: Path
    bundle: Path


def make_certificates(folder: Path) -> TlsFiles:
    """Write both files into a folder; the trust store has botocore's certificates too, so that it loads as slowly."""
    authority, key = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)
    root = _sign("benchmark authority", "benchmark authority", authority.public_key(), authority, None)
    own = _sign("benchmark", "benchmark authority", key.public_key(), authority, "127.0.0.1")
    files = TlsFiles(folder / "server.pem", folder / "bundle.pem")
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files.server.write_bytes(own.public_bytes(_PEM) + key.private_bytes(_PEM, form, plain))
    known = (Path(botocore.__file__).parent / "cacert.pem").read_bytes()
    files.bundle.write_bytes(known + root.public_bytes(_PEM))
    return files


def _sign(
    name: str, issuer: str, key: rsa.RSAPublicKey, authority: rsa.RSAPrivateKey, address: str | None
) -> x509.Certificate:
    """Return a certificate of an address; without one, that of an authority."""
    now = dt.datetime.now(dt.UTC)
    subject, signer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer))
    names = [x509.IPAddress(ipaddress.ip_address(address))] if address else []
    certificate = (
        x509.CertificateBuilder(signer, subject, key, x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=address is None, path_length=None), critical=True)
    )
    if names:
        certificate = certificate.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return certificate.sign(authority, hashes.SHA256())
