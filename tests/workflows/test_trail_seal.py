"""The signature of a trail as pyHanko's validator sees it, with a real time-stamping authority."""

from __future__ import annotations

import datetime as dt
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server

import pikepdf
import pytest
import yaml
from certomancer.integrations.animator import Animator, AnimatorArchStore
from certomancer.registry import ArchLabel, CertLabel, CertomancerConfig
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation import validate_pdf_signature
from pyhanko_certvalidator import ValidationContext

from tests.workflows.trail_cases import sealed
from workflows.records.trail import press, seal

PKI = """
pki-architectures:
  demo:
    keyset: demo
    entity-defaults: {country-name: CN, organization-name: Example}
    entities:
      root: {common-name: Root}
      signer: {common-name: Signer}
      tsa: {common-name: Time Stamping}
    certs:
      root:
        subject: root
        issuer: root
        subject-key: root
        authority-key: root
        validity: {valid-from: "2000-01-01T00:00:00+0000", valid-to: "2500-01-01T00:00:00+0000"}
        extensions:
          - {id: basic_constraints, critical: true, value: {ca: true}}
          - id: key_usage
            critical: true
            smart-value: {schema: key-usage, params: [digital_signature, key_cert_sign, crl_sign]}
      signer:
        subject: signer
        issuer: root
        validity: {valid-from: "2000-01-01T00:00:00+0000", valid-to: "2100-01-01T00:00:00+0000"}
        extensions:
          - id: key_usage
            critical: true
            smart-value: {schema: key-usage, params: [digital_signature, non_repudiation]}
      tsa:
        subject: tsa
        issuer: root
        validity: {valid-from: "2000-01-01T00:00:00+0000", valid-to: "2100-01-01T00:00:00+0000"}
        extensions:
          - id: key_usage
            critical: true
            smart-value: {schema: key-usage, params: [digital_signature]}
          - {id: extended_key_usage, critical: true, value: [time_stamping]}
    services:
      time-stamping:
        tsa: {signing-cert: tsa, signing-key: tsa}
"""


class Quiet(WSGIRequestHandler):
    def log_message(self, *_args):
        pass


@pytest.fixture(scope="module")
def pki():
    keys = {}
    for name in ("root", "signer", "tsa"):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        keys[name] = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    return keys


@pytest.fixture(scope="module")
def authority(pki, tmp_path_factory):
    """An architecture of certificates, and a time-stamping authority of it on this machine."""
    folder = tmp_path_factory.mktemp("pki")
    for name, pem in pki.items():
        (folder / f"{name}.pem").write_bytes(pem)
    config = yaml.safe_load(PKI)
    config["keysets"] = {
        "demo": {
            "path-prefix": str(folder),
            "keys": {name: {"path": f"{name}.pem"} for name in pki},
        }
    }
    arch = CertomancerConfig(config, key_search_dir=str(folder)).get_pki_arch(ArchLabel("demo"))
    served = Animator(AnimatorArchStore({ArchLabel("demo"): arch}), with_web_ui=False)
    server = make_server("127.0.0.1", 0, served, handler_class=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield arch, f"http://127.0.0.1:{server.server_port}/demo/tsa/tsa", folder
    server.shutdown()
    server.server_close()


@pytest.fixture
def signing(authority, settings, tmp_path):
    """The settings of an installation with a certificate and a time-stamping authority."""
    arch, address, folder = authority
    certificate = tmp_path / "signer.crt"
    der = arch.get_cert(CertLabel("signer")).dump()
    pem = x509.load_der_x509_certificate(der).public_bytes(serialization.Encoding.PEM)
    certificate.write_bytes(pem)
    settings.DEMO = False
    settings.SANWEN_TRAIL_KEY = str(folder / "signer.pem")
    settings.SANWEN_TRAIL_CERT = str(certificate)
    settings.SANWEN_TRAIL_PASSPHRASE = ""
    settings.SANWEN_TSA = address
    seal.signer.cache_clear()
    yield arch
    seal.signer.cache_clear()


def source(tmp_path):
    path = tmp_path / "bound.pdf"
    path.write_bytes(press.pressed("<html lang=zh><title>x</title><p>三问于民</html>"))
    return path


def checked(path, arch):
    trust = ValidationContext(trust_roots=[arch.get_cert(CertLabel("root"))])
    with path.open("rb") as held:
        (signature,) = PdfFileReader(held).embedded_signatures
        return validate_pdf_signature(
            signature, signer_validation_context=trust, ts_validation_context=trust
        )


def test_the_validator_trusts_signature_and_time_stamp(signing, tmp_path):
    sealed(source(tmp_path), tmp_path / "trail.pdf")
    status = checked(tmp_path / "trail.pdf", signing)
    assert status.bottom_line
    assert status.trusted
    assert status.timestamp_validity.valid
    assert status.timestamp_validity.trusted
    stamped = status.timestamp_validity.timestamp
    assert abs(stamped - dt.datetime.now(tz=dt.UTC)) < dt.timedelta(minutes=5)
    assert "附可信时间戳" in seal.described()


def test_the_validator_sees_a_document_that_went_on_after_the_signature(signing, tmp_path):
    path = tmp_path / "trail.pdf"
    sealed(source(tmp_path), path)
    signed = path.read_bytes()
    assert checked(path, signing).bottom_line
    # A comment at the head of the file, which every reader passes over: the signature does not.
    at = signed.index(b"%", 5)
    path.write_bytes(signed[: at + 1] + b"\xfe" + signed[at + 2 :])
    assert path.read_bytes() != signed
    assert not checked(path, signing).bottom_line


def test_without_the_authority_there_is_no_trail_that_claims_a_stamp(signing, settings, tmp_path):
    settings.SANWEN_TSA = "http://127.0.0.1:9/"
    with pytest.raises(seal.CannotSign):
        sealed(source(tmp_path), tmp_path / "trail.pdf")


def test_nobody_signs_where_no_certificate_is_configured(settings, tmp_path):
    settings.DEMO = False
    settings.SANWEN_TRAIL_KEY = settings.SANWEN_TRAIL_CERT = ""
    seal.signer.cache_clear()
    sealed(source(tmp_path), tmp_path / "trail.pdf")
    with pikepdf.open(tmp_path / "trail.pdf") as pdf:
        assert "/AcroForm" not in pdf.Root
    assert "未签名" in seal.described()
    seal.signer.cache_clear()


def test_the_certificate_of_a_demo_says_that_it_is_for_show_and_stays(settings, tmp_path):
    settings.DEMO = True
    settings.SANWEN_TRAIL_KEY = settings.SANWEN_TRAIL_CERT = ""
    settings.SANWEN_TRAIL_DEMO = tmp_path / "demo"
    seal.signer.cache_clear()
    assert "演示" in seal.described()
    first = (tmp_path / "demo/certificate.pem").read_bytes()
    assert (tmp_path / "demo").stat().st_mode & 0o077 == 0
    seal.signer.cache_clear()
    seal.signer()
    assert (tmp_path / "demo/certificate.pem").read_bytes() == first
    seal.signer.cache_clear()
