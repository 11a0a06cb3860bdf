"""What the steps of an appeal ask. Nothing is published that is not said to be."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal
from typing import Any, ClassVar

from django import forms
from django.utils.translation import gettext_lazy as _

from workflows import calendars, clock
from workflows.records import masking
from workflows.steps.act import require_clear
from workflows.steps.task import TaskForm
from workflows.uploads import UploadField

from . import alike, reading, rules
from .models import Appeal

_POINT = re.compile(r"-?[0-9]{1,2}\.[0-9]{3,7},-?[0-9]{1,3}\.[0-9]{3,7}")


def _text(label: Any, *, rows: int = 4, most: int = 1000, **kwargs: Any) -> forms.CharField:
    return forms.CharField(
        label=label, max_length=most, widget=forms.Textarea(attrs={"rows": rows}), **kwargs
    )


def _pick(field: Any, buildings: list[str]) -> forms.ChoiceField:
    """A field with the buildings of a place to choose from."""
    return forms.ChoiceField(
        label=field.label,
        help_text=field.help_text,
        choices=[*field.choices, *((each, each) for each in buildings)],
        required=False,
    )


class AppealForm(TaskForm):
    """What it is about and where; who asks only if they like. Its record holds the kind alone."""

    private_fields = (*("text", "building", "spot", "point", "name", "phone", "may_show", "held"),)

    way = forms.ChoiceField(label=_("怎么来的"), choices=list(rules.WAYS.items()))
    kind = forms.ChoiceField(label=_("类别"), choices=list(rules.KINDS.items()))
    text = _text(_("诉求内容（不公开原文）"), rows=6, most=2000)
    building = forms.ChoiceField(
        label=_("楼栋"),
        choices=[("", _("公共区域或者说不清"))],
        required=False,
        help_text=_("经您同意才公开到楼栋，单元、室号不公开。"),
    )
    spot = forms.CharField(
        label=_("具体位置（不公开）"),
        help_text=_("例如：一单元门口、东门外。"),
        max_length=80,
        required=False,
    )
    point = forms.CharField(
        label=_("坐标（不公开）"),
        help_text=_("从手机地图里复制。纬度在前，经度在后，例如 36.8131,118.0548。"),
        max_length=40,
        required=False,
    )
    photos = UploadField(label=_("照片"), pictures_only=True, required=False, most=6)
    name = forms.CharField(label=_("怎么称呼您（不公开）"), max_length=40, required=False)
    phone = forms.CharField(
        label=_("联系电话（不公开）"),
        help_text=_("不留也受理，凭回执查询。"),
        max_length=40,
        required=False,
    )
    may_show = forms.BooleanField(
        label=_("同意公开遮盖个人信息后的内容"),
        help_text=_("不勾选的，只公开类别、地点和办理进度。"),
        required=False,
    )
    held = forms.CharField(
        label=_("先行核实的原因"), required=False, max_length=20, widget=forms.HiddenInput
    )

    def setup(self) -> None:
        """The buildings of the place, where it has some; how it came, where an officer types it."""
        case = self.act.case
        buildings = reading.buildings(case.community) if case.community_id else []
        if buildings:
            self.fields["building"] = _pick(self.fields["building"], buildings)
        else:
            del self.fields["building"]
        del self.fields["held" if self.act.party.via == "paper" else "way"]

    def clean_text(self) -> str:
        """Words, not signs."""
        text: str = self.cleaned_data["text"]
        if len(alike.plain(text)) < 4:
            raise forms.ValidationError(_("请用文字写明诉求。"))
        return text

    def clean_point(self) -> str:
        """Latitude and longitude on earth."""
        point = "".join(unicodedata.normalize("NFKC", self.cleaned_data["point"]).split())
        if point:
            latitude, _sep, longitude = point.partition(",")
            on_earth = _POINT.fullmatch(point) and abs(Decimal(latitude)) <= 90
            if not on_earth or abs(Decimal(longitude)) > 180:
                raise forms.ValidationError(_("坐标填写有误，请按“纬度,经度”填写。"))
            if reading.too_far(self.act.case.community, point):
                raise forms.ValidationError(_("坐标离所选的小区超过5公里，请核对。"))
        return point

    def outcome(self) -> str:
        """Accepted at once; what looks like spam is looked at by a person first."""
        return "held" if self.cleaned_data.get("held") else "accepted"

    def fact(self) -> Appeal:
        """The appeal."""
        # Not every field is the appeal's: photos are files, and so is the scan of a paper form.
        data = {
            name: value
            for name, value in self.cleaned_data.items()
            if not isinstance(self.fields[name], UploadField)
        }
        return Appeal(case=self.act.case, digest=alike.digest(data["text"]), **data)


class _OfAppeal(TaskForm):
    """A form about an appeal that is there."""

    @property
    def appeal(self) -> Appeal:
        """The appeal of the case."""
        return Appeal.objects.get(case=self.act.case)

    def _require_hidden(self, *fields: str) -> None:
        """The author's name and number stand in no published word."""
        appeal = self.appeal
        for field in fields:
            said = self.cleaned_data.get(field) or ""
            try:
                require_clear(said, [appeal.name] if len(appeal.name) > 1 else [])
            except forms.ValidationError as error:
                self.add_error(field, error)


