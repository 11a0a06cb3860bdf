"""The electronic signature of a trail: PAdES, with a time stamp where an authority is configured.

PAdES baseline B-B (ETSI EN 319 142-1), B-T with a time stamp (RFC 3161). The certificate comes from
files that the settings name; a demo makes one for itself, whose name says that it is for show.
"""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _

if TYPE_CHECKING:
    from pyhanko.sign.signers import SimpleSigner

FIELD = "SanwenSeal"


class CannotSign(RuntimeError):
    """The trail could not be signed or stamped; `str()` says what to look at."""


@cache
def signer() -> SimpleSigner | None:
    """Who signs, or None where no certificate is configured (never in a demo)."""
    from pyhanko.sign.signers import SimpleSigner

    key, certificate = settings.SANWEN_TRAIL_KEY, settings.SANWEN_TRAIL_CERT
    if not key and not certificate:
        if not settings.DEMO:
            return None
        key, certificate = _demo_files(Path(settings.SANWEN_TRAIL_DEMO))
    if not key or not certificate:
        raise ImproperlyConfigured("SANWEN_TRAIL_KEY and SANWEN_TRAIL_CERT go together")
    secret = settings.SANWEN_TRAIL_PASSPHRASE
    # The first certificate of the file is the signer's, those after it are its chain.
    load: Any = SimpleSigner.load
    loaded: SimpleSigner | None = load(
        key, certificate, key_passphrase=secret.encode() if secret else None
    )
    if loaded is None:
        raise ImproperlyConfigured("the key or certificate of the trail cannot be read")
    return loaded


def described() -> str:
    """Who signs, in words for the cover."""
    own = signer()
    if own is None:
        return _("未配置签名证书，本案卷未签名")
    name = own.subject_name
    if settings.SANWEN_TSA:
        return _("由“%(name)s”签名，附可信时间戳") % {"name": name}
    return _("由“%(name)s”签名") % {"name": name}


def sealed(source: Path, target: Path, *, reason: str) -> None:
    """Sign the document at `source` into `target`; unsigned where nobody signs.

    Raises `CannotSign`, for example when the time-stamping authority does not answer: a trail
    without the time stamp that its cover tells of would be a false one.
    """
    from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
    from pyhanko.sign import fields, signers, timestamps

    own = signer()
    if own is None:
        os.replace(source, target)
        return
    stamper = timestamps.HTTPTimeStamper(settings.SANWEN_TSA) if settings.SANWEN_TSA else None
    meta = signers.PdfSignatureMetadata(
        field_name=FIELD,
        md_algorithm="sha256",
        reason=reason,
        subfilter=fields.SigSeedSubFilter.PADES,
    )
    try:
        with source.open("rb") as read, target.open("w+b") as written:
            writer = IncrementalPdfFileWriter(read)
            signers.PdfSigner(meta, own, timestamper=stamper).sign_pdf(writer, output=written)
    except Exception as error:
        target.unlink(missing_ok=True)
        raise CannotSign(_("案卷签名失败，请稍后再试；多次失败请联系系统管理员。")) from error


def _demo_files(folder: Path) -> tuple[str, str]:
    """The demo's own key and certificate, made on first use."""
    if not folder.exists():
        key = ec.generate_private_key(ec.SECP256R1())
        secret = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".trail-"))
        (made / "key.pem").write_bytes(secret)
        (made / "certificate.pem").write_bytes(_demo_certificate(key))
        # Of two processes that meet here the second finds the folder filled and takes the first's.
        try:
            made.rename(folder)
        except OSError:
            shutil.rmtree(made)
    return str(folder / "key.pem"), str(folder / "certificate.pem")


def _demo_certificate(key: ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "CN"),
            x509.NameAttribute(NameOID.COMMON_NAME, "三问演示签名（无法律效力）"),
        ]
    )
    # The machine's time, not the demo's: those who check have that one too.
    now = dt.datetime.now(tz=dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_for_signing(), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _for_signing() -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
