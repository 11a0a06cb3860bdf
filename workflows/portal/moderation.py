"""The moderator's pages (信息审核): what is newly public, what waits, and masking more of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django_ratelimit.decorators import ratelimit

from .. import acts, clock
from ..models.case import Case
from ..models.record import Disclosure
from ..parties import Party, directory
from ..records import masking
from ..records import words as published
from ..steps.opinion import wording
from ..steps.privacy import MODERATORS, WAITING, suggestions
from . import readers, words
from .views import context

PER_PAGE = 30
WAITING_SHOWN = 20
SET = ("community", "term", "terms", "rule", "params")
"""Of what records publish, what nobody wrote: the place, and by what is counted."""


def capacity(user: Any, case: Case) -> Party | None:
    """As what the user moderates a case, if at all."""
    parties = directory().parties_of(user, case.community, clock.now())
    return next((party for party in parties if party.role in MODERATORS), None)


def _communities(user: Any) -> list[int]:
    held = directory().parties_everywhere(user, clock.now())
    return [pk for pk, parties in held.items() if any(p.role in MODERATORS for p in parties)]


@login_required
@never_cache
def moderation(request: HttpRequest) -> HttpResponse:
    """Texts that wait for an answer, and those that are public, the newest first."""
    mine = _communities(request.user)
    if not mine:
        raise PermissionDenied
    shown = Disclosure.objects.filter(
        Q(public=True) | Q(now__isnull=False), record__case__community__in=mine
    ).exclude(name__in=SET)
    rows = shown.select_related("record__case__community").order_by("-record_id", "pk")
    page = Paginator(rows, PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "portal/moderation.html",
        context(
            request,
            "moderation",
            page=page,
            texts=[text for row in page.object_list for text in _texts(row)],
            waiting=_waiting(mine),
        ),
    )


def _texts(row: Disclosure) -> list[dict[str, Any]]:
    record = row.record
    return [
        {
            **readers.record_row(record.case, record),
            "case": record.case,
            "text": text,
            "field": words.FIELDS.get(row.name, row.name),
            "mask": f"/moderation/public/{row.pk}/{leaf}/",
            "masked": row.now is not None,
        }
        for leaf, text in enumerate(published.leaves(published.standing(row)))
        if len(text) > 1
    ]


def _waiting(communities: Sequence[int]) -> list[dict[str, Any]]:
    found = []
    for kind, model in WAITING.items():
        rows: Any = model._default_manager
        rows = (
            rows.filter(case__community__in=communities, reply__isnull=True)
            .exclude(Q(text="") | Q(life="withdrawn"))
            .select_related("case__community", "record")
            .order_by("-pk")
        )
        for row in rows[:WAITING_SHOWN]:
            found.append(
                {
                    "case": row.case,
                    "seq": row.record.seq if row.record else None,
                    "at": row.created,
                    "text": wording([row]),
                    "mask": f"/moderation/waiting/{kind}/{row.pk}/",
                    "masked": bool(row.proposed),
                }
            )
    return found


@login_required
@never_cache
@ratelimit(key="user", rate="60/m", method="POST", block=True)
def mask_public(request: HttpRequest, number: int, leaf: int) -> HttpResponse:
    """Mask more of one published text."""
    row = Disclosure.objects.filter(pk=number).select_related("record__case__community").first()
    shown = list(published.leaves(published.standing(row))) if row is not None else []
    if row is None or leaf >= len(shown):
        raise Http404
    sent = {"disclosure": row.pk, "leaf": leaf}
    return _mask(request, row.record.case, "words.masked", sent, shown[leaf])


@login_required
@never_cache
@ratelimit(key="user", rate="60/m", method="POST", block=True)
def mask_waiting(request: HttpRequest, kind: str, number: int) -> HttpResponse:
    """Mask more of one text that is not yet answered."""
    if kind not in WAITING:
        raise Http404
    rows: Any = WAITING[kind]._default_manager
    row = rows.filter(pk=number, reply__isnull=True).select_related("case__community").first()
    if row is None or not row.text:
        raise Http404
    sent = {"kind": kind, "row": row.pk}
    return _mask(request, row.case, "wording.proposed", sent, wording([row]))


def _mask(
    request: HttpRequest, case: Case, act: str, sent: dict[str, Any], text: str
) -> HttpResponse:
    """The page of one text: what is suggested, what is selected, why; through the one door."""
    party = capacity(request.user, case)
    if party is None:
        raise PermissionDenied
    posted = request.method == "POST"
    spec = case.declared.case_acts().acts[act]
    picked = [*request.POST.getlist("pick"), request.POST.get("selected", "")]
    payload = {
        **sent,
        "selected": "\n".join(picked),
        "whole": request.POST.get("whole", ""),
        "reason": request.POST.get("reason", ""),
    }
    doing = acts.Act(case, None, spec, party, clock.now(), payload=payload)
    form: Any = spec.form
    form = form(payload if posted else None, act=doing, initial=sent)
    if posted:
        try:
            acts.perform(case, acts.CASE, act, party, payload)
        except acts.Refused as refused:
            form.is_valid()
            for name, lines in refused.errors.items():
                if name in form.fields and name not in form.errors:
                    form.add_error(name, lines)
            if not form.errors:
                form.add_error(None, str(refused))
        else:
            messages.success(request, _("已遮盖，各处公开的文字随即更新。"))
            return redirect("/moderation/")
    names = masking.Names(directory().roll_names(case.community))
    return render(
        request,
        "portal/mask.html",
        context(
            request,
            "moderation",
            case=case,
            spec=spec,
            text=text,
            form=form,
            suggestions=suggestions(text, names),
            picked=set(request.POST.getlist("pick")),
        ),
        status=422 if posted else 200,
    )
