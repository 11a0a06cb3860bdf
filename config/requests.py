"""What happens to every request: it gets a name, so that its log lines can be found together; signs
that no database takes are refused; what is shown to one person is kept nowhere, and what is shown
to everybody may be kept for the rest of the second."""

from __future__ import annotations

import gzip
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.conf import settings
from django.core.exceptions import SuspiciousOperation
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.cache import patch_cache_control, patch_vary_headers

from workflows import tracing

request_id: ContextVar[str] = ContextVar("request_id", default="-")
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_GIVEN = re.compile(r"[A-Za-z0-9-]{8,64}")
HEADER = "X-Request-ID"


class NameRequests:
    """Gives each request an id: the proxy's own where one stands before the site (visitors could
    write anything there), else a new one. The answer names it too."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Name it for as long as it takes."""
        given = request.headers.get(HEADER, "") if settings.SANWEN_BEHIND_PROXY else ""
        name = given if _GIVEN.fullmatch(given) else uuid.uuid4().hex
        token = request_id.set(name)
        try:
            response = self._traced(request, name)
        finally:
            request_id.reset(token)
        response[HEADER] = name
        return response

    def _traced(self, request: HttpRequest, name: str) -> HttpResponse:
        """Answer it within a span that knows the pattern of its address, not the address."""
        method = request.method if request.method in _METHODS else "_OTHER"
        about = {"http.request.method": method, "sanwen.request_id": name}
        given = request.headers if settings.SANWEN_BEHIND_PROXY else {}
        carried = {key: given[key] for key in ("traceparent", "tracestate") if key in given}
        with tracing.span(f"{method}", "SERVER", carried, **about) as told:
            response = self.get_response(request)
            told["http.response.status_code"] = response.status_code
            if request.resolver_match is not None:
                told["http.route"] = f"/{request.resolver_match.route}"
                told["name"] = f"{method} {told['http.route']}"
        return response


class RefuseNul:
    """Refuses addresses and forms with a NUL in them (400): PostgreSQL takes none in a text, SQLite
    does, and nobody can type one. The API refuses it itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Let it pass, or refuse it."""
        query = request.META.get("QUERY_STRING", "")
        if ("\x00" in request.path or "%00" in query) and not request.path.startswith("/api/"):
            raise SuspiciousOperation("an address with a NUL")
        return self.get_response(request)

    def process_view(self, request: HttpRequest, view: object, *_given: object) -> None:
        """What is sent, where its token is looked for in it anyway: the others (the API, witnesses)
        may read the body themselves, which is possible once."""
        if request.method != "POST" or getattr(view, "csrf_exempt", False):
            return
        try:
            sent = request.POST
        except UnreadablePostError:  # nobody is there any more
            return
        if any("\x00" in text for name, texts in sent.lists() for text in (name, *texts)):
            raise SuspiciousOperation("a form with a NUL")


class StayHere:
    """No other site may take what the site answers into its own pages (CORP), be it a picture or a
    file; links lead here all the same."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Say so in the answer."""
        response = self.get_response(request)
        response.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        return response


class KeepNothing:
    """What somebody who has signed in is shown is kept by no browser and no cache between, so that
    the next one at a shared computer does not find it; unless the page says otherwise itself."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Say so in the answer."""
        response = self.get_response(request)
        if not response.has_header("Cache-Control") and request.user.is_authenticated:
            patch_cache_control(response, private=True, no_store=True)
        return response


class ShareBriefly:
    """Lets the web server give a page that everybody sees alike to others as well, until the second
    ends in which the site began to make it (``X-Accel-Expires``, a moment): nobody sees a page that
    is older than a second. Only where a proxy stands before the site (docs/deploy/nginx.conf)."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        """Say so in the answer."""
        began = int(time.time())
        response = self.get_response(request)
        if settings.SANWEN_BEHIND_PROXY and self._for_all(request, response):
            response["X-Accel-Expires"] = f"@{began}"
            self._pack(request, response)
        return response

    def _pack(self, request: HttpRequest, response: HttpResponse) -> None:
        """Compress it once for all. What everybody sees holds no secret that lengths could tell."""
        patch_vary_headers(response, ["Accept-Encoding"])
        if "gzip" in request.headers.get("Accept-Encoding", "") and len(response.content) > 1000:
            response.content = gzip.compress(response.content, 6, mtime=0)
            response["Content-Encoding"] = "gzip"
            response["Content-Length"] = str(len(response.content))

    def _for_all(self, request: HttpRequest, response: HttpResponse) -> bool:
        return (
            request.method in {"GET", "HEAD"}
            and response.status_code == 200
            and not response.streaming
            and not response.has_header("Content-Encoding")
            and response.get("Content-Type", "").startswith("text/html")
            # A page with a form has a token, and with it a cookie.
            and not response.cookies
            and not response.has_header("Cache-Control")
            and not {settings.SESSION_COOKIE_NAME, "messages"} & request.COOKIES.keys()
            and "Authorization" not in request.headers
            and not (hasattr(request, "user") and request.user.is_authenticated)
        )
