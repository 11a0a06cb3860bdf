"""Signed notes: Go's vectors (sumdb/note), checkpoints, cosignatures, proofs as text."""

from __future__ import annotations

import pytest

from sanwen import note

# The example of golang.org/x/mod/sumdb/note, from which C2SP's signed-note comes.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
SECRET = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
TEXT = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n"
)
SIGNED = (
    TEXT + "\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXg"
    "KvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
OWN = note.Signer("log.example", b"\7" * 32)
WITNESS = note.Signer("witness.example", b"\x08" * 32)
CHECKPOINT = note.Checkpoint("log.example", 5, b"\5" * 32)


def signed(text: str = CHECKPOINT.text, *lines: str) -> str:
    return f"{text}\n{OWN.sign(text)}{''.join(lines)}"


def test_go_s_example_is_signed_by_its_key():
    verifier = note.Verifier.parse(NEUMANN)
    assert str(verifier) == NEUMANN
    assert note.Note.parse(SIGNED).signed_by(verifier)
    assert str(note.Note.parse(SIGNED)) == SIGNED


def test_go_s_secret_makes_the_same_signature():
    signer = note.Signer.parse(SECRET)
    assert str(signer) == SECRET
    assert str(signer.verifier) == NEUMANN
    assert f"{TEXT}\n{signer.sign(TEXT)}" == SIGNED
    assert "AYEK" not in repr(signer)


def test_a_changed_text_is_caught():
    with pytest.raises(note.NoteError, match="false"):
        note.Note.parse(SIGNED.replace("problem", "riddle")).signed_by(note.Verifier.parse(NEUMANN))


def test_another_key_of_the_same_name_has_not_signed():
    other = note.Signer("PeterNeumann", b"\1" * 32)
    assert not note.Note.parse(SIGNED).signed_by(other.verifier)


@pytest.mark.parametrize(
    "source",
    [
        "", "a\n", "a\n\n", "a\n\n— x\n", "a\n\n— x AAAA\n", "a\n\n- x AAAAAAAA\n",
        "a\n\n— x AAAAAAAB",
        "a\0\n\n— x AAAAAAAA\n", "a\n\n— x AAAAAAA\n", "a\n\n— x AAAAAAAB==\n",
    ],
)  # fmt: skip
def test_what_is_no_note(source):
    with pytest.raises(note.NoteError):
        note.Note.parse(source)


@pytest.mark.parametrize(
    "line",
    ["", "a", "a+b", NEUMANN.replace("c74f20a3", "c74f20a4"), NEUMANN.replace("ARpc", "Ahpc"),
     "a b+00000000+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"],
)  # fmt: skip
def test_what_is_no_key(line):
    with pytest.raises(note.NoteError):
        note.Verifier.parse(line)


def test_a_checkpoint_opens_with_its_key_alone():
    found, _whole = note.open_checkpoint(signed(), [OWN.verifier])
    assert found == CHECKPOINT
    with pytest.raises(note.NoteError, match="not signed"):
        note.open_checkpoint(signed(), [WITNESS.verifier])
    with pytest.raises(note.NoteError):
        note.open_checkpoint(signed().replace("\n5\n", "\n6\n"), [OWN.verifier])


def test_a_log_cannot_sign_under_another_origin():
    text = note.Checkpoint("other.example", 5, b"\5" * 32).text
    with pytest.raises(note.NoteError, match=r"other\.example"):
        note.open_checkpoint(signed(text), [OWN.verifier])


@pytest.mark.parametrize("size", ["-1", "05", "5.0", "", "٥", "1e3"])
def test_a_size_is_a_plain_number(size):
    with pytest.raises(note.NoteError):
        note.Checkpoint.parse(CHECKPOINT.text.replace("\n5\n", f"\n{size}\n"))


def test_a_witness_says_when():
    text = signed(CHECKPOINT.text, WITNESS.cosign(CHECKPOINT.text, 1_780_000_000))
    found = note.Note.parse(text)
    assert found.cosigned_at(WITNESS.verifier) == 1_780_000_000
    assert found.cosigned_at(OWN.verifier) is None
    # A cosignature is no signature of the note, and the other way round.
    assert not found.signed_by(WITNESS.verifier)


def test_a_cosignature_moved_to_another_time_is_false():
    line = WITNESS.cosign(CHECKPOINT.text, 1_780_000_000)
    found = note.Note.parse(signed(CHECKPOINT.text, line)).signatures[1]
    moved = note.Signature(found.name, found.id, b"\0" * 8 + found.material[8:]).line
    with pytest.raises(note.NoteError, match="false"):
        note.Note.parse(signed(CHECKPOINT.text, moved)).cosigned_at(WITNESS.verifier)


def test_a_proof_is_read_as_it_is_written():
    path = [b"\1" * 32, b"\2" * 32]
    text = note.format_proof(3, path, signed())
    assert text.startswith("c2sp.org/tlog-proof@v1\nindex 3\n")
    assert note.parse_proof(text) == (3, path, signed())


@pytest.mark.parametrize(
    "change", [("proof@v1", "proof@v2"), ("index 3", "index x"), ("AQEB", "AQE")]
)
def test_a_malformed_proof_is_refused(change):
    text = note.format_proof(3, [b"\1" * 32], signed())
    with pytest.raises(note.NoteError):
        note.parse_proof(text.replace(*change))
