"""Pages of the household claim: for residents, and the sheet of slips for staff."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_ratelimit.decorators import ratelimit

from workflows import clock
from workflows.models import Community
from workflows.portal.views import context

from . import claims
from .directory import TYPISTS, CommunityDirectory
from .models import Household, Stairwell


class ClaimForm(forms.Form):
    """The code on the slip."""

    code = forms.CharField(
        label=gettext_lazy("住户码"),
        help_text=gettext_lazy(
            "印在居委会发给您家的纸条上，共20位，字母不分大小写，可以不输横线。"
        ),
        max_length=40,
        widget=forms.TextInput(
            attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}
        ),
    )


@login_required
@ratelimit(key="ip", rate="30/h", method="POST", block=True)
@ratelimit(key="user", rate="10/h", method="POST", block=True)
def claim(request: HttpRequest) -> HttpResponse:
    """Link the account to a household by its one-time code."""
    form = ClaimForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            member = claims.claim(form.cleaned_data["code"], request.user, clock.now())
        except claims.ClaimRefused as refused:
            form.add_error("code", str(refused))
        else:
            home = member.household.unit.label
            messages.success(request, _("已关联%(home)s。") % {"home": home})
            return redirect("/my/")
    status = 422 if form.errors else 200
    return render(request, "community/claim.html", context(request, "my", form=form), status=status)


class SheetForm(forms.Form):
    """For which stairwell codes are printed."""

    stairwell = forms.ModelChoiceField(
        label=gettext_lazy("楼栋单元"),
        queryset=Stairwell.objects.none(),
        required=False,
        empty_label=gettext_lazy("全小区"),
    )


@login_required
def codes(request: HttpRequest, code: str) -> HttpResponse:
    """Issue codes and show them once, as slips to print and hand over at the door."""
    community = get_object_or_404(Community, code=code, kind="estate")
    parties = CommunityDirectory().parties_of(request.user, community, clock.now())
    if not any(party.role in TYPISTS for party in parties):
        raise PermissionDenied
    form = SheetForm(request.POST or None)
    wells = Stairwell.objects.filter(building__estate__community=community)
    form.fields["stairwell"].queryset = wells.select_related("building")
    slips = []
    if request.method == "POST" and form.is_valid():
        households = Household.objects.filter(
            unit__stairwell__building__estate__community=community
        ).select_related("unit__stairwell__building")
        if form.cleaned_data["stairwell"]:
            households = households.filter(unit__stairwell=form.cleaned_data["stairwell"])
        slips = claims.issue(households.order_by("unit__order", "pk"), clock.now())
    response = render(
        request,
        "community/codes.html",
        context(request, "inbox", form=form, community=community, slips=slips),
    )
    response["Cache-Control"] = "no-store"
    return response
