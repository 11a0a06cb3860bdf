"""What each step asks. All of it is private, but for codes and days (`public`): the public sees
that there is an application, its terms and what came of it, never who asked for what."""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from typing import Any

from django import forms
from django.conf import settings
from django.core.validators import MaxValueValidator
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from workflows import calendars
from workflows.steps.base import Words
from workflows.steps.opinion import PublicText
from workflows.steps.task import TaskForm
from workflows.uploads import Upload, UploadField

from . import clocks, consulting, letters, rules
from .models import Application, Decision, OpenItem

# Who applies, as the annual report counts them.
APPLICANTS: dict[str, Words] = {
    "person": _("自然人"),
    "enterprise": _("商业企业"),
    "research": _("科研机构"),
    "welfare": _("社会公益组织"),
    "legal_service": _("法律服务机构"),
    "other": _("其他"),
}
FORMS: dict[str, Words] = {  # article 40
    "electronic": _("电子数据"),
    "paper": _("纸质"),
    "inspect": _("查阅、抄录"),
}
WAYS: dict[str, Words] = {
    "web": _("在本系统领取"),
    "mail": _("邮寄"),
    "in_person": _("当面领取"),
}


def _choice(label: Words, choices: dict[str, Words], **kwargs: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=list(choices.items()), widget=forms.RadioSelect, **kwargs
    )


def _day(label: Words, **kwargs: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}), **kwargs)


def _text(label: Words, *, rows: int = 5, most: int = 2000, **kwargs: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=most, widget=forms.Textarea(attrs={"rows": rows}), **kwargs
    )


class PrivateForm(TaskForm):
    """A form of which only `shown` is public."""

    shown: tuple[str, ...] = ()

    @property
    def private_fields(self) -> tuple[str, ...]:  # type: ignore[override]
        """All others."""
        return tuple(name for name in self.fields if name not in (*self.shown, "chosen"))

    @property
    def today(self) -> dt.date:
        """The day of the act."""
        return timezone.localtime(self.act.at).date()

    @property
    def application(self) -> Application:
        """The application of the case."""
        return clocks.of(self.act.case)

    def not_later(self, name: str, *, least: dt.date | None = None) -> None:
        """Refuse a day in the future, or one before `least`."""
        day = self.cleaned_data.get(name)
        if day is None:
            return
        if day > self.today:
            self.add_error(name, _("日期不能晚于今天。"))
        elif least is not None and day < least:
            self.add_error(
                name, _("日期不能早于%(day)s。") % {"day": date_format(least, "DATE_FORMAT")}
            )

    def required_if(self, condition: bool, *names: str) -> None:
        """Some fields are needed only with one of the choices."""
        for name in names:
            empty = self.cleaned_data.get(name) in (None, "", []) and name not in self.errors
            if condition and empty:
                self.add_error(name, _("请填写这一项。"))


