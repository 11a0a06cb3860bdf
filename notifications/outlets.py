"""The office's own outlets: groups and the official account, with what waits there and why."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache

from workflows import clock
from workflows.models import Community
from workflows.parties import directory

from . import digest, following, live, sending
from .gateways import robots
from .models import HAND, ROBOT, Channel, Delivery, Reader


class OutletForm(forms.Form):
    """A new outlet."""

    title = forms.CharField(label=gettext_lazy("名称"), max_length=60)
    place = forms.ModelChoiceField(label=gettext_lazy("地点"), queryset=Community.objects.none())
    topic = forms.ChoiceField(label=gettext_lazy("主题"), required=False)
    address = forms.CharField(
        label=gettext_lazy("群机器人地址"),
        help_text=gettext_lazy(
            "企业微信、钉钉或者飞书群机器人的 Webhook 地址；不填的，由人工复制推送，例如公众号。"
        ),
        required=False,
        max_length=400,
    )
    per_day = forms.IntegerField(
        label=gettext_lazy("每天最多几次"), min_value=1, max_value=50, initial=1
    )

    def __init__(self, *args: Any, places: list[int], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        fields: Any = self.fields
        fields["place"].queryset = Community.objects.filter(pk__in=places)
        fields["place"].label_from_instance = lambda place: place.name
        fields["topic"].choices = [("", _("不限")), *following.TOPICS.items()]

    def clean_address(self) -> str:
        """Only robots of the three platforms: this server will call the address."""
        given = self.cleaned_data["address"]
        if given and robots.robot_of(given) is None:
            raise forms.ValidationError(_("不是企业微信、钉钉或者飞书群机器人的地址。"))
        return given

    def save(self) -> Reader:
        """The outlet with its channel and what it tells."""
        data, now = self.cleaned_data, clock.now()
        with transaction.atomic():
            reader = Reader.objects.create(title=data["title"], place=data["place"])
            kind, address = robots.robot_of(data["address"]) or (HAND, "")
            Channel.objects.create(
                reader=reader,
                kind=ROBOT if address else HAND,
                gateway=kind,
                address=address,
                per_day=data["per_day"],
                created=now,
                verified_at=now,
            )
            thing = following.Thing(None, data["place"], "", data["topic"])
            following.follow(reader, thing)
        return reader


def kept_places(user: Any) -> list[int]:
    """Places whose outlets the account keeps."""
    parties = directory().parties_everywhere(user, clock.now())
    return [pk for pk, held in parties.items() if any(p.role in live.KEEPERS for p in held)]


@login_required
@never_cache
def queue(request: HttpRequest) -> HttpResponse:
    """What waits, where and why; outlets are added, pushed by hand and taken away here."""
    places = kept_places(request.user)
    if not places:
        raise PermissionDenied
    form = OutletForm(places=places)
    if request.method == "POST":
        do = request.POST.get("do")
        if do == "add":
            form = OutletForm(request.POST, places=places)
            if form.is_valid():
                form.save()
                messages.success(request, _("已添加。"))
                return redirect("news:queue")
        else:
            return _outlet(request, places, do)
    return render(
        request,
        "news/queue.html",
        {
            "nav": "inbox",
            "form": form,
            "outlets": [_shown(channel) for channel in _channels(places)],
            "gateways": sending.state_of_gateways(),
        },
        status=422 if form.errors else 200,
    )


def _channels(places: list[int]) -> list[Channel]:
    rows = Channel.objects.filter(reader__place__in=places, reader__user=None, closed_at=None)
    return list(rows.select_related("reader__place").order_by("reader__place", "pk")[:100])


def _outlet(request: HttpRequest, places: list[int], do: str | None) -> HttpResponse:
    pk = request.POST.get("channel", "")
    channel = get_object_or_404(
        Channel.objects.select_related("reader"),
        pk=int(pk[:18]) if pk.isdecimal() else 0, reader__place__in=places, reader__user=None,
    )  # fmt: skip
    if do == "remove":
        following.leave(channel)
        messages.success(request, _("已停用。"))
    elif do == "pushed" and channel.kind == HAND:
        sent = pushed(channel, request.POST.get("upto", ""))
        if sent:
            messages.success(request, _("已登记为推送。"))
        else:
            messages.error(request, _("今天的次数已用完，或者没有等待推送的内容。"))
    return redirect("news:queue")


def pushed(channel: Channel, upto: str) -> int:
    """An officer has pushed by hand what was shown, up to a piece of news: within the quota."""
    now = clock.now()
    with transaction.atomic():
        held = Channel.objects.select_for_update().select_related("reader")
        mine = held.get(pk=channel.pk)
        if sending.next_slot(mine, now) is not None or not upto.isdecimal():
            return 0
        waiting = Delivery.objects.filter(channel=mine, state="queued", news__lte=int(upto[:18]))
        rows = list(waiting)
        for row in rows:
            row.batch = f"hand{now.timestamp():.0f}"
            row.succeed(now)
        Delivery.objects.bulk_update(rows, ["state", "sent_at", "fault", "batch"])
    live.hint(live.QUEUE)  # the other keepers' pages
    return len(rows)


def _shown(channel: Channel) -> dict[str, Any]:
    """An outlet with what waits, and why it waits."""
    now = clock.now()
    waiting = list(
        Delivery.objects.filter(channel=channel, state__in=sending.WAITING).order_by("-news_id")[
            : sending.MOST
        ]
    )
    later = sending.next_slot(channel, now)
    midnight = localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    used = sending.sent_since(channel, midnight)
    message = digest.compose(channel, waiting) if waiting else None
    return {
        "channel": channel,
        "kind": robots.KINDS.get(channel.gateway) or channel.get_kind_display(),
        "waiting": message.groups if message else [],
        "count": len(waiting),
        "used": used,
        "why": _why(channel, waiting, later, now) if waiting else "",
        "upto": waiting[0].news_id if waiting else 0,
        "by_hand": channel.kind == HAND and message is not None and later is None,
        "brief": message.brief if message else "",
    }


def _why(channel: Channel, waiting: list[Delivery], later: Any, now: Any) -> str:
    if later is not None:
        when = date_format(localtime(later), "SHORT_DATETIME_FORMAT")
        return _("今天的次数已用完，%(when)s以后再发。") % {"when": when}
    if channel.kind == HAND:
        return _("等待人工推送。")
    failed = [row for row in waiting if row.state == "failed"]
    first = min(row.due for row in waiting)
    when = date_format(localtime(first), "SHORT_DATETIME_FORMAT")
    if failed:
        said = _("上次没有成功（%(fault)s），%(when)s重试。")
        return said % {"fault": failed[0].fault, "when": when}
    if first > now:
        return _("等到每天汇总的时间：%(when)s。") % {"when": when}
    return _("正在发送。")
