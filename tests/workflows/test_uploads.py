"""Uploads: judged by their bytes, stripped of what cameras add, refused with what to do."""

from __future__ import annotations

import io
import struct
import time
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image, ImageFile

from workflows import uploads

PDF = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"


def picture(kind="JPEG", mode="RGB", size=(40, 30), **save) -> bytes:
    out = io.BytesIO()
    Image.new(mode, size, 128 if mode in ("L", "P", "I;16") else None).save(out, kind, **save)
    return out.getvalue()


def upload(content: bytes, name: str = "甲.jpg", kind: str = "image/jpeg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, kind)


def zipped() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.txt", "a")
    return out.getvalue()


def huge_png() -> bytes:
    """A PNG of a few bytes that says it has 100,000 by 100,000 pixels."""

    def chunk(name: bytes, data: bytes) -> bytes:
        body = name + data
        return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))

    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def packed(objects: bytes, size: int = 1) -> bytes:
    """A PDF whose objects stand in a packed object stream."""
    stream = zlib.compress(objects * size)
    head = f"%PDF-1.5\n1 0 obj<</Type/ObjStm/N 1/First 4/Filter/FlateDecode/Length {len(stream)}>>"
    return head.encode() + b"stream\n" + stream + b"\nendstream\nendobj\n%%EOF\n"


def frames(kind: str) -> bytes:
    """A moving picture."""
    out = io.BytesIO()
    pictures = [Image.new("RGB", (20, 20), (n, 0, 0)) for n in (0, 90, 180)]
    pictures[0].save(out, kind, save_all=True, append_images=pictures[1:])
    return out.getvalue()


