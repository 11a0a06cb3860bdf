"""Acts that protect people in what is public: a moderator masks more, an office erases.

Both are acts of the case as a whole, also when it has ended; see `records.words` and
`records.erasure` for what they do.
"""

from __future__ import annotations

import re
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ..acts import Act, Written
from ..models.record import Disclosure
from ..parties import directory
from ..records import erasure, masking, scrubbing, words
from .act import ActForm, Roles, Words, act, refuse
from .base import Step
from .opinion import wording
from .opinion_forms import PublicText
from .opinion_rows import Opinion, Statement
from .publicity_rows import Objection

MODERATORS: Roles = ("moderator",)
ERASERS: Roles = ("office", "moderator", "admin")
ERASES_IN = ("estate", "village", "subdistrict")
"""Kinds of places where people act for themselves."""
REASONS: dict[str, Words] = {
    "request": _("本人申请"),
    "moved_out": _("已迁出，不再需要"),
    "consent_withdrawn": _("本人撤回同意"),
    "law": _("法律规定应当删除"),
}
KEPT_LONG_ENOUGH: dict[str, Words] = {"retention": _("保存期限已满")}
KINDS: dict[str, Words] = {
    "people": _("人员"),
    "records": _("记录"),
    "disclosures": _("不公开的内容"),
    "words": _("公开文字中的姓名"),
    "wordings": _("公开的意见内容"),
    "files": _("文件"),
    "opinion": _("意见"),
    "objection": _("异议"),
    "resultobjection": _("计票异议"),
    "ballotpaper": _("表决票"),
    "rollrow": _("表决名册中的户"),
    "rollway": _("表决资格"),
    "householdreturn": _("入户走访"),
    "surveyanswer": _("满意度评价"),
    "ledgerentry": _("台账条目"),
    "ledgermove": _("台账办理"),
    "signup": _("预约"),
    "seat": _("席位"),
    "signature": _("签字"),
    "recusal": _("回避"),
    "candidate": _("报名"),
    "mark": _("评分"),
    "sheet": _("张贴件"),
    "doorform": _("入户表"),
    "accounts": _("账号"),
    "memberships": _("住户关联"),
    "sessions": _("登录状态"),
    "tokens": _("访问令牌"),
    "subscriptions": _("关注"),
    "channels": _("接收消息的地址"),
    "deliveries": _("消息"),
    "owners": _("名册中的业主"),
    "drafts": _("待导入的名册文件"),
}
"""What an erasure counts, in words."""
WAITING: dict[str, type[Statement]] = {"opinion": Opinion, "objection": Objection}


