"""Mandates (授权委托书): who may not vote in person has another do it, in writing.

The mandate states the proxy, the matter, the authority and the term, and is signed (Civil Code
165). It can be cancelled at any time (Civil Code 173). An owner gives it on the form from the door,
by the code on that form, or with an account: an electronic text that can be looked up again is in
writing (Civil Code 469).
"""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from ..acts import Act, Written
from ..models.case import StepRun
from ..parties import directory
from ..uploads import UploadField
from .act import ActForm, Words, act, refuse
from .ballot_rows import BallotPaper, RollRow, RollWay
from .base import Step

MOST_MANDATES = 3
"""How many owners one proxy may stand for (D)."""
AUTHORITY: dict[str, Words] = {
    "as_told": _("按委托人的意见投票"),
    "own_judgement": _("由受托人决定"),
}
"""What a proxy is entitled to; what the owner told them stands nowhere, for the vote is secret."""
STATED: Words = _(
    "本户不能亲自投票，委托下列受托人就这一次表决的全部事项代为投票。期限：自委托之日起，到本次投票结束。投什么票请当面告诉受托人，不要写在这里。要撤销委托，请书面告诉居委会。"
)

LAST_COUNTS: Words = _(
    "您这一户已经投过票，不必委托。仍要委托的，受托人再投票后，原来的票作废，以后投的为准。"
)
PAPER_STANDS: Words = _(
    "您这一户已经登记了纸质票，不必委托。要由受托人改投，请先书面申请撤回纸质票。"
)