def workbook() -> bytes:
    """A sheet with a macro, under a picture's name."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("xl/vbaProject.bin", "x")
    return out.getvalue()


BAD = [
    ("script with an escaped name", PDF.replace(b"/Catalog", b"/Catalog/J#61vaScript"), "脚本"),
    ("script by reference", PDF.replace(b"/Catalog", b"/Catalog/JS 7 0 R"), "脚本"),
    ("script in packed objects", packed(b"<</S/JavaScript/JS(app.alert)>>"), "脚本"),
    ("escaped in packed objects", packed(b"<</S/L#61unch>>"), "脚本"),
    ("bomb of packed objects", packed(b"0" * 2**20, 80), "脚本"),
    ("form with a program", PDF.replace(b"/Catalog", b"/Catalog/XFA[]"), "脚本"),
    ("rich media", PDF.replace(b"/Catalog", b"/Catalog/RichMedia"), "脚本"),
    ("encrypted pdf", PDF.replace(b"/Root", b"/Encrypt 5 0 R/Root"), "密码"),
    ("pdf that begins with blanks", b" \n" + PDF, "照片"),
    ("html that names itself pdf", b"<html>%PDF-1.4 %%EOF</html>", "照片"),
    (
        "svg with a declaration",
        b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
        "照片",
    ),
    ("utf-16 page", "<script>alert(1)</script>".encode("utf-16"), "照片"),
    ("shell script", b"#!/bin/sh\nrm -rf /\n", "照片"),
    ("workbook with a macro", workbook(), "照片"),
    ("moving gif", frames("GIF"), "照片"),
    ("icon", picture("ICO"), "照片"),
    ("jpeg 2000", picture("JPEG2000"), "照片"),
    ("postscript", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "照片"),
    ("nul bytes", b"\0" * 300, "照片"),
    ("empty", b"", "空的"),
    ("pdf and zip", PDF + zipped(), "夹带"),
    ("pdf and zip within its end", PDF + zipped() + b"%%EOF\n", "夹带"),
    ("pdf and page", PDF + b"<script>alert(1)</script>", "夹带"),
    ("gif and script", b"GIF89a/*" + b"\0" * 20 + b"*/=1;alert(1)//", "照片"),
    ("bmp and script", b"BM/*" + b"\0" * 60 + b"*/=1;alert(1)//", "照片"),
    ("jar", zipped() + b"PK", "照片"),
    ("text", "你好".encode() * 20, "照片"),
    ("html", b"<!doctype html><script>alert(1)</script>", "照片"),
    ("svg", b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "照片"),
    ("exe", b"MZ" + b"\0" * 200, "照片"),
    ("zip", zipped(), "照片"),
    ("gif", picture("GIF", "P"), "照片"),
    ("bmp", picture("BMP"), "照片"),
    ("tiff", picture("TIFF"), "照片"),
    ("cut jpeg", picture(size=(400, 300), quality=95)[:300], "照片"),
    ("cut png", picture("PNG", size=(400, 300))[:60], "照片"),
    ("only a header", b"\xff\xd8\xff\xe0", "照片"),
    ("huge png", huge_png(), "照片"),
    ("cut pdf", PDF[:30], "PDF"),
    ("pdf with script", PDF.replace(b"/Catalog", b"/Catalog/JavaScript"), "脚本"),
    ("pdf with short script", PDF.replace(b"/Catalog", b"/Catalog/JS (app.alert)"), "脚本"),
    ("pdf that launches", PDF.replace(b"/Catalog", b"/Catalog/Launch"), "脚本"),
    ("pdf with a file inside", PDF.replace(b"/Catalog", b"/Catalog/EmbeddedFile"), "脚本"),
]


@pytest.mark.parametrize(("content", "words"), [row[1:] for row in BAD], ids=[r[0] for r in BAD])
def test_a_bad_file_is_refused_with_what_to_do(content, words):
    with pytest.raises(ValidationError) as refused:
        uploads.checked(upload(content))
    assert words in refused.value.messages[0]


def test_half_a_picture_is_refused_after_a_pdf_was_printed_too(monkeypatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)  # as importing WeasyPrint does
    with pytest.raises(ValidationError) as refused:
        uploads.checked(upload(picture("PNG", size=(400, 300))[:60]))
    assert "照片" in refused.value.messages[0]


def test_a_file_beyond_the_limit_is_refused_before_it_is_read(settings):
    settings.SANWEN_UPLOAD_MAX_BYTES = 100
    with pytest.raises(ValidationError) as refused:
        uploads.checked(upload(picture(size=(500, 500))))
    assert "压缩" in refused.value.messages[0]


GOOD = [
    ("jpeg", picture(), "image/jpeg"),
    ("grey", picture(mode="L"), "image/jpeg"),
    ("cmyk", picture(mode="CMYK"), "image/jpeg"),
    ("png", picture("PNG"), "image/png"),
    ("palette", picture("PNG", "P"), "image/png"),
    ("transparent", picture("PNG", "RGBA"), "image/png"),
    ("16 bit", picture("PNG", "I;16"), "image/png"),
    ("webp", picture("WEBP"), "image/webp"),
    ("pdf", PDF, "application/pdf"),
]


@pytest.mark.parametrize(("content", "kind"), [row[1:] for row in GOOD], ids=[r[0] for r in GOOD])
def test_a_good_file_is_kept_as_what_it_is_whatever_its_name_says(content, kind):
    found, media_type, extension = uploads.checked(
        upload(content, "../../etc/王某某 身份证.exe", "text/html")
    )
    assert media_type == kind
    assert extension in ("jpg", "png", "webp", "pdf")
    assert found


def test_where_and_with_what_a_picture_was_taken_is_gone():
    exif = Image.Exif()
    exif[0x010F] = "某牌手机"
    exif.get_ifd(0x8825)[1] = "N"
    content, _type, _extension = uploads.checked(upload(picture(exif=exif)))
    with Image.open(io.BytesIO(content)) as clean:
        assert not clean.getexif()
    assert "某牌手机".encode() not in content


def test_a_picture_lying_on_its_side_is_turned_before_its_note_is_gone():
    exif = Image.Exif()
    exif[0x0112] = 6
    content, _type, _extension = uploads.checked(upload(picture(size=(40, 30), exif=exif)))
    with Image.open(io.BytesIO(content)) as clean:
        assert clean.size == (30, 40)


def test_what_hides_behind_a_picture_is_gone():
    tail = b"<script>alert(1)</script>" + zipped()
    content, _type, _extension = uploads.checked(upload(picture() + tail))
    assert b"<script>" not in content
    assert b"PK\x03\x04" not in content


def test_notes_inside_a_png_are_gone():
    from PIL.PngImagePlugin import PngInfo

    notes = PngInfo()
    notes.add_text("author", "somebody")
    content, _type, _extension = uploads.checked(upload(picture("PNG", pnginfo=notes)))
    assert b"somebody" not in content


def test_a_very_large_picture_is_made_smaller():
    content, _type, _extension = uploads.checked(upload(picture(size=(6000, 3000))))
    with Image.open(io.BytesIO(content)) as clean:
        assert max(clean.size) == uploads.MAX_SIDE


def test_a_camera_that_puts_several_pictures_into_one_is_taken():
    out = io.BytesIO()
    first, second = Image.new("RGB", (40, 30), "red"), Image.new("RGB", (40, 30), "blue")
    first.save(out, "MPO", save_all=True, append_images=[second])
    content, media_type, _extension = uploads.checked(upload(out.getvalue()))
    assert media_type == "image/jpeg"
    with Image.open(io.BytesIO(content)) as clean:
        assert clean.format == "JPEG"
        assert clean.getpixel((5, 5))[0] > 200


@pytest.mark.parametrize(("kind", "side"), [("WEBP", 5001), ("PNG", 6325)])
def test_what_a_few_bytes_unpack_to_has_a_limit(kind, side):
    content = picture(kind, size=(side, side), **({"lossless": True} if kind == "WEBP" else {}))
    assert len(content) < 500_000
    with pytest.raises(ValidationError):
        uploads.checked(upload(content))


def test_pictures_are_unpacked_one_by_one(monkeypatch):
    """A picture of two thousand bytes may take half a gigabyte while it is read."""
    now, most = [], []
    real = uploads.ImageOps.exif_transpose

    def turned(*args, **more):
        now.append(1)
        most.append(len(now))
        time.sleep(0.05)
        now.pop()
        return real(*args, **more)

    monkeypatch.setattr(uploads.ImageOps, "exif_transpose", turned)
    with ThreadPoolExecutor(4) as many:
        list(many.map(uploads.checked, [upload(picture()) for _n in range(4)]))
    assert most == [1] * 4


def test_of_a_moving_picture_the_first_stays():
    for kind in ("PNG", "WEBP"):
        content, _type, _extension = uploads.checked(upload(frames(kind)))
        with Image.open(io.BytesIO(content)) as clean:
            assert getattr(clean, "n_frames", 1) == 1


@pytest.mark.parametrize("second", [PDF, zipped(), b"<html><script>alert(1)</script></html>"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_file_of_two_kinds_is_kept_as_the_picture_alone(kind, second):
    content, media_type, _extension = uploads.checked(upload(picture(kind) + second))
    assert media_type == f"image/{kind.lower()}"
    assert second[:8] not in content


def test_a_sound_pdf_with_packed_objects_is_taken():
    content, media_type, _extension = uploads.checked(upload(packed(b"<</Type/Page>>")))
    assert (content[:5], media_type) == (b"%PDF-", "application/pdf")


def test_a_field_for_pictures_takes_no_pdf():
    field = uploads.UploadField(label="照片", pictures_only=True)
    with pytest.raises(ValidationError):
        field.clean([upload(PDF)])


def test_too_many_files_are_refused():
    field = uploads.UploadField(label="照片", most=2)
    with pytest.raises(ValidationError) as refused:
        field.clean([upload(picture(size=(10 + n, 10))) for n in range(3)])
    assert "2" in refused.value.messages[0]


@pytest.mark.django_db
def test_a_kept_file_has_a_name_of_ours(tmp_path, settings):
    settings.MEDIA_ROOT = tmp_path
    found = uploads.UploadField(label="照片").clean([upload(picture(), "王某某.jpg")])
    kept = uploads.keep(found, None)[0]
    assert "王某某" not in kept.file.name
    assert kept.sha256
    assert kept.label == "照片"
