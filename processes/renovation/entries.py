"""Kinds of ledger entries in a renovation: contributions, progress, payments, changes, findings."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from workflows import law
from workflows.steps.act import Words, refuse
from workflows.steps.ledger_kinds import (
    Elsewhere,
    Entry,
    EntryForm,
    EntryKind,
    Move,
    MoveForm,
    Standing,
)
from workflows.steps.ledger_rows import LedgerEntry
from workflows.steps.opinion_forms import PublicText
from workflows.uploads import UploadField

from . import rules

COMMITTEE = ("residents_committee", "office")
LARGE_CHANGE_PERCENT = 10
"""D: a change of the design of this share of the contract and more is publicised anew."""


def fen(yuan: Any) -> int:
    """An exact amount in fen from an exact amount in yuan."""
    return int(yuan * 100)


class PaidForm(MoveForm):
    """A contribution has come in: when, and the number of its receipt."""

    on = forms.DateField(label=_("到账日期"), widget=forms.DateInput(attrs={"type": "date"}))
    receipt = forms.CharField(label=_("收据号（不公开）"), max_length=40)

    def clean_on(self) -> dt.date:
        """Not in the future."""
        on: dt.date = self.cleaned_data["on"]
        if on > self.act.at.date():
            raise forms.ValidationError(_("到账日期不能晚于今天。"))
        return on

    def change(self, entry: LedgerEntry) -> None:
        """The entry is dated by its payment."""
        entry.on = self.cleaned_data["on"]

    def private(self) -> dict[str, str]:
        """The receipt's number."""
        return {"receipt": self.cleaned_data["receipt"]}


class ProgressForm(EntryForm):
    """How far the works are."""

    percent = forms.IntegerField(label=_("完成进度（%）"), min_value=0, max_value=100)
    text = PublicText(label=_("进展情况（将公开）"), max_length=1000)
    photos = UploadField(label=_("现场照片"), required=False, public=True, pictures_only=True)

    def entry(self) -> Entry:
        """Percent and words."""
        data = self.cleaned_data
        return Entry(on=data["on"], value=data["percent"], public={"text": data["text"]})


def never_back(entries: QuerySet[LedgerEntry], entry: Entry) -> None:
    """Progress does not go back; a wrong entry is corrected first."""
    latest = entries.order_by("-value").first()
    if latest is not None and (entry.value or 0) < (latest.value or 0):
        raise refuse(
            _("进度不能低于已登记的%(n)s%%；如前一条有误，请先更正。") % {"n": latest.value},
            field="percent",
        )


class PaymentForm(EntryForm):
    """A payment for the works."""

    yuan = forms.DecimalField(label=_("金额（元）"), min_value=0, max_digits=14, decimal_places=2)
    payee = forms.ChoiceField(
        label=_("收款方"),
        choices=[
            ("designer", _("设计单位")),
            ("contractor", _("施工单位")),
            ("supervisor", _("监理单位")),
        ],
    )
    text = PublicText(label=_("款项说明（将公开）"), max_length=300)

    def entry(self) -> Entry:
        """Amount, to whom, for what."""
        data = self.cleaned_data
        return Entry(
            on=data["on"],
            amount=fen(data["yuan"]),
            public={"payee": data["payee"], "text": data["text"]},
        )


class ChangeForm(EntryForm):
    """A change of the design while it is built."""

    text = PublicText(label=_("变更内容（将公开）"), max_length=1000)
    reason = PublicText(label=_("变更理由（将公开）"), max_length=500)
    yuan = forms.DecimalField(
        label=_("涉及金额（元）"), min_value=0, max_digits=14, decimal_places=2
    )
    percent = forms.IntegerField(label=_("占合同价的比例（%）"), min_value=0, max_value=100)
    papers = UploadField(label=_("变更图纸"), required=False, public=True)

    def entry(self) -> Entry:
        """Words, amount and its share of the contract."""
        data = self.cleaned_data
        return Entry(
            on=data["on"],
            amount=fen(data["yuan"]),
            value=data["percent"],
            public={"text": data["text"], "reason": data["reason"]},
        )


def large_change(entry: Entry) -> bool:
    """Whether a change is so large that it is publicised."""
    return (entry.value or 0) >= LARGE_CHANGE_PERCENT


class FindingForm(EntryForm):
    """What a resident supervisor found."""

    area = forms.ChoiceField(
        label=_("方面"),
        choices=[("safety", _("安全")), ("quality", _("质量")), ("progress", _("进度"))],
    )
    text = PublicText(label=_("发现的问题（将公开）"), max_length=1000)
    photos = UploadField(label=_("照片"), required=False, public=True, pictures_only=True)

    def entry(self) -> Entry:
        """What, and in which respect."""
        data = self.cleaned_data
        return Entry(on=data["on"], public={"area": data["area"], "text": data["text"]})


class FixedForm(MoveForm):
    """What was done about a finding."""

    note = PublicText(label=_("整改情况（将公开）"), max_length=1000)
    photos = UploadField(label=_("整改照片"), required=False, public=True, pictures_only=True)

    def public(self) -> dict[str, Any]:
        """What was done."""
        return {"note": self.cleaned_data["note"]}


WATCHERS = ("resident_supervisor", "supervisor", "residents_committee")
"""Who watches the works; the committee types in what resident supervisors report on paper."""

