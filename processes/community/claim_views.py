"""Pages of the household claim: for residents, and the sheet of slips for staff."""

from __future__ import annotations

import logging
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST
from django_ratelimit.core import is_ratelimited
from django_ratelimit.exceptions import Ratelimited

from workflows import clock
from workflows.models import Community
from workflows.portal.views import context

from . import claims
from .directory import TYPISTS, CommunityDirectory
from .models import ClaimCode, Household, HouseholdMember, Person, Stairwell, active

logger = logging.getLogger("sanwen.community")

# Wrong codes only. By address generously: a whole building may sign up at the committee's Wi-Fi.
LIMITS = (("user", "10/h"), ("ip", "100/h"))


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
@never_cache
def claim(request: HttpRequest) -> HttpResponse:
    """Link the account to a household by its one-time code."""
    form = ClaimForm(request.POST or None)
    if request.method == "POST":
        if _too_many_wrong(request, another=False):
            raise Ratelimited
        if form.is_valid():
            person = Person.objects.get(pk=request.user.pk or 0)
            try:
                member = claims.claim(form.cleaned_data["code"], person, clock.now())
            except claims.ClaimRefused as refused:
                _too_many_wrong(request, another=True)
                form.add_error("code", str(refused))
            else:
                home = member.household.unit.label
                messages.success(request, _("已关联%(home)s。") % {"home": home})
                return redirect("/my/")
    status = 422 if form.errors else 200
    return render(request, "community/claim.html", context(request, "my", form=form), status=status)


def _too_many_wrong(request: HttpRequest, *, another: bool) -> bool:
    """Whether too many wrong codes were tried; counts `another` one."""
    found = [
        is_ratelimited(request, group="household_claim", key=key, rate=rate, increment=another)
        for key, rate in LIMITS
    ]
    return any(found)


def forgotten(request: HttpRequest) -> HttpResponse:
    """What to do without one's password; nothing is sent, since no address is kept."""
    return render(request, "community/forgotten.html", context(request))


def no_email(request: HttpRequest) -> HttpResponse:
    """There are no addresses to manage."""
    raise Http404


# --- staff -------------------------------------------------------------------------------------


