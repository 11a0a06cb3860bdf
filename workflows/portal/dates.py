"""iCalendar (RFC 5545): terms and meetings of cases, for the calendar programs of people."""

from __future__ import annotations

import datetime as dt
import hmac
import uuid
from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.decorators import login_required
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils.crypto import salted_hmac
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django_ratelimit.decorators import ratelimit
from icalendar import Calendar, Event
from viewflow.workflow.status import STATUS

from .. import clock
from ..models.case import Case, StepRun
from ..parties import directory
from ..records.export import printable
from ..steps.base import Step
from ..steps.meeting_rows import MeetingSession
from ..terms import parse
from . import mine, words
from .open_data import Edition, of_case, of_place, of_procedure, published
from .viewer import Viewer

PAST = dt.timedelta(days=400)
"""A calendar of many cases leaves out what ended longer ago."""
REFRESH = dt.timedelta(hours=6)


def calendar(
    request: HttpRequest, title: str, runs: Iterable[StepRun], sessions: Iterable[MeetingSession]
) -> bytes:
    """The last days of the terms of `runs`, and `sessions`, as one calendar."""
    made = Calendar()
    made.add("prodid", "-//Sanwen//open data//ZH")
    made.add("version", "2.0")
    made.add("method", "PUBLISH")
    made.add("name", printable(title))
    made.add("x-wr-calname", printable(title))
    made.add("x-wr-timezone", "Asia/Shanghai")
    made.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    for run in runs:
        made.add_component(_term(request, run))
    for session in sessions:
        made.add_component(_meeting(request, session))
    content: bytes = made.to_ical()
    return content


def _event(request: HttpRequest, run: StepRun, kind: str, at: dt.datetime) -> Event:
    case = run.process
    address = request.build_absolute_uri(f"/cases/{case.number}/steps/{run.pk}/")
    event = Event()
    event.add("uid", str(uuid.uuid5(uuid.NAMESPACE_URL, f"{address}{kind}")))
    event.add("dtstamp", at.astimezone(dt.UTC))
    event.add("url", address)
    return event


def _term(request: HttpRequest, run: StepRun) -> Event:
    """The last day of a term, all day long."""
    case = run.process
    event = _event(request, run, "term", run.started or run.created)
    title = _("%(step)s截止") % {"step": run.flow_task.task_title}
    event.add("summary", printable(f"{title} · {case.title}"))
    event.add("dtstart", run.ends_on)
    event.add("transp", "TRANSPARENT")
    lines = [f"{case.community.name} · {case.number}"]
    if run.term:
        lines.append(_("时限：%(term)s") % {"term": parse(run.term)})
    if case.suspended_at and run.is_open:
        lines.append(_("本事项已中止，恢复后期限顺延。"))
    if run.outcome:
        lines.append(str(words.outcome_title(case, run.name, run.outcome)))
    event.add("description", printable("\n".join(lines)))
    if run.status == STATUS.CANCELED:
        event.add("status", "CANCELLED")
    else:
        unsure = run.is_open and (run.provisional or case.suspended_at)
        event.add("status", "TENTATIVE" if unsure else "CONFIRMED")
    return event


def _meeting(request: HttpRequest, session: MeetingSession) -> Event:
    run = session.run
    case = run.process
    event = _event(request, run, f"session/{session.pk}", run.started or run.created)
    event.add("summary", printable(f"{run.flow_task.task_title} · {case.title}"))
    event.add("dtstart", session.starts_at.astimezone(dt.UTC))
    event.add("location", printable(session.place))
    about = session.reason if session.life == "cancelled" else session.agenda
    event.add("description", printable(f"{case.community.name} · {case.number}\n{about}"))
    event.add("status", "CANCELLED" if session.life == "cancelled" else "CONFIRMED")
    return event


def _dated(cases: QuerySet[Case]) -> tuple[QuerySet[StepRun], QuerySet[MeetingSession]]:
    """The terms and the meetings of cases; a query each."""
    since = clock.now() - PAST
    within = cases.order_by().values("pk")
    runs = StepRun.objects.filter(process__in=within, ends_on__gte=since.date())
    sessions = MeetingSession.objects.filter(run__process__in=within, starts_at__gte=since)
    return (
        runs.select_related("process__community").order_by("ends_on", "pk"),
        sessions.select_related("run__process__community").order_by("starts_at", "pk"),
    )


def _answer(content: bytes, name: str) -> HttpResponse:
    response = HttpResponse(content, content_type="text/calendar; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}.ics"'
    return response


def _view(find: Any, title: Any, name: Any) -> Any:
    def answer(request: HttpRequest, edition: Edition) -> HttpResponseBase:
        runs, sessions = _dated(edition.cases)
        content = calendar(request, str(title(edition.subject)), runs, sessions)
        return _answer(content, name(edition.subject))

    return published(find)(answer)


case_dates = _view(of_case, lambda case: f"{case.title} · {case.number}", lambda case: case.number)
place_dates = _view(of_place, lambda place: place.name, lambda place: place.code)
procedure_dates = _view(of_procedure, lambda found: found.title, lambda found: found.code)


# --- one's own ---------------------------------------------------------------------------------


def own_address(user: Any) -> str:
    """Where a person's own calendar is, for a calendar program, which cannot sign in.

    The address holds a secret that follows from the installation's key and the person's password:
    a new password makes a new address and the old one ends.
    """
    return f"/my/terms/{user.pk}-{_secret(user)}.ics"


def _secret(user: Any) -> str:
    value = f"{user.pk}/{user.get_session_auth_hash()}"
    return salted_hmac("sanwen.calendar", value, algorithm="sha256").hexdigest()[:40]


@require_GET
@ratelimit(key="ip", rate="60/m", block=True)
def own_dates(request: HttpRequest, pk: int, secret: str) -> HttpResponse:
    """Terms and meetings of the cases in which the person may act, by the secret address."""
    user = get_user_model().objects.filter(pk=pk, is_active=True).first()
    if user is None or not hmac.compare_digest(secret, _secret(user)):
        raise Http404
    return _own(request, user)


@require_GET
@login_required
def my_dates(request: HttpRequest) -> HttpResponse:
    """The same, once, for who is signed in."""
    return _own(request, request.user)


def _own(request: HttpRequest, user: Any) -> HttpResponse:
    everywhere = directory().parties_everywhere(user, clock.now())
    opened = mine.opened(user)
    here = mine.concerning(user, everywhere)
    runs, sessions = _dated(Case.objects.filter(here, finished__isnull=True))

    def concerns(run: StepRun) -> bool:
        step = run.flow_task
        case = run.process
        held = Viewer(user, case, everywhere.get(case.community_id, ()), opened).roles
        return isinstance(step, Step) and bool(held.intersection((*step.by, *step.participants)))

    content = calendar(
        request,
        _("我的时限和会议"),
        [run for run in runs if concerns(run)],
        [session for session in sessions if concerns(session.run)],
    )
    response = _answer(content, "sanwen")
    response["Cache-Control"] = "private, no-store"
    response["Content-Language"] = get_language() or ""
    return response
