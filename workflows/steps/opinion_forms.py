"""The forms of opinions and of what is answered to them; words that will be published."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, TypeVar

from django import forms
from django.db.models import Model, QuerySet
from django.utils.translation import gettext_lazy as _

from ..parties import directory
from .act import ActForm, Words, refuse, require_clear
from .opinion_rows import OUTCOMES, REASON_MOST, STANCES, Opinion, Reply

TEXT_MOST = 2000
LARGEST = 2**63 - 1
"""The largest key that a database takes."""
AT_ONCE = 500
"""The most opinions that one reply answers: its record must stay within 65,535 bytes."""

# Four signs and more, and still no reason.
_EMPTY_WORDS = frozenset(
    ["暂不采纳", "不予采纳", "部分采纳", "暂无理由", "没有原因", "没有理由", "如上所述"]
)


Row = TypeVar("Row", bound=Model)


def own_row(own: QuerySet[Row, Row], key: Any) -> Row | None:
    """The one of somebody's own rows that a page was asked about."""
    return own.filter(pk=int(key)).first() if is_key(str(key or "")) else None


def taken_back(*said: Words) -> Words:
    """What is about to be taken back, and what that means."""
    return _("您要撤回的是：%(said)s。撤回后不再答复，也不能恢复。") % {
        "said": " ".join(f"“{part}”" for part in said if part)
    }


def says_something(text: str) -> bool:
    """Whether a reason is one: at least four letters or signs, and not a mere 无 or 同上."""
    plain = re.sub(r"[\W_]+", "", text)
    return len(plain) >= 4 and plain not in _EMPTY_WORDS and len(set(plain)) > 1


class PublicText(forms.CharField):
    """Words that will be published: refused while `masking.propose` would still mask in them.

    Its form looks for the names of the roll as well (`ActForm.published`).
    """

    published = True

    def __init__(self, *, meaning: bool = True, rows: int = 4, **kwargs: Any) -> None:
        self.meaning = meaning
        super().__init__(widget=forms.Textarea(attrs={"rows": rows}), **kwargs)

    def clean(self, value: Any) -> Any:
        """The text, or why it may not be published."""
        text: str = super().clean(value)
        if not text:
            return text
        if self.meaning and not says_something(text):
            raise forms.ValidationError(_("请写明具体内容，不能只写“无”“同上”等字样。"))
        require_clear(text)
        return text


def is_key(text: str) -> bool:
    """Whether a text may be a primary key: no database has a larger one."""
    return text.isascii() and text.isdecimal() and len(text) < 19


def keys_in(texts: Sequence[str], most: int) -> list[int]:
    """The primary keys among the first that an address names; what is none is left out."""
    return [int(text) for text in texts[:most] if is_key(text)]


class Keys(forms.TypedMultipleChoiceField):
    """Primary keys of rows, from check boxes of a list too long to be a choice field's choices."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(coerce=int, widget=forms.MultipleHiddenInput, **kwargs)

    def to_python(self, value: Any) -> list[str]:
        """One key or many, as given."""
        return super().to_python([value] if isinstance(value, (int, str)) and value else value)

    def valid_value(self, value: Any) -> bool:
        """Whether it looks like a key; the step looks up the row."""
        return is_key(str(value))

    def clean(self, value: Any) -> list[int]:
        """The keys, each once, in ascending order."""
        keys = sorted(set(super().clean(value)))
        if len(keys) > AT_ONCE:
            raise forms.ValidationError(
                _("一次最多办理%(most)s条，请分批办理。") % {"most": AT_ONCE}
            )
        return keys


class AnswerForm(ActForm):
    """What every answer holds: a reason, and the wording of the text that the public will read,
    where those who are answered wrote any."""

    conditional = frozenset({"public_text"})
    public_text = PublicText(
        label=_("公开的意见内容（已遮盖个人信息）"),
        max_length=TEXT_MOST,
        required=False,
        meaning=False,
    )
    reason = PublicText(label=_("理由（将公开）"), max_length=REASON_MOST)

    def check_public(self, rows: Sequence[Opinion] | Sequence[Any]) -> None:
        """No author's name is in what will be public; what they wrote is not left out."""
        names = list(directory().names({row.party_key for row in rows}).values())
        for field in ("public_text", "reason", "referral", "why"):
            try:
                require_clear(self.cleaned_data.get(field) or "", names)
            except forms.ValidationError as error:
                raise refuse(error.messages[0], field=field) from error
        if any(row.text for row in rows) and not self.cleaned_data.get("public_text"):
            raise refuse(_("请填写公开的意见内容。"), field="public_text")


class ReplyForm(AnswerForm):
    """A reply to one opinion, or one reply to several like opinions."""

    conditional = frozenset({"public_text", "referral"})
    opinions = Keys(label=_("意见"))
    outcome = forms.ChoiceField(
        label=_("处理结果"), choices=list(OUTCOMES.items()), widget=forms.RadioSelect
    )
    referral = PublicText(
        label=_("转办去向（不属于本事项时填写）"), max_length=200, required=False, rows=1
    )
    publish_photos = forms.BooleanField(
        label=_("所附照片和材料不含个人信息，可以公开"), required=False
    )
    field_order = ["opinions", "outcome", "public_text", "reason", "referral"]

    def clean(self) -> dict[str, Any]:
        """Out of scope needs to say who has it now."""
        data: dict[str, Any] = super().clean() or {}
        out = data.get("outcome") == "out_of_scope"
        if out and not data.get("referral") and "referral" not in self.errors:
            self.add_error("referral", _("不属于本事项的，请写明转给了哪个单位。"))
        if not out:
            data["referral"] = ""
        return data


class ReplyCorrectionForm(ReplyForm):
    """A reply that was wrong, given anew."""

    opinions = None  # type: ignore[assignment]  # it answers the same ones
    publish_photos = None  # type: ignore[assignment]
    reply = forms.IntegerField(
        label=_("原答复"), min_value=1, max_value=LARGEST, widget=forms.HiddenInput
    )
    why = PublicText(label=_("更正原因（将公开）"), max_length=300, rows=2)

    def setup(self) -> None:
        """Begins with what the reply says now."""
        super().setup()
        said = str((self.act.payload or {}).get("reply", ""))
        if self.is_bound or not is_key(said):
            return
        old = Reply.objects.filter(case=self.act.case, run=self.act.run, pk=said).first()
        for name in ("outcome", "public_text", "reason", "referral") if old else ():
            self.fields[name].initial = getattr(old, name)


class WithdrawalForm(ActForm):
    """Which of one's own is taken back."""

    opinion = forms.IntegerField(
        label=_("意见"), min_value=1, max_value=LARGEST, widget=forms.HiddenInput
    )

    @property
    def advice(self) -> Words:
        """The opinion in its author's own words, and what taking it back means."""
        own = Opinion.objects.filter(case=self.act.case, party_key=self.act.party.key)
        own = own.filter(life="submitted")
        opinion = own_row(own, self["opinion"].value())
        if opinion is None:
            return ""
        step = self.act.run.step if self.act.run else None
        item = getattr(step, "items", {}).get(opinion.item)
        stance = STANCES[opinion.stance] if opinion.stance in ("want", "not_want") else ""
        return taken_back(item.title if item else "", stance, opinion.text)
