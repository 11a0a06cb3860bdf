"""The page where people give programs tokens to act for them, and take them back."""

from __future__ import annotations

import logging
from typing import Any

from allauth.account.signals import password_changed, password_reset
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_removed
from allauth.mfa.totp.internal.auth import TOTP
from django import forms
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q
from django.dispatch import receiver
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods, require_POST
from django_ratelimit.decorators import ratelimit

from workflows.models import ApiToken
from workflows.portal.api import tokens as given
from workflows.portal.views import context

from .middleware import served

logger = logging.getLogger("sanwen.community")

DAYS = ((30, gettext_lazy("30天")), (90, gettext_lazy("90天")), (365, gettext_lazy("一年")))


class TokenForm(forms.Form):
    """A new token: for what, what it may do, until when. Whoever makes one gives the password once
    more, and for the scopes of staff the code of the authenticator app."""

    name = forms.CharField(
        label=gettext_lazy("用途"),
        help_text=gettext_lazy("例如“窗口登记系统”，以后凭它辨认。"),
        max_length=60,
    )
    scopes = forms.MultipleChoiceField(
        label=gettext_lazy("可以做什么"),
        help_text=gettext_lazy("只勾选程序用得着的；超出您本人权限的，勾选了也办不了。"),
        widget=forms.CheckboxSelectMultiple,
        initial=[given.READ],
    )
    days = forms.TypedChoiceField(
        label=gettext_lazy("有效期"), choices=DAYS, coerce=int, initial=30, widget=forms.RadioSelect
    )
    password = forms.CharField(
        label=gettext_lazy("您的密码"),
        strip=False,
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    code = forms.CharField(
        label=gettext_lazy("验证器上的验证码"),
        help_text=gettext_lazy("勾选了工作身份的，请填身份验证器上现在显示的六位数字。"),
        required=False,
        max_length=12,
        widget=forms.TextInput(attrs={"autocomplete": "one-time-code", "inputmode": "numeric"}),
    )

    def __init__(self, *args: Any, person: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.person = person
        serves = bool(served(person.pk))
        scopes: Any = self.fields["scopes"]
        scopes.choices = [
            (code, title)
            for code, title in given.SCOPES.items()
            if serves or code not in given.OF_STAFF
        ]
        if not serves or not settings.SANWEN_STAFF_TOTP:
            del self.fields["code"]

    def clean_password(self) -> str:
        """The account's own."""
        if not self.person.check_password(self.cleaned_data["password"]):
            raise forms.ValidationError(_("密码不对，请重新填写。"))
        return ""

    def clean(self) -> dict[str, Any]:
        """For the scopes of staff, the second factor; asked for last, since a code is good once."""
        data = super().clean() or {}
        wanted = given.OF_STAFF.intersection(data.get("scopes", ()))
        if wanted and "code" in self.fields and not self.errors:
            app = Authenticator.objects.filter(
                user=self.person, type=Authenticator.Type.TOTP
            ).first()
            if app is None:
                self.add_error("code", _("请先设置身份验证器，再生成工作身份的令牌。"))
            elif not TOTP(app).validate_code(data.get("code", "")):
                self.add_error("code", _("验证码不对或者已经用过，请等下一个。"))
        return data


@sensitive_post_parameters("password", "code")
@login_required
@require_http_methods(["GET", "POST"])
@ratelimit(key="user", rate="20/h", method="POST", block=True)
@never_cache
def tokens(request: HttpRequest) -> HttpResponse:
    """The tokens that work, and a form for a new one, which is shown this once."""
    posted = request.POST if request.method == "POST" else None
    form = TokenForm(posted, person=request.user)
    made = ""
    if posted is not None and form.is_valid():
        if len(given.tokens_of(request.user)) >= given.MOST:
            told = _("最多同时有%(most)s个令牌，请先收回不用的。") % {"most": given.MOST}
            form.add_error(None, told)
        else:
            data = form.cleaned_data
            made = given.give(
                request.user,
                data["name"],
                data["scopes"],
                data["days"],
                confirmed="code" in form.fields and bool(data.get("code")),
            )
            logger.info("account %s made a token", request.user.pk)
            form = TokenForm(person=request.user)
    page = context(
        request,
        "my",
        form=form,
        made=made,
        rows=[
            {"row": row, "scopes": [given.SCOPES[scope] for scope in row.scopes]}
            for row in given.tokens_of(request.user)
        ],
    )
    status = 422 if form.errors else 200
    response = render(request, "community/tokens.html", page, status=status)
    response["Cache-Control"] = "no-store"
    return response


@login_required
@require_POST
def revoke(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one back, for ever."""
    if not ApiToken.objects.filter(pk=pk, user_id=request.user.pk).exists():
        raise Http404
    given.revoke(Q(pk=pk))
    logger.info("account %s took a token back", request.user.pk)
    messages.success(request, _("已收回，程序不能再用它。"))
    return redirect("community:tokens")


@receiver(authenticator_removed)
def _without_second_factor(
    request: HttpRequest, user: Any, authenticator: Authenticator, **_more: Any
) -> None:
    # What was confirmed with an app that is there no more is not confirmed any more.
    if authenticator.type == Authenticator.Type.TOTP:
        given.revoke(Q(user_id=user.pk, confirmed_at__isnull=False))


@receiver([password_changed, password_reset])
def _with_another_password(request: HttpRequest, user: Any, **_more: Any) -> None:
    # Whoever knew the one before may have made tokens with it.
    if given.revoke(Q(user_id=user.pk)):
        logger.info("account %s has another password: its tokens are taken back", user.pk)
        messages.info(request, _("密码已更改，原有的令牌已全部收回，需要的请重新生成。"))
