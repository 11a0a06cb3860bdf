"""Forms that carry no token: what they change is the reader's own comfort, kept in a cookie.

A page with a token is one visitor's alone and cannot be kept for others; large text and the other
language stand on every page. Their forms are taken from our own pages only, which the browser says.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponseForbidden
from django.http.response import HttpResponseBase
from django.views.decorators.csrf import csrf_exempt

View = Callable[..., HttpResponseBase]


def from_our_pages(view: View) -> View:
    """Let a form in without a token, if the browser says that a page of ours sent it."""

    @csrf_exempt
    @wraps(view)
    def guarded(request: HttpRequest, *given: object, **named: object) -> HttpResponseBase:
        if not _ours(request):
            return HttpResponseForbidden()
        return view(request, *given, **named)

    return guarded


def _ours(request: HttpRequest) -> bool:
    # As Django's own protection does for tests.
    if request.method != "POST" or getattr(request, "_dont_enforce_csrf_checks", False):
        return True
    said = request.headers.get("Sec-Fetch-Site")
    if said is not None:
        return said == "same-origin"
    origin = request.headers.get("Origin") or request.headers.get("Referer") or ""
    return urlsplit(origin).netloc == request.get_host()
