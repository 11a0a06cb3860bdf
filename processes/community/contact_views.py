"""Whom notices name: the office's page on which it says so."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from workflows import clock
from workflows.models import Community
from workflows.portal.views import context

from .directory import TYPISTS, CommunityDirectory
from .models import Contact


class ContactForm(forms.ModelForm):
    """All of it is printed on notices; nothing of it is of a person."""

    class Meta:
        model = Contact
        fields = ("office", "address", "telephone", "supervision")
        help_texts = {
            "office": gettext_lazy("公示、公告署名的单位，例如 示范社区居民委员会。"),
            "telephone": gettext_lazy("办公电话，不要填个人手机。"),
            "supervision": gettext_lazy("上级机关的监督电话。"),
        }


@login_required
def contacts(request: HttpRequest, code: str) -> HttpResponse:
    """Say whom the notices of a place name; staff of the place, others are refused."""
    community = get_object_or_404(Community.objects.select_related("parent"), code=code)
    parties = CommunityDirectory().parties_of(request.user, community, clock.now())
    if not any(party.role in TYPISTS for party in parties):
        raise PermissionDenied
    row = Contact.objects.filter(community=community).first() or Contact(community=community)
    form = ContactForm(request.POST or None, instance=row)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, _("已保存。以后打印的公示、公告使用新的联系方式。"))
        return redirect(request.path)
    page = context(
        request,
        "inbox",
        form=form,
        community=community,
        now=CommunityDirectory().contacts(community),
    )
    return render(request, "community/contacts.html", page, status=422 if form.errors else 200)