class ScreenForm(_OfAppeal):
    """Whether what was held is a matter after all."""

    decision = forms.ChoiceField(
        label=_("核实结果"),
        choices=[("genuine", _("是真实诉求")), ("spam", _("不是诉求（广告、灌水）"))],
        widget=forms.RadioSelect,
    )
    reason = _text(_("理由（将公开）"), most=300)

    def outcome(self) -> str:
        """As decided."""
        return str(self.cleaned_data["decision"])

    def fact(self) -> None:
        """It waits no longer."""
        if self.outcome() == "genuine":
            Appeal.objects.filter(case=self.act.case).update(held="")


class AssignmentForm(_OfAppeal):
    """Kind, leading unit and those beside it, and the wording that is published."""

    conditional = frozenset({"unit", "door"})
    decision = forms.ChoiceField(
        label=_("办理意见"),
        choices=[("assigned", _("交承办单位办理")), ("referred", _("另有法定途径，告知去向"))],
        widget=forms.RadioSelect,
    )
    kind = forms.ChoiceField(label=_("类别"), choices=list(rules.KINDS.items()))
    unit = forms.ChoiceField(
        label=_("牵头承办单位"),
        help_text=_("交办时必选。"),
        choices=[("", "—"), *rules.UNITS.items()],
        required=False,
    )
    joint = forms.MultipleChoiceField(
        label=_("协办单位"),
        choices=list(rules.UNITS.items()),
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    door = forms.ChoiceField(
        label=_("应当走的途径"),
        help_text=_("另有法定途径时必选，诉求人看得到。"),
        choices=[("", "—"), *rules.DOORS.items()],
        required=False,
    )
    building = forms.ChoiceField(
        label=_("公开的楼栋"), choices=[("", _("不公开楼栋"))], required=False
    )
    wording = _text(
        _("公开的诉求内容（已遮盖个人信息）"),
        help_text=_(
            "号码、户室和认得出的姓名已经遮盖；程序认不全，请通读一遍，改去仍能认出本人的内容。"
        ),
        required=False,
    )

    def setup(self) -> None:
        """Begin with what the author wrote, masked; without their consent nothing is published."""
        if self.act.case.pk is None:
            return
        appeal = self.appeal
        self.fields["kind"].initial = appeal.kind
        buildings = reading.buildings(self.act.case.community) if appeal.may_show else []
        if buildings:
            self.fields["building"] = _pick(self.fields["building"], buildings)
            self.fields["building"].initial = appeal.shown_building or appeal.building
        else:
            del self.fields["building"]
        if appeal.may_show:
            self.fields["wording"].initial = appeal.wording or masking.draft(appeal.text)
        else:
            del self.fields["wording"]

    def clean(self) -> dict[str, Any]:
        """A unit or a door; the leading unit is not beside itself."""
        data: dict[str, Any] = super().clean() or {}
        assigned = data.get("decision") == "assigned"
        if assigned and not data.get("unit"):
            self.add_error("unit", _("请选择牵头承办单位。"))
        if data.get("decision") == "referred" and not data.get("door"):
            self.add_error("door", _("请选择应当走的途径。"))
        if not assigned:
            data["unit"], data["joint"] = "", []
        else:
            data["door"] = ""
            data["joint"] = [seat for seat in data.get("joint", []) if seat != data.get("unit")]
        self._require_hidden("wording") if "wording" in self.fields else None
        return data

    def outcome(self) -> str:
        """As decided."""
        return str(self.cleaned_data["decision"])

    def fact(self) -> None:
        """Whose it is now, and what is public of it."""
        data = self.cleaned_data
        Appeal.objects.filter(case=self.act.case).update(
            kind=data["kind"],
            unit=data["unit"],
            joint=data["joint"],
            shown_building=data.get("building", ""),
            wording=data.get("wording", ""),
        )


class AnswerForm(_OfAppeal):
    """The answer to the author, and what the public reads of it."""

    private_fields: ClassVar[tuple[str, ...]] = ("answer",)

    answer = _text(_("给诉求人的答复（不公开）"), rows=6, most=2000)
    result = forms.ChoiceField(
        label=_("办理结果"),
        choices=[
            ("solved", _("已解决")),
            ("planned", _("已列入计划")),
            ("explained", _("已解释说明")),
        ],
        widget=forms.RadioSelect,
    )
    note = _text(_("办理情况摘要（将公开）"), most=500)
    photos = UploadField(label=_("办理后的照片"), pictures_only=True, required=False, most=6)

    def clean(self) -> dict[str, Any]:
        """No author in what is published."""
        data: dict[str, Any] = super().clean() or {}
        self._require_hidden("note")
        return data

    def outcome(self) -> str:
        """Answered."""
        return "replied"

    def fact(self) -> None:
        """The author reads it by the receipt."""
        answer = self.cleaned_data["answer"]
        Appeal.objects.filter(case=self.act.case).update(answer=answer)


class HandlingForm(AnswerForm):
    """An answer; or, at once and with a reason, back to who assigned it."""

    conditional = frozenset({"answer", "result", "note", "reason"})
    decision = forms.ChoiceField(
        label=_("办理意见"),
        choices=[("replied", _("答复")), ("returned", _("不属于本单位职责，退回"))],
        widget=forms.RadioSelect,
    )
    reason = _text(_("退回理由（将公开）"), most=500, required=False)
    field_order = ("decision", "answer", "result", "note", "photos", "reason")

    def setup(self) -> None:
        """An answer's fields are asked for where there is an answer."""
        for name in ("answer", "result", "note"):
            self.fields[name].required = False
            self.fields[name].help_text = _("答复时必填。")
        self.fields["reason"].help_text = _("退回时必填。")

    def clean(self) -> dict[str, Any]:
        """An answer in full, or a return that the rules know."""
        data = super().clean()
        if data.get("decision") == "returned":
            if not data.get("reason"):
                self.add_error("reason", _("请写明退回理由。"))
            self._require_returnable()
            data |= {"answer": "", "result": "", "note": ""}
        elif data.get("decision") == "replied":
            data["reason"] = ""
            for name in ("answer", "result", "note"):
                if not data.get(name) and name not in self.errors:
                    self.add_error(name, _("请填写这一项。"))
        return data

    def _require_returnable(self) -> None:
        run = self.act.open_run
        assert run.starts_on is not None
        before = self.act.case.runs.filter(name=run.name, outcome="returned").exists()
        why = rules.return_refused(run.starts_on, clock.today(), before, calendars.current())
        if why:
            words = {
                "again": _("已经退回过一次，不能再退；请牵头办理。"),
                "late": _("退回应在交办后2个工作日内提出，现已超过。"),
            }
            self.add_error("decision", words[why])

    def outcome(self) -> str:
        """As decided."""
        return str(self.cleaned_data["decision"])

    def fact(self) -> None:
        """An answer; or the unit no longer has it, nor reads it."""
        if self.outcome() == "replied":
            super().fact()
        else:
            Appeal.objects.filter(case=self.act.case).update(unit="", joint=[])


class RatingForm(_OfAppeal):
    """Whether the author is satisfied; what they say is not published."""

    private_fields = ("comment",)

    rating = forms.ChoiceField(
        label=_("您对办理结果满意吗"),
        choices=[("satisfied", _("满意")), ("unsatisfied", _("不满意"))],
        widget=forms.RadioSelect,
    )
    comment = _text(_("您想说的（不公开）"), most=1000, required=False)

    def outcome(self) -> str:
        """As rated."""
        return str(self.cleaned_data["rating"])

    def fact(self) -> None:
        """The last rating counts."""
        Appeal.objects.filter(case=self.act.case).update(rating=self.cleaned_data["rating"])


class SupervisionForm(_OfAppeal):
    """What the supervising body found."""

    decision = forms.ChoiceField(
        label=_("督办结论"),
        choices=[("settled", _("已办到位，销号")), ("again", _("没有办到位，继续督办"))],
        widget=forms.RadioSelect,
    )
    finding = _text(_("督办意见（将公开）"), most=1000)

    def outcome(self) -> str:
        """As found."""
        return str(self.cleaned_data["decision"])
