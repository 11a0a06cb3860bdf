"""What the steps up to a clear application ask; `replies` has those after it.

All of it is private, but for codes and days (`shown`): the public sees that there is an
application, its terms and what came of it, never who asked for what.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import hmac
from typing import Any

from django import forms
from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from workflows import calendars
from workflows.steps.act import Words
from workflows.steps.task import TaskForm
from workflows.uploads import Upload, UploadField

from . import clocks, letters, rules
from .models import Application

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


def choice_field(label: Words, choices: dict[str, Words], **kwargs: Any) -> forms.ChoiceField:
    return forms.ChoiceField(
        label=label, choices=list(choices.items()), widget=forms.RadioSelect, **kwargs
    )


def day_field(label: Words, **kwargs: Any) -> forms.DateField:
    return forms.DateField(label=label, widget=forms.DateInput(attrs={"type": "date"}), **kwargs)


def text_field(label: Words, *, rows: int = 5, most: int = 2000, **kwargs: Any) -> forms.CharField:
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
    words = rules.CHANNELS
    channel = choice_field(_("提交渠道"), {c: w for c, w in rules.CHANNELS.items() if c != "web"})
    handed_in = day_field(_("提交或者寄达日期"))
    kind = choice_field(_("申请人类别"), APPLICANTS, initial="person")
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
    description = text_field(
        _("所需政府信息"),
        help_text=_("写明名称、文号，或者便于查询的其他特征，例如年份、事项、地点。"),
    )
    form = choice_field(_("形式要求"), FORMS, initial="electronic")
    way = choice_field(_("获取方式"), WAYS, initial="web")
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
    signed_on = day_field(_("签收日期"))
    confirmed_on = day_field(
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

    conditional = frozenset({"asked_for", "days"})
    shown = ("days",)
    asked_for = text_field(_("需要补正的事项（内容不明确时填写，写入告知书）"), required=False)
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
    handed_in = day_field(_("收到补正的日期"))
    description = text_field(_("补正后的申请内容"))
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

    conditional = frozenset({"days"})
    shown = ("days",)
    reason = text_field(_("情况和理由"))
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
