"""Audiences (受众): whom a kind of news looks for by itself. Policies that find people (政策找人):
who qualifies is data, which the staff of a place keep here.

Who qualifies is told by roles and places that are on file anyway; nothing more is asked or kept of
people, and the pages show how many, never who. Handing out news is no act of a case, so a change
here has no record; the log says which account made it.
"""

from __future__ import annotations

import logging
import secrets
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

from workflows import clock
from workflows import procedure as procedures
from workflows.models import Community
from workflows.parties import appointed_roles, directory, role_title

from . import following
from .models import Audience, Delivery
from .outlets import kept_places

log = logging.getLogger("sanwen.news")

SMALLEST = 5
"""Fewer households than this with an account are not told apart (D)."""


class AudienceForm(forms.Form):
    """Who qualifies, where, and for which news."""

    title = forms.CharField(
        label=gettext_lazy("名称"),
        max_length=60,
        help_text=gettext_lazy("收到消息的人看得到：“您属于……”。"),
    )
    roles = forms.MultipleChoiceField(
        label=gettext_lazy("身份"), widget=forms.CheckboxSelectMultiple
    )
    place = forms.ModelChoiceField(
        label=gettext_lazy("地点"), queryset=Community.objects.none(), required=False
    )
    procedure = forms.ChoiceField(label=gettext_lazy("程序"), required=False)
    topics = forms.MultipleChoiceField(
        label=gettext_lazy("主题"),
        widget=forms.CheckboxSelectMultiple,
        required=False,
        help_text=gettext_lazy("都不选就是不限。选得准一些，不相干的人就不会被打扰。"),
    )

    def __init__(self, *args: Any, places: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        own = [(role, role_title(role)) for role in directory().on_paper]
        fields["roles"].choices = [*own, *appointed_roles()]
        fields["place"].queryset = Community.objects.filter(pk__in=places).exclude(kind="site")
        fields["place"].label_from_instance = lambda place: place.name
        # Without a place it is everywhere, which only those may say who serve everywhere.
        fields["place"].required = not everywhere(places)
        fields["place"].empty_label = _("所有地点") if everywhere(places) else "—"
        declared = procedures.catalogue(clock.today())
        fields["procedure"].choices = [("", _("不限")), *((p.code, p.title) for p in declared)]
        fields["topics"].choices = list(following.TOPICS.items())

    def write(self, audience: Audience) -> None:
        """Put what was filled in into an audience; does not save."""
        for name in ("title", "roles", "place", "procedure", "topics"):
            setattr(audience, name, self.cleaned_data[name])


def everywhere(places: list[int]) -> bool:
    """Whether whoever keeps these places keeps all there are."""
    tops = Community.objects.filter(parent=None)
    return bool(places) and not tops.exclude(pk__in=places).exists()


def within(place: Community | None) -> list[int]:
    """A place and all in it; all places without one."""
    rows = list(Community.objects.values_list("pk", "parent_id"))
    if place is None:
        return [pk for pk, _parent in rows]
    found = {place.pk}
    grown = True
    while grown:
        more = {pk for pk, parent in rows if parent in found} - found
        found |= more
        grown = bool(more)
    return sorted(found)


def _may(request: HttpRequest) -> list[int]:
    """The places whose audiences the reader keeps; 403 without any."""
    places = kept_places(request.user)
    if not places:
        raise PermissionDenied
    return places


def _kept(places: list[int]) -> Any:
    """The audiences of those places, and those of all places for who keeps them all."""
    rows = Audience.objects.select_related("place")
    return rows.filter(place__in=places) | (
        rows.filter(place=None) if everywhere(places) else rows.none()
    )


def _tried(audience: Audience) -> list[str]:
    """How many qualify now, in words."""
    reach = directory().reach(audience.roles, within(audience.place), clock.now())
    said = []
    if set(audience.roles) & set(directory().on_paper):
        said.append(_("现在符合的住户：%(n)s户。") % {"n": reach.households})
        few = 0 < reach.with_account < SMALLEST
        some = _("不到%(n)s") % {"n": SMALLEST} if few else reach.with_account
        said.append(_("其中登记了账号、能收到消息的：%(n)s户。") % {"n": some})
    if set(audience.roles) - set(directory().on_paper):
        said.append(_("现在符合的工作人员：%(n)s人。") % {"n": reach.serving})
    return said


def _shown(audience: Audience) -> dict[str, Any]:
    return {
        "audience": audience,
        "title": following.audience_title(audience),
        "roles": [role_title(role) for role in audience.roles],
        "procedure": following.procedure_title(audience.procedure) if audience.procedure else "",
        "topics": [following.TOPICS.get(topic, topic) for topic in audience.topics],
    }


@login_required
@never_cache
@ratelimit(key="user", rate="60/h", method="POST", block=True)
def listed(request: HttpRequest) -> HttpResponse:
    """The audiences that the reader keeps, and a form for a new one, to be tried before it is
    made."""
    places = _may(request)
    form = AudienceForm(request.POST or None, places=places)
    tried: list[str] = []
    if request.method == "POST" and form.is_valid():
        audience = Audience(code=f"a{secrets.token_hex(5)}")
        form.write(audience)
        if request.POST.get("do") == "try":
            tried = _tried(audience)
        else:
            audience.save()
            log.info("audience %s was made by account %s", audience.code, request.user.pk)
            messages.success(request, _("已添加。今后的消息会发给符合的人。"))
            return redirect("news:audiences")
    page = {
        "nav": "inbox",
        "form": form,
        "tried": tried,
        "rows": [_shown(each) for each in _kept(places).order_by("-active", "pk")[:200]],
    }
    return render(request, "news/audiences.html", page, status=422 if form.errors else 200)


@login_required
@never_cache
@ratelimit(key="user", rate="60/h", method="POST", block=True)
def one(request: HttpRequest, pk: int) -> HttpResponse:
    """Change an audience, try it, end it or let it begin again."""
    places = _may(request)
    audience = get_object_or_404(_kept(places), pk=pk)
    do = request.POST.get("do", "")
    if do in ("end", "begin"):
        Audience.objects.filter(pk=audience.pk).update(active=do == "begin")
        if do == "end":  # what has not been sent is not
            why = f"audience:{audience.code}"
            Delivery.objects.filter(why=why, state__in=("queued", "failed")).delete()
        log.info("audience %s: %s by account %s", audience.code, do, request.user.pk)
        messages.success(request, _("已停用。") if do == "end" else _("已恢复。"))
        return redirect("news:audience", pk=audience.pk)
    now = {name: getattr(audience, name) for name in ("roles", "place", "procedure", "topics")}
    now["title"] = following.audience_title(audience)
    form = AudienceForm(request.POST or None, initial=now, places=places)
    tried = _tried(audience) if request.method == "GET" else []
    if request.method == "POST" and form.is_valid():
        named = audience.title
        form.write(audience)
        if str(form.cleaned_data["title"]) == str(now["title"]):
            audience.title = named  # one that comes with the site is titled in every language
        if do == "try":
            tried = _tried(audience)
        else:
            audience.save()
            log.info("audience %s was changed by account %s", audience.code, request.user.pk)
            messages.success(request, _("已保存。"))
            return redirect("news:audience", pk=audience.pk)
    page = {"nav": "inbox", "form": form, "tried": tried, "audience": audience}
    page["title"] = now["title"]
    return render(request, "news/audience.html", page, status=422 if form.errors else 200)
