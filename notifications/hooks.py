"""The page of programs that hear of public news: named, tried, given a new secret, taken away."""

from __future__ import annotations

import secrets
from collections import defaultdict
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods
from django_ratelimit.decorators import ratelimit

from workflows import clock
from workflows import procedure as procedures
from workflows.models import Case, Community

from . import following, gateways
from .gateways import hooks as gateway
from .models import HOOK, Channel, Delivery, Hook, Reader

MOST = 10
"""Programs that an account may name."""
SHOWN = 10
"""Deliveries shown of each."""


class HookForm(forms.Form):
    """A program: its address, and what it wants to hear of."""

    title = forms.CharField(label=gettext_lazy("名称"), max_length=60)
    address = forms.CharField(
        label=gettext_lazy("接收地址"),
        help_text=gettext_lazy("程序接收推送的 https 地址，必须能从公网访问。"),
        max_length=400,
        widget=forms.URLInput,
    )
    case = forms.CharField(
        label=gettext_lazy("事项编号"),
        help_text=gettext_lazy("只听一件事项的，填它的编号；否则在下面选地点或者程序。"),
        max_length=40,
        required=False,
    )
    place = forms.CharField(
        label=gettext_lazy("地点代码"),
        help_text=gettext_lazy("小区或者街道的代码，就是它的网址中 /estates/ 后面的部分。"),
        max_length=40,
        required=False,
    )
    procedure = forms.ChoiceField(label=gettext_lazy("程序"), required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        choice: Any = self.fields["procedure"]
        known = [(each.code, each.title) for each in procedures.catalogue(clock.today())]
        choice.choices = [("", _("不限")), *known]

    def clean_address(self) -> str:
        """One that this server may call."""
        given = self.cleaned_data["address"].strip()
        if not gateway.acceptable(given):
            raise forms.ValidationError(
                _("请填写以 https:// 开头、使用443端口、不带密码的地址。"), code="address"
            )
        return given

    def clean_case(self) -> Case | None:
        """The case of that number."""
        given = self.cleaned_data["case"].strip().upper()
        if not given:
            return None
        found = Case.objects.filter(number=given).first()
        if found is None:
            raise forms.ValidationError(_("没有这个编号的事项，请核对后重填。"))
        return found

    def clean_place(self) -> Community | None:
        """The place of that code."""
        given = self.cleaned_data["place"].strip()
        if not given:
            return None
        found = Community.objects.filter(code=given).first()
        if found is None:
            raise forms.ValidationError(_("没有这个代码的地点，请核对后重填。"))
        return found

    def clean(self) -> dict[str, Any]:
        """Something of what is to be heard."""
        data = super().clean() or {}
        wanted = [data.get(name) for name in ("case", "place", "procedure")]
        if not self.errors and not any(wanted):
            self.add_error("case", _("请填写事项编号、地点代码，或者选择程序。"))
        if data.get("case") and any(wanted[1:]):
            self.add_error("case", _("只听一件事项的，不要再填地点或者程序。"))
        return data

    def save(self, user: Any) -> Hook:
        """The program; nothing is sent to it before a test has arrived."""
        data, now = self.cleaned_data, clock.now()
        with transaction.atomic():
            reader = Reader.objects.create(title=data["title"])
            channel = Channel.objects.create(
                reader=reader, kind=HOOK, gateway=HOOK, address=data["address"], created=now
            )
            # Each goes through a gateway of its own: one that hangs delays no other.
            channel.gateway = f"{HOOK}:{channel.pk}"[:20]
            channel.save(update_fields=["gateway"])
            thing = following.Thing(data["case"], data["place"], data["procedure"])
            following.follow(reader, thing)
            return Hook.objects.create(channel=channel, account_id=user.pk)


@login_required
@require_http_methods(["GET", "POST"])
@ratelimit(key="user", rate="60/h", method="POST", block=True)
@never_cache
def page(request: HttpRequest) -> HttpResponse:
    """The programs of an account with their last deliveries; a secret is shown once."""
    form, shown, secret = HookForm(), None, ""
    if request.method == "POST":
        do = request.POST.get("do")
        if do == "add":
            form = HookForm(request.POST)
            if form.is_valid():
                if Hook.objects.filter(account=request.user.pk).count() >= MOST:
                    told = _("最多登记%(most)s个程序，请先删除不用的。") % {"most": MOST}
                    form.add_error(None, told)
                else:
                    shown = form.save(request.user)
                    secret, form = gateway.secret_of(shown), HookForm()
        else:
            shown = _found(request)
            if do == "rotate":
                secret = _rotated(shown)
            else:
                _do(request, shown, do)
                return redirect("news:hooks")
    response = render(
        request,
        "news/hooks.html",
        {
            "nav": "news",
            "form": form,
            "hooks": _rows(request.user),
            "new": shown,
            "secret": secret,
        },
        status=422 if form.errors else 200,
    )
    return response


def _found(request: HttpRequest) -> Hook:
    pk = request.POST.get("hook", "")
    return get_object_or_404(
        Hook.objects.select_related("channel__reader"),
        pk=int(pk) if pk.isdecimal() and len(pk) < 18 else 0,
        account=request.user.pk,
    )


def _rotated(hook: Hook) -> str:
    """A new secret; the one before counts for some days more."""
    with transaction.atomic():
        held = Hook.objects.select_for_update().select_related("channel").get(pk=hook.pk)
        held.serial += 1
        held.old_until = clock.now() + gateway.OLD_COUNTS
        held.save(update_fields=["serial", "old_until"])
    return gateway.secret_of(held)


def _do(request: HttpRequest, hook: Hook, do: str | None) -> None:
    if do == "remove":
        hook.channel.reader.delete()
        messages.success(request, _("已删除，不会再向它推送。"))
    elif do == "test":
        fault = tried(hook)
        if fault:
            messages.error(request, _("没有送到（%(fault)s）。") % {"fault": fault})
        else:
            messages.success(request, _("测试消息已送到，今后的动态会推送到这里。"))


def tried(hook: Hook) -> str:
    """Send a test; once one arrives, news are sent. What went wrong, as a code."""
    said = {"type": "test", "timestamp": clock.now().isoformat(), "data": {}}
    try:
        gateway.deliver(hook.channel, said, secrets.token_hex(16))
    except gateways.Fault as fault:
        return fault.code
    there = Channel.objects.filter(pk=hook.channel_id)
    there.filter(verified_at=None).update(verified_at=clock.now())
    there.update(closed_at=None, closed_why="")
    return ""


def _rows(user: Any) -> list[dict[str, Any]]:
    """Each program with what it hears of and its last deliveries; four queries."""
    found = list(
        Hook.objects.filter(account=user.pk)
        .select_related("channel__reader")
        .prefetch_related(
            "channel__reader__subscriptions__case", "channel__reader__subscriptions__place"
        )
    )
    sent: dict[int, list[Delivery]] = defaultdict(list)
    rows = Delivery.objects.filter(channel__hook__in=found).select_related("news__case")
    for row in rows.order_by("-pk")[: MOST * SHOWN * 5]:
        if len(sent[row.channel_id]) < SHOWN:
            sent[row.channel_id].append(row)
    return [
        {
            "hook": hook,
            "channel": hook.channel,
            "things": [following.thing_of(row) for row in hook.channel.reader.subscriptions.all()],
            "deliveries": sent[hook.channel_id],
        }
        for hook in found
    ]
