"""An appeal handed in by a browser."""

from __future__ import annotations

import io

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import ExifTags, Image

SENT = {"community": "estate", "kind": "repair", "text": "楼道灯坏了三天没人修", "may_show": "on"}


@pytest.fixture(autouse=True)
def _fresh():
    cache.clear()
    yield
    cache.clear()


def report(client: Client, **more):
    return client.post("/appeals/new/", {**SENT, **more})


def phone_photo() -> SimpleUploadedFile:
    """A photo as a phone makes it, with its place, time and device."""
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "示范手机"
    exif[ExifTags.Base.DateTime] = "2026:03:02 21:04:00"
    exif.get_ifd(ExifTags.IFD.GPSInfo).update(
        {1: "N", 2: (36.0, 48.0, 47.2), 3: "E", 4: (118.0, 3.0, 17.3)}
    )
    out = io.BytesIO()
    Image.new("RGB", (64, 48), (120, 90, 60)).save(out, "JPEG", exif=exif, comment=b"at home")
    return SimpleUploadedFile("IMG_20260302.jpg", out.getvalue(), content_type="image/jpeg")


def text_of(response) -> str:
    content = b"".join(response) if response.streaming else response.content
    return content.decode()
