"""Forms of news."""

from __future__ import annotations

from typing import Any

import phonenumbers
from django import forms
from django.utils.translation import gettext_lazy as _

from workflows import clock
from workflows import procedure as procedures
from workflows.models import Community

from .following import TOPICS, Thing
from .models import EMAIL, SMS, Reader


class TimesForm(forms.ModelForm):
    """When one wants to be sent to."""

    class Meta:
        model = Reader
        fields = ("digest_at", "quiet_from", "quiet_until", "language")
        widgets = {
            name: forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
            for name in ("digest_at", "quiet_from", "quiet_until")
        }
        help_texts = {
            "digest_at": _("一天最多一次；只有快要截止的才会另外通知。"),
            "quiet_from": _("免打扰时间里什么都不发，结束后再发。"),
        }

    language = forms.ChoiceField(
        label=_("消息所用语言"), choices=[("zh-hans", "简体中文"), ("en", "English")]
    )


class AddressForm(forms.Form):
    """An address to be verified."""

    def __init__(self, *args: Any, kinds: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        names = {EMAIL: _("电子邮件"), SMS: _("短信")}
        fields["kind"].choices = [(kind, names[kind]) for kind in kinds if kind in names]
        fields["kind"].initial = kinds[0] if kinds else None

    kind = forms.ChoiceField(label=_("方式"), widget=forms.RadioSelect)
    address = forms.CharField(
        label=_("邮箱地址或者手机号"),
        max_length=120,
        help_text=_("只用来给您发消息，不公开，也不用于别的事情；随时可以删除。"),
    )

    def clean(self) -> dict[str, Any]:
        """An e-mail address, or a telephone number of the mainland in E.164."""
        data = super().clean() or {}
        address, kind = data.get("address", "").strip(), data.get("kind")
        if kind == EMAIL and address:
            try:
                data["address"] = forms.EmailField().clean(address)
            except forms.ValidationError:
                self.add_error("address", _("请填写完整的邮箱地址。"))
        elif kind == SMS and address:
            try:
                number = phonenumbers.parse(address, "CN")
            except phonenumbers.NumberParseException:
                number = None
            if number is None or not phonenumbers.is_valid_number(number):
                self.add_error("address", _("请填写正确的手机号。"))
            else:
                form = phonenumbers.PhoneNumberFormat.E164
                data["address"] = phonenumbers.format_number(number, form)
        return data


class CodeForm(forms.Form):
    """The code that was sent."""

    code = forms.CharField(
        label=_("验证码"),
        max_length=12,
        widget=forms.TextInput(attrs={"inputmode": "numeric", "autocomplete": "one-time-code"}),
    )


class TopicForm(forms.Form):
    """Something to follow that has no page of its own."""

    topic = forms.ChoiceField(label=_("主题"), required=False)
    place = forms.ChoiceField(label=_("地点"), required=False)
    procedure = forms.ChoiceField(label=_("程序"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        every = ("", _("不限"))
        fields["topic"].choices = [every, *TOPICS.items()]
        places = Community.objects.exclude(kind="site").values_list("code", "name")
        fields["place"].choices = [every, *places]
        declared = procedures.catalogue(clock.today())
        fields["procedure"].choices = [every, *((p.code, p.title) for p in declared)]

    def clean(self) -> dict[str, Any]:
        """Everything is nothing."""
        data = super().clean() or {}
        if not self.errors and not any(data.values()):
            self.add_error("topic", _("请至少选择一项。"))
        return data

    def thing(self) -> Thing:
        """What was chosen."""
        data = self.cleaned_data
        place = Community.objects.get(code=data["place"]) if data["place"] else None
        return Thing(None, place, data["procedure"], data["topic"])
