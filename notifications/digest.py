"""What a message says: by case, the newest first, with the text itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from workflows.models import Case, Record
from workflows.portal import words
from workflows.records.export import body_text, printable

from . import what
from .models import OWN, Channel, Delivery, News

LINES_LONGEST = 600
"""Characters of one record's text; the page has the rest."""


@dataclass(slots=True)
class Line:
    """One thing that happened, in words."""

    at: Any
    title: str
    text: str
    url: str
    record: Record | None = None


@dataclass(slots=True)
class Group:
    """What happened in one case."""

    case: Case
    url: str
    lines: list[Line] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    """Terms that end soon, in words."""
    why: Delivery | None = None


@dataclass(slots=True)
class Message:
    """What is sent to a channel at once; empty when nothing is left to say."""

    subject: str
    groups: list[Group]
    text: str = ""
    html: str = ""
    short: str = ""
    brief: str = ""
    """For groups and for pushing by hand: titles, first lines and addresses."""
    leave: str = ""
    """Address that leaves the channel by one click."""


def load(deliveries: Sequence[Delivery]) -> dict[int, News]:
    """The news of deliveries with their cases, in one query."""
    rows = News.objects.filter(pk__in=[d.news_id for d in deliveries])
    return {
        news.pk: news for news in rows.select_related("record", "run", "case__community").order_by()
    }


def groups(deliveries: Sequence[Delivery]) -> list[Group]:
    """Deliveries by case: the case with the newest first, and in it the newest; nothing twice."""
    news = load(deliveries)
    cases = {each.case_id: each.case for each in news.values()}
    told = what.told_of(list(news.values()), cases)
    found: dict[int, Group] = {}
    said: set[int] = set()
    for delivery in sorted(deliveries, key=lambda each: -each.news_id):
        each = news.get(delivery.news_id)
        if each is None:
            continue
        case = cases[each.case_id]
        group = found.get(case.pk) or Group(case, _absolute(case.get_absolute_url()))
        group.why = group.why or delivery
        one = told[each.pk]
        for record in reversed(_records(one, delivery)):
            if record.pk not in said:
                said.add(record.pk)
                group.lines.append(_line(case, record))
        run = each.run
        if each.ending and run is not None and run.ends_on is not None and run.finished is None:
            day = date_format(run.ends_on, "DATE_FORMAT")
            step = words.step_title(case, run.name)
            said_of = _("“%(step)s”%(day)s截止，需要参与的请在此前办理。")
            group.ends.append(said_of % {"step": step, "day": day})
        if group.lines or group.ends:
            found[case.pk] = group
    return list(found.values())


def _records(one: what.Told, delivery: Delivery) -> list[Record]:
    if delivery.why == OWN and one.answers:
        return sorted([*one.records, *one.answers], key=lambda record: record.seq)
    return one.records


def _line(case: Case, record: Record) -> Line:
    act = str(words.act_title(case, record.step, record.act))
    title = f"{words.step_title(case, record.step)} · {act}" if record.step else act
    text = printable(body_text(case, record))
    if len(text) > LINES_LONGEST:
        text = text[:LINES_LONGEST].rstrip() + "…"
    url = _absolute(f"{case.get_absolute_url()}records/{record.seq}/")
    return Line(record.at, title, text, url, record)


def _absolute(path: str) -> str:
    return settings.SITE_ADDRESS.rstrip("/") + path


def compose(channel: Channel, deliveries: Sequence[Delivery]) -> Message | None:
    """The message of these deliveries in the reader's language; None when nothing is left to say
    (words that were erased meanwhile, a term that was met)."""
    with translation.override(channel.reader.language):
        shown = groups(deliveries)
        if not shown:
            return None
        ending = [line for group in shown for line in group.ends]
        count = len(shown)
        subject = ngettext("%(n)s件事项有新进展", "%(n)s件事项有新进展", count) % {"n": count}
        if ending:
            subject = _("即将截止：%(case)s") % {"case": shown[0].case.title}
        elif count == 1:
            subject = _("%(case)s有新进展") % {"case": shown[0].case.title}
        leave = _absolute(f"/news/leave/{channel.secret}/")
        message = Message(" ".join(subject.split()), shown, leave=leave)
        given = {
            "message": message,
            "channel": channel,
            "site": settings.SITE_ADDRESS.rstrip("/"),
            "leave": leave,
        }
        message.text = render_to_string("news/message.txt", given).strip() + "\n"
        message.html = render_to_string("news/message.html", given)
        message.short, message.brief = _short(message), _brief(message)
        return message


def _short(message: Message) -> str:
    """For a telephone: the first things, without an address of a person."""
    lines = []
    for group in message.groups[:3]:
        first = group.ends[0] if group.ends else group.lines[0].title
        lines.append(f"{group.case.title}{_('：')}{first} {group.url}")
    more = len(message.groups) - len(lines)
    if more > 0:
        lines.append(
            ngettext("另有%(n)s件事项有新进展。", "另有%(n)s件事项有新进展。", more) % {"n": more}
        )
    return "\n".join(lines)


def _brief(message: Message) -> str:
    parts = []
    for group in message.groups:
        lines = [f"【{group.case.title}】", *group.ends]
        for line in group.lines:
            first = line.text.splitlines()[0] if line.text else ""
            lines.append(f"· {line.title}{_('：') if first else ''}{first}")
        parts.append("\n".join([*lines, group.url]))
    return "\n".join(parts)
