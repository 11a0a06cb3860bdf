"""Staff sign in with a second factor before they may do anything."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from allauth.account.authentication import get_authentication_records
from allauth.mfa.models import Authenticator
from allauth.mfa.signals import authenticator_added
from django.conf import settings
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
