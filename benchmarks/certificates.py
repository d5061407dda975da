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

AWS_ROOTS = 5
"""The roots of AWS's endpoints, which the router reads first: docs/decisions/mechanisms-that-hold-a-floor.md"""
_BEGIN = b"-----BEGIN CERTIFICATE-----"
_PEM = serialization.Encoding.PEM
_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


class TlsFiles(NamedTuple):
    """The server's certificate with its key, and the trust stores of the clients, for AWS_CA_BUNDLE.

    `bundle` has as many certificates as the system, `roots` as many as AWS's endpoints have.
    """

    server: Path
    bundle: Path
    roots: Path


def make_certificates(folder: Path) -> TlsFiles:
    """Write the files into a folder; the trust stores have some of botocore's certificates, to load as slowly."""
    authority, key = rsa.generate_private_key(65537, 2048), rsa.generate_private_key(65537, 2048)
    root = _sign("benchmark authority", "benchmark authority", authority.public_key(), authority, None)
    own = _sign("benchmark", "benchmark authority", key.public_key(), authority, "127.0.0.1")
    files = TlsFiles(folder / "server.pem", folder / "bundle.pem", folder / "roots.pem")
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files.server.write_bytes(own.public_bytes(_PEM) + key.private_bytes(_PEM, form, plain))
    known = (Path(botocore.__file__).parent / "cacert.pem").read_bytes()
    files.bundle.write_bytes(known + root.public_bytes(_PEM))
    begin = known.index(_BEGIN)
    few = _BEGIN.join(known[begin:].split(_BEGIN)[:AWS_ROOTS])
    files.roots.write_bytes(few + root.public_bytes(_PEM))
    return files


def _sign(
    name: str, issuer: str, key: rsa.RSAPublicKey, authority: rsa.RSAPrivateKey, address: str | None
) -> x509.Certificate:
    """Return a certificate of an address; without one, that of an authority."""
    now = dt.datetime.now(dt.UTC)
    subject, signer = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in (name, issuer))
    certificate = (
        x509.CertificateBuilder(signer, subject, key, x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=address is None, path_length=None), critical=True)
        # From 3.13 on Python verifies as RFC 5280 says, which requires the identifiers and the usage of keys.
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority.public_key()), critical=False)
    )
    if address is None:
        usage = dict.fromkeys(_USAGES, False) | {"key_cert_sign": True}
        certificate = certificate.add_extension(x509.KeyUsage(**usage), critical=True)
    else:
        names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))])
        certificate = certificate.add_extension(names, critical=False)
    return certificate.sign(authority, hashes.SHA256())
