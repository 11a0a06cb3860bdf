"""The staff page on which a person's data are erased: whose, on what ground, preview, done."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django_ratelimit.decorators import ratelimit

from workflows import acts, clock, erasing, records
from workflows.models import Case, Community, Trace
from workflows.portal.views import context
from workflows.steps.privacy import ERASERS, ERASES_IN, KINDS, REASONS

from .directory import DRAWN, CommunityDirectory
from .erasure import eraser, former_owners, on_duty, subject_of
from .models import HouseholdMember, Person, Unit


class ErasureForm(forms.Form):
    """Whose data, and on what ground. An account is of this place when it speaks for a household
    here, or did."""

    unit = forms.CharField(
        label=gettext_lazy("户室"),
        help_text=gettext_lazy(
            "按名册填写，例如 3号楼2单元501室。以该户名义办理的一切（含纸质表）都会删除。"
        ),
        max_length=80,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    account = forms.CharField(
        label=gettext_lazy("账号"), max_length=150, required=False, widget=forms.TextInput()
    )
    close = forms.BooleanField(label=gettext_lazy("同时注销账号"), required=False)
    receipt = forms.CharField(
        label=gettext_lazy("回执码"),
        help_text=gettext_lazy("没有账号、凭回执办理的人，填其中任何一张回执的码。"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    former = forms.CharField(
        label=gettext_lazy("原业主姓名"),
        help_text=gettext_lazy("不再拥有本小区房屋的，从名册中删去；现业主依法保留。"),
        max_length=40,
        required=False,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    reason = forms.ChoiceField(
        label=gettext_lazy("依据"), choices=list(REASONS.items()), widget=forms.RadioSelect
    )

    def __init__(self, *args: Any, community: Community, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.community = community
        self.person: Person | None = None
        self.home: Unit | None = None
        self.drawn = ""

    def clean_unit(self) -> str:
        """One of the units here."""
        given: str = self.cleaned_data["unit"]
        wanted = "".join(given.split())
        if wanted:
            units = Unit.objects.filter(stairwell__building__estate__community=self.community)
            units = units.select_related("stairwell__building")
            self.home = next((unit for unit in units if unit.label == wanted), None)
            if self.home is None:
                raise forms.ValidationError(_("名册中没有这一户，请核对后重填。"))
        return given

    def clean_account(self) -> str:
        """An account of a resident here, which holds no office any more."""
        given: str = self.cleaned_data["account"].strip()
        if given:
            here = HouseholdMember.objects.filter(
                household__unit__stairwell__building__estate__community=self.community
            )
            self.person = Person.objects.filter(
                username=given, pk__in=here.values("person")
            ).first()
            if self.person is None:
                raise forms.ValidationError(_("本小区没有这个居民账号。"))
            if on_duty(self.person):
                raise forms.ValidationError(_("该账号仍在任职，请先结束其身份。"))
        return given

    def clean_receipt(self) -> str:
        """Of somebody without an account, for a matter here."""
        given: str = self.cleaned_data["receipt"].strip()
        if given:
            here = Trace.objects.filter(record__case__community=self.community)
            trace = here.filter(receipt=records.receipt_hash(given)).first()
            if trace is None:
                raise forms.ValidationError(_("本地点没有这张回执，请核对后重填。"))
            if not DRAWN.fullmatch(trace.party_key):
                raise forms.ValidationError(
                    _("这张回执是凭账号或者户室办理的，请填账号或者户室；已经删除过的不用再办。")
                )
            self.drawn = trace.party_key
        return given

    def clean_former(self) -> str:
        """On the roll, and owning nothing any more."""
        given: str = self.cleaned_data["former"].strip()
        if given and not former_owners(self.community, given).exists():
            raise forms.ValidationError(_("名册中没有这位已不拥有房屋的业主。"))
        return given

    def clean(self) -> dict[str, Any]:
        """Somebody is meant; what goes with an account needs one."""
        data: dict[str, Any] = super().clean() or {}
        meant = self.home or self.person or self.drawn or data.get("former")
        if not (self.errors or meant):
            raise forms.ValidationError(_("请填写户室、账号、回执码或者原业主姓名。"))
        if data.get("close") and self.person is None and "account" not in self.errors:
            self.add_error("account", _("注销账号须填写账号。"))
        return data

    def subject(self) -> erasing.Subject:
        """Who is meant."""
        data = self.cleaned_data
        return subject_of(
            self.person,
            self.home,
            close=data["close"],
            former=data["former"],
            community=self.community,
            drawn=self.drawn,
        )


@login_required
@never_cache
@ratelimit(key="user", rate="30/m", method="POST", block=True)
def erase(request: HttpRequest, code: str) -> HttpResponse:
    """Shows what would be erased; with the confirmation, erases it."""
    community = get_object_or_404(Community, code=code, kind__in=ERASES_IN)
    parties = CommunityDirectory().parties_of(request.user, community, clock.now())
    if not any(party.role in ERASERS for party in parties):
        raise PermissionDenied
    form = ErasureForm(request.POST or None, community=community)
    report: erasing.Report | None = None
    if request.method == "POST" and form.is_valid():
        confirmed = "confirm" in request.POST
        do = erasing.carry_out if confirmed else erasing.preview

        def party_in(case: Case) -> Any:
            return eraser(request.user, case)

        try:
            report = do(form.subject(), form.cleaned_data["reason"], party_in)
        except acts.Refused as refused:
            form.add_error(None, str(refused))
        else:
            if confirmed:
                messages.success(
                    request,
                    _("已删除。涉及%(n)s个事项，各有一条记录。") % {"n": len(report.cases)},
                )
                return redirect("community:erase", code=code)
    return render(
        request,
        "community/erase.html",
        context(
            request,
            "inbox",
            community=community,
            form=form,
            report=report,
            gone=_lines(report.gone if report else {}),
            kept=_lines(report.kept if report else {}),
            sent=form.cleaned_data.items() if report else (),
        ),
        status=422 if form.errors else 200,
    )


def _lines(counts: Any) -> list[tuple[Any, int]]:
    return [(KINDS.get(kind, kind), n) for kind, n in sorted(counts.items()) if n]
