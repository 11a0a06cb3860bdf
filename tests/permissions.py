"""Who may open what: a rule for every address of the URLconf, and the world in which it is tried.

`RULES` names each address by its route. An address without a rule fails `test_permissions`:
whoever adds one says here who gets in. Rules are for one's own place; in a place elsewhere the same
hold for those who serve there, and nobody of here gets more than a visitor.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.urls import URLPattern, URLResolver, get_resolver

ROLES = (
    "visitor", "account", "resident", "committee", "office", "moderator", "auditor",
    "resident_elsewhere", "office_elsewhere", "superuser",
)  # fmt: skip
ELSEWHERE = {"resident": "resident_elsewhere", "office": "office_elsewhere"}
"""Who serves and lives in the other place."""


@dataclass(frozen=True)
class Rule:
    """Who gets in at one's own place: the roles of `ROLES`.

    `everywhere`: the address belongs to no place, the same get in whichever is named. `method` is
    what the address is there for. `past`: what is named is not there, so that those who may are
    told so (404), and the others that they may not (403). `form`: its POST is a form that everybody
    may send. `proof` names the test in which an address is tried that needs a case or a code of its
    own kind; here nobody gets in at all.
    """

    roles: frozenset[str]
    everywhere: bool = False
    method: str = "get"
    past: bool = False
    form: bool = False
    proof: str = ""

    def admits(self, own: bool) -> set[str]:
        """Who gets in at one's own place, or at the other one."""
        if own or self.everywhere:
            return set(self.roles)
        return {ELSEWHERE[role] for role in self.roles if role in ELSEWHERE}


def only(*roles: str, **more: Any) -> Rule:
    """Those roles."""
    return Rule(frozenset(roles), **more)


def tried(proof: str, **more: Any) -> Rule:
    """Nobody, as the address is tried here; who gets in with a case or code of its kind is tried in
    `proof`."""
    return Rule(frozenset(), everywhere=True, proof=proof, **more)


PUBLIC = only(*ROLES, everywhere=True)
SIGNED_IN = only(*ROLES[1:], everywhere=True)
TYPISTS = ("committee", "office")
OFFICES = ("office", "office_elsewhere")
CASE, RUN = "cases/<str:number>/", "cases/<str:number>/forms/<int:run_id>/<str:act>/"
RECEIPTS = "tests/workflows/test_receipts.py"
LOG = "tests/workflows/test_log.py"
POSTS = "tests/processes/public_posts"
LIBRARY = "accounts/"
"""Addresses of django-allauth: who gets in there is its own matter."""

