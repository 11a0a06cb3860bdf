"""Pages of news: what one got and why, what one follows, by which ways; leaving by one click."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.views import redirect_to_login
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods, require_POST
from django_ratelimit.decorators import ratelimit

from workflows import clock
from workflows import procedure as procedures
from workflows.models import Case, Community

from . import digest, following
from .forms import AddressForm, CodeForm, TimesForm, TopicForm
from .gateways import push
from .models import OWN, PAGE, PUSH, SENT, Audience, Channel, Delivery, Reader, reader_of

PER_PAGE = 40


def _inbox(reader: Reader) -> Any:
    return Delivery.objects.filter(channel__reader=reader, channel__kind=PAGE).order_by("-news_id")


@login_required
@require_GET
@never_cache
def inbox(request: HttpRequest) -> HttpResponse:
    """What one got on the page, by case; what is shown has been read, unless a script asked."""
    reader = reader_of(request.user)
    page = Paginator(_inbox(reader), PER_PAGE).get_page(request.GET.get("page"))
    rows = list(page.object_list)
    unread = {row.news.case_id for row in _with_news(rows) if row.read_at is None}
    shown = digest.groups(rows)
    whys = following.whys(rows)
    groups = [
        {
            "case": group.case,
            "lines": group.lines,
            "ends": group.ends,
            "new": group.case.pk in unread,
            "why": whys[group.why.why] if group.why else "",
            "why_url": f"/news/why/{group.why.pk}/" if group.why else "",
        }
        for group in shown
    ]
    if not request.headers.get("HX-Request"):
        new = [row.pk for row in rows if row.read_at is None]
        Delivery.objects.filter(pk__in=new).update(read_at=clock.now())
    return render(
        request,
        "news/inbox.html",
        {"nav": "news", "groups": groups, "page": page, "channels": following.offered()},
    )


def _with_news(rows: list[Delivery]) -> list[Delivery]:
    news = digest.load(rows)
    for row in rows:
        row.news = news[row.news_id]
    return rows


@login_required
@require_POST
def mark_read(request: HttpRequest) -> HttpResponse:
    """All of it."""
    rows = _inbox(reader_of(request.user)).filter(read_at=None)
    rows.update(read_at=clock.now())
    return redirect("news:inbox")


def _thing(data: Any) -> following.Thing:
    """What an address names; 404 for what is not there."""
    case = place = None
    if number := data.get("case", "")[:40]:
        case = get_object_or_404(Case.objects.select_related("community"), number=number)
    if code := data.get("place", "")[:40]:
        place = get_object_or_404(Community, code=code)
    procedure, topic = data.get("procedure", "")[:40], data.get("topic", "")[:30]
    if procedure and not procedures.versions(procedure):
        raise Http404
    if topic and topic not in following.TOPICS:
        raise Http404
    thing = following.Thing(case, place, procedure, topic)
    if not thing.key:
        raise Http404
    return thing


@require_http_methods(["GET", "POST"])
@never_cache
def follow(request: HttpRequest) -> HttpResponse:
    """Follow something or no more: what one will hear then, and by which ways."""
    thing = _thing(request.POST if request.method == "POST" else request.GET)
    if request.method == "POST" and not request.user.is_authenticated:
        return redirect_to_login(f"/news/follow/?{thing.query}")
    row = reader = None
    if request.user.is_authenticated:
        reader = reader_of(request.user)
        if request.method == "POST":
            if request.POST.get("do") == "stop":
                following.unfollow(reader, thing.key)
                messages.success(request, _("已取消关注：%(thing)s") % {"thing": thing.title})
            else:
                try:
                    following.follow(reader, thing)
                    messages.success(request, _("已关注：%(thing)s") % {"thing": thing.title})
                except following.NotNow as error:
                    messages.error(request, str(error))
            return redirect(f"/news/follow/?{thing.query}")
        row = reader.subscriptions.filter(key=thing.key, off=False).first()
    return render(
        request,
        "news/follow.html",
        {
            "nav": "news" if reader else "cases",
            "thing": thing,
            "followed": row,
            "reader": reader,
            "ways": following.open_channels(reader) if reader else [],
            "offered": following.offered(),
        },
    )


def _settings(request: HttpRequest, **forms: Any) -> HttpResponse:
    reader = reader_of(request.user)
    rows = list(reader.subscriptions.select_related("case", "place", "audience"))
    kinds = [kind for kind in following.offered() if kind != "push"]
    shown = {
        "times": TimesForm(instance=reader),
        "topic": TopicForm(),
        "address": AddressForm(kinds=kinds) if kinds else None,
        **forms,
    }
    return render(
        request,
        "news/settings.html",
        {
            "nav": "news",
            "reader": reader,
            "followed": [
                {"row": row, "thing": following.thing_of(row)} for row in rows if not row.off
            ],
            "silenced": [
                {
                    "row": row,
                    "title": (
                        following.audience_title(row.audience)
                        if row.audience
                        else following.thing_of(row).title
                    ),
                }
                for row in rows
                if row.off
            ],
            "ways": following.open_channels(reader),
            "offered": following.offered(),
            "push_key": push.public_key() if PUSH in following.offered() else "",
            **shown,
        },
        status=422 if forms else 200,
    )


@login_required
@never_cache
def own(request: HttpRequest) -> HttpResponse:
    """What one follows and by which ways; a topic to follow is sent here."""
    if request.method == "POST":
        form = TopicForm(request.POST)
        if not form.is_valid():
            return _settings(request, topic=form)
        try:
            following.follow(reader_of(request.user), form.thing())
        except following.NotNow as error:
            messages.error(request, str(error))
        else:
            messages.success(request, _("已关注：%(thing)s") % {"thing": form.thing().title})
        return redirect("news:settings")
    return _settings(request)


@login_required
@require_POST
def times(request: HttpRequest) -> HttpResponse:
    """When one is sent to."""
    form = TimesForm(request.POST, instance=reader_of(request.user))
    if not form.is_valid():
        return _settings(request, times=form)
    form.save()
    messages.success(request, _("已保存。"))
    return redirect("news:settings")


@login_required
@require_POST
def stop(request: HttpRequest) -> HttpResponse:
    """Follow something no more, or undo a silence; by the row's key."""
    following.unfollow(reader_of(request.user), request.POST.get("key", "")[:120])
    messages.success(request, _("已保存。"))
    return redirect("news:settings")