CONTRIBUTION = EntryKind(
    "contribution",
    _("居民出资"),
    by=COMMITTEE,
    form=EntryForm,
    start="due",
    states={"due": _("未到账"), "paid": _("已到账"), "waived": _("已减免")},
    moves=(
        Move("paid", _("登记到账"), "due", "paid", COMMITTEE, PaidForm),
        Move("waived", _("减免"), "due", "waived", COMMITTEE),
    ),
    waiting=frozenset({"due"}),
    hidden=frozenset({"due", "waived"}),
)
PROGRESS = EntryKind(
    "progress",
    _("工程进展"),
    by=("contractor", "office"),
    form=ProgressForm,
    start="reported",
    states={"reported": _("已公布")},
    unit="percent",
    check=never_back,
)
PAYMENT = EntryKind(
    "payment",
    _("工程付款"),
    by=("office",),
    form=PaymentForm,
    start="paid",
    states={"paid": _("已支付")},
    labels={"payee": _("收款方")},
)
CHANGE = EntryKind(
    "change",
    _("设计变更"),
    by=("office",),
    form=ChangeForm,
    start="decided",
    states={
        "decided": _("已登记"),
        "publicised": _("公示中"),
        "established": _("变更成立"),
        "not_established": _("变更不成立"),
    },
    waiting=frozenset({"publicised"}),
    elsewhere=Elsewhere("design_change", large_change, "publicised"),
)
FINDING = EntryKind(
    "finding",
    _("监督发现"),
    by=WATCHERS,
    form=FindingForm,
    start="found",
    states={"found": _("待整改"), "fixed": _("待复查"), "checked": _("复查合格")},
    moves=(
        Move("fixed", _("登记整改"), "found", "fixed", ("contractor",), FixedForm),
        Move("checked", _("复查合格"), "fixed", "checked", WATCHERS),
        Move("again", _("复查不合格"), "fixed", "found", WATCHERS),
    ),
    waiting=frozenset({"found", "fixed"}),
    labels={"area": _("方面")},
)


class WarrantyForm(EntryForm):
    """A part of the works under warranty: since when, for how long, what it covers."""

    item = forms.ChoiceField(label=_("保修部位"), choices=list(rules.WARRANTIES.items()))
    months = forms.IntegerField(label=_("保修期（月）"), min_value=1, max_value=600)
    text = PublicText(label=_("保修内容（将公开）"), max_length=500)

    def setup(self) -> None:
        """The day is that of the acceptance."""
        self.fields["on"].label = _("保修起算日期")

    def clean(self) -> dict[str, Any]:
        """Not shorter than the law has it."""
        data: dict[str, Any] = super().clean() or {}
        if not {"on", "item", "months"} <= data.keys():
            return data
        try:
            self.rule = rules.warranty_rule(data["item"], data["on"])
        except LookupError:
            self.add_error("on", _("保修起算日期过早，没有当时适用的规定。"))
            return data
        least = self.rule.values["months"]
        if data["months"] < least:
            self.add_error(
                "months",
                _("不得少于%(least)s个月（%(source)s）。")
                % {"least": least, "source": self.rule.source},
            )
        return data

    def entry(self) -> Entry:
        """From the day, to the corresponding day so many months later (Civil Code 202)."""
        data = self.cleaned_data
        until = rules.warranty_ends(data["on"], data["months"])
        public = {"item": data["item"], "until": until.isoformat(), "text": data["text"]}
        return Entry(on=data["on"], public={**public, **law.named(self.rule)})


class RepairForm(EntryForm):
    """Something to be repaired under warranty."""

    text = PublicText(label=_("报修内容（将公开，不写姓名和室号）"), max_length=1000)
    photos = UploadField(label=_("照片（将公开）"), required=False, public=True, pictures_only=True)

    def entry(self) -> Entry:
        """What is broken."""
        return Entry(on=self.cleaned_data["on"], public={"text": self.cleaned_data["text"]})


KEEPERS = ("residents_committee", "owners_committee", "office")
WARRANTY = EntryKind(
    "warranty",
    _("保修"),
    by=COMMITTEE,
    form=WarrantyForm,
    start="running",
    states={"running": _("保修中"), "inspected": _("到期前已检查"), "ended": _("已到期")},
    moves=(Move("inspected", _("登记到期前检查"), "running", "inspected", COMMITTEE),),
    waiting=frozenset({"running", "inspected"}),
    ends=lambda entry: dt.date.fromisoformat(entry.public["until"]),
    ended="ended",
    labels={"until": _("保修至")},
)
REPAIR = EntryKind(
    "repair",
    _("报修"),
    by=KEEPERS,
    form=RepairForm,
    start="reported",
    states={"reported": _("待维修"), "repaired": _("待复查"), "checked": _("复查合格")},
    moves=(
        Move(
            "repaired", _("登记维修"), "reported", "repaired", ("contractor", *COMMITTEE), FixedForm
        ),
        Move("checked", _("复查合格"), "repaired", "checked", KEEPERS),
        Move("again", _("复查不合格"), "repaired", "reported", KEEPERS),
    ),
    waiting=frozenset({"reported", "repaired"}),
)


def warranties_entered(standing: Sequence[Standing]) -> list[Words]:
    """The ledger of upkeep holds at least one warranty, or it would remind of nothing."""
    found = any(row.kind == "warranty" for row in standing)
    return [] if found else [_("尚未登记保修期")]


def works_complete(standing: Sequence[Standing]) -> list[Words]:
    """The works are complete when progress stands at a hundred."""
    done = any(row.kind == "progress" and row.most == 100 for row in standing)
    return [] if done else [_("工程进度尚未达到100%")]
