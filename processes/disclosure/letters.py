"""The letters that the office sends, in the form of an official letter (公函): PDF.

They are written in Chinese whatever language the officer reads pages in. Each is kept with the act
that issues it; its hash stands in the record.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from workflows import calendars
from workflows.models import Case, NumberSeries
from workflows.uploads import PDF, Upload

from ..community.models import Office
from . import clocks, rules
from .models import Application, Decision

LABELS = {
    "correction": gettext_noop("补正告知书"),
    "abandoned": gettext_noop("视为放弃申请告知书"),
    "extension": gettext_noop("延期答复告知书"),
    "postponement": gettext_noop("延迟答复告知书"),
    "reply": gettext_noop("答复书"),
    "consultation": gettext_noop("征求意见书"),
    "overriding": gettext_noop("决定公开告知书"),
}
TO_APPLICANT, TO_CONSULTED = "letter", "letter_to_consulted"
"""Under which name a letter is kept: what others are written is not the applicant's to read."""


def organ(case: Case) -> str:
    """Who signs: the sub-district office, by its name on file."""
    office = Office.objects.filter(community=case.community, kind="subdistrict").first()
    return office.name if office else f"{case.community.name}办事处"


def number(case: Case, on: dt.date) -> str:
    """The next number of a reply in the office's series of the year (文号), and takes it."""
    place = f"D{case.community_id}"
    NumberSeries.objects.get_or_create(prefix=place, year=on.year)
    series = NumberSeries.objects.select_for_update().get(prefix=place, year=on.year)
    series.last += 1
    series.save(update_fields=["last"])
    return f"{case.community.name}依申请〔{on.year}〕{series.last}号"


def correction_notice(case: Case, on: dt.date) -> Upload:
    """One notice of what is to be corrected, and by when (article 30)."""
    application = clocks.of(case)
    due = clocks.correction(case, calendars.current())
    return _letter("correction", case, on, application, due=due)


def abandoned_notice(case: Case, on: dt.date) -> Upload:
    """No correction came: the application counts as given up (article 30)."""
    return _letter("abandoned", case, on, clocks.of(case))


def extension_notice(case: Case, on: dt.date) -> Upload:
    """The term for the reply is extended (article 33)."""
    application = clocks.of(case)
    due = clocks.reply(case, calendars.current())
    return _letter("extension", case, on, application, due=due, days=application.extended)


def postponement_notice(case: Case, on: dt.date) -> Upload:
    """Much was asked for with good reason: until when it is answered (article 35)."""
    application = clocks.of(case)
    due = clocks.reply(case, calendars.current())
    return _letter("postponement", case, on, application, due=due)


def reply(case: Case, decision: Decision, application: Application) -> Upload:
    """The reply with its outcome, article, reasons and the remedies (articles 36 to 39, 51)."""
    assert decision.delivered_on is not None
    outcome = rules.OUTCOMES[decision.outcome]
    ground = rules.GROUNDS.get(decision.ground)
    return _letter(
        "reply",
        case,
        decision.delivered_on,
        application,
        number=decision.number,
        decision=decision,
        outcome=outcome,
        ground=ground,
        paragraphs=[line.strip() for line in decision.text.splitlines() if line.strip()],
        **dataclasses.asdict(rules.remedies(decision.outcome, decision.delivered_on)),
    )


def consultation(case: Case, on: dt.date, *, name: str, text: str, organ: bool) -> Upload:
    """Asks a third party (article 32) or another organ (article 34); with a form for the answer.

    It does not say who applied: whoever is asked has no need to know.
    """
    days = rules.OPINION.on(on).n
    return _to_consulted("consultation", case, on, name, shared=organ, days=days, text=text)


def overriding_notice(case: Case, decision: Decision, name: str) -> Upload:
    """Tells a third party that objected what is opened all the same, and why (article 32)."""
    assert decision.delivered_on is not None
    on, topic, why = decision.delivered_on, decision.topic, decision.interest
    return _to_consulted("overriding", case, on, name, topic=topic, text=why)


def _to_consulted(kind: str, case: Case, on: dt.date, name: str, **more: Any) -> Upload:
    return _printed(kind, "disclosure/consulted.html", TO_CONSULTED, case, on, to=name, **more)


def _letter(kind: str, case: Case, on: dt.date, application: Application, **more: Any) -> Upload:
    return _printed(
        kind,
        "disclosure/letter.html",
        TO_APPLICANT,
        case,
        on,
        to=application.name,
        application=application,
        description=[line for line in application.description.splitlines() if line.strip()],
        **more,
    )


def _printed(kind: str, template: str, field: str, case: Case, on: dt.date, **more: Any) -> Upload:
    # Loaded here: it takes half a second, and most processes of a site never print.
    from workflows import printing

    with translation.override(settings.LANGUAGE_CODE):
        label = _(LABELS[kind])
        about = {
            "kind": kind,
            "label": label,
            "case": case,
            "organ": organ(case),
            "on": on,
            **more,
        }
        html = render_to_string(template, about)
        content = printing.numbered(
            [html], title=label, language=settings.LANGUAGE_CODE, foot=case.number
        )
    return Upload(content, *PDF, field=field, label=LABELS[kind], public=False)
