"""Pages for everybody: report something without an account; the public list with its figures."""

from __future__ import annotations

import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.core.paginator import Paginator
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django_ratelimit.core import is_ratelimited
from django_ratelimit.exceptions import Ratelimited

from workflows import acts, clock
from workflows.models import Case, Community
from workflows.parties import Party
from workflows.portal.views import context

from . import alike, reading, rules
from .forms import AppealForm
from .procedure import Appeals

EASY, MOST, SAME = "5/h", "30/h", "3/d"
"""How many one browser hands in before a person looks at them first; at which it is refused; how
often the same words are taken unseen. An address is never counted: many people may share it."""
PER_PAGE = 20


class PlaceForm(forms.Form):
    """Where. `website` is for programs that fill in everything: people do not see it."""

    community = forms.ModelChoiceField(
        label=_("小区或者街道"), queryset=Community.objects.none(), to_field_name="code"
    )
    website = forms.CharField(required=False, max_length=200)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        places: Any = self.fields["community"]
        places.queryset = Community.objects.filter(kind__in=Appeals.community_kinds)


def _browser(_group: str, request: HttpRequest) -> str:
    if not request.session.session_key:
        request.session.create()
    return str(request.session.session_key)


def _words(_group: str, request: HttpRequest) -> str:
    return alike.digest(request.POST.get("text", ""))


def _suspicion(request: HttpRequest) -> str:
    """Why a person looks at it first, or empty. Raises `Ratelimited` for a flood of one browser."""
    group = "appeals"
    if is_ratelimited(request, group=group, key=_browser, rate=MOST, increment=True):
        raise Ratelimited
    many = is_ratelimited(request, group=f"{group}-easy", key=_browser, rate=EASY, increment=True)
    same = is_ratelimited(request, group=f"{group}-same", key=_words, rate=SAME, increment=True)
    if request.POST.get("website"):
        return "honeypot"
    return "flood" if many else "same" if same else ""


def _submission(request: HttpRequest) -> str:
    """Names this filling in of the form, to this browser alone: a second click is the same one."""
    given = request.POST.get("submission", "")[:64] or uuid.uuid4().hex
    mark = salted_hmac("appeals.submission", f"{_browser('', request)}:{given}", algorithm="sha256")
    return mark.hexdigest()[:32]


def _author(request: HttpRequest, submission: str) -> Party:
    user = request.user
    if user.is_authenticated:
        return Party("anyone", f"person:{user.pk}", user.pk)
    return Party("anyone", f"drawn:{submission}")


def submit(request: HttpRequest) -> HttpResponse:
    """Report something; the receipt is the way back to it."""
    posted = request.method == "POST"
    place = PlaceForm(
        request.POST if posted else None, initial={"community": request.GET.get("place")}
    )
    step: Any = Appeals.step("submit")
    submission = _submission(request)
    author = _author(request, submission)
    doing = acts.Act(Case(flow_class=Appeals), None, step.acts["task.done"], author, clock.now())
    form = AppealForm(request.POST or None, request.FILES or None, act=doing)
    if posted and place.is_valid() and form.is_valid():
        sent = request.POST.copy()
        sent["held"] = _suspicion(request)
        try:
            with transaction.atomic():
                where = place.cleaned_data["community"]
                case = acts.open_case(
                    Appeals,
                    where,
                    author,
                    key=f"appeal:{submission}",
                    demo=bool(settings.DEMO),
                )
                done = acts.perform(
                    case, "submit", "task.done", author, sent, request.FILES, key=submission
                )
        except acts.Refused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect(f"/r/{done.receipt}/")
    del form.fields["held"]
    return render(
        request,
        "appeals/new.html",
        context(
            request,
            "appeals",
            form=form,
            place=place,
            submission=request.POST.get("submission") or uuid.uuid4().hex,
            files_lost=bool(request.FILES),
        ),
        status=422 if posted else 200,
    )


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """The public list, and the figures by unit."""
    facets = reading.chosen(request.GET)
    page = Paginator(reading.rows(facets), PER_PAGE).get_page(request.GET.get("page"))
    return render(
        request,
        "appeals/list.html",
        context(
            request,
            "appeals",
            page=page,
            rows=[reading.row(appeal) for appeal in page.object_list],
            chosen=facets,
            kinds=rules.KINDS.items(),
            units=rules.UNITS.items(),
            places=reading.places(),
            figures=reading.figures(),
        ),
    )
