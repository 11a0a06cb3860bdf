"""Signed notes, checkpoints, cosignatures and proofs as text (C2SP).

Formats: https://c2sp.org/signed-note, https://c2sp.org/tlog-checkpoint,
https://c2sp.org/tlog-cosignature, https://c2sp.org/tlog-proof. Only Ed25519 (RFC 8032).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from .merkle import HASH_BYTES

ED25519 = 0x01
COSIGNATURE = 0x04
_DASH = "\N{EM DASH} "
LONGEST = 1_000_000


class NoteError(ValueError):
    """A note, key or signature is not what it should be; the message says why."""


def _b64(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")


def _unb64(text: str, what: str) -> bytes:
    try:
        found = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NoteError(f"{what} is no Base64") from error
    if _b64(found) != text:
        raise NoteError(f"{what} is no canonical Base64")
    return found


def key_id(name: str, algorithm: int, public: bytes) -> bytes:
    """The four bytes by which a signature names its key (C2SP signed-note)."""
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public).digest()[:4]


def _check_name(name: str) -> None:
    if not name or "+" in name or any(sign.isspace() for sign in name):
        raise NoteError("a key's name is empty or has a blank or a plus sign")


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with its name: a vkey line. `algorithm` 1 signs notes, 4 cosigns checkpoints."""

    name: str
    public: bytes
    algorithm: int = ED25519

    @property
    def id(self) -> bytes:
        """Its four bytes in signatures."""
        return key_id(self.name, self.algorithm, self.public)

    def __str__(self) -> str:
        material = bytes([self.algorithm]) + self.public
        return f"{self.name}+{self.id.hex()}+{_b64(material)}"

    @classmethod
    def parse(cls, line: str) -> Verifier:
        """Read a vkey line. Raises `NoteError`."""
        parts = line.strip().split("+", 2)
        if len(parts) != 3:
            raise NoteError("a verifier key has three parts: name+id+key")
        name, hexed, encoded = parts
        _check_name(name)
        material = _unb64(encoded, "the verifier key")
        if len(material) != 33 or material[0] not in (ED25519, COSIGNATURE):
            raise NoteError("only Ed25519 verifier keys are known")
        found = cls(name, material[1:], material[0])
        if found.id.hex() != hexed:
            raise NoteError("the verifier key's id does not belong to it")
        return found

    def cosigner(self) -> Verifier:
        """The same key as a cosigner of checkpoints, which tells the time as well."""
        return Verifier(self.name, self.public, COSIGNATURE)

    def check(self, message: bytes, signature: bytes) -> bool:
        """Whether `signature` (64 bytes) is this key's over `message`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """A private key with its name. Its text form is a secret: keep it in a file of one's own."""

    name: str
    seed: bytes

    @classmethod
    def make(cls, name: str) -> Signer:
        """A new key."""
        _check_name(name)
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Signer:
        """Read ``PRIVATE+KEY+name+id+key``, the form of Go's sumdb/note. Raises `NoteError`."""
        parts = text.strip().split("+", 4)
        if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
            raise NoteError("a signing key begins with PRIVATE+KEY+")
        _check_name(parts[2])
        material = _unb64(parts[4], "the signing key")
        if len(material) != 33 or material[0] != ED25519:
            raise NoteError("only Ed25519 signing keys are known")
        found = cls(parts[2], material[1:])
        if found.verifier.id.hex() != parts[3]:
            raise NoteError("the signing key's id does not belong to it")
        return found

    def __str__(self) -> str:
        material = _b64(bytes([ED25519]) + self.seed)
        return f"PRIVATE+KEY+{self.name}+{self.verifier.id.hex()}+{material}"

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    @property
    def verifier(self) -> Verifier:
        """The public key."""
        private = Ed25519PrivateKey.from_private_bytes(self.seed)
        return Verifier(self.name, private.public_key().public_bytes_raw())

    def _sign(self, message: bytes) -> bytes:
        return Ed25519PrivateKey.from_private_bytes(self.seed).sign(message)

    def sign(self, text: str) -> str:
        """The signature line of a note whose text is `text`."""
        return _line(self.name, self.verifier.id + self._sign(text.encode()))

    def cosign(self, text: str, at: int) -> str:
        """The cosignature line of a checkpoint, at `at` seconds since 1970 (C2SP cosignature)."""
        signature = self._sign(_cosigned(text, at))
        identity = self.verifier.cosigner().id
        return _line(self.name, identity + at.to_bytes(8, "big") + signature)


