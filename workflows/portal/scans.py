"""Scanning a stack: one PDF or TIFF of many typed-in forms, or many pictures. The code on each page
says whose it is; each household's pages go to its own form, and what no code tells is listed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pikepdf
from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django_ratelimit.decorators import ratelimit
from PIL import Image, ImageOps, ImageSequence

from .. import acts, codes, doors, pictures
from ..models.case import StepRun
from ..models.door import DoorForm
from ..models.record import Attachment
from ..parties import Party
from ..steps import doors as issuing
from ..uploads import MAX_PIXELS
from .papers import _found
from .views import context

MOST_PAGES = 100
"""Pages in one go: about half a minute."""
MOST_OF_ONE = 8
"""Pages that one form may have."""
UNREADABLE = (
    OSError,
    ValueError,
    SyntaxError,
    NotImplementedError,
    Image.DecompressionBombError,
)
SIDE = 2000
"""Pixels of a kept page's longer side: 170 to the inch on A4."""


@dataclass(slots=True)
class Page:
    """A page of the stack: its number, its picture as kept, and the form that its code names."""

    number: int
    content: bytes
    form: DoorForm | None = None


@dataclass(slots=True)
class Outcome:
    """What became of a stack: `done` are numbers of forms; the others are page numbers with why."""

    done: list[int] = field(default_factory=list)
    left: list[tuple[str, str]] = field(default_factory=list)


class _Stack(forms.FileInput):
    allow_multiple_selected = True


class StackField(forms.FileField):
    """Files, one or many; cleans to a list."""

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        """Each of them, in order."""
        given = data if isinstance(data, (list, tuple)) else [data]
        return [super(StackField, self).clean(each, initial) for each in given or [None]]


class StackForm(forms.Form):
    """The scanned stack, and what to make of pages without a code."""

    stack = StackField(
        label=gettext_lazy("扫描件"),
        widget=_Stack(attrs={"accept": "application/pdf,image/tiff,image/jpeg,image/png"}),
        help_text=gettext_lazy("一个多页的PDF或者TIFF，或者多张照片；一次最多100页。"),
    )
    follows = forms.BooleanField(
        label=gettext_lazy("一份有好几页：没有码的页，归前一页那一份"), required=False
    )
    serial = forms.CharField(
        label=gettext_lazy("表号"),
        max_length=40,
        required=False,
        help_text=gettext_lazy(
            "只在逐份补录时填：没有认出码的那一份，单独上传，在这里写它的表号。"
        ),
    )


def pages_of(files: list[UploadedFile]) -> Iterator[Image.Image]:
    """The pages of files in order, upright as stored. Raises ValidationError with what to do."""
    for file in files:
        if file.size is None or file.size > 4 * settings.SANWEN_UPLOAD_MAX_BYTES:
            raise ValidationError(_("文件太大，请分成几份上传。"))
        content = file.read()
        try:
            yield from _pdf(content) if content.startswith(b"%PDF-") else _frames(content)
        except (*UNREADABLE, pikepdf.PdfError) as error:
            raise ValidationError(_("文件打不开，请重新扫描为PDF、TIFF或者照片。")) from error


def _pdf(content: bytes) -> Iterator[Image.Image]:
    """Of each page of a scanned PDF its largest picture; a page without one is blank."""
    with pikepdf.open(io.BytesIO(content)) as paper:
        for page in paper.pages:
            images: Any = page.get_images()
            found = [pikepdf.PdfImage(each) for each in images.values()]
            fit = [each for each in found if each.width * each.height <= MAX_PIXELS]
            if not fit:
                yield Image.new("L", (40, 40), 255)
                continue
            largest = max(fit, key=lambda each: each.width * each.height)
            yield largest.as_pil_image().rotate(-int(page.get("/Rotate", 0)), expand=True)


def _frames(content: bytes) -> Iterator[Image.Image]:
    with Image.open(io.BytesIO(content), formats=("TIFF", "JPEG", "PNG", "WEBP")) as picture:
        for frame in ImageSequence.Iterator(picture):
            if frame.width * frame.height > MAX_PIXELS:
                raise ValueError
            yield ImageOps.exif_transpose(frame)


