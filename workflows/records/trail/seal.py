"""The electronic signature of a trail: PAdES, with a time stamp where an authority is configured.

PAdES baseline B-B (ETSI EN 319 142-1), B-T with a time stamp (RFC 3161). The certificate comes from
files that the settings name; a demo makes one for itself, whose name says that it is for show.
"""

from __future__ import annotations

import asyncio
import datetime as dt
import hashlib
import mmap
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.translation import gettext as _
from pikepdf import Array, Dictionary, Name, Pdf, String

from .binding import pdf_date

if TYPE_CHECKING:
    from pyhanko.sign.signers import SimpleSigner

FIELD = "SanwenSeal"
_UNKNOWN = 10**10 - 1
"""Stands for an offset until the file is written: as wide as any."""
_EMPTY = f"/ByteRange [ 0 {_UNKNOWN} {_UNKNOWN} {_UNKNOWN} ] /Contents <".encode()


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


def placed(out: Pdf, *, reason: str, at: dt.datetime) -> None:
    """Give an open document the field of the seal, empty and unseen; nothing where nobody signs.

    All else must be in the document by now. Once it has been saved, `signed` fills the field.
    """
    own = signer()
    if own is None:
        return
    certificates = [own.signing_cert, *own.cert_registry]
    room = 4096 + sum(len(each.dump()) for each in certificates if each is not None)
    room += 16384 if settings.SANWEN_TSA else 0  # the time stamp with its certificates
    page = out.pages[0].obj
    field = out.make_indirect(
        Dictionary(
            Type=Name.Annot,
            Subtype=Name.Widget,
            FT=Name.Sig,
            T=String(FIELD),
            F=132,  # printed, locked
            Rect=Array([0, 0, 0, 0]),
            P=page,
            V=out.make_indirect(
                Dictionary(
                    Type=Name.Sig,
                    Filter=Name("/Adobe.PPKLite"),
                    SubFilter=Name("/ETSI.CAdES.detached"),
                    Reason=String(reason),
                    M=String(pdf_date(at)),
                    ByteRange=Array([0, *[_UNKNOWN] * 3]),
                    Contents=String(bytes(room)),
                )
            ),
        )
    )
    if "/Annots" not in page:
        page.Annots = Array()
    page.Annots.append(field)
    out.Root.AcroForm = Dictionary(Fields=Array([field]), SigFlags=3)


def signed(path: Path) -> None:
    """Sign the document at `path`, whose field `placed` has made, where it lies.

    Raises `CannotSign`, for example when the time-stamping authority does not answer: a trail
    without the time stamp that its cover tells of would be a false one.
    """
    from pyhanko.sign import timestamps
    from pyhanko.sign.signers.pdf_byterange import PreparedByteRangeDigest

    own = signer()
    if own is None:
        return
    stamper = timestamps.HTTPTimeStamper(settings.SANWEN_TSA) if settings.SANWEN_TSA else None
    try:
        with path.open("r+b") as file:
            start, end = _ranged(file)
            digest = hashlib.sha256()
            for first, last in ((0, start), (end, os.fstat(file.fileno()).st_size)):
                file.seek(first)
                while part := file.read(min(2**20, last - file.tell())):
                    digest.update(part)
            made = asyncio.run(
                own.async_sign(digest.digest(), "sha256", use_pades=True, timestamper=stamper)
            )
            PreparedByteRangeDigest(digest.digest(), start, end).fill_with_cms(file, made)
    except Exception as error:
        raise CannotSign(_("案卷签名失败，请稍后再试；多次失败请联系系统管理员。")) from error


def _ranged(file: IO[bytes]) -> tuple[int, int]:
    """Write what is signed: all but the place of the signature, whose ends are returned."""
    with mmap.mmap(file.fileno(), 0) as content:
        at = content.find(_EMPTY)
        if at < 0 or content.find(_EMPTY, at + 1) >= 0:
            raise ValueError("the field of the seal is not there once")
        start = at + len(_EMPTY) - 1
        end = content.find(b">", start) + 1
        value = f"/ByteRange [ 0 {start} {end} {len(content) - end} ]".encode()
        room = _EMPTY.index(b" /Contents")
        content[at : at + room] = value.ljust(room)
    return start, end


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
