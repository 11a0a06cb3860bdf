"""What the steps of answering ask, from looking for the information to opening it to everybody."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from workflows import calendars
from workflows.steps.act import Words
from workflows.steps.opinion_forms import PublicText
from workflows.steps.task import TaskForm
from workflows.uploads import Upload, UploadField

from . import clocks, consulting, letters, rules
from .forms import WAYS, PrivateForm, choice_field, day_field, text_field
from .models import Decision, OpenItem


class HandlingForm(PrivateForm):
    """What was found, and how it goes on."""

    note = text_field(_("检索和研究情况"))

    FAULTS = {
        "again": _("答复期限只能延长一次（条例第三十三条）。"),
        "late": _("答复期限已经届满，不能再延长（条例第三十三条）。"),
    }

    def clean(self) -> dict[str, Any]:
        """One extension, while there is a term to extend."""
        data = super().clean() or {}
        if data.get("chosen") == "extend":
            due = clocks.reply(self.act.case, calendars.current())
            fault = rules.extension_refused(due, self.today, self.application.extended > 0)
            if fault:
                self.add_error("chosen", self.FAULTS[fault])
        elif data.get("chosen") == "postpone" and self.application.postponed_days:
            self.add_error("chosen", _("延迟答复的期限已经确定过一次。"))
        return data


class PostponementForm(PrivateForm):
    """Much is asked for, with good reason: a reasonable later day, and the applicant is told
    (article 35)."""

    shown = ("days",)
    reason = text_field(_("申请人说明的理由和认定情况"))
    days = forms.IntegerField(
        label=_("延迟答复的期限（工作日）"), min_value=1, max_value=rules.POSTPONED_MOST
    )

    def fact(self) -> None:
        """The term for the reply is longer from now on."""
        application = self.application
        application.postponed_days = self.cleaned_data["days"]
        application.save(update_fields=["postponed_days"])

    def issued(self) -> list[Upload]:
        """What the applicant is told."""
        return [letters.postponement_notice(self.act.case, self.today)]

    def clean(self) -> dict[str, Any]:
        """While there is a term."""
        data = super().clean() or {}
        due = clocks.reply(self.act.case, calendars.current())
        if rules.extension_refused(due, self.today, False):
            self.add_error("days", _("答复期限已经届满，不能再确定延迟答复的期限。"))
        return data


class ExtensionForm(PrivateForm):
    """The head of the office decides on an extension (article 33)."""

    shown = ("days", "reason")
    days = forms.IntegerField(
        label=_("延长期限（工作日）"),
        min_value=1,
    )
    reason = choice_field(
        _("延长理由（将公开）"),
        {
            "much": _("信息数量较大"),
            "search": _("检索、整理需要时间"),
            "review": _("内容需要逐项审查"),
            "other_reason": _("其他需要延长的情形"),
        },
    )

    def setup(self) -> None:
        """No longer than the law allows."""
        most = rules.extension_most(clocks.received(self.application))
        days: Any = self.fields["days"]
        days.initial = most
        days.validators.append(MaxValueValidator(most))
        days.widget.attrs["max"] = most

    def fact(self) -> None:
        """Approved; it counts once the applicant has been told."""
        if self.cleaned_data["chosen"] == "approved":
            application = self.application
            application.extension_days = self.cleaned_data["days"]
            application.save(update_fields=["extension_days"])

    def public(self) -> dict[str, Any]:
        """By how much and why, if it was approved."""
        return super().public() if self.cleaned_data["chosen"] == "approved" else {}


class NoticeForm(PrivateForm):
    """The applicant is told that the term is extended (article 33)."""

    shown = ("on", "way")
    on = day_field(_("告知日期"))
    way = choice_field(_("告知方式"), WAYS)

    def setup(self) -> None:
        """Today, most often."""
        self.fields["on"].initial = self.today

    def clean(self) -> dict[str, Any]:
        """Not in the future."""
        data = super().clean() or {}
        self.not_later("on")
        return data

    def outcome(self) -> str:
        """In time, or too late to count."""
        due = clocks.reply(self.act.case, calendars.current())
        on = self.cleaned_data["on"]
        return "late" if rules.extension_refused(due, on, False) else "told"

    def fact(self) -> None:
        """From now on the term is longer."""
        application = self.application
        if self.outcome() == "told":
            application.extension_told_on = self.cleaned_data["on"]
            application.save(update_fields=["extension_told_on"])

    def issued(self) -> list[Upload]:
        """The notice of the extension."""
        if not self.application.extended:
            return []
        return [letters.extension_notice(self.act.case, self.cleaned_data["on"])]


class DecisionForm(PrivateForm):
    """The draft of the reply (articles 36 to 39)."""

    conditional = frozenset({"ground", "interest", "materials"})
    outcome_code = choice_field(
        _("答复结果"), {code: outcome.title for code, outcome in rules.OUTCOMES.items()}
    )
    ground = forms.ChoiceField(
        label=_("不予公开的依据（不予公开、部分公开时选择）"),
        choices=[("", "—"), *((code, ground.title) for code, ground in rules.GROUNDS.items())],
        required=False,
    )
    topic = forms.CharField(
        label=_("信息名称（登记用）"),
        help_text=_("同样的信息用同样的名称，以便知道多少人需要它。"),
        max_length=120,
    )
    text = text_field(
        _("答复内容和理由（写入答复书）"),
        help_text=_("不予公开的部分写明理由；不属于本机关的，写明负责机关的名称、联系方式。"),
        rows=8,
        most=5000,
    )
    asked_reasons = forms.BooleanField(
        label=_("已要求申请人说明理由，且理由不合理（条例第三十五条）"), required=False
    )
    overriding = forms.BooleanField(
        label=_("第三方不同意，但不公开可能对公共利益造成重大影响（条例第三十二条）"),
        required=False,
    )
    interest = text_field(
        _("公共利益的理由（写入答复书和给第三方的告知书）"),
        help_text=_("认定公共利益的，应当填写。"),
        rows=3,
        required=False,
        most=1000,
    )
    materials = UploadField(
        label=_("提供给申请人的信息"),
        help_text=_("公开或者部分公开，而申请人要求在本系统领取电子数据的，应当附上。"),
        required=False,
    )
    otherwise = forms.BooleanField(
        label=_("无法按照申请人要求的形式提供，答复内容写明了提供的方式（条例第四十条）"),
        required=False,
    )

    def setup(self) -> None:
        """A draft that was returned is gone on with."""
        last = Decision.objects.filter(case=self.act.case).last()
        if last is not None:
            self.fields["outcome_code"].initial = last.outcome
            for name in ("ground", "topic", "text", "overriding", "interest"):
                self.fields[name].initial = getattr(last, name)

    FAULTS = {
        "ground": ("ground", _("不予公开和部分公开应当选择依据，其他结果不选。")),
        "unclear": ("outcome_code", _("没有告知过补正，不能以内容不明确答复（条例第三十条）。")),
        "reasons": ("asked_reasons", _("应当先要求申请人说明理由（条例第三十五条）。")),
        "third_party": (
            "ground",
            _("没有第三方书面表示不同意，不能以损害第三方合法权益为由（条例第三十二条）。"),
        ),
        "overriding": (
            "overriding",
            _("第三方不同意公开；决定公开的，应当认定公共利益（条例第三十二条）。"),
        ),
    }

    def clean(self) -> dict[str, Any]:
        """What the articles ask of each outcome."""
        data = super().clean() or {}
        if data.get("outcome_code"):
            fault = rules.outcome_fault(
                data["outcome_code"],
                data.get("ground", ""),
                asked_correction=self.application.asked_on is not None,
                asked_reasons=data.get("asked_reasons", False),
                objected=consulting.objected(self.act.case.pk),
                overriding=data.get("overriding", False),
            )
            if fault:
                self.add_error(*self.FAULTS[fault])
        self.required_if(data.get("overriding", False), "interest")
        if self._to_be_had_here(data) and not (data.get("materials") or data.get("otherwise")):
            self.add_error("materials", _("请附上提供给申请人的信息。"))
        return data

    def _to_be_had_here(self, data: dict[str, Any]) -> bool:
        """Whether information is given, and as the applicant wants it, in this system (40)."""
        application = self.application
        given = data.get("outcome_code") in ("granted", "partial")
        return given and (application.form, application.way) == ("electronic", "web")

    def outcome(self) -> str:
        """On to the second person."""
        return "done"

    def fact(self) -> models.Model:
        """The draft."""
        data = self.cleaned_data
        return Decision(
            case=self.act.case,
            outcome=data["outcome_code"],
            ground=data["ground"],
            topic=" ".join(data["topic"].split()),
            text=data["text"],
            overriding=data["overriding"],
            interest=data["interest"],
        )


class CheckForm(PrivateForm):
    """A second person reads the draft against a list. D: the list; article 17: the review."""

    CHECKS: dict[str, Words] = {
        "applicant": _("申请人身份和申请内容核对无误"),
        "searched": _("检索全面"),
        "secrecy": _("已作保密审查（条例第十七条）"),
        "privacy": _("不含应当保护的个人隐私、商业秘密"),
        "reasoned": _("结果、依据、理由相符"),
        "remedied": _("告知了救济途径和期限"),
    }
    conditional = frozenset({"checks", "note"})
    shown = ("checks",)
    checks = forms.MultipleChoiceField(
        label=_("审查要点"),
        help_text=_("各项都符合才能通过。"),
        choices=list(CHECKS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    note = text_field(_("审查意见"), help_text=_("退回重拟时必填。"), required=False)

    def clean(self) -> dict[str, Any]:
        """All of them to approve; a reason to return."""
        data = super().clean() or {}
        if data.get("chosen") == "approved" and len(data.get("checks", ())) < len(self.CHECKS):
            self.add_error("checks", _("各项要点都符合，才能通过；否则请退回重拟并写明意见。"))
        self.required_if(data.get("chosen") == "returned", "note")
        return data


class DeliveryForm(PrivateForm):
    """The reply goes out, with its number and the remedies."""

    shown = ("on", "way")
    words = {
        "decision": _("答复结果"),
        "basis": _("不予公开的依据"),
        **{code: outcome.title for code, outcome in rules.OUTCOMES.items()},
        **{code: ground.title for code, ground in rules.GROUNDS.items()},
    }
    on = day_field(_("答复日期"))
    way = choice_field(_("送达方式"), WAYS)

    def setup(self) -> None:
        """Today, in the way that the applicant asked for."""
        self.fields["on"].initial = self.today
        self.fields["way"].initial = self.application.way

    def clean(self) -> dict[str, Any]:
        """Not in the future, nor before it was drafted."""
        data = super().clean() or {}
        drafted = self.decision.record
        least = timezone.localtime(drafted.at).date() if drafted is not None else None
        self.not_later("on", least=least)
        return data

    @property
    def decision(self) -> Decision:
        """The draft that was approved."""
        return Decision.objects.select_related("record").filter(case=self.act.case).latest("pk")

    def fact(self) -> None:
        """The decision has its number and its day."""
        decision = self.decision
        decision.number = letters.number(self.act.case, self.cleaned_data["on"])
        decision.delivered_on = self.cleaned_data["on"]
        decision.due_on = clocks.reply(self.act.case, calendars.current()).ends_on
        decision.save(update_fields=["number", "delivered_on", "due_on"])

    def outcome(self) -> str:
        """Wanted by several, or one suggested it: considered for the open list (article 44)."""
        decision = self.decision
        alike = Decision.objects.filter(
            topic=decision.topic, case__community=self.act.case.community
        )
        authors = alike.exclude(number="").values("case__application__author").distinct().count()
        opens = rules.OUTCOMES[decision.outcome].opens
        wanted = rules.wanted_by_many(opens, authors, self.application.suggests)
        return "wanted" if wanted and decision.outcome != "already_public" else "delivered"

    def public(self) -> dict[str, Any]:
        """What it came to, with its number; no word of what was asked."""
        decision = self.decision
        found = {**super().public(), "decision": decision.outcome, "number": decision.number}
        return {**found, "basis": decision.ground} if decision.ground else found

    def issued(self) -> list[Upload]:
        """The reply itself; and to third parties whose objection was overridden, why (32)."""
        case, decision = self.act.case, self.decision
        told = consulting.objectors(case.pk) if decision.overriding else []
        return [
            letters.reply(case, decision, self.application),
            *(letters.overriding_notice(case, decision, name) for name in told),
        ]


class OpenListForm(TaskForm):
    """Is it opened to everybody from now on (article 44). Public, but not who asked."""

    conditional = frozenset({"name"})
    name = PublicText(
        label=_("信息名称（纳入时填写，将公开）"),
        max_length=120,
        rows=2,
        required=False,
        meaning=False,
    )
    address = forms.URLField(
        label=_("公开地址"), required=False, assume_scheme="https", max_length=200
    )
    reason = PublicText(label=_("理由（将公开）"), max_length=500)

    def clean(self) -> dict[str, Any]:
        """Named where it is opened."""
        data = super().clean() or {}
        if data.get("chosen") == "listed" and not data.get("name") and "name" not in self.errors:
            self.add_error("name", _("请填写这一项。"))
        return data

    def fact(self) -> models.Model | None:
        """The entry of the open list."""
        data = self.cleaned_data
        if data["chosen"] != "listed":
            return None
        title = " ".join(data["name"].split())
        case = self.act.case
        return OpenItem(case=case, title=title, address=data["address"], at=self.act.at)
