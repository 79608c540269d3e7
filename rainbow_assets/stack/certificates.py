"""Certificates with which the parts of the S3 server know each other: mutual TLS, and nobody else has one.

They are as old as the server's process, like its tokens: nothing expires, nothing damaged is left in the way, and the
authority's own key is on no disk. Not here: who uses them (`seaweedfs.py`).
"""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from rainbow_assets.stack.credentials import write_private
from rainbow_assets.stack.ports import LOOPBACK

CA, CERTIFICATE, KEY = "ca.pem", "certificate.pem", "key.pem"
VALID = timedelta(days=3650)  # of a process that is started anew long before
CLOCK = timedelta(days=1)  # that a clock may be set back


def write(folder: Path) -> None:
    """Make an authority, and one certificate by it, in `folder`: files of mode 600."""
    authority, key = generate_private_key(SECP256R1()), generate_private_key(SECP256R1())
    signer = _certificate("rainbow authority", authority, authority, x509.BasicConstraints(ca=True, path_length=0))
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
    place = x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOOPBACK))])
    signed = _certificate("rainbow", key, authority, usage, place)
    write_private(folder / CA, signer.public_bytes(Encoding.PEM).decode())
    write_private(folder / CERTIFICATE, signed.public_bytes(Encoding.PEM).decode())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    write_private(folder / KEY, secret.decode())


def context(folder: Path) -> ssl.SSLContext:
    """What a client needs that has the certificate in `folder`."""
    made = ssl.create_default_context(cafile=folder / CA)
    made.load_cert_chain(folder / CERTIFICATE, folder / KEY)
    return made


def _certificate(
    name: str, key: EllipticCurvePrivateKey, signer: EllipticCurvePrivateKey, *extensions: x509.ExtensionType
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(name))
        .issuer_name(_name("rainbow authority"))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - CLOCK)
        .not_valid_after(now + VALID)
    )
    for extension in extensions:
        builder = builder.add_extension(extension, critical=isinstance(extension, x509.BasicConstraints))
    return builder.sign(signer, hashes.SHA256())


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
