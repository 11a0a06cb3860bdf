"""Wapiti against the running server, as production runs it (HTTPS): nothing is found.

Its module `csrf` is left out: it sends a form of ours, whose token is an old one by then, twice,
and takes the two refusals for one answer; tests/test_defences.py tries every form. Those that ask a
server of Wapiti's own (`ssrf`, `xxe`, `log4shell`) have nobody to ask in a test.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import json
import os
import socket
import ssl
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from django.conf import settings
from django.core.cache import cache
from django.test import Client

from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from tests.workflows.test_concurrency import ROOT, database_address

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]
WAPITI = Path(sys.executable).parents[1] / "attack" / "bin" / "wapiti"
MODULES = (
    "cookieflags,crlf,csp,exec,file,http_headers,https_redirect,methods,permanentxss,redirect,sql,"
    "timesql,upload,xss"
)
LONG = os.environ.get("SANWEN_TEST_WAPITI") == "long"
SEEKING, ATTACKING, FOLDER, DEPTH = (240, 90, 40, 5) if LONG else (12, 2, 8, 3)
"""Seconds to look for pages, seconds for each module, pages of a folder, links from the first page.
SANWEN_TEST_WAPITI=long takes half an hour for each person at most, and more modules."""
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
"""A folder that is no disk, where the machine has one."""
MODULES += ",backup,brute_login_form,htaccess,ldap,shellshock" if LONG else ""


def certificate(folder: Path) -> tuple[Path, Path]:
    """A key and a certificate of this test for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), False
        )
        .sign(key, hashes.SHA256())
    )
    private, public = folder / "key.pem", folder / "cert.pem"
    private.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return private, public


@pytest.fixture
def server(place: Place, tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """The site as production runs it, on the test's database; its address and its log."""
    cache.clear()
    place.consultation()
    place.ballot()
    private, public = certificate(tmp_path)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        **os.environ,
        "DJANGO_SETTINGS_MODULE": "tests.attacked",
        "SANWEN_DATABASE": database_address(),
        "SANWEN_HTTPS": "1",
        "SANWEN_HOSTS": "127.0.0.1",
    }
    log = tmp_path / "server.log"
    with log.open("wb") as lines:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "uvicorn", "config.asgi:application"),
                *("--host", "127.0.0.1", "--port", str(port), "--lifespan", "off"),
                *("--no-server-header", "--no-access-log", "--log-level", "warning"),
                *("--ssl-keyfile", str(private), "--ssl-certfile", str(public)),
            ],
            cwd=ROOT,
            env=environment,
            stdout=lines,
            stderr=lines,
        )
    address = f"https://127.0.0.1:{port}"
    try:
        until = time.monotonic() + 120
        while not well(address):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < until, log.read_text()
            time.sleep(0.2)
        yield address, log
    finally:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
        process.kill()


def well(address: str) -> bool:
    """Whether the server answers."""
    opener = urllib.request.build_opener(
        urllib.request.ProxyHandler({}),
        urllib.request.HTTPSHandler(context=ssl._create_unverified_context()),
    )
    try:
        return bool(opener.open(f"{address}/healthz", timeout=5).status == 200)
    except OSError:
        return False


@pytest.mark.timeout(7200)
@pytest.mark.parametrize(
    "who", ["visitor", "resident", "office"] if LONG else ["visitor", "committee"]
)
def test_wapiti_finds_nothing(
    place: Place, server: tuple[str, Path], tmp_path: Path, who: str
) -> None:
    address, log = server
    told = tmp_path / "found.json"
    command = [
        *(str(WAPITI), "-u", f"{address}/", "--scope", "folder", "-d", str(DEPTH)),
        *("-m", MODULES, "--max-scan-time", str(SEEKING), "--max-attack-time", str(ATTACKING)),
        *("--max-files-per-dir", str(FOLDER), "--max-parameters", "30", "--flush-session"),
        *("-x", f"{address}/accounts/logout/", "--no-bugreport", "-v", "0", "--timeout", "30"),
        *("--verify-ssl", "0", "-f", "json", "-o", str(told)),
    ]
    person: Any = {
        "resident": place.others[0],
        "committee": place.committee,
        "office": place.office,
    }.get(who)
    if person is not None:
        client = Client()
        client.force_login(person, backend=settings.AUTHENTICATION_BACKENDS[0])
        session = client.cookies[settings.SESSION_COOKIE_NAME].value
        command += ["-C", f"__Host-sessionid={session}"]
    for _again in range(5):
        # What Wapiti remembers lies in a database that it locks for itself where a disk is slow.
        with tempfile.TemporaryDirectory(dir=MEMORY, ignore_cleanup_errors=True) as home:
            done = subprocess.run(
                command,
                env={**os.environ, "HOME": home, "no_proxy": "*", "NO_PROXY": "*"},
                cwd=tmp_path,
                capture_output=True,
                text=True,
                timeout=7000,
                check=False,
            )
        if told.is_file() or "database is locked" not in done.stderr:
            break
    assert told.is_file(), f"{done.stdout[-2000:]}\n{done.stderr[-3000:]}"
    found = json.loads(told.read_text())
    assert found["infos"]["crawled_pages_nbr"] > 10, found["infos"]
    said = [
        f"{kind}: {each['method']} {each['path']} {each['parameter']} {each['info']}"
        for part in ("vulnerabilities", "anomalies")
        for kind, rows in found[part].items()
        for each in rows
    ]
    assert not said, "\n".join(said)
    assert "Internal Server Error" not in log.read_text(errors="replace")
