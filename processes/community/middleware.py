"""Staff sign in with a second factor before they may do anything."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from django.conf import settings
from django.contrib.auth import logout
from django.contrib.auth.signals import user_logged_in
from django.dispatch import receiver
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from django.utils.http import urlencode

from workflows import clock

from .models import Role, serving

# Where one may go without it: what serves every page, and the way out.
OPEN = ("/static/", "/i18n/", "/settings/", "/healthz", "/readyz", "/metrics", "/accounts/logout/")
SETTING_UP = "/accounts/"
GIVING = "/accounts/2fa/reauthenticate/"
# Resident supervisors are neighbours whom a selection has chosen: they report what is public.
NEIGHBOURS = {"resident_supervisor"}
ACTIVATED = "totp_activated_by"
BEGAN, SEEN, SERVES = "began", "seen", "serves"
NOTED = 60
"""Seconds between two notes that something is done: not every look is worth a write."""


class EndSessionsMiddleware:
    """A session ends twelve hours after signing in, whatever is done in it; of an account that
    serves also after `SANWEN_IDLE_MINUTES` in which nothing was done, since desks and computers are
    shared (ASVS 3.3). What an open page fetches by itself (``HX-Request``) is nothing done.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """End it, or note that something is done."""
        # Without a cookie there is no session, and the page stays the same for all.
        if settings.SESSION_COOKIE_NAME in request.COOKIES and BEGAN in request.session:
            now, session = int(time.time()), request.session
            idle = settings.SANWEN_IDLE_MINUTES * 60 if session.get(SERVES) else 0
            if now - session[BEGAN] > settings.SESSION_COOKIE_AGE or (
                idle and now - session.get(SEEN, now) > idle
            ):
                logout(request)
            elif idle and now - session[SEEN] >= NOTED and "HX-Request" not in request.headers:
                session[SEEN] = now
        return self.get_response(request)


@receiver(user_logged_in)
def _session_begins(request: HttpRequest, user: Any, **_: Any) -> None:
    now = int(time.time())
    request.session.update({BEGAN: now, SEEN: now, SERVES: serves(user.pk)})


class StaffTotpMiddleware:
    """Who serves in any role gets nowhere before their authenticator app's code in this session.

    Without an app they are sent to set one up. With one, allauth asks for its code at every
    sign-in; a session that is older than the app is asked for it here, and may not take the app
    away before. Off where `SANWEN_STAFF_TOTP` is (the demo, whose passwords are published anyway).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Send staff without a second factor to it."""
        user = request.user
        if (
            settings.SANWEN_STAFF_TOTP
            and user.is_authenticated
            and not request.path.startswith(OPEN)
            and serves(user.pk)
        ):
            if not has_totp(user.pk):
                if not request.path.startswith(SETTING_UP):
                    return redirect("mfa_activate_totp")
            elif not given_here(request) and not request.path.startswith(GIVING):
                back = request.get_full_path() if request.method == "GET" else "/"
                return redirect(f"{GIVING}?{urlencode({'next': back})}")
        return self.get_response(request)


def serves(person_id: int) -> bool:
    """Whether an account serves in a role today that sees or decides what others do not."""
    return bool(served(person_id) - NEIGHBOURS)


def served(person_id: int) -> set[str]:
    """The roles in which an account serves today, wherever."""
    on = timezone.localtime(clock.now()).date()
    return set(Role.objects.filter(serving(on), person_id=person_id).values_list("role", flat=True))


def has_totp(person_id: int) -> bool:
    """Whether an account has set up its authenticator app."""
    return Authenticator.objects.filter(user_id=person_id, type=Authenticator.Type.TOTP).exists()


def given_here(request: HttpRequest) -> bool:
    """Whether the second factor was given in this session, or set up in it."""
    return request.session.get(ACTIVATED) == request.user.pk or any(
        record.get("method") == "mfa"
        for record in get_authentication_records(request, request.user)
    )


@receiver(authenticator_added)
def _set_up_here(request: HttpRequest, user: Any, authenticator: Authenticator, **_: Any) -> None:
    # Setting it up takes its first code.
    if authenticator.type == Authenticator.Type.TOTP:
        request.session[ACTIVATED] = user.pk
