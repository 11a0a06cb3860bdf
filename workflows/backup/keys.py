"""The keys in a backup: sealed with a passphrase (scrypt, RFC 7914; Fernet), or not in it."""

from __future__ import annotations

import base64
import json
import secrets
from contextlib import suppress
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from django.conf import settings

from ..records import log
from . import BackupError

# 32 MiB and a good tenth of a second a guess.
COST, BLOCK, LANES = 2**15, 8, 1


def held() -> dict[str, str]:
    """The site's keys: ``secret`` (sessions, receipts), and ``log`` where it is here."""
    found = {"secret": settings.SECRET_KEY}
    with suppress(log.NoKey):
        found["log"] = str(log.signer())
    return found


def _cipher(passphrase: str, salt: bytes) -> Fernet:
    key = Scrypt(salt=salt, length=32, n=COST, r=BLOCK, p=LANES).derive(passphrase.encode())
    return Fernet(base64.urlsafe_b64encode(key))


def seal(keys: dict[str, str], passphrase: str) -> str:
    """The keys as a text that only the passphrase opens."""
    salt = secrets.token_bytes(16)
    token = _cipher(passphrase, salt).encrypt(json.dumps(keys).encode())
    return json.dumps({"v": 1, "salt": salt.hex(), "sealed": token.decode()}) + "\n"


def opened(text: str, passphrase: str) -> dict[str, str]:
    """The keys. Raises `BackupError` for another passphrase or a changed text."""
    try:
        given = json.loads(text)
        token = _cipher(passphrase, bytes.fromhex(given["salt"])).decrypt(given["sealed"].encode())
        found: dict[str, str] = json.loads(token)
    except (InvalidToken, ValueError, KeyError, TypeError) as error:
        raise BackupError(
            "SANWEN_BACKUP_PASSPHRASE does not open the keys of this backup"
        ) from error
    return found


def put_back(keys: dict[str, str]) -> list[str]:
    """Put the keys into their files where the environment does not give them; what to know of it.

    A key that stands there already and is another is kept beside it (``.before``).
    """
    told = []
    secret, here = keys["secret"], Path(settings.SANWEN_SECRET_KEY_FILE)
    if secret != settings.SECRET_KEY:
        if here.exists() and here.read_text(encoding="ascii") == settings.SECRET_KEY:
            _write(here, secret)
        else:
            told.append(
                "SANWEN_SECRET_KEY is not that of the backup: receipts given before are not found"
            )
    if "log" in keys:
        path = Path(settings.SANWEN_LOG_KEY_FILE)
        if settings.SANWEN_LOG_KEY:
            if keys["log"] != settings.SANWEN_LOG_KEY:
                told.append("SANWEN_LOG_KEY is not the log's key of the backup")
        elif not path.exists() or path.read_text(encoding="ascii").strip() != keys["log"]:
            _write(path, f"{keys['log']}\n")
    return told


def _write(path: Path, text: str) -> None:
    if path.exists():
        path.replace(path.with_name(path.name + ".before"))
    path.touch(mode=0o600)
    path.write_text(text, encoding="ascii")