def _cosigned(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _line(name: str, material: bytes) -> str:
    return f"{_DASH}{name} {_b64(material)}\n"


@dataclass(frozen=True, slots=True)
class Signature:
    """A signature line: whose, and its bytes after the key's id."""

    name: str
    id: bytes
    material: bytes

    @property
    def line(self) -> str:
        """As it stands in the note."""
        return _line(self.name, self.id + self.material)


@dataclass(frozen=True, slots=True)
class Note:
    """A text with signatures (C2SP signed-note)."""

    text: str
    signatures: tuple[Signature, ...]

    @classmethod
    def parse(cls, source: str) -> Note:
        """Read a signed note. Raises `NoteError`."""
        if len(source) > LONGEST:
            raise NoteError("the note is too long")
        if any(ord(sign) < 0x20 and sign != "\n" for sign in source):
            raise NoteError("the note has control signs")
        text, blank, tail = source.rpartition("\n\n")
        if not blank or not tail.endswith("\n"):
            raise NoteError("the note has no signatures")
        found = []
        for line in tail[:-1].split("\n"):
            parts = line.removeprefix(_DASH).split(" ")
            if not line.startswith(_DASH) or len(parts) != 2:
                raise NoteError("a signature line is malformed")
            material = _unb64(parts[1], "a signature")
            if len(material) < 5:
                raise NoteError("a signature is too short")
            found.append(Signature(parts[0], material[:4], material[4:]))
        return cls(text + "\n", tuple(found))

    def __str__(self) -> str:
        return self.text + "\n" + "".join(signature.line for signature in self.signatures)

    def signed_by(self, verifier: Verifier) -> bool:
        """Whether one of the signatures is that key's, over this text.

        Raises `NoteError` when a signature claims to be the key's and is not.
        """
        return self._own(verifier) is not None

    def cosigned_at(self, verifier: Verifier) -> int | None:
        """When that key cosigned this checkpoint, in seconds since 1970, or None.

        Raises `NoteError` when a signature claims to be the key's and is not.
        """
        material = self._own(verifier.cosigner())
        return int.from_bytes(material[:8], "big") if material else None

    def _own(self, verifier: Verifier) -> bytes | None:
        for signature in self.signatures:
            if signature.name != verifier.name or signature.id != verifier.id:
                continue
            material = signature.material
            if verifier.algorithm == COSIGNATURE:
                at = int.from_bytes(material[:8], "big")
                good = len(material) == 72 and verifier.check(
                    _cosigned(self.text, at), material[8:]
                )
            else:
                good = verifier.check(self.text.encode(), material)
            if not good:
                raise NoteError(f"the signature of {verifier.name} is false")
            return material
        return None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log says of itself: its name, how many records it has, their root."""

    origin: str
    size: int
    root: bytes
    extension: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text that is signed (C2SP tlog-checkpoint)."""
        lines = [self.origin, str(self.size), _b64(self.root), *self.extension]
        return "".join(line + "\n" for line in lines)

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """Read the text of a checkpoint. Raises `NoteError`."""
        lines = text.removesuffix("\n").split("\n")
        if len(lines) < 3 or not lines[0]:
            raise NoteError("a checkpoint has at least three lines")
        if not lines[1].isascii() or not lines[1].isdecimal() or str(int(lines[1])) != lines[1]:
            raise NoteError("the checkpoint's size is no number")
        tree_root = _unb64(lines[2], "the checkpoint's root")
        if len(tree_root) != HASH_BYTES:
            raise NoteError("the checkpoint's root has not 32 bytes")
        return cls(lines[0], int(lines[1]), tree_root, tuple(lines[3:]))


def open_checkpoint(source: str, verifiers: Iterable[Verifier]) -> tuple[Checkpoint, Note]:
    """A signed checkpoint, once one of `verifiers` is seen to have signed it. Raises `NoteError`.

    The origin is the name of the key that signed.
    """
    note = Note.parse(source)
    found = Checkpoint.parse(note.text)
    for verifier in verifiers:
        if verifier.name == found.origin and note.signed_by(verifier):
            return found, note
    raise NoteError(f"the checkpoint of {found.origin} is not signed by the log's key")


PROOF_HEADER = "c2sp.org/tlog-proof@v1"


def format_proof(index: int, path: Sequence[bytes], checkpoint: str) -> str:
    """An inclusion proof with its checkpoint, to keep (C2SP tlog-proof)."""
    lines = [PROOF_HEADER, f"index {index}", *(_b64(step) for step in path)]
    return "".join(line + "\n" for line in lines) + "\n" + checkpoint


def parse_proof(source: str) -> tuple[int, list[bytes], str]:
    """Index, path and checkpoint note of a proof as text. Raises `NoteError`."""
    head, blank, checkpoint = source.partition("\n\n")
    lines = head.split("\n")
    if not blank or len(lines) < 2 or lines[0] != PROOF_HEADER:
        raise NoteError("this is no inclusion proof")
    if lines[1].startswith("extra "):
        del lines[1]
    index = lines[1].removeprefix("index ")
    if not lines[1].startswith("index ") or not index.isascii() or not index.isdecimal():
        raise NoteError("the proof names no record")
    path = [_unb64(line, "a hash of the proof") for line in lines[2:]]
    if any(len(step) != HASH_BYTES for step in path):
        raise NoteError("a hash of the proof has not 32 bytes")
    return int(index), path, checkpoint
