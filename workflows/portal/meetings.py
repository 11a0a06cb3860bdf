"""At the door of a meeting: the paper with its code, and the page where those who came sign in."""

from __future__ import annotations

import math
from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.template.loader import render_to_string
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET
from django_ratelimit.core import is_ratelimited
from django_ratelimit.decorators import ratelimit
from django_ratelimit.exceptions import Ratelimited

from .. import acts, clock, printing
from ..models.case import StepRun
from ..steps.meeting_rows import MeetingSession, SignIn
from .desk import qr
from .viewer import Viewer
from .views import context, find_case

MISSES = "20/m"
"""How often one address may give a code that does not exist; those of real doors are not counted,
since a whole meeting may stand behind one address."""
ROWS_A_PAGE = 18
LEAST_ROWS, MOST_ROWS = 36, 540
"""Lines for signatures: for those who sign up and as many again who just come."""


def _at_door(request: HttpRequest, code: str) -> MeetingSession:
    """The session of a door's code. Raises 404, and `Ratelimited` after too many wrong ones."""

    def missed(count: bool) -> bool:
        return bool(is_ratelimited(request, group="door", key="ip", rate=MISSES, increment=count))

    if missed(count=False):
        raise Ratelimited
    found = MeetingSession.objects.filter(door=code.upper())
    session = found.select_related("run__process__community").first()
    if session is None:
        missed(count=True)
        raise Http404
    return session


@ratelimit(key="user_or_ip", rate="60/m", method="POST", block=True)
def door(request: HttpRequest, code: str) -> HttpResponse:
    """What is held behind this door, and one button for those who came."""
    session = _at_door(request, code)
    run = session.run
    case = run.process
    step: Any = run.flow_task
    viewer = Viewer(request.user, case)
    now = clock.now()
    mine = [party for party in viewer.parties if party.role in step.participants]
    refused = ""
    if request.method == "POST" and mine:
        chosen = next((p for p in mine if p.key == request.POST.get("as")), mine[0])
        try:
            acts.perform(case, run.name, "meeting.signed_in", chosen, {"door": session.door})
        except acts.Refused as error:
            refused = str(error)
        else:
            return redirect(f"/m/{session.door}/")
    signed = SignIn.objects.filter(session=session, party_key__in={party.key for party in mine})
    page: dict[str, Any] = {
        "case": case,
        "run": run,
        "step": step,
        "session": session,
        "parties": list({party.key: party for party in mine}.values()),
        "signed": signed.first(),
        "open": session.door_is_open(now),
        "early": session.life == "called" and now < session.door_opens,
        "opens": session.door_opens,
        "refused": refused,
    }
    status = 422 if refused else 200
    response = render(request, "portal/door.html", context(request, **page), status=status)
    response["Cache-Control"] = "no-store"
    response["X-Robots-Tag"] = "noindex"
    return response


@require_GET
@ratelimit(key="user_or_ip", rate="30/m", block=True)
def sheet(request: HttpRequest, number: str, run_id: int, pk: int) -> HttpResponse:
    """The paper for the door (签到表): the code, and lines for those who sign by hand; for those
    who handle the step."""
    case = find_case(number)
    run = get_object_or_404(StepRun, process=case, pk=run_id)
    session = get_object_or_404(MeetingSession, pk=pk, run=run)
    session.run.process = case
    if not Viewer(request.user, case).may_handle(session.run.step):
        raise PermissionDenied
    content = printed(session, request.build_absolute_uri(f"/m/{session.door}/"))
    response = HttpResponse(content, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{number}-{session.pk}-sign-in.pdf"'
    return response


def printed(session: MeetingSession, address: str) -> bytes:
    """The paper of a session's door as a PDF, in the language in use."""
    case = session.run.process
    least = 2 * (session.places or 0)
    pages = math.ceil(max(LEAST_ROWS, min(least, MOST_ROWS)) / ROWS_A_PAGE)
    rows = range(1, pages * ROWS_A_PAGE + 1)
    about = {
        "case": case,
        "step": session.run.flow_task,
        "session": session,
        "address": address,
        "short": address.split("://", 1)[-1],
        "qr": qr(address),
        "rows": rows,
    }
    html = render_to_string("print/sign_in.html", about)
    title = f"{case.title} · {_('签到表')}"
    language = get_language() or "zh-hans"
    return printing.numbered([html], title=title, language=language, foot=case.number)