@login_required
@require_POST
@ratelimit(key="user", rate="10/h", block=True)
def add_channel(request: HttpRequest) -> HttpResponse:
    """Write down an address; a code is sent to it."""
    kinds = [kind for kind in following.offered() if kind != "push"]
    form = AddressForm(request.POST, kinds=kinds)
    if not form.is_valid():
        return _settings(request, address=form)
    try:
        data = form.cleaned_data
        channel = following.add(reader_of(request.user), data["kind"], data["address"])
    except following.NotNow as error:
        form.add_error("address", str(error))
        return _settings(request, address=form)
    return redirect("news:verify", pk=channel.pk)


@login_required
@require_POST
@ratelimit(key="user", rate="20/h", block=True)
def add_push(request: HttpRequest) -> HttpResponse:
    """This browser shows notifications from now on; it needs no code, for it is here."""
    found = push.subscription_of(request.POST.get("subscription", "")[:4000])
    if PUSH not in following.offered() or found is None:
        messages.error(request, _("这个浏览器的通知服务不能使用。"))
        return redirect("news:settings")
    try:
        following.add_browser(reader_of(request.user), found)
    except following.NotNow as error:
        messages.error(request, str(error))
    else:
        messages.success(request, _("已添加。"))
    return redirect("news:settings")