class SheetForm(forms.Form):
    """For whom codes are printed."""

    KINDS = (
        ("owner", gettext_lazy("业主码：可以代表业主表决")),
        ("household", gettext_lazy("住户码：给租住的人，可以提意见，不能表决")),
    )

    stairwell = forms.ModelChoiceField(
        label=gettext_lazy("楼栋单元"),
        queryset=Stairwell.objects.none(),
        required=False,
        empty_label=gettext_lazy("全小区"),
    )
    kind = forms.ChoiceField(
        label=gettext_lazy("码的种类"), choices=KINDS, widget=forms.RadioSelect, initial="owner"
    )
    again = forms.BooleanField(
        label=gettext_lazy("已发过码、还没用的户也重新发，旧码作废"), required=False
    )

    def __init__(self, *args: Any, community: Community, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        wells = Stairwell.objects.filter(building__estate__community=community)
        chosen: Any = self.fields["stairwell"]
        chosen.queryset = wells.select_related("building")


def _community(request: HttpRequest, code: str) -> Community:
    """The estate, if the reader may hand out codes there."""
    community = get_object_or_404(Community, code=code, kind="estate")
    parties = CommunityDirectory().parties_of(request.user, community, clock.now())
    if not any(party.role in TYPISTS for party in parties):
        raise PermissionDenied
    return community


def _households(community: Community, chosen: dict[str, Any]) -> QuerySet[Household]:
    """Whom new codes are for: not those who have claimed, nor who still hold a code."""
    owns = chosen["kind"] == "owner"
    households = Household.objects.filter(
        unit__stairwell__building__estate__community=community, unit__developer_unsold=False
    )
    if chosen["stairwell"]:
        households = households.filter(unit__stairwell=chosen["stairwell"])
    claimed = Q(owns=True) if owns else Q()
    members = HouseholdMember.objects.filter(active(clock.today()), claimed)
    households = households.exclude(pk__in=members.values("household"))
    if not chosen["again"]:
        held = claims.waiting(clock.now()).filter(owns=owns)
        households = households.exclude(pk__in=held.values("household"))
    return households.select_related("unit__stairwell__building").order_by("unit__order", "pk")


@login_required
@never_cache
def codes(request: HttpRequest, code: str) -> HttpResponse:
    """Issue codes and show them once, as slips to print and hand over at the door.

    Beneath, by stairwell: which codes wait to be used, and who has claimed; both can be ended.
    """
    community = _community(request, code)
    slips: Any = []
    if request.method == "POST":
        form = SheetForm(request.POST, community=community)
        if form.is_valid():
            owns = form.cleaned_data["kind"] == "owner"
            by = Person.objects.get(pk=request.user.pk or 0)
            households = _households(community, form.cleaned_data)
            slips = claims.issue(households, clock.now(), by, owns=owns)
            logger.info("codes issued: %d, community %s, by %s", len(slips), community.pk, by.pk)
            if not slips:
                form.add_error(None, _("所选范围内没有需要发码的户。"))
    else:
        form = SheetForm(community=community, initial={"kind": "owner"})
    found = context(
        request,
        "inbox",
        form=form,
        community=community,
        slips=slips,
        address=request.build_absolute_uri(reverse("community:claim")),
        owner_slips=bool(slips) and form.cleaned_data["kind"] == "owner",
        **({} if slips else _state(request, community)),
    )
    status = 422 if form.errors else 200
    return render(request, "community/codes.html", found, status=status)


def _state(request: HttpRequest, community: Community) -> dict[str, Any]:
    """Codes and accounts of the stairwell that the address names."""
    wells = Stairwell.objects.filter(building__estate__community=community)
    wells = wells.select_related("building")
    wanted = request.GET.get("stairwell", "")
    well = wells.filter(pk=int(wanted)).first() if wanted.isdecimal() and len(wanted) < 10 else None
    if well is None:
        return {"wells": wells}
    here = {"household__unit__stairwell": well}
    unit = "household__unit__stairwell__building"
    order = "household__unit__order", "pk"
    return {
        "wells": wells,
        "well": well,
        "waiting": claims.waiting(clock.now())
        .filter(**here)
        .select_related(unit, "issued_by")
        .order_by(*order),
        "members": HouseholdMember.objects.filter(active(clock.today()), **here)
        .select_related(unit, "person")
        .order_by(*order),
    }


@login_required
@require_POST
def end_code(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """Withdraw a code whose slip was lost."""
    community = _community(request, code)
    found = get_object_or_404(
        ClaimCode.objects.select_related("household__unit"),
        pk=number,
        household__unit__stairwell__building__estate__community=community,
    )
    claims.withdraw([found.household], clock.now(), owns=found.owns)
    logger.info("code %s withdrawn by %s", found.pk, request.user.pk)
    messages.success(request, _("该码已作废。"))
    return _back(community, found.household)


@login_required
@require_POST
def end_member(request: HttpRequest, code: str, number: int) -> HttpResponse:
    """End the link of an account to a household: moved out, sold, or claimed by mistake."""
    community = _community(request, code)
    member = get_object_or_404(
        HouseholdMember.objects.select_related("household__unit"),
        active(clock.today()),
        pk=number,
        household__unit__stairwell__building__estate__community=community,
    )
    logger.info("membership %s ended by %s", member.pk, request.user.pk)
    household = member.household
    claims.unlink(member, clock.now())
    messages.success(request, _("已解除关联。"))
    return _back(community, household)


def _back(community: Community, household: Household) -> HttpResponse:
    path = reverse("community:codes", args=[community.code])
    return redirect(f"{path}?stairwell={household.unit.stairwell_id}")