class MaskForm(ActForm):
    """What is masked in a text: the words themselves, one a line; or the whole text."""

    selected = forms.CharField(
        label=_("还要遮盖的词句（每行一处，照原文抄写）"),
        max_length=2000,
        required=False,
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    whole = forms.BooleanField(label=_("全文不再公开"), required=False)
    reason = PublicText(label=_("理由（将公开，不写所遮盖的内容）"), max_length=300, rows=2)

    def lines(self) -> list[str]:
        """What was selected."""
        found = (line.strip() for line in self.cleaned_data["selected"].splitlines())
        return [line for line in dict.fromkeys(found) if line]

    def clean(self) -> dict[str, Any]:
        """Something is to be masked; the published reason does not repeat it."""
        data: dict[str, Any] = super().clean() or {}
        if self.errors:
            return data
        lines = self.lines()
        if not data["whole"] and not lines:
            self.add_error("selected", _("请写明要遮盖的词句，或者选择全文不再公开。"))
        if any(line in data["reason"] for line in lines):
            self.add_error("reason", _("理由将公开，请不要写出所遮盖的词句。"))
        return data

    def applied(self, text: str) -> str:
        """`text` with what was selected as stars; the rest cannot be changed."""
        if self.cleaned_data["whole"]:
            return ""
        names = masking.Names(directory().roll_names(self.act.case.community))
        after = text
        for line in self.lines():
            if line not in text:
                raise refuse(
                    _("文字中没有“%(words)s”，请照原文抄写。") % {"words": line}, field="selected"
                )
            after = after.replace(line, masking.name(line) if line in names.names else "***")
        if after == text:
            raise refuse(_("没有可以遮盖的内容。"), field="selected")
        try:
            return masking.propose(after, names)
        except masking.MaskingFailed as error:
            raise refuse(_("文字无法处理，请选择全文不再公开。"), field="whole") from error


class PublishedMaskForm(MaskForm):
    """Which published text: a disclosure, and which of the texts in it."""

    disclosure = forms.IntegerField(min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)
    leaf = forms.IntegerField(min_value=0, max_value=10_000, widget=forms.HiddenInput)


class WaitingMaskForm(MaskForm):
    """Which text that is not yet answered."""

    kind = forms.ChoiceField(choices=[(kind, kind) for kind in WAITING], widget=forms.HiddenInput)
    row = forms.IntegerField(min_value=1, max_value=2**63 - 1, widget=forms.HiddenInput)


class ErasureForm(ActForm):
    """On what ground somebody's data are erased. Whose: only in the act's payload, nowhere else."""

    reason = forms.ChoiceField(label=_("依据"), choices=list(REASONS.items()))


class Privacy(Step):
    """What protects people in a case; part of its case acts."""

    @act(
        "words.masked",
        title=_("进一步遮盖个人信息"),
        by=MODERATORS,
        form=PublishedMaskForm,
        after_close=True,
        while_suspended=True,
        page=False,
    )
    def mask_published(self, doing: Act) -> Written:
        """Mask more of a published text, wherever in the case it stands; the record says where."""
        form: PublishedMaskForm = doing.form
        rows = Disclosure.objects.filter(record__case=doing.case)
        row = rows.filter(pk=doing.data["disclosure"]).first()
        shown = list(words.leaves(words.standing(row))) if row is not None else []
        leaf = doing.data["leaf"]
        if leaf >= len(shown) or not shown[leaf]:
            raise refuse(_("没有找到这段公开的文字，请刷新后重试。"), field="leaf")
        new = form.applied(shown[leaf])
        seqs = words.restate(doing.case, shown[leaf], new)
        erasure.announce([doing.case.pk])
        body: dict[str, Any] = {"records": seqs, "reason": doing.data["reason"]}
        body |= {"now": new} if new else {"whole": True}
        return Written(body, corrects=seqs[0])

    @act(
        "wording.proposed",
        title=_("拟定公开文字"),
        by=MODERATORS,
        form=WaitingMaskForm,
        after_close=True,
        while_suspended=True,
        page=False,
    )
    def mask_waiting(self, doing: Act) -> Written:
        """Mask more of a text before it is answered: whoever answers begins with that wording."""
        form: WaitingMaskForm = doing.form
        rows: Any = WAITING[doing.data["kind"]]._default_manager
        row = (
            rows.filter(pk=doing.data["row"], case=doing.case, reply__isnull=True)
            .select_related("record", "case__community")
            .first()
        )
        if row is None or not row.text:
            raise refuse(_("没有找到这段文字，或者已经答复，请刷新后重试。"), field="row")
        text = form.applied(wording([row])) or str(_("（全文不公开）"))
        rows.filter(pk=row.pk).update(proposed=text)
        return Written({doing.data["kind"]: row.record.seq, "reason": doing.data["reason"]})

    @act(
        "erasure.done",
        title=_("删除个人信息"),
        by=(*ERASERS, "clock"),  # the clock: again, in a database restored from before it
        form=ErasureForm,
        after_close=True,
        while_suspended=True,
        page=False,
    )
    def erase(self, doing: Act) -> Written:
        """Erase a person's data of this case; the record says how much of what, never whose."""
        subject = doing.payload.get("subject")
        if not isinstance(subject, erasure.Subject):
            raise refuse(_("请从“删除个人信息”页面办理。"))
        result = erasure.erase(doing.case, subject, doing.at)
        erasure.announce([doing.case.pk])
        body: dict[str, Any] = {
            "reason": doing.data["reason"],
            "erased": {kind: n for kind, n in sorted(result.gone.items()) if n},
        }
        if result.kept:
            body["kept"] = dict(sorted(result.kept.items()))
        if doing.payload.get("again") and doing.party.role == "clock":
            body["again"] = doing.payload["again"]
        return Written(body)

    @act(
        "retention.ended",
        title=_("保存期满删除个人信息"),
        by=("clock",),
        after_close=True,
        while_suspended=True,
        page=False,
    )
    def forget(self, doing: Act) -> Written:
        """Erase what the procedure keeps no longer; the record says how much of what."""
        gone = doing.case.declared.forget(doing.case, doing.at)
        if not any(gone.values()):
            raise refuse(_("没有需要删除的内容。"), code="duplicate")
        erasure.announce([doing.case.pk])
        scrubbing.order()
        erased = {kind: n for kind, n in sorted(gone.items()) if n}
        return Written({"reason": "retention", "erased": erased})


_PLACE = re.compile(
    r"[0-9０-９一二三四五六七八九十]{1,3}号楼(?:[0-9０-９一二三四五六七八九十]{1,2}单元)?"
)


def suggestions(text: str, names: masking.Names) -> list[str]:
    """What a moderator may want to mask in a text: names of the roll wherever they stand, numbers,
    places of a building."""
    found = [name for name in sorted(names.names, key=len, reverse=True) if name in text]
    found += re.findall(r"[0-9０-９]{3,}", text)
    found += _PLACE.findall(text)
    return list(dict.fromkeys(found))[:20]