@login_required
@ratelimit(key="user", rate="30/h", method="POST", block=True)
@never_cache
def verify(request: HttpRequest, pk: int) -> HttpResponse:
    """The code that came to the address."""
    channel = get_object_or_404(
        Channel.objects.select_related("reader"),
        pk=pk, reader__user=request.user, verified_at=None, closed_at=None,
    )  # fmt: skip
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            following.verify(channel, form.cleaned_data["code"])
        except following.NotNow as error:
            form.add_error("code", str(error))
        else:
            messages.success(request, _("已验证。今后的消息也会发到这里。"))
            return redirect("news:settings")
    return render(
        request,
        "news/verify.html",
        {"nav": "news", "form": form, "channel": channel, "address": following.masked(channel)},
        status=422 if form.errors else 200,
    )


@login_required
@require_POST
def drop_channel(request: HttpRequest, pk: int) -> HttpResponse:
    """An address of one's own, no more."""
    channel = get_object_or_404(
        Channel.objects.exclude(kind=PAGE), pk=pk, reader__user=request.user
    )
    following.leave(channel)
    messages.success(request, _("已删除，不会再向它发消息。"))
    return redirect("news:settings")


def _why(request: HttpRequest, delivery: Delivery, back: str) -> HttpResponse:
    channel = delivery.channel
    rows = _with_news([delivery])
    case = rows[0].news.case
    audience = None
    if delivery.why.startswith("audience:"):
        audience = Audience.objects.filter(code=delivery.why.partition(":")[2]).first()
    if request.method == "POST":
        reader, do = channel.reader, request.POST.get("do")
        if do == "case":
            following.silence_case(reader, case)
        elif do == "audience" and audience is not None:
            following.silence_audience(reader, audience)
        elif do == "follow" and delivery.why != OWN and audience is None:
            following.unfollow(reader, delivery.why)
        messages.success(request, _("已保存。"))
        return redirect(back)
    silenced = set(channel.reader.subscriptions.filter(off=True).values_list("key", flat=True))
    keys = set(channel.reader.subscriptions.filter(off=False).values_list("key", flat=True))
    return render(
        request,
        "news/why.html",
        {
            "nav": "news" if request.user.is_authenticated else "",
            "delivery": delivery,
            "case": case,
            "groups": digest.groups(rows),
            "why": following.whys(rows)[delivery.why],
            "audience": audience,
            "address": following.masked(channel),
            "sent": delivery.state == SENT,
            "silenced": f"case:{case.pk}" in silenced,
            "audience_off": audience is not None and delivery.why in silenced,
            "followed": delivery.why in keys,
        },
    )


@login_required
@require_http_methods(["GET", "POST"])
@never_cache
def why(request: HttpRequest, pk: int) -> HttpResponse:
    """Why one got a message, and how to get no more of that kind."""
    rows = Delivery.objects.select_related("channel__reader")
    delivery = get_object_or_404(rows, pk=pk, channel__reader__user=request.user)
    return _why(request, delivery, f"/news/why/{pk}/")


@require_http_methods(["GET", "POST"])
@ratelimit(key="ip", rate="60/m", block=True)
@never_cache
def why_by_secret(request: HttpRequest, secret: str, pk: int) -> HttpResponse:
    """The same for whoever holds the message."""
    rows = Delivery.objects.select_related("channel__reader")
    delivery = get_object_or_404(rows, pk=pk, channel__secret=secret)
    return _why(request, delivery, f"/news/why/{secret}/{pk}/")


@csrf_exempt
@require_http_methods(["GET", "POST"])
@ratelimit(key="ip", rate="60/m", block=True)
@never_cache
def leave(request: HttpRequest, secret: str) -> HttpResponse:
    """Leave a channel by one click (RFC 8058): mail programs send the form without a session, so
    the secret alone is what counts. A look changes nothing, since programs open links by
    themselves."""
    channel = get_object_or_404(Channel.objects.exclude(kind=PAGE), secret=secret)
    if request.method == "POST":
        following.leave(channel)
        channel.closed_at = channel.closed_at or clock.now()
    return render(
        request,
        "news/leave.html",
        {"channel": channel, "address": following.masked(channel), "left": channel.closed_at},
    )