class ApplicationForm(PrivateForm):
    """An application: who, what, and in which form (article 29)."""

    shown = ("channel", "handed_in")
    channel = _choice(_("提交渠道"), {c: w for c, w in rules.CHANNELS.items() if c != "web"})
    handed_in = _day(_("提交或者寄达日期"))
    kind = _choice(_("申请人类别"), APPLICANTS, initial="person")
    name = forms.CharField(
        label=_("姓名或者名称"),
        max_length=80,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )
    identity = UploadField(
        label=_("身份证明"),
        help_text=_("只用于核对申请人，不公开。"),
        most=3,
    )
    identity_checked = forms.BooleanField(label=_("已核验申请人的身份证明"))
    contact = forms.CharField(
        label=_("联系方式"), help_text=_("电话、地址或者电子邮箱，用于答复。"), max_length=200
    )
    description = _text(
        _("所需政府信息"),
        help_text=_("写明名称、文号，或者便于查询的其他特征，例如年份、事项、地点。"),
    )
    form = _choice(_("形式要求"), FORMS, initial="electronic")
    way = _choice(_("获取方式"), WAYS, initial="web")
    suggests = forms.BooleanField(
        label=_("如可以公开，建议纳入主动公开的范围（条例第四十四条）"), required=False
    )

    @property
    def advice(self) -> Words:
        """Who sees it."""
        return _(
            "申请内容和申请人只有申请人本人和办理机关看得到；公众只看得到有这一件申请、时限和结果。"
        )

    def setup(self) -> None:
        """Who applies with an account does it over the network; the office says how it came."""
        if self.act.party.everyone:
            for name in ("channel", "handed_in", "identity_checked"):
                del self.fields[name]
        else:
            self.fields["identity"].required = False

    def clean(self) -> dict[str, Any]:
        """Not from the future."""
        data = super().clean() or {}
        self.not_later("handed_in")
        return data

    def public(self) -> dict[str, Any]:
        """The channel and the day."""
        return {"channel": self.channel_code, "handed_in": self.handed_in_on.isoformat()}

    @property
    def channel_code(self) -> str:
        """By which channel it came."""
        return self.cleaned_data.get("channel", "web")

    @property
    def handed_in_on(self) -> dt.date:
        """On which day it came."""
        return self.cleaned_data.get("handed_in") or self.today

    def fact(self) -> models.Model:
        """The application."""
        data = self.cleaned_data
        told = ("kind", "name", "contact", "description", "form", "way", "suggests")
        return Application(
            case=self.act.case,
            author=self._author(),
            channel=self.channel_code,
            handed_in=self.handed_in_on,
            **{name: data[name] for name in told},
        )

    def _author(self) -> str:
        # By account where there is one: two people may share a name, not a sign-in.
        who = self.act.party.key if self.act.party.everyone else self.cleaned_data["name"]
        plain = "".join(who.split()).encode()
        return hmac.new(settings.SECRET_KEY.encode(), plain, hashlib.sha256).hexdigest()


class ReceiptForm(PrivateForm):
    """When it counts as received (article 31)."""

    shown = ("signed_on", "confirmed_on")
    words = {"received_on": _("收到申请之日")}
    signed_on = _day(_("签收日期"))
    confirmed_on = _day(
        _("与申请人确认的日期"), help_text=_("以双方确认之日为收到申请之日（条例第三十一条）。")
    )

    def setup(self) -> None:
        """Only the day that decides for the channel."""
        channel = self.application.channel
        if channel != "signed_mail":
            del self.fields["signed_on"]
        if channel in ("in_person", "oral", "signed_mail"):
            del self.fields["confirmed_on"]
        for field in self.fields.values():
            field.initial = self.today

    @property
    def advice(self) -> Words:
        """What the law counts as receipt."""
        words = rules.CHANNELS[self.application.channel]
        return _("提交渠道：%(channel)s。收到申请之日按条例第三十一条确定。") % {"channel": words}

    def clean(self) -> dict[str, Any]:
        """In order with the day it was handed in."""
        data = super().clean() or {}
        for name in self.fields:
            self.not_later(name, least=self.application.handed_in)
        return data

    def received(self) -> dt.date:
        """The day that counts."""
        application = self.application
        return rules.received_on(
            application.channel,
            application.handed_in,
            signed=self.cleaned_data.get("signed_on"),
            confirmed=self.cleaned_data.get("confirmed_on"),
        )

    def fact(self) -> None:
        """The application is received."""
        application = self.application
        application.received_on = application.first_received_on = self.received()
        application.save(update_fields=["received_on", "first_received_on"])

    def public(self) -> dict[str, Any]:
        """The day of receipt."""
        return {**super().public(), "received_on": self.received().isoformat()}


