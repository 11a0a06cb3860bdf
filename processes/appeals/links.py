"""Linking appeals about the same matter: proposed by likeness, decided by a person."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from workflows.acts import Act, Written
from workflows.models import Case
from workflows.steps import matters
from workflows.steps.act import ActForm, Words, act, refuse

from . import alike
from .models import Appeal, Link


class LinkForm(ActForm):
    """The other appeal, by its number; those that read alike are named."""

    number = forms.CharField(label=_("另一件诉求的编号"), max_length=20)

    def setup(self) -> None:
        """Propose."""
        appeal = Appeal.objects.filter(case=self.act.case).select_related("case").first()
        found = [row.case.number for row in alike.proposals(appeal)] if appeal else []
        if found:
            self.fields["number"].help_text = _("内容相近的：%(numbers)s") % {
                "numbers": "、".join(found)
            }
            self.fields["number"].initial = found[0]


class CaseActs(matters.CaseActs):
    """What may be done to an appeal whatever step it stands at."""

    @act("appeal.linked", title=_("关联同一诉求"), by="overseers", form=LinkForm, after_close=True)
    def link(self, doing: Act) -> Written:
        """Link it to another of the same place; both go on."""
        number: str = doing.data["number"].strip().upper()
        own = Appeal.objects.get(case=doing.case)
        other = (
            Appeal.objects.filter(case__number=number, case__community=doing.case.community_id)
            .exclude(pk=own.pk)
            .first()
        )
        if other is None:
            raise refuse(_("本地点没有这一编号的诉求。"), field="number")
        _link, new = Link.objects.get_or_create(appeal=own, other=other)
        if not new:
            raise refuse(_("已经关联过。"), field="number")
        return Written({"linked": number})

    @property
    def labels(self) -> dict[str, Words]:
        """Also what it was linked to."""
        return {**super().labels, "linked": _("关联的诉求")}

    def fits(self, spec: Any, case: Case) -> bool:
        """An appeal that has been handed in."""
        if spec.name == "appeal.linked":
            return Appeal.objects.filter(case=case).exists()
        return super().fits(spec, case)
