"""Pages for everybody: report something without an account; the public list with its figures."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.middleware.csrf import get_token
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe
from django_ratelimit.core import is_ratelimited
from django_ratelimit.decorators import ratelimit
from django_ratelimit.exceptions import Ratelimited

from workflows import acts, clock
from workflows.models import Case, Community
from workflows.parties import Party
from workflows.portal import again, kept, paging
from workflows.portal.places import offered
from workflows.portal.viewer import Viewer
from workflows.portal.views import context, find_case, limit_searching

from ..community import plans
from . import alike, reading, rules, sheets
from .forms import AppealForm
from .models import Appeal
from .procedure import Appeals

EASY, MOST, SAME = "5/h", "30/h", "3/d"
"""How many one browser hands in before a person looks at them first; at which it is refused; how
often the same words are taken unseen."""
CROWD, WALL = "120/h", "1200/h"
"""The same of an address. Many people may share one: so many that none of them is held up, but not
whatever a program sends that is a new browser each time."""
PER_PAGE = 20
FIGURES, FIGURES_STAND = "appeals.figures", 60
"""Under which key the figures, which count every appeal there is, are kept, and for how many
seconds."""


def _browser(_group: str, request: HttpRequest) -> str:
    # Its cookie for forms, which is kept nowhere here: a look at the form writes nothing.
    get_token(request)
    return str(request.META["CSRF_COOKIE"])


def _words(_group: str, request: HttpRequest) -> str:
    return alike.digest(request.POST.get("text", ""))


def _suspicion(request: HttpRequest) -> str:
    """Why a person looks at it first, or empty. Raises `Ratelimited` for a flood of one browser, or
    a deluge from one address."""
    group = "appeals"
    wall = is_ratelimited(request, group=f"{group}-wall", key="ip", rate=WALL, increment=True)
    if wall or is_ratelimited(request, group=group, key=_browser, rate=MOST, increment=True):
        raise Ratelimited
    crowd = is_ratelimited(request, group=f"{group}-crowd", key="ip", rate=CROWD, increment=True)
    many = is_ratelimited(request, group=f"{group}-easy", key=_browser, rate=EASY, increment=True)
    same = is_ratelimited(request, group=f"{group}-same", key=_words, rate=SAME, increment=True)
    if request.POST.get("website"):
        return "honeypot"
    return "flood" if many or crowd else "same" if same else ""


def _submission(request: HttpRequest, given: str) -> str:
    """Names this filling in of the form, to this browser alone: a second click is the same one."""
    given = given or uuid.uuid4().hex
    mark = salted_hmac("appeals.submission", f"{_browser('', request)}:{given}", algorithm="sha256")
    return mark.hexdigest()[:32]


def _author(request: HttpRequest, submission: str) -> Party:
    user = request.user
    if user.is_authenticated:
        return Party("anyone", f"person:{user.pk}", user.pk)
    return Party("anyone", f"drawn:{submission}")


def _chosen(request: HttpRequest) -> Community | None:
    """The place that the address or the form names; the only one there is."""
    places = Community.objects.filter(kind__in=Appeals.community_kinds)
    code = request.POST.get("community") or request.GET.get("place", "")
    if code:
        return places.filter(code=code).first()
    few = list(places[:2])
    return few[0] if len(few) == 1 else None


def _form(request: HttpRequest, where: Community, author: Party) -> AppealForm:
    step: Any = Appeals.step("submit")
    case = Case(flow_class=Appeals, community=where)
    doing = acts.Act(case, None, step.acts["task.done"], author, clock.now())
    picked = {"building": request.GET.get("building", "")}
    form: type[AppealForm] = acts.form_of(step, doing)
    return form(request.POST or None, request.FILES or None, act=doing, initial=picked)


def _hand_in(
    where: Community,
    author: Party,
    sent: Any,
    files: Any,
    key: str,
    happened_at: dt.datetime | None = None,
) -> acts.Done:
    """Open the case and hand in what it is about, or neither. Raises `acts.Refused`."""
    with transaction.atomic():
        demo = bool(settings.DEMO)
        case = acts.open_case(Appeals, where, author, key=f"appeal:{key}", demo=demo)
        return acts.perform(
            case, "submit", "task.done", author, sent, files, key=key, happened_at=happened_at
        )


def submit(request: HttpRequest) -> HttpResponse:
    """Report something: first where, then what. The receipt is the way back to it."""
    where = _chosen(request)
    if where is None:
        page = context(request, "appeals", places=reading.places(), missing="place" in request.GET)
        return render(request, "appeals/where.html", page)
    given = again.key_of(request, "submission")
    submission = _submission(request, given)
    author = _author(request, submission)
    form = _form(request, where, author)
    posted = request.method == "POST"
    if posted and form.is_valid():
        sent = request.POST.copy()
        sent["held"] = _suspicion(request)
        try:
            done = _hand_in(where, author, sent, request.FILES, submission)
        except acts.Refused as refused:
            form.add_error(None, str(refused))
        else:
            return again.remember(request, redirect(f"/r/{done.receipt}/"), "submission", given)
    del form.fields["held"]
    return _page(request, form, where)


def _page(request: HttpRequest, form: AppealForm, where: Community, **more: Any) -> HttpResponse:
    several = Community.objects.filter(kind__in=Appeals.community_kinds)[1:2].exists()
    plan = None
    if "building" in form.fields and not form.is_bound:  # picking on it loads the page anew
        plan = plans.of(where, request.GET.get("building", ""))
    page = context(
        request,
        "appeals",
        form=form,
        where=where,
        plan=plan,
        several=several,
        plan_link=f"{request.path}?place={where.code}&building=",
        submission=request.POST.get("submission") or uuid.uuid4().hex,
        files_lost=bool(request.FILES),
        **more,
    )
    return render(request, "appeals/new.html", page, status=422 if form.is_bound else 200)


class IntakeForm(forms.Form):
    """When a matter came that an officer types in."""

    happened_on = forms.DateField(
        label=_("哪天收到的"), widget=forms.DateInput(attrs={"type": "date"})
    )

    def clean_happened_on(self) -> dt.date:
        """Lately, and not in the future."""
        day: dt.date = self.cleaned_data["happened_on"]
        if day > clock.today():
            raise forms.ValidationError(_("收到的日期不能晚于今天。"))
        if day < clock.today() - rules.ENTERED_WITHIN:
            raise forms.ValidationError(_("超过30天的不能补录，请让诉求人重新提出。"))
        return day


@kept.login_required
@ratelimit(key="user", rate="120/m", method="POST", block=True)
def enter(request: HttpRequest) -> HttpResponse:
    """Type in what came by telephone, letter or in person; the receipt is printed for who asked."""
    mine = reading.typed_in_by(request.user)
    if not mine:
        raise PermissionDenied
    where = _chosen(request) or (mine[0] if len(mine) == 1 else None)
    if where is None or where not in mine:
        missing = where is not None or "place" in request.GET
        page = context(request, "appeals", places=mine, entering=True, missing=missing)
        return render(request, "appeals/where.html", page)
    submission = _submission(request, request.POST.get("submission", "")[:64])
    officer = Party("anyone", f"drawn:{submission}", request.user.pk, via="paper")
    form = _form(request, where, officer)
    intake = IntakeForm(request.POST or None, initial={"happened_on": clock.today()})
    if form.is_bound and intake.is_valid() and form.is_valid():
        day = intake.cleaned_data["happened_on"]
        noon = timezone.make_aware(dt.datetime.combine(day, dt.time(12)))
        before = noon if day < clock.today() else None
        try:
            done = _hand_in(where, officer, request.POST, request.FILES, submission, before)
        except acts.Refused as refused:
            form.add_error(None, str(refused))
        else:
            return redirect(f"/cases/{done.record.case.number}/done/{done.record.seq}/")
    if not form.is_bound:
        kept.fill(request, form, intake)
    return _page(request, form, where, intake=intake, writer=kept.writer(request))


@require_safe
@login_required
@ratelimit(key="user", rate="30/m", block=True)
def sheet(request: HttpRequest, number: str, round_: int) -> HttpResponse:
    """The supervision sheet of a matter, for those who handle it."""
    case = find_case(number)
    appeal = Appeal.objects.filter(case=case).first()
    run = next((run for run in sheets.runs(case) if run.round == round_), None)
    if appeal is None or run is None:
        raise Http404
    if not reading.handles(appeal, Viewer(request.user, case).parties):
        raise PermissionDenied
    run.process = case
    response = HttpResponse(sheets.sheet(run), content_type="application/pdf")
    response["Content-Disposition"] = f'attachment; filename="{number}-sheet-{round_}.pdf"'
    response["Cache-Control"] = "private, no-store"
    return response


@require_safe
def listing(request: HttpRequest) -> HttpResponse:
    """The public list, and the figures by unit."""
    facets = reading.chosen(request.GET)
    limit_searching(request, facets["q"])
    found, before = reading.rows(facets), request.GET.get("before", "")
    if before:
        found = found.filter(pk__lt=reading.position(before))
    page = paging.pages(found, request.GET.get("page"), PER_PAGE)
    shown = list(page.object_list)
    return render(
        request,
        "appeals/list.html",
        context(
            request,
            "appeals",
            page=page,
            rows=reading.shown(shown),
            before=before,
            older=shown[-1].case.number if paging.ends(page) else "",
            chosen=facets,
            kinds=rules.KINDS.items(),
            units=rules.UNITS.items(),
            states=reading.STATES.items(),
            places=offered(reading.places(), facets["place"]),
            figures=cache.get_or_set(FIGURES, reading.figures, FIGURES_STAND),
            may_enter=bool(reading.typed_in_by(request.user)),
        ),
    )
