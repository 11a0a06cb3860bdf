"""Uploaded files: checked by content, stripped of what cameras add, kept under names of our own.

A file is what its bytes say, never what its name or the browser says. Pictures are written anew, so
that neither place and device (EXIF) nor anything hidden behind the picture survives. Everything is
served as a download from `portal`, never from a folder of the web server.
"""

from __future__ import annotations

import bisect
import hashlib
import io
import re
import threading
import uuid
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import puremagic
from django import forms
from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext_lazy as _
from PIL import Image, ImageFile, ImageOps, UnidentifiedImageError

from .models.case import StepRun
from .models.record import Attachment

MAX_PIXELS = 60_000_000
MAX_SIDE = 4096
MOST_PIXELS = {"JPEG": MAX_PIXELS, "PNG": 40_000_000, "WEBP": 25_000_000}
"""By kind, what is unpacked: a camera's photo, a page scanned at 600 dots an inch, a picture of a
web page. What costs us a gigabyte may have two thousand bytes."""
_ONE_BY_ONE = threading.Lock()
"""Pictures are unpacked one after another in a process: many at once would take all its memory."""
PICTURES = {
    "JPEG": ("image/jpeg", "jpg"),
    "PNG": ("image/png", "png"),
    "WEBP": ("image/webp", "webp"),
}
PDF = ("application/pdf", "pdf")
_ACTION = re.compile(
    rb"/(?:JavaScript|Launch|EmbeddedFile|RichMedia|XFA\s*[\[\d]|JS\s*(?:[(<]|\d+\s+\d+\s+R))"
)
_ESCAPED = re.compile(rb"#([0-9A-Fa-f]{2})")
_STREAM = re.compile(rb"\bstream\r?\n")
_ENCRYPTED = re.compile(rb"/Encrypt\s+\d+\s+\d+\s+R|/Encrypt\s*<<")
MAX_PACKED, LONGEST_PACKED, MOST_PACKED = 64 * 2**20, 4 * 2**20, 5_000
"""Packed objects of a PDF: bytes in all unpacked, bytes of one packed, and how many; what goes
beyond is made to cost us time."""

_IN_BRACKETS = re.compile(r"\s*[（(][^（）()]*[）)]")


@dataclass(frozen=True, slots=True)
class Upload:
    """A checked file, ready to be kept."""

    content: bytes
    media_type: str
    extension: str
    field: str
    label: str
    public: bool