class ExaminationForm(PrivateForm):
    """Is it clear what is asked for; if not, what is to be corrected, and by when (article 30)."""

    shown = ("days",)
    asked_for = _text(_("需要补正的事项（内容不明确时填写，写入告知书）"), required=False)
    days = forms.IntegerField(
        label=_("补正期限（工作日，内容不明确时填写）"),
        min_value=rules.CORRECTION_LEAST,
        max_value=rules.CORRECTION_MOST,
        initial=rules.CORRECTION_USUAL,
        required=False,
    )

    FAULTS = {
        "again": _("只能一次性告知补正一次（条例第三十条）。"),
        "late": _("已超过收到申请之日起7个工作日，不能再要求补正（条例第三十条）。"),
    }

    def clean(self) -> dict[str, Any]:
        """Once, in time, and saying what is missing."""
        data = super().clean() or {}
        unclear = data.get("chosen") == "unclear"
        self.required_if(unclear, "asked_for", "days")
        if unclear:
            application = self.application
            fault = rules.correction_refused(
                clocks.received(application),
                self.today,
                application.asked_on is not None,
                calendars.current(),
            )
            if fault:
                self.add_error("chosen", self.FAULTS[fault])
        return data

    def fact(self) -> None:
        """Note what was asked for, and until when."""
        if self.cleaned_data["chosen"] == "unclear":
            application = self.application
            application.asked_on = self.today
            application.asked_for = self.cleaned_data["asked_for"]
            application.correction_days = self.cleaned_data["days"]
            application.save(update_fields=["asked_on", "asked_for", "correction_days"])

    def public(self) -> dict[str, Any]:
        """The term, where one is set."""
        return super().public() if self.cleaned_data["chosen"] == "unclear" else {}

    def issued(self) -> list[Upload]:
        """The notice to correct."""
        unclear = self.cleaned_data["chosen"] == "unclear"
        return [letters.correction_notice(self.act.case, self.today)] if unclear else []


class CorrectionForm(PrivateForm):
    """The corrected application."""

    shown = ("handed_in",)
    handed_in = _day(_("收到补正的日期"))
    description = _text(_("补正后的申请内容"))
    papers = UploadField(label=_("补正材料"), required=False)

    def setup(self) -> None:
        """Begin with what was written; who corrects online does it today."""
        application = self.application
        self.fields["description"].initial = application.description
        if self.act.party.everyone:
            del self.fields["handed_in"]

    @property
    def advice(self) -> Words:
        """What is to be corrected."""
        return _("需要补正的事项：%(what)s") % {"what": self.application.asked_for}

    def clean(self) -> dict[str, Any]:
        """Not before it was asked for."""
        data = super().clean() or {}
        self.not_later("handed_in", least=self.application.asked_on)
        return data

    def outcome(self) -> str:
        """It is corrected."""
        return "corrected"

    def fact(self) -> None:
        """The term for the reply starts anew (article 30)."""
        application = self.application
        application.description = self.cleaned_data["description"]
        application.corrected_on = self.cleaned_data.get("handed_in") or self.today
        application.received_on = application.corrected_on
        application.save(update_fields=["description", "corrected_on", "received_on"])


class LapseForm(PrivateForm):
    """No correction came in time: given up, or a good reason (article 30)."""

    shown = ("days",)
    reason = _text(_("情况和理由"))
    days = forms.IntegerField(
        label=_("另定的补正期限（工作日，有正当理由时填写）"),
        min_value=rules.CORRECTION_LEAST,
        max_value=rules.CORRECTION_MOST,
        required=False,
    )

    def clean(self) -> dict[str, Any]:
        """A new term where there was a reason."""
        data = super().clean() or {}
        self.required_if(data.get("chosen") == "excused", "days")
        return data

    def fact(self) -> None:
        """The new term runs from today."""
        if self.cleaned_data["chosen"] == "excused":
            application = self.application
            application.asked_on = self.today
            application.correction_days = self.cleaned_data["days"]
            application.save(update_fields=["asked_on", "correction_days"])

    def issued(self) -> list[Upload]:
        """What the applicant is told."""
        if self.cleaned_data["chosen"] == "excused":
            return [letters.correction_notice(self.act.case, self.today)]
        return [letters.abandoned_notice(self.act.case, self.today)]


class HandlingForm(PrivateForm):
    """What was found, and how it goes on."""

    note = _text(_("检索和研究情况"))

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
    reason = _text(_("申请人说明的理由和认定情况"))
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
    reason = _choice(
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
    on = _day(_("告知日期"))
    way = _choice(_("告知方式"), WAYS)

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

    outcome_code = _choice(
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
    text = _text(
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
    interest = _text(
        _("公共利益的理由（写入答复书和给第三方的告知书）"), rows=3, required=False, most=1000
    )
    materials = UploadField(label=_("提供给申请人的信息"), required=False)

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
        return data

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
    shown = ("checks",)
    checks = forms.MultipleChoiceField(
        label=_("审查要点"),
        choices=list(CHECKS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    note = _text(_("审查意见"), required=False)

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
    on = _day(_("答复日期"))
    way = _choice(_("送达方式"), WAYS)

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
