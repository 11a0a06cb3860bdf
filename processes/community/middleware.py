"""Staff sign in with a second factor before they may do anything."""

from __future__ import annotations

from collections.abc import Callable

from allauth.mfa.models import Authenticator
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone

from workflows import clock

from .models import Role, serving

# Where one may go without it: to set it up, to sign out, and what serves every page.
OPEN = ("/accounts/", "/static/", "/i18n/", "/settings/", "/healthz")


class StaffTotpMiddleware:
    """Who serves in any role and has no authenticator app yet is sent to set it up.

    Once it is set up, allauth asks for its code at every sign-in. Off where `SANWEN_STAFF_TOTP` is
    (the demo, whose passwords are published anyway).
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Send staff without a second factor to its set-up."""
        user = request.user
        if (
            settings.SANWEN_STAFF_TOTP
            and user.is_authenticated
            and not request.path.startswith(OPEN)
            and serves(user.pk)
            and not Authenticator.objects.filter(
                user_id=user.pk, type=Authenticator.Type.TOTP
            ).exists()
        ):
            return redirect("mfa_activate_totp")
        return self.get_response(request)


def serves(person_id: int) -> bool:
    """Whether an account serves in any role today."""
    on = timezone.localtime(clock.now()).date()
    return Role.objects.filter(serving(on), person_id=person_id).exists()