RULES: dict[str, Rule] = {
    **dict.fromkeys(
        (
            "", "cases/", "search/", "verify/", "accessibility/", "healthz", "readyz", "r/", "f/",
            "supervision/", "supervision/figures.csv",
            "procedures/", "appeals/", "appeals/new/", "disclosure/", "log/", "log/checkpoints",
            "log/checkpoints/<int:start>", "log/keys", "procedures/appeals/open/",
            CASE, *(CASE + end for end in (
                "records/", "records.jsonl", "disclosures.jsonl", "records.csv", "ocel.json",
                "log.xes", "feed.atom", "terms.ics", "book/<int:run_id>/", "notices/",
                "book/<int:run_id>/book.pdf", "book/<int:run_id>/book.csv", "trail.pdf",
                "records/<int:seq>/", "records/<int:seq>/copy.json", "steps/<int:run_id>/",
            )),
            *("procedures/<slug:code>/" + end for end in (
                "", "chart.svg", "bpmn.xml", "ocel.json", "log.xes", "feed.atom", "terms.ics",
            )),
            *("estates/<slug:code>/" + end for end in ("", "feed.atom", "terms.ics")),
            *("api/v1/" + end for end in (
                "openapi.json", "procedures", "procedures/<code>", "places", "places/<code>",
                "cases", "cases/<number>", "cases/<number>/records", "cases/<number>/late-opinions",
                "cases/<number>/records/<seq>", "cases/<number>/runs/<run>/opinions", "problems",
            )),
        ),
        PUBLIC,
    ),
    "settings/text-size/": only(*ROLES, everywhere=True, method="post"),
    "i18n/setlang/": only(*ROLES, everywhere=True, method="post"),
    "log/cosignatures": only(*ROLES, everywhere=True, method="post"),
    **dict.fromkeys(("my/", "my/terms.ics", "my/claim/", "my/tokens/", "inbox/"), SIGNED_IN),
    **dict.fromkeys(("news/", "news/settings/", "news/hooks/"), SIGNED_IN),
    **dict.fromkeys(
        ("news/read/", "news/settings/times/", "news/settings/stop/", "news/channels/add/",
         "news/channels/push/"),
        only(*ROLES[1:], everywhere=True, method="post"),
    ),
    # --- one's own
    CASE + "do/<slug:step>/<str:act>/": only("resident"),
    CASE + "done/<int:seq>/": only("resident"),
    "files/<uuid:uid>/": only("resident", "committee", "office", "moderator", "auditor"),
    # --- staff
    "procedures/<slug:code>/open/": only(*OFFICES, everywhere=True),
    "appeals/enter/": only("committee", *OFFICES, everywhere=True),
    "moderation/": only("moderator", everywhere=True),
    "moderation/public/<int:number>/<int:leaf>/": only("moderator"),
    "audit/": only("auditor", everywhere=True),
    "audit/take/": only("auditor", everywhere=True),
    "audit/downloads/": only("committee", *OFFICES, "moderator", "auditor", everywhere=True),
    CASE + "trail-full.pdf": only("auditor"),
    CASE + "forms/": only(*TYPISTS),
    RUN + "type/": only(*TYPISTS, past=True),
    RUN + "check/": only(*TYPISTS, past=True),
    RUN + "scans/": only(*TYPISTS, past=True),
    RUN + "draw/": only(*TYPISTS, past=True, method="post"),
    "staff/codes/<slug:code>/": only(*TYPISTS),
    "staff/codes/<slug:code>/<int:number>/end/": only(*TYPISTS, past=True, method="post"),
    "staff/codes/<slug:code>/members/<int:number>/end/": only(
        *TYPISTS, past=True, method="post"
    ),
    "staff/erasure/<slug:code>/": only("office", "moderator"),
    "staff/contacts/<slug:code>/": only(*TYPISTS),
    "staff/rolls/": only("committee", *OFFICES, everywhere=True),
    "staff/rolls/<slug:code>/": only(*TYPISTS),
    "staff/rolls/<slug:code>/preview/": only(*TYPISTS),
    "operate/": only("superuser", everywhere=True),
    "supervision/overdue/": only("committee", *OFFICES, "moderator", "auditor", everywhere=True),
    "news/queue/": only("committee", *OFFICES, everywhere=True),
    "news/audiences/": only("committee", *OFFICES, everywhere=True),
    "news/audiences/<int:pk>/": tried("tests/processes/renovation/test_audiences.py"),
    # --- needs a token, a code, or a case of another kind
    "metrics": tried("tests/workflows/test_watch.py"),
    "r/<str:code>/": tried(RECEIPTS, form=True),
    **dict.fromkeys(
        (
            "r/<str:code>/copy.json", "r/<str:code>/files/<uuid:uid>/",
            "r/<str:code>/do/<slug:step>/<str:act>/",
        ),
        tried(RECEIPTS),
    ),
    **dict.fromkeys(
        ("f/<str:code>/", RUN + "print.pdf", RUN + "withdraw/"), tried("tests/workflows")
    ),
    **dict.fromkeys(
        (
            "p/<str:code>/", CASE + "notices/<int:run_id>/<slug:code>.pdf",
            CASE + "notices/<int:run_id>/<slug:code>/sheets.pdf",
            CASE + "notices/<int:run_id>/<slug:code>/withdraw/",
        ),
        tried("tests/workflows"),
    ),
    "m/<str:code>/": tried("tests/workflows"),
    "supervision/steps/": tried("tests/processes/community/test_supervision_pages.py"),
    **dict.fromkeys(
        ("news/follow/", "news/channels/<int:pk>/verify/", "news/why/<int:pk>/",
         "news/why/<str:secret>/<int:pk>/", "news/leave/<str:secret>/"),
        tried("tests/notifications"),
    ),
    "news/channels/<int:pk>/leave/": tried("tests/notifications", method="post"),
    CASE + "steps/<int:run_id>/sessions/<int:pk>/sign-in.pdf": tried("tests/workflows"),
    "my/terms/<int:pk>-<slug:secret>.ics": tried("tests/workflows/test_open_data.py"),
    "jobs/<uuid:uid>/": tried("tests/workflows/test_jobs.py"),
    "jobs/<uuid:uid>/file/": tried("tests/workflows/test_jobs.py"),
    "moderation/waiting/<slug:kind>/<int:number>/": tried("tests/workflows/test_moderation.py"),
    **dict.fromkeys(
        ("log/checkpoint", "log/key", "log/proof/<int:index>"), PUBLIC
    ),
    "log/tile/<path:path>": tried(LOG),
    "appeals/<str:number>/sheet-<int:round_>.pdf": tried("tests/processes/appeals"),
    **dict.fromkeys(
        (CASE + "posts/" + end for end in (
            "", "<int:post>/", "applications/", "applications/<int:applicant>/",
            "agreements/<int:applicant>.pdf",
        )),
        tried(POSTS),
    ),
    **dict.fromkeys(
        ("disclosure/<slug:code>/" + end for end in (
            "report/<int:year>/", "report/<int:year>.csv", "open-list/",
        )),
        tried("tests/processes/disclosure"),
    ),
    **dict.fromkeys(
        ("api/v1/cases/<number>/runs/<run>/" + end for end in (
            "publicity", "objections", "ballot",
        )),
        tried("tests/workflows/test_api.py"),
    ),
    "api/v1/": tried("tests/workflows/test_api.py"),
    # Only a token opens these, no session.
    **dict.fromkeys(
        ("api/v1/" + end for end in (
            "me", "me/inbox", "me/cases", "me/acts", "me/acts/<number>/<seq>",
            "procedures/<code>/entrances", "cases/<number>/acts",
            "cases/<number>/runs/<run>/unanswered",
        )),
        tried("tests/workflows/test_api_tokens.py"),
    ),
    **dict.fromkeys(
        ("api/v1/files/<uid>", "api/v1/cases/<number>/records/<seq>/files"),
        tried("tests/workflows/test_api_files.py"),
    ),
    "api/v1/procedures/<code>/cases": tried("tests/workflows/test_api_writing.py", method="post"),
    "my/tokens/<int:pk>/revoke/": tried("tests/processes/community/test_tokens.py", method="post"),
}  # fmt: skip


def routes() -> Iterator[str]:
    """Every address of the site, as the URLconf has it."""

    def walk(resolver: Any, before: str) -> Iterator[str]:
        for pattern in resolver.url_patterns:
            route = before + str(pattern.pattern)
            if isinstance(pattern, URLResolver):
                yield from walk(pattern, route)
            elif isinstance(pattern, URLPattern):
                yield route

    return walk(get_resolver("config.urls"), "")
