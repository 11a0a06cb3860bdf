"""A full disk: what cannot be written is refused in words, nothing is left half written, and all
goes on once there is space. The limit is the operating system's own, for files of this process."""

from __future__ import annotations

import io
import resource
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from PIL import Image

from sanwen import note
from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from workflows import records
from workflows.models import Attachment, Case, Opinion, Record
from workflows.portal import faults
from workflows.records import log

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]

ADDRESS = "/cases/{}/do/ask/opinion.submitted/"


@pytest.fixture(autouse=True)
def _key(settings: Any, tmp_path: Path) -> None:
    settings.SANWEN_LOG_KEY_FILE = tmp_path / "log.key"
    log.write_key(note.Signer.make(settings.SANWEN_LOG_ORIGIN), tmp_path / "log.key")


@contextmanager
def no_space(largest: int) -> Iterator[None]:
    """No file of this process may grow beyond so many bytes; writing more fails at once."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.fixture
def neighbour(place: Place) -> Client:
    """Somebody at home there; an error is answered as it would be in use."""
    client = Client(raise_request_exception=False)
    client.force_login(place.others[1], backend="django.contrib.auth.backends.ModelBackend")
    return client


def sent(client: Client, case: Case, key: str, *, language: str = "zh-hans", **more: Any) -> Any:
    said = {"text": "楼道的灯不亮，希望换成声控的。", "idempotency_key": key, **more}
    return client.post(ADDRESS.format(case.number), said, headers={"accept-language": language})


def whole(case: Case) -> None:
    case.refresh_from_db()
    assert records.first_fault(case) is None
    assert log.integrate() >= 0
    assert case.length == case.records.count()
    assert Record.objects.filter(log_index=None).count() == 0


@pytest.mark.skipif(connection.vendor != "sqlite", reason="PostgreSQL writes elsewhere")
@pytest.mark.parametrize(
    ("language", "words"), [("zh-hans", "刚才的操作没有登记"), ("en", "was not registered")]
)
def test_a_full_disk_refuses_the_act_in_words_and_nothing_is_half_written(
    place: Place, neighbour: Client, language: str, words: str, settings: Any, tmp_path: Path
) -> None:
    case, key = place.consultation(), secrets.token_hex(12)
    before = (Record.objects.count(), Opinion.objects.count())
    with no_space(4096):
        answer = sent(neighbour, case, key, language=language)
        api = neighbour.get("/healthz")
    assert answer.status_code == 507
    assert words in answer.content.decode()
    assert api.status_code == 200, "what is only read is still shown"
    assert (Record.objects.count(), Opinion.objects.count()) == before

    # With space again the same submission goes through, once.
    for _again in range(2):
        answer = sent(neighbour, case, key)
        assert answer.status_code == 302
    assert Opinion.objects.count() == before[1] + 1
    whole(case)


def picture() -> SimpleUploadedFile:
    """About 90 KB."""
    noise = Image.frombytes("RGB", (200, 150), secrets.token_bytes(200 * 150 * 3))
    out = io.BytesIO()
    noise.save(out, "PNG")
    return SimpleUploadedFile("photo.png", out.getvalue(), "image/png")


def test_a_photo_that_does_not_fit_leaves_no_part_of_itself(
    place: Place, neighbour: Client, settings: Any
) -> None:
    case, key = place.consultation(), secrets.token_hex(12)

    def stored() -> set[Path]:
        return {path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}

    before, kept = stored(), Attachment.objects.count()
    with no_space(30_000):
        answer = sent(neighbour, case, key, photos=[picture()])
    assert answer.status_code == 507
    assert stored() == before
    assert Attachment.objects.count() == kept
    assert sent(neighbour, case, key, photos=[picture()]).status_code == 302
    assert len(stored()) == len(before) + 1
    whole(case)


def test_a_refused_act_leaves_no_file(place: Place, neighbour: Client, settings: Any) -> None:
    case, key = place.consultation(), secrets.token_hex(12)
    assert sent(neighbour, case, key).status_code == 302
    before = len(list(Path(settings.MEDIA_ROOT).rglob("*.*")))
    again = sent(neighbour, case, secrets.token_hex(12), photos=[picture()])
    assert again.status_code == 422, "the same words once more"
    assert len(list(Path(settings.MEDIA_ROOT).rglob("*.*"))) == before


def test_what_counts_as_full() -> None:
    def because(error: BaseException) -> BaseException:
        try:
            try:
                raise error
            except BaseException as first:
                raise RuntimeError("while writing") from first
        except RuntimeError as second:
            return second

    class Full(Exception):
        sqlstate = "53100"

    assert faults.is_full(because(OSError(28, "No space left on device")))
    assert faults.is_full(because(Full()))
    assert not faults.is_full(because(OSError(2, "No such file")))
    assert not faults.is_full(None)
