"""One filling in of a form sent twice by way of the back button (后退再提交).

A second click brings the same key of the form, and the door answers it with what the first did. Who
goes back finds what they wrote, but where the browser loads the page anew it has another key; the
same words from the same form, a short while later, are then still the same sending. Only for forms
that nobody fills in twice alike on purpose: not for entries of a ledger.
"""

from __future__ import annotations

from django.core.signing import BadSignature, Signer
from django.http import HttpRequest, HttpResponse
from django.utils.crypto import salted_hmac

COOKIE, SECONDS = "sent", 600
"""The cookie that knows the last sending of a form, of which it holds a digest under our secret and
the key; and how long."""
LONGEST = 64
_signer = Signer(salt="sanwen.sent")


def key_of(request: HttpRequest, field: str) -> str:
    """The key under which a form is sent: its own, or that of the same words a short while ago.
    Empty where the form has none."""
    given = request.POST.get(field, "")[:LONGEST]
    if not given:
        return ""
    try:
        digest, key = _signer.unsign(request.COOKIES.get(COOKIE, "")).split(".")
    except (BadSignature, ValueError):
        return given
    return key if digest == _digest(request, field) else given


def remember(request: HttpRequest, response: HttpResponse, field: str, key: str) -> HttpResponse:
    """Let the browser know under which key it sent the form; for this page alone."""
    if key:
        response.set_cookie(
            COOKIE,
            _signer.sign(f"{_digest(request, field)}.{key}"),
            max_age=SECONDS,
            path=request.path,
            samesite="Strict",
            httponly=True,
            secure=request.is_secure(),
        )
    return response


def _digest(request: HttpRequest, field: str) -> str:
    """Of all that was filled in, and the files by name and size."""
    sent = [
        (name, *values)
        for name, values in sorted(request.POST.lists())
        if name not in (field, "csrfmiddlewaretoken")
    ]
    files = [
        (name, *((file.name, file.size) for file in many))
        for name, many in sorted(request.FILES.lists())
    ]
    words = repr((request.get_full_path(), request.user.pk, sent, files))
    return salted_hmac("sanwen.sent", words, algorithm="sha256").hexdigest()[:32]
