"""What somebody was writing when their session had ended: theirs again once they have signed in.

Sessions of those who serve end after half an hour in which nothing was sent, and an answer may take
longer to write. What comes in then is kept for half an hour, encrypted under a key that the browser
alone holds, and filled in again for the same account at the same page. Files are chosen again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from functools import wraps
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from django import forms
from django.contrib import messages
from django.contrib.auth.views import redirect_to_login
from django.core.cache import cache
from django.core.signing import BadSignature, TimestampSigner
from django.http import HttpRequest, HttpResponse
from django.utils.datastructures import MultiValueDict
from django.utils.translation import gettext as _
from django_ratelimit.core import is_ratelimited

COOKIE, WRITER, SECONDS = "kept", "writer", 1800
"""The cookie that holds the key; the hidden field that says whose form it is; how long."""
OPEN = 86400
"""Seconds after which a page was open for too long."""
RATE = "20/m"
"""How often one address may have something kept."""
LARGEST = 65536
"""Bytes of a form that are kept at most."""
_OWN = {"csrfmiddlewaretoken", "idempotency_key", WRITER, "preview"}
_signer = TimestampSigner(salt="sanwen.kept")
View = Callable[..., HttpResponse]


def writer(request: HttpRequest) -> str:
    """Who is writing, for the hidden field of a form."""
    return _signer.sign(str(request.user.pk)) if request.user.is_authenticated else ""


def login_required(view: View) -> View:
    """As Django's, and what was sent meanwhile is kept."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.user.is_authenticated:
            return view(request, *args, **kwargs)
        response = redirect_to_login(request.get_full_path())
        if request.method == "POST":
            _keep(request, response)
        return response

    return guarded


def _keep(request: HttpRequest, response: HttpResponse) -> None:
    try:
        who = _signer.unsign(request.POST.get(WRITER, ""), max_age=OPEN)
    except BadSignature:
        return
    if is_ratelimited(request, group=COOKIE, key="ip", rate=RATE, increment=True):
        return
    fields = {name: values for name, values in request.POST.lists() if name not in _OWN}
    words = json.dumps([who, request.get_full_path(), fields]).encode()
    if len(words) > LARGEST:
        return
    key = Fernet.generate_key()
    if not cache.add(_place(key.decode()), Fernet(key).encrypt(words), SECONDS):
        return  # the cache does not answer: promise nothing
    response.set_cookie(
        COOKIE,
        key.decode(),
        max_age=SECONDS,
        path=request.path,
        samesite="Lax",
        httponly=True,
        secure=request.is_secure(),
    )
    messages.info(request, _("登录已过期，还没有提交。您写的内容已经保留，登录后接着填。"))


def _place(key: str) -> str:
    return f"kept:{hashlib.sha256(key.encode()).hexdigest()}"


def fill(request: HttpRequest, *filled: forms.Form | None) -> None:
    """Fill in what the same account wrote at this page before it had to sign in, once."""
    key = request.COOKIES.get(COOKIE, "")
    held = cache.get(_place(key)) if key else None
    if held is None:
        return
    try:
        who, path, fields = json.loads(Fernet(key).decrypt(held))
    except (InvalidToken, ValueError):
        return
    if (who, path) != (str(request.user.pk), request.get_full_path()):
        return
    cache.delete(_place(key))
    sent: Any = MultiValueDict(fields)
    for form in filter(None, filled):
        for name, field in form.fields.items():
            if not isinstance(field, forms.FileField) and name in fields:
                form.initial[name] = field.widget.value_from_datadict(sent, MultiValueDict(), name)
    messages.info(request, _("登录前写的内容已经填好，请核对后提交；照片和文件请重新选择。"))