def read(run: StepRun, act: str, files: list[UploadedFile]) -> list[Page]:
    """The pages of a stack, each with the form of this run that its code names."""
    pages: list[Page] = []
    for number, picture in enumerate(pages_of(files), start=1):
        if number > MOST_PAGES:
            raise ValidationError(_("超过%(most)s页，请分成几份上传。") % {"most": MOST_PAGES})
        found = [code for kind, code in pictures.codes_in(picture) if kind == "form"]
        hashes = [codes.digest("form", code) for code in found]
        form = DoorForm.objects.filter(run=run, act=act, hash__in=hashes).first()
        kept = ImageOps.grayscale(picture)
        kept.thumbnail((SIDE, SIDE))
        out = io.BytesIO()
        kept.save(out, "JPEG", quality=75)
        pages.append(Page(number, out.getvalue(), form))
    return pages


def attach(run: StepRun, act: str, pages: list[Page], typist: Party, *, follows: bool) -> Outcome:
    """Give each household's pages to its form; an act each, in the household's name."""
    said, sheets = Outcome(), list[list[Page]]()
    for page in pages:
        if page.form is None and follows and sheets:
            page.form = sheets[-1][0].form
        same = sheets and sheets[-1][0].form == page.form
        if page.form is not None and same and len(sheets[-1]) < MOST_OF_ONE:
            sheets[-1].append(page)
        elif page.form is not None:
            sheets.append([page])
        else:
            said.left.append((str(page.number), _("没有认出这一环节的码")))
    for sheet in sheets:
        row = sheet[0].form
        assert row is not None
        own = Party(row.role, row.party_key, typist.user_id, via=doors.ON_PAPER)
        files = [
            SimpleUploadedFile(f"{page.number}.jpg", page.content, "image/jpeg") for page in sheet
        ]
        payload = {"run": run.pk, "form": act, "serial": row.serial}
        try:
            acts.perform(run.process, acts.CASE, "scan.attached", own, payload, {"scan": files})
        except acts.Refused as refused:
            numbers = "、".join(str(page.number) for page in sheet)
            said.left.append((numbers, _("第%(n)s号：") % {"n": row.serial} + str(refused)))
        else:
            said.done.append(row.serial)
    return said


@login_required
@never_cache
@ratelimit(key="user", rate="20/m", method="POST", block=True)
def stack(request: HttpRequest, number: str, run_id: int, act: str) -> HttpResponse:
    """Upload a stack; what was attached, and which pages are left to attach by hand."""
    run, kind, typist = _found(request, number, run_id, act)
    form = StackForm(request.POST or None, request.FILES or None)
    outcome: Outcome | None = None
    if request.method == "POST" and form.is_valid():
        try:
            pages = read(run, act, form.cleaned_data["stack"])
            if given := form.cleaned_data["serial"]:
                row = issuing.by_number(DoorForm.objects.filter(run=run, act=act), given)
                if row is None:
                    raise ValidationError(_("没有这个码或者表号，请重新扫码。"))
                for page in pages:
                    page.form = page.form or row
            outcome = attach(run, act, pages, typist, follows=form.cleaned_data["follows"])
            form = StackForm()
        except ValidationError as error:
            form.add_error(None, error)
    typed = issuing.typed_in(run, act)
    shown = context(
        request,
        "inbox",
        case=run.process,
        run=run,
        kind=kind,
        form=form,
        outcome=outcome,
        typed=typed.count(),
        scanned=_scanned(run, act),
        forms_url=f"/cases/{number}/forms/",
    )
    return render(request, "portal/scans.html", shown, status=422 if form.errors else 200)


def _scanned(run: StepRun, act: str) -> int:
    """How many of the typed-in forms have a scan: sent with the typing, or in a stack."""
    keys = set(issuing.typed_in(run, act).values_list("party_key", flat=True))
    with_scan = Attachment.objects.filter(run=run, field="scan", record__trace__party_key__in=keys)
    rows = with_scan.filter(record__act__in=(act, "scan.attached")).order_by()
    return rows.values("record__trace__party_key").distinct().count()
