"""Files in a bucket: a photo comes, is handed out to whom it may be, and its bytes are erased."""

from __future__ import annotations

import io
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator

import boto3
import pytest
from django.core.files.storage import default_storage
from django.test import Client

from config import files
from processes.community.models import Person
from tests.processes.community.erasure_cases import MASKED, NAME, TEXT, forms_of, place  # noqa: F401
from tests.sandbox.opinion_procedures import Needs, photo
from tests.test_tasks import free_port
from workflows import acts, jobs
from workflows.models import Attachment, Case, Job, Opinion
from workflows.records import erasure_list

pytestmark = [pytest.mark.django_db(transaction=True)]


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    """An S3-compatible store over HTTP on this machine; its address."""
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    address = f"http://127.0.0.1:{port}"
    end = time.monotonic() + 60
    while True:
        try:
            urllib.request.urlopen(address, timeout=5).close()
            break
        except OSError:
            assert server.poll() is None
            assert time.monotonic() < end
            time.sleep(0.1)
    yield address
    server.kill()
    server.wait()


@pytest.fixture
def bucket(store, settings, monkeypatch):
    """The site's files lie in this bucket."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "demo-key")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
    made = boto3.resource("s3", endpoint_url=store).create_bucket(Bucket="sanwen")
    settings.STORAGES = {**settings.STORAGES, "default": files.bucket("sanwen", store)}
    yield made
    made.objects.all().delete()


def inside(bucket) -> dict[str, bytes]:
    """Everything that lies in it."""
    return {each.key: each.get()["Body"].read() for each in bucket.objects.all()}


def test_a_photo_is_kept_handed_out_put_into_the_trail_and_erased(bucket, place, settings):  # noqa: F811
    settings.DEMO = True
    case = place.consultation()
    mine = Attachment.objects.order_by("pk")[0]
    content = inside(bucket)[mine.file.name]
    grants = boto3.client("s3", endpoint_url=bucket.meta.client.meta.endpoint_url)
    acl = grants.get_object_acl(Bucket="sanwen", Key=mine.file.name)["Grants"]
    assert not [grant for grant in acl if "URI" in grant["Grantee"]], "not private"

    page, address = Client(), f"/files/{mine.uid}/"
    assert page.get(address).status_code == 404
    page.force_login(place.others[0])
    assert page.get(address).status_code == 404
    page.force_login(place.person)
    answer = page.get(address)
    assert b"".join(answer.streaming_content) == content
    assert answer["Content-Type"] == "image/png"
    assert answer["Cache-Control"] == "private, no-store"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["Content-Security-Policy"] == "default-src 'none'; sandbox"
    assert answer["Content-Length"] == str(len(content))

    trail = f"/cases/{case.number}/trail.pdf"
    first = b"".join(Client().get(trail).streaming_content)
    assert first.startswith(b"%PDF-1.7")
    assert b"".join(Client().get(trail).streaming_content) == first
    kept = [name for name in inside(bucket) if name.startswith(f"trails/{case.number}/")]
    assert kept
    opinions = {each.pk: each.text for each in Opinion.objects.all()}
    assert TEXT in opinions.values()

    place.erase(close=True, former=NAME, community=place.community)

    left = inside(bucket)
    assert content not in left.values()
    assert not set(kept) & set(left)
    for secret in (NAME, TEXT, MASKED, "wanglaoshi"):
        assert not [key for key, data in left.items() for f in forms_of(secret) if f in data]
    assert len(erasure_list.names()) == 1
    assert erasure_list.names()[0] in left
    page.force_login(Person.objects.get(pk=place.others[0].pk))
    other = Attachment.objects.order_by("pk")[1]
    assert b"".join(page.get(f"/files/{other.uid}/").streaming_content)


def long_work(job, told):
    """A job whose result is larger than what is kept in memory."""
    return io.BytesIO(b"trail" * 2_000_000)


def test_results_of_jobs_lie_there_for_a_day(bucket, db, monkeypatch):
    monkeypatch.setitem(jobs.KINDS, "long_work", f"{__name__}.long_work")
    job = jobs.queue("long_work", None)
    jobs.run_waiting()
    job = Job.objects.get(pk=job.pk)
    assert list(inside(bucket)) == [job.result.name]
    assert job.result.open("rb").read() == b"trail" * 2_000_000
    jobs.drop(job)
    assert not inside(bucket)


def test_a_store_that_is_away_refuses_the_act_in_time(bucket, place, settings):  # noqa: F811
    case = acts.open_case(Needs, place.community, place.staff("office"), title="问需")
    settings.STORAGES = {
        **settings.STORAGES,
        "default": files.bucket("sanwen", f"http://127.0.0.1:{free_port()}"),
    }
    began = time.monotonic()
    with pytest.raises(Exception, match="Could not connect"):
        acts.perform(
            case, "ask", "opinion.submitted", place.owner(0, "household"),
            {"text": "有照片"}, {"photos": [photo(1)]},
        )  # fmt: skip
    assert time.monotonic() - began < 15
    assert not Opinion.objects.exists()
    assert Case.objects.get(pk=case.pk).records.count() == case.length
    assert default_storage.bucket_name == "sanwen"
