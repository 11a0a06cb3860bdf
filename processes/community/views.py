"""Staff pages of the roll: upload a file, see what is in it, declare its totals, import it.

Between preview and confirmation the file waits in a `RollDraft` of the person who uploaded it; a
file with problems is not kept at all. Pages with names on them are never cached.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET
from django_ratelimit.decorators import ratelimit

from workflows import clock
from workflows.models import Community
from workflows.portal.views import context

from . import rolls
from .directory import TYPISTS
from .models import Estate, Person, Role, RollDraft, serving
from .roll_files import MAX_BYTES

DRAFT_KEPT = dt.timedelta(days=1)
SHOWN_PROBLEMS, SHOWN_ROWS = 1000, 20


class RollForm(forms.Form):
    """The file."""

    file = forms.FileField(
        label=gettext_lazy("名册文件"),
        help_text=gettext_lazy(
            "CSV或XLSX，最大10MB、5万行。须有楼号、单元、室号、专有面积、面积依据、业主各列；"
            "可有建设单位未售、业主编号。几位业主之间用顿号分开。"
        ),
        widget=forms.ClearableFileInput(attrs={"accept": ".csv,.xlsx"}),
    )

    def clean_file(self) -> UploadedFile:
        """Refuse by size before anything is read."""
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > MAX_BYTES:
            raise ValidationError(_("文件超过10MB，请拆分或删去图片后再上传。"))
        return file


class DeclaredForm(forms.Form):
    """The totals as the office declares them, and which file they were declared for."""

    units = forms.IntegerField(label=gettext_lazy("申报户数"), min_value=1, max_value=10**6)
    heads = forms.IntegerField(
        label=gettext_lazy("申报业主人数"),
        help_text=gettext_lazy(
            "一个专有部分按一人计；一人有几个专有部分的，按一人计；建设单位未售的，合计一人。"
        ),
        min_value=1,
        max_value=10**6,
    )
    area = forms.CharField(
        label=gettext_lazy("申报专有面积（平方米）"),
        help_text=gettext_lazy("如66,783.97"),
        max_length=30,
        widget=forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}),
    )
    sha256 = forms.CharField(widget=forms.HiddenInput, max_length=64)

    def clean_area(self) -> int:
        """Hundredths of a square metre."""
        try:
            return rolls.parse_area(self.cleaned_data["area"], rolls.MAX_TOTAL)
        except ValueError as error:
            raise ValidationError(str(error)) from error


def _reader(request: HttpRequest) -> Person:
    assert isinstance(request.user, Person)  # who is not signed in does not come here
    return request.user


def managed(user: Any) -> QuerySet[Estate]:
    """The estates whose roll the account may import: as office or residents' committee there, or
    in what they belong to."""
    served = set(
        Role.objects.filter(serving(clock.today()), person=user, role__in=TYPISTS).values_list(
            "community_id", flat=True
        )
    )
    found, edge = set(served), served
    while edge:
        below = Community.objects.filter(parent_id__in=edge).values_list("pk", flat=True)
        edge = set(below) - found
        found |= edge
    return Estate.objects.filter(community__in=found).select_related("community")


def _estate(request: HttpRequest, code: str) -> Estate:
    estate = get_object_or_404(Estate.objects.select_related("community"), community__code=code)
    if not managed(request.user).filter(pk=estate.pk).exists():
        raise PermissionDenied
    return estate


def _forget_old() -> None:
    RollDraft.objects.filter(created__lt=clock.now() - DRAFT_KEPT).delete()


@login_required
@never_cache
@require_GET
def roll_list(request: HttpRequest) -> HttpResponse:
    """The estates whose rolls the reader may import, each with its last import."""
    _forget_old()
    estates = [
        (estate, estate.imports.first()) for estate in managed(request.user).order_by("pk")[:500]
    ]
    if (
        not estates
        and not Role.objects.filter(
            serving(clock.today()), person_id=request.user.pk or 0, role__in=TYPISTS
        ).exists()
    ):
        raise PermissionDenied
    rows = [
        {"estate": estate, "last": last, "area": rolls.area_text(last.area) if last else ""}
        for estate, last in estates
    ]
    return render(request, "community/rolls.html", context(request, "inbox", rows=rows))


@login_required
@never_cache
@ratelimit(key="user", rate="30/h", method="POST", block=True)
def roll(request: HttpRequest, code: str) -> HttpResponse:
    """Upload a roll; where it has problems, they are shown and nothing is kept."""
    estate = _estate(request, code)
    _forget_old()
    form = RollForm(request.POST, request.FILES) if request.method == "POST" else RollForm()
    if form.is_valid():
        file = form.cleaned_data["file"]
        content = file.read()
        seen = rolls.preview(content, file.name or "")
        problems = rolls.problems_in(seen, estate)
        if problems:
            return _show(request, estate, seen, problems, status=422)
        RollDraft.objects.update_or_create(
            estate=estate,
            by=_reader(request),
            defaults={"created": clock.now(), "sha256": seen.sha256, "content": content},
        )
        return redirect("community:roll_preview", code=code)
    imports = [
        {"row": row, "area": rolls.area_text(row.area)}
        for row in estate.imports.select_related("by")[:20]
    ]
    return render(
        request,
        "community/roll.html",
        context(request, "inbox", estate=estate, form=form, imports=imports),
        status=422 if form.errors else 200,
    )


@login_required
@never_cache
@ratelimit(key="user", rate="60/h", method="POST", block=True)
def roll_preview(request: HttpRequest, code: str) -> HttpResponse:
    """What is in the uploaded file; with the declared totals it is imported."""
    estate = _estate(request, code)
    _forget_old()
    draft = RollDraft.objects.filter(estate=estate, by_id=request.user.pk).first()
    if draft is None:
        messages.warning(request, _("没有待确认的名册文件，请重新上传。"))
        return redirect("community:roll", code=code)
    seen = rolls.preview(bytes(draft.content), "")
    if request.method == "POST":
        form = DeclaredForm(request.POST)
    else:
        form = DeclaredForm(initial={"sha256": draft.sha256})
    if form.is_valid():
        given = form.cleaned_data
        if given["sha256"] != draft.sha256:
            messages.warning(request, _("此后又上传了另一份文件，请先核对下面的内容。"))
            return redirect("community:roll_preview", code=code)
        declared = rolls.Totals(given["units"], given["heads"], given["area"])
        try:
            rolls.apply_roll(seen, estate, declared, _reader(request))
        except rolls.RollRefused as refused:
            return _show(request, estate, seen, refused.problems, form, status=422)
        draft.delete()
        messages.success(request, _("名册已导入。"))
        return redirect("community:roll", code=code)
    problems = rolls.problems_in(seen, estate)
    status = 422 if form.errors else 200
    return _show(request, estate, seen, problems, None if problems else form, status=status)


def _show(
    request: HttpRequest,
    estate: Estate,
    seen: rolls.Preview,
    problems: list[rolls.Problem],
    form: DeclaredForm | None = None,
    status: int = 200,
) -> HttpResponse:
    totals = seen.totals
    hidden = max(0, len(problems) - SHOWN_PROBLEMS)
    facts = [
        (_("文件类型"), seen.kind or _("无法识别")),
        (_("户数"), totals.units),
        (_("业主人数"), totals.heads),
        (_("专有面积"), rolls.area_text(totals.area)),
    ]
    rows = [
        {"row": row, "area": rolls.area_text(row.area), "names": [o.name for o in row.owners]}
        for row in seen.rows[:SHOWN_ROWS]
    ]
    moved = [] if problems else rolls.changed_hands(seen, estate)
    found = ngettext(
        "有%(count)s处问题，没有导入任何内容。",
        "有%(count)s处问题，没有导入任何内容。",
        len(problems),
    ) % {"count": len(problems)}
    return render(
        request,
        "community/roll_preview.html",
        context(
            request,
            "inbox",
            estate=estate,
            facts=facts,
            problems=problems[:SHOWN_PROBLEMS],
            found=found,
            hidden=hidden,
            rows=rows,
            form=form,
            moved=moved[:SHOWN_ROWS],
            moved_count=len(moved),
        ),
        status=status,
    )