def checked(file: UploadedFile, *, pictures_only: bool = False) -> tuple[bytes, str, str]:
    """Content, media type and extension of an upload; raises ValidationError with what to do."""
    limit = settings.SANWEN_UPLOAD_MAX_BYTES
    if file.size is None or file.size == 0:
        raise ValidationError(_("文件是空的，请重新选择。"))
    if file.size > limit:
        raise ValidationError(_("文件超过%(size)sMB,请压缩后再上传。") % {"size": limit // 2**20})
    content = file.read()
    file.seek(0)
    if content.startswith(b"%PDF-"):
        if pictures_only:
            raise ValidationError(_("此处只能上传照片（JPEG、PNG或WebP）。"))
        if b"%%EOF" not in content[-2048:]:
            raise ValidationError(_("PDF文件不完整，请重新导出后上传。"))
        # A file of two kinds: another one behind the end, which other programs would open.
        if content[content.rindex(b"%%EOF") + 5 :].strip(b"\0\x1a \t\r\n") or zipfile.is_zipfile(
            io.BytesIO(content)
        ):
            raise ValidationError(_("PDF文件夹带了别的内容，不能接收；请打印为PDF后再上传。"))
        if _ENCRYPTED.search(content):
            raise ValidationError(_("PDF文件有密码或权限限制，无法检查；请取消限制后再上传。"))
        if _carries_action(content):
            raise ValidationError(_("PDF文件含有脚本或嵌入的程序，不能接收；请打印为PDF后再上传。"))
        return content, *PDF
    # WeasyPrint, once imported, lets Pillow take half a picture for a whole one in this process.
    ImageFile.LOAD_TRUNCATED_IMAGES = False
    try:
        with _ONE_BY_ONE, Image.open(io.BytesIO(content), formats=tuple(PICTURES)) as opened:
            picture: Image.Image = opened
            # Some cameras put several pictures into a JPEG; the first one counts.
            kind = "JPEG" if picture.format == "MPO" else picture.format or ""
            if picture.width * picture.height > MOST_PIXELS[kind]:
                raise ValidationError(_("照片尺寸过大，请缩小后再上传。"))
            # In place, and smaller before it is turned: no two large ones beside each other.
            picture.thumbnail((MAX_SIDE, MAX_SIDE))
            ImageOps.exif_transpose(picture, in_place=True)
            if kind == "JPEG" and picture.mode not in ("RGB", "L"):
                picture = picture.convert("RGB")
            clean = Image.new(picture.mode, picture.size)
            if picture.mode == "P" and picture.getpalette() is not None:
                clean.putpalette(picture.getpalette() or [])
            clean.paste(picture)
            out = io.BytesIO()
            clean.save(out, format=kind, **({"quality": 88} if kind == "JPEG" else {}))
    except (UnidentifiedImageError, Image.DecompressionBombError) as error:
        raise ValidationError(_unknown(content, pictures_only)) from error
    except (OSError, SyntaxError, ValueError) as error:
        raise ValidationError(_("照片已损坏，请重新拍摄或另存后上传。")) from error
    return out.getvalue(), *PICTURES[kind]


def _carries_action(content: bytes) -> bool:
    """Whether a PDF holds a script, a program or a file: in plain, with escaped names
    (``/J#53``), or in packed objects (ISO 32000-1, 7.3.5 and 7.5.7)."""
    if _ACTION.search(_ESCAPED.sub(_sign, content)):
        return True
    ends = [found.start() for found in re.finditer(rb"endstream", content)]
    left, packed = MAX_PACKED, 0
    for start in (found.end() for found in _STREAM.finditer(content)):
        if content.rfind(b"/ObjStm", max(0, start - 500), start) < 0:
            continue
        packed += 1
        after = bisect.bisect_left(ends, start)
        if packed > MOST_PACKED or after == len(ends) or ends[after] - start > LONGEST_PACKED:
            return True
        try:
            objects = zlib.decompressobj().decompress(content[start : ends[after]], left)
        except zlib.error:
            continue  # packed in another way; no reader runs what it cannot read
        left -= len(objects)
        if left <= 0 or _ACTION.search(_ESCAPED.sub(_sign, objects)):
            return True
    return False


def _sign(escaped: re.Match[bytes]) -> bytes:
    return bytes([int(escaped[1], 16)])


def _unknown(content: bytes, pictures_only: bool) -> Any:
    if pictures_only:
        return _("此处只能上传照片（JPEG、PNG或WebP）。")
    try:
        found = puremagic.from_string(content)
    except (puremagic.PureError, ValueError):
        found = ""
    if found:
        return _("不能接收%(kind)s类文件，请上传PDF或照片(JPEG、PNG、WebP)。") % {"kind": found}
    return _("无法识别该文件，请上传PDF或照片(JPEG、PNG、WebP)。")


class _ManyFiles(forms.ClearableFileInput):
    allow_multiple_selected = True


class _Help:
    """What one should know before choosing files; in the reader's language when it is shown."""

    def __init__(self, given: Any, field: UploadField) -> None:
        self.given, self.field = given, field

    def __str__(self) -> str:
        known = {"size": filesizeformat(settings.SANWEN_UPLOAD_MAX_BYTES)}
        known["most"] = str(self.field.most if self.field.many else 1)
        kinds = (
            _("最多%(most)s张照片（JPEG、PNG、WebP），每张不超过%(size)s。")
            if self.field.pictures_only
            else _("最多%(most)s个，照片（JPEG、PNG、WebP）或PDF，每个不超过%(size)s。")
        )
        public = _("将公开。") if self.field.public else ""
        return f"{self.given}{kinds % known}{public}"


class UploadField(forms.FileField):
    """One or more files, each checked by its content. Cleans to a list of `Upload`.

    `public`: shown to everybody on the case page; otherwise only to officers and the author.
    """

    def __init__(
        self,
        *,
        many: bool = True,
        most: int = 9,
        public: bool = False,
        pictures_only: bool = False,
        **kwargs: Any,
    ) -> None:
        self.many, self.most, self.public, self.pictures_only = many, most, public, pictures_only
        accept = "image/jpeg,image/png,image/webp"
        attrs = {"accept": accept if pictures_only else accept + ",application/pdf"}
        widget = (_ManyFiles if many else forms.FileInput)(attrs=attrs)
        kwargs["help_text"] = _Help(kwargs.get("help_text", ""), self)
        super().__init__(widget=widget, **kwargs)

    def clean(self, data: Any, initial: Any = None) -> Any:
        """Check every file; see `checked`."""
        files = [f for f in (data if isinstance(data, (list, tuple)) else [data]) if f]
        if not files:
            if self.required:
                raise ValidationError(self.error_messages["required"], code="required")
            return []
        if len(files) > (self.most if self.many else 1):
            raise ValidationError(_("最多上传%(most)s个文件。") % {"most": self.most})
        uploads = []
        for file in files:
            content, media_type, extension = checked(file, pictures_only=self.pictures_only)
            # What the form says of the field in brackets is not part of what the file is.
            label = _IN_BRACKETS.sub("", str(self.label or _("附件")))
            uploads.append(Upload(content, media_type, extension, "", label, self.public))
        return uploads


_stored: ContextVar[list[str] | None] = ContextVar("files of the running act", default=None)


@contextmanager
def of_one_act() -> Iterator[None]:
    """What is stored within, and is not whole because the act fails, is removed again.

    Stands within the act's transaction: a COMMIT whose answer never came may have succeeded.
    """
    if _stored.get() is not None:  # an act within an act
        yield
        return
    stored: list[str] = []
    token = _stored.set(stored)
    try:
        yield
    except BaseException:
        for name in stored:
            with suppress(OSError):
                default_storage.delete(name)
        raise
    finally:
        _stored.reset(token)


def keep(uploads: list[Upload], run: StepRun | None) -> list[Attachment]:
    """Store checked files. The bytes are on disk before the act commits; an act that fails takes
    them back (`of_one_act`), and there is never a record without its file."""
    kept = []
    for number, upload in enumerate(uploads, start=1):
        uid = uuid.uuid4()
        attachment = Attachment(
            uid=uid,
            name=f"{uid.hex}.{upload.extension}",
            run=run,
            field=upload.field,
            label=f"{upload.label} {number}" if len(uploads) > 1 else upload.label,
            media_type=upload.media_type,
            size=len(upload.content),
            sha256=hashlib.sha256(upload.content).hexdigest(),
            public=upload.public,
        )
        stored = _stored.get()
        if stored is not None:  # before writing: a full disk takes a part of it
            stored.append(attachment.file.field.generate_filename(attachment, attachment.name))
        attachment.file.save(attachment.name, ContentFile(upload.content), save=True)
        kept.append(attachment)
    return kept
