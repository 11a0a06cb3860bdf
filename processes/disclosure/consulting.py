"""Letters to third parties and other organs (征求意见书): articles 32 to 34."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from workflows import calendars
from workflows.steps.act import Words
from workflows.steps.ledger_kinds import Entry, EntryForm, EntryKind, Move, MoveForm, Standing
from workflows.steps.ledger_rows import LedgerEntry
from workflows.uploads import Upload, UploadField

from . import letters, rules

OFFICE = ("office",)
THIRD_PARTY, ORGAN = "letter", "organ_letter"
"""The kinds of letters."""


class LetterForm(EntryForm):
    """A letter goes out: to whom, and what it asks about. It is written with the entry."""

    name = forms.CharField(label=_("姓名或者名称（不公开）"), max_length=80)
    text = forms.CharField(
        label=_("征求意见的内容（写入征求意见书，不公开）"),
        help_text=_("写明涉及对方的政府信息；不要写明申请人是谁。"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    papers = UploadField(label=_("附件"), required=False)

    words = {
        "reached_on": _("送达日期"),
        "answered_on": _("收到意见的日期"),
    }

    def setup(self) -> None:
        """The day is that of sending."""
        self.fields["on"].label = _("发出日期")

    def entry(self) -> Entry:
        """Who is asked is private; that somebody is asked is not."""
        data = self.cleaned_data
        private = {"name": data["name"], "text": data["text"]}
        return Entry(data["on"], private=private)

    def issued(self) -> list[Upload]:
        """The letter itself."""
        data = self.cleaned_data
        organ = data["kind"] == ORGAN
        told = {"name": data["name"], "text": data["text"], "organ": organ}
        return [letters.consultation(self.act.case, data["on"], **told)]


class _DatedForm(MoveForm):
    """A move with its day, which is not before the one that it follows."""

    on = forms.DateField(widget=forms.DateInput(attrs={"type": "date"}))
    day_label: Words = ""
    day_field = ""

    def setup(self) -> None:
        """What the day is."""
        self.fields["on"].label = self.day_label

    def clean_on(self) -> dt.date:
        """Not in the future."""
        on: dt.date = self.cleaned_data["on"]
        if on > timezone.localtime(self.act.at).date():
            raise forms.ValidationError(_("日期不能晚于今天。"))
        return on

    def clean(self) -> dict[str, Any]:
        """Not before the letter went out, or arrived."""
        data = super().clean() or {}
        row = LedgerEntry.objects.filter(
            case=self.act.case, standing="stands", pk=data.get("entry") or 0
        ).first()
        if row is not None and data.get("on"):
            before = row.public.get("reached_on") or row.on.isoformat()
            if data["on"].isoformat() < before:
                self.add_error("on", _("不能早于征求意见书发出或者送达的日期。"))
        return data

    def public(self) -> dict[str, Any]:
        """The day."""
        return {self.day_field: self.cleaned_data["on"].isoformat()}

    def change(self, entry: LedgerEntry) -> None:
        """The entry shows the day."""
        entry.public = {**entry.public, **self.public()}


class ReachedForm(_DatedForm):
    """The letter has arrived: 15 working days run from that day."""

    day_label = _("收到征求意见书的日期")
    day_field = "reached_on"

    def change(self, entry: LedgerEntry) -> None:
        """With the day until which an answer is in time."""
        super().change(entry)
        due = rules.opinion_due(self.cleaned_data["on"], calendars.current())
        entry.public = {**entry.public, "due_on": due.ends_on.isoformat()}


class AnswerForm(_DatedForm):
    """An answer came: agreed, or not and why."""

    day_label = _("收到意见的日期")
    day_field = "answered_on"
    text = forms.CharField(
        label=_("意见和理由（不公开）"),
        max_length=2000,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    papers = UploadField(label=_("意见原件"), required=False)

    def private(self) -> dict[str, str]:
        """What was said."""
        return {"text": self.cleaned_data["text"]}

    def clean(self) -> dict[str, Any]:
        """After its term an answer is none: article 32, 逾期未提出意见."""
        data = super().clean()
        row = LedgerEntry.objects.filter(case=self.act.case, pk=data.get("entry") or 0).first()
        due = last_day(row) if row is not None else None
        if due is not None and data.get("on") and data["on"] > due:
            self.add_error("on", _("已超过15个工作日，请登记为逾期未提出意见。"))
        return data


class SilentForm(MoveForm):
    """No answer came in time. The clock does it, unless the year was not announced then."""

    def clean(self) -> dict[str, Any]:
        """Not before the term has run out."""
        data = super().clean() or {}
        row = LedgerEntry.objects.filter(case=self.act.case, pk=data.get("entry") or 0).first()
        due = last_day(row) if row is not None else None
        today = timezone.localtime(self.act.at).date()
        if row is not None and (due is None or today <= due):
            shown = row.public.get("due_on", "")
            day = date_format(dt.date.fromisoformat(shown), "DATE_FORMAT") if shown else "—"
            raise forms.ValidationError(_("征求意见的期限（至%(day)s）尚未届满。") % {"day": day})
        return data


def last_day(entry: LedgerEntry) -> dt.date | None:
    """Until when an answer is in time; None while the letter has not arrived, or the day is a
    guess. Counted anew each time, by the calendar as it is now."""
    reached = entry.public.get("reached_on")
    if not reached:
        return None
    due = rules.opinion_due(dt.date.fromisoformat(reached), calendars.current())
    return None if due.provisional else due.ends_on


def somebody_asked(standing: Sequence[Standing]) -> list[Words]:
    """Consulting means that a letter went out."""
    return [] if standing else [_("尚未发出征求意见书")]


def objectors(case_id: int) -> list[str]:
    """The names of the third parties that were consulted and did not agree; articles 15 and 32. An
    organ's opinion (article 34) is none of theirs. A name that was erased is 第三方."""
    asked = LedgerEntry.objects.filter(
        case=case_id,
        step="consult",
        kind=THIRD_PARTY,
        standing="stands",
        state="objected",
    )
    return [letter.private.get("name") or "第三方" for letter in asked]


def objected(case_id: int) -> bool:
    """Whether there is one."""
    return bool(objectors(case_id))


def _letters(kind: str, title: Words, silent: Words) -> EntryKind:
    return EntryKind(
        kind,
        title,
        by=OFFICE,
        form=LetterForm,
        start="sent",
        states={
            "sent": _("已发出"),
            "reached": _("已送达，等待意见"),
            "agreed": _("同意公开"),
            "objected": _("不同意公开"),
            "silent": silent,
        },
        moves=(
            Move("reached", _("登记送达"), "sent", "reached", OFFICE, ReachedForm),
            Move("agreed", _("登记同意公开"), "reached", "agreed", OFFICE, AnswerForm),
            Move("objected", _("登记不同意公开"), "reached", "objected", OFFICE, AnswerForm),
            Move("silent", _("登记逾期未提出意见"), "reached", "silent", OFFICE, SilentForm),
        ),
        waiting=frozenset({"sent", "reached"}),
        runs=frozenset({"reached"}),
        ends=last_day,
        ended="silent",
        remind=3,
    )


LETTERS = (
    _letters(  # article 32: about a third party's silence the office decides
        THIRD_PARTY, _("第三方征求意见书"), _("逾期未提出意见")
    ),
    _letters(  # article 34: another organ's silence is its consent
        ORGAN, _("其他机关征求意见书"), _("逾期未提出意见，视为同意公开")
    ),
)