class RowField(forms.CharField):
    """A head of the roll, named as on it (3号楼2单元501室)."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.TextInput(attrs={"list": "residents", "autocomplete": "off"})
        super().__init__(max_length=400, widget=widget, **kwargs)


class RowForm(ActForm):
    """One head of the roll."""

    row = RowField(label=_("户室"), help_text=_("按名册填写，例如 3号楼2单元501室。"))

    def clean_row(self) -> RollRow:
        """The row with that label, or that holds a unit with it."""
        wanted = "".join(self.cleaned_data["row"].split())
        for row in RollRow.objects.filter(run=self.act.run):
            if wanted in ("".join(row.label.split()), *row.label.split("、")):
                return row
        raise forms.ValidationError(_("名册中没有这一户，请核对后重填。"))


def household(form: ActForm, said: str) -> str:
    """The key of the household of a proxy, by the room that was written."""
    wanted = "".join(said.split())
    for member in directory().members("households", form.act.case.community):
        if "".join(member.label.split()) == wanted:
            return member.key
    raise forms.ValidationError(_("名册中没有受托人的户室，请核对后重填。"))


class ProxyForm(RowForm):
    """Who votes for whom, by a written mandate."""

    proxy = forms.CharField(
        label=_("受托人户室"),
        max_length=80,
        widget=forms.TextInput(attrs={"list": "residents", "autocomplete": "off"}),
    )
    mandate = UploadField(label=_("书面委托书"), most=2)

    def clean_proxy(self) -> str:
        """The key of the household of the proxy."""
        return household(self, self.cleaned_data["proxy"])


class MandateForm(ActForm):
    """An owner's own mandate: the proxy, what they are entitled to, and that it is so wanted."""

    proxy = forms.CharField(
        label=_("受托人户室"),
        max_length=80,
        help_text=_("同小区的一户，例如 3号楼2单元501室。"),
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    authority = forms.ChoiceField(
        label=_("权限"), choices=list(AUTHORITY.items()), widget=forms.RadioSelect
    )
    sure = forms.BooleanField(label=_("我是业主本人，自愿委托"))

    def setup(self) -> None:
        """Which head, where the party owns several; on paper the signature and the sheet say that
        it is so wanted."""
        mine = RollWay.objects.filter(
            run=self.act.open_run, party_key=self.act.party.key, proxy=False
        )
        self.rows = list(RollRow.objects.filter(ways__in=mine).distinct())
        if len(self.rows) > 1:
            self.fields["row"] = forms.ChoiceField(
                label=_("委托的是哪一户的票"),
                choices=[(str(row.pk), row.label) for row in self.rows],
                widget=forms.RadioSelect,
            )
        if self.act.party.via == "paper":
            del self.fields["sure"]
            self.fields["scan"] = UploadField(label=_("书面委托书"), most=4)

    @property
    def advice(self) -> Words:
        """What it states besides what is filled in, and how it ends; to who has voted already, what
        becomes of that vote. (By the code of a form nobody learns whether a household voted.)"""
        if not self.act.party.user_id or self.act.party.via == "paper":
            return STATED
        given = BallotPaper.objects.filter(row__in=self.rows, standing=True)
        channels = set(given.values_list("channel", flat=True))
        if "paper" in channels:
            return format_lazy("{}{}", PAPER_STANDS, STATED)
        return format_lazy("{}{}", LAST_COUNTS, STATED) if channels else STATED

    def clean_proxy(self) -> str:
        """The key of the household of the proxy."""
        return household(self, self.cleaned_data["proxy"])

    @property
    def row(self) -> RollRow | None:
        """The head whose vote it is."""
        if len(self.rows) > 1:
            return next(row for row in self.rows if str(row.pk) == self.cleaned_data["row"])
        return self.rows[0] if self.rows else None


class RevocationForm(RowForm):
    """A mandate that its owner cancels in writing."""

    letter = UploadField(label=_("书面撤销委托"), most=2)


class Mandates(Step):
    """Mandates of a ballot, given, registered and cancelled."""

    electorate: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """One's own vote is offered before having another give it."""
        super().__init_subclass__(**kwargs)
        for name in [name for name in cls.acts if name.startswith("proxy.")]:
            cls.acts[name] = cls.acts.pop(name)

    def _may_mandate(self, doing: Act) -> None:
        raise NotImplementedError  # the ballot knows when

    @act(
        "proxy.given",
        title=_("委托他人投票"),
        by="participants",
        form=MandateForm,
        optional=True,
    )
    def give_mandate(self, doing: Act) -> Written:
        """An owner's own mandate. In a village's assembly only one's own household may stand in
        (Law on Rural Collective Economic Organisations 27), which an officer registers."""
        self._may_mandate(doing)
        if self.electorate != "owners":
            raise refuse(_("本次表决的委托由工作人员登记。"), code="wrong_party")
        row = doing.form.row
        if row is None:
            raise refuse(_("您不在本次表决的名册上，不能委托。"), code="wrong_party")
        self._mandate(doing.open_run, row, doing.data["proxy"])
        return Written({"authority": doing.data["authority"]}, {"row": row.label})

    @act("proxy.registered", title=_("登记委托"), by="by", form=ProxyForm, optional=True)
    def register_proxy(self, doing: Act) -> Written:
        """Register a written mandate: the proxy may vote for that head from then on."""
        self._may_mandate(doing)
        row = doing.data["row"]
        self._mandate(doing.open_run, row, doing.data["proxy"])
        return Written({"mandate": True}, {"row": row.label})

    @act("proxy.revoked", title=_("登记撤销委托"), by="by", form=RevocationForm, optional=True)
    def revoke_proxy(self, doing: Act) -> Written:
        """An owner cancels a mandate in writing (Civil Code 173). A vote that the proxy has given
        stands until the owner votes."""
        self._may_mandate(doing)
        row = doing.data["row"]
        ended, _rows = RollWay.objects.filter(row=row, proxy=True).delete()
        if not ended:
            raise refuse(_("这一户没有委托他人投票。"), field="row")
        return Written({}, {"row": row.label})

    @staticmethod
    def _mandate(run: StepRun, row: RollRow, proxy: str) -> None:
        """Let a household vote for a head. Raises `Refused`."""
        if RollWay.objects.filter(row=row, party_key=proxy).exists():
            raise refuse(_("受托人已经可以为这一户投票。"), field="proxy", code="duplicate")
        if RollWay.objects.filter(row=row, proxy=True).exists():
            raise refuse(
                _("这一户已经委托了别人；要改，请先登记撤销委托。"), field="proxy", code="duplicate"
            )
        mandates = RollWay.objects.filter(run=run, party_key=proxy, proxy=True).count()
        if mandates >= MOST_MANDATES:
            raise refuse(_("每人最多接受%(most)s户委托。") % {"most": MOST_MANDATES}, field="proxy")
        RollWay.objects.create(run=run, row=row, party_key=proxy, proxy=True)
