"""Atom feeds: what happened in a case, at a place, under a procedure."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

from django.contrib.syndication.views import Feed
from django.db.models import Q
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils.feedgenerator import Atom1Feed
from django.utils.html import escape
from django.utils.translation import gettext as _

from ..models.case import Case, Community
from ..models.record import Record
from ..parties import role_title
from ..records.export import body_text, printable, with_words
from . import words
from .open_data import Edition, of_case, of_place, of_procedure, published

ENTRIES = 60

MOVES = (
    "case.opened",
    "case.closed",
    "case.suspended",
    "case.resumed",
    "parent.suspended",
    "parent.resumed",
    "step.opened",
    "step.completed",
    "term.overdue",
    "term.recomputed",
    "record.corrected",
)
"""The acts that a feed of many cases tells: how they move, not each opinion and vote."""

_NAMESPACE = uuid.UUID("3f0f0a7e-2a56-5f5d-9f3a-6d2f1f6f7c11")


def entry_id(record: Record) -> str:
    """The same wherever and under whatever name the record is shown: made from its hash."""
    return uuid.uuid5(_NAMESPACE, bytes(record.leaf_hash).hex()).urn


class RecordFeed(Feed):
    """The newest records of an edition; what it is of, subclasses say."""

    feed_type = Atom1Feed

    def get_object(self, request: HttpRequest, edition: Edition) -> Edition:
        """What the feed shows now."""
        return edition

    def items(self, edition: Edition) -> list[Record]:
        """The newest first; one query."""
        found = Record.objects.filter(self.shown(), case__in=edition.cases.order_by())
        newest = found.select_related("case__community").order_by("-pk")
        return with_words(newest[:ENTRIES])

    def shown(self) -> Q:
        """Which records a feed of many cases tells."""
        return Q(act__in=MOVES)

    def item_title(self, record: Record) -> str:
        """The case, the step and what was done."""
        act = words.act_title(record.case, record.step, record.act)
        if not record.step:
            return printable(f"{record.case.title}: {act}")
        step = words.step_title(record.case, record.step)
        return printable(f"{record.case.title}: {step} · {act}")

    def item_description(self, record: Record) -> str:
        """What the record says; readers take a summary for HTML."""
        text = printable(body_text(record.case, record))
        return "<br>".join(escape(line) for line in text.splitlines())

    def item_link(self, record: Record) -> str:
        """The page of the record."""
        return f"{record.case.get_absolute_url()}records/{record.seq}/"

    def item_guid(self, record: Record) -> str:
        """Stable, and never that of another record."""
        return entry_id(record)

    def item_pubdate(self, record: Record) -> dt.datetime:
        """When it was entered."""
        return record.at

    def item_updateddate(self, record: Record) -> dt.datetime:
        """The same: a record never changes."""
        return record.at

    def item_author_name(self, record: Record) -> str:
        """The role of who acted."""
        return str(role_title(record.role))

    def item_categories(self, record: Record) -> list[str]:
        """The act's code."""
        return [record.act]


class CaseFeed(RecordFeed):
    """Every record of a case."""

    def shown(self) -> Q:
        """All of them."""
        return Q()

    def title(self, edition: Edition) -> str:
        """The case and its number."""
        case: Case = edition.subject
        return printable(f"{case.title} · {case.number}")

    def link(self, edition: Edition) -> str:
        """The page of the case."""
        address: str = edition.subject.get_absolute_url()
        return address

    def subtitle(self, _edition: Edition) -> str:
        """What the feed holds."""
        return _("本事项的每一条公开记录")


class PlaceFeed(RecordFeed):
    """How the cases of a place move."""

    def title(self, edition: Edition) -> str:
        """The name of the place."""
        place: Community = edition.subject
        return printable(_("%(place)s的事项") % {"place": place.name})

    def link(self, edition: Edition) -> str:
        """The page of the place."""
        return f"/estates/{edition.subject.code}/"

    def subtitle(self, _edition: Edition) -> str:
        """What the feed holds."""
        return _("立项、环节开始和完成、超期、中止、更正和办结")


class ProcedureFeed(PlaceFeed):
    """How the cases of a procedure move."""

    def title(self, edition: Edition) -> str:
        """The title of the procedure."""
        return str(edition.subject.title)

    def link(self, edition: Edition) -> str:
        """The page of the procedure."""
        return f"/procedures/{edition.subject.code}/"


def _view(find: Any, feed: RecordFeed) -> Any:
    def answer(request: HttpRequest, edition: Edition) -> HttpResponseBase:
        return feed(request, edition=edition)

    return published(find)(answer)


case_feed = _view(of_case, CaseFeed())
place_feed = _view(of_place, PlaceFeed())
procedure_feed = _view(of_procedure, ProcedureFeed())
