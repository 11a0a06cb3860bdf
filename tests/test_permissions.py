"""Every address × every role × one's own place and another: nobody gets where the rules say no.

The addresses come from the URLconf, the rules from `tests.permissions`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client

from sanwen.note import Signer
from tests.factories import make_estate, make_member, make_person, make_street, units_of
from tests.permissions import LIBRARY, ROLES, RULES, routes
from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from tests.sandbox.opinion_procedures import Needs, photo
from workflows import acts
from workflows.models import Attachment, Case, Disclosure, StepRun
from workflows.parties import Party
from workflows.records import log

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[1]
CODE = "22222-22222-22222-22222"


def ours() -> list[str]:
    """The addresses that are not the library's."""
    return [route for route in routes() if not route.startswith(LIBRARY)]


def test_every_address_has_a_rule_and_every_rule_an_address() -> None:
    assert set(ours()) == set(RULES), set(ours()) ^ set(RULES)


def test_what_is_tried_elsewhere_is_tried_there() -> None:
    for route, rule in RULES.items():
        if rule.proof:
            assert (ROOT / rule.proof).exists(), route


class World:
    """An estate and its people, and another one in another sub-district with its own."""

    def __init__(self, place: Place, users: Any) -> None:
        street = place.community.parent
        far = make_street("street2", "示范街道二")
        there = make_estate("estate2", units=2, parent=far)
        home = units_of(there)[0]
        self.people: dict[str, Any] = {
            "visitor": None,
            "account": make_person("somebody"),
            "resident": place.others[0],
            "committee": place.committee,
            "office": place.office,
            "moderator": make_person("moderator", "moderator", community=street),
            "auditor": make_person("auditor", "auditor", community=street),
            "resident_elsewhere": make_member(home).person,
            "office_elsewhere": make_person("clerk2", "office", community=far),
            "superuser": users.objects.create_superuser("boss", password="einlangespasswort"),
        }
        assert tuple(self.people) == ROLES
        own = place.consultation()
        clerk, speaker = self.people["office_elsewhere"], self.people["resident_elsewhere"]
        office = Party("office", f"person:{clerk.pk}", clerk.pk)
        other = acts.open_case(Needs, there.community, office, title="别处问需")
        household = Party("household", f"household:{home.pk}", speaker.pk)
        said, shown = {"text": "别处的意见"}, {"photos": [photo(99)]}
        acts.perform(other, "ask", "opinion.submitted", household, said, shown)
        log.integrate_now()
        self.places = {True: self._named(own, 3), False: self._named(other, 2)}

    def _named(self, case: Case, seq: int) -> dict[str, Any]:
        run = StepRun.objects.get(process=case, name="ask").pk
        file = Attachment.objects.get(record__case=case, record__seq=seq)
        words = Disclosure.objects.filter(record__case=case, public=True).latest("pk")
        return {
            "number": case.number, "run_id": run, "run": run, "seq": seq, "uid": file.uid,
            "code": case.community.code, "act": "opinion.submitted", "step": "ask", "start": 0,
            "index": 0, "path": "0/000", "round_": 1, "post": 1, "applicant": 1, "pk": 10**9,
            "secret": "x", "words": words.pk, "year": 2026, "leaf": 0, "kind": "opinion",
        }  # fmt: skip

    def address(self, route: str, own: bool) -> str:
        named: Mapping[str, Any] = self.places[own]
        if route.startswith(("procedures/", "api/v1/procedures/")):
            named = {**named, "code": "renovation"}
        elif re.match("[rfpm]/", route):
            named = {**named, "code": CODE}
        elif route.startswith("moderation/public/"):
            named = {**named, "number": named["words"]}
        elif route.startswith(("moderation/", "staff/codes/")):
            named = {**named, "number": 10**9}
        return "/" + re.sub(r"<(?:\w+:)?(\w+)>", lambda found: str(named[found[1]]), route)

    def client(self, role: str) -> Client:
        client = Client(raise_request_exception=False)
        if self.people[role] is not None:
            client.force_login(self.people[role])
        return client


def admitted(answer: Any, *, past: bool = False) -> bool:
    """Whether an answer is one for those who may."""
    if answer.status_code == 302 and answer["Location"].startswith("/accounts/login/"):
        return False
    return answer.status_code not in ({401, 403} if past else {401, 403, 404, 405})


@pytest.mark.slow
def test_nobody_gets_where_the_rules_say_no(
    place: Place, settings: Any, django_user_model: Any, tmp_path: Path
) -> None:
    cache.clear()
    settings.SANWEN_LOG_KEY_FILE = tmp_path / "log.key"
    log.write_key(Signer.make(settings.SANWEN_LOG_ORIGIN), settings.SANWEN_LOG_KEY_FILE)
    world = World(place, django_user_model)
    clients = {role: world.client(role) for role in ROLES}
    wrong = []
    for route in ours():
        rule = RULES[route]
        for own in (True, False):
            address = world.address(route, own)
            expected = rule.admits(own)
            for role, client in clients.items():
                answer = getattr(client, rule.method)(address)
                where = f"{rule.method} {address} as {role}: {answer.status_code}"
                if answer.status_code >= 500 and answer.status_code != 503:
                    wrong.append(f"{where}, which is a fault of ours")
                elif admitted(answer, past=rule.past) != (role in expected):
                    wrong.append(f"{where}, but {'may' if role in expected else 'may not'}")
                if role in expected or rule.method == "post" or rule.form:
                    continue
                # Who may not see a page may not send it either.
                sent = client.post(address)
                if admitted(sent, past=rule.past) or sent.status_code >= 500:
                    wrong.append(f"post {address} as {role}: {sent.status_code}")
    assert not wrong, "\n".join(wrong)


# --- headers and addresses


@pytest.mark.parametrize(
    "address",
    [
        "/",
        "/cases/",
        "/cases/NONE-2026-0001/",
        "/accounts/login/",
        "/my/",
        "/api/v1/cases",
        "/log/",
    ],
)
def test_every_answer_has_its_headers(db: Any, address: str) -> None:
    answer = Client().get(address)
    policy = answer["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert "frame-ancestors 'none'" in policy
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"
    assert answer["Referrer-Policy"] in ("same-origin", "strict-origin", "no-referrer")
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=()" in answer["Permissions-Policy"]
    assert "Server" not in answer


def test_what_is_shown_to_one_person_is_kept_nowhere(db: Any) -> None:
    signed_in = Client()
    signed_in.force_login(make_person("somebody"))
    for address in ("/my/", "/inbox/", "/cases/"):
        assert "no-store" in signed_in.get(address)["Cache-Control"]
    assert "no-store" not in Client().get("/cases/").headers.get("Cache-Control", "")
    assert "no-cache" in signed_in.get("/api/v1/cases")["Cache-Control"]


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example/", "/\\evil.example"])
def test_no_address_of_ours_sends_people_elsewhere(db: Any, evil: str) -> None:
    person = make_person("somebody")
    signed_in = Client()
    signed_in.force_login(person)
    answers = [
        Client().post("/settings/text-size/", {"next": evil, "size": "large"}),
        Client().post("/i18n/setlang/", {"next": evil, "language": "en"}),
        Client().post("/settings/text-size/", {"size": "large"}, headers={"Referer": evil}),
        Client().get("/accounts/login/", {"next": evil}),
        signed_in.get("/accounts/login/", {"next": evil}),
        signed_in.post("/accounts/logout/", {"next": evil}),
    ]
    for answer in answers:
        assert answer.status_code < 500
        assert "evil.example" not in answer.headers.get("Location", "")


def test_a_form_without_its_token_is_refused(db: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(make_person("somebody"))
    for address in ("/settings/text-size/", "/accounts/logout/", "/my/claim/", "/r/"):
        assert client.post(address).status_code == 403, address


@pytest.mark.parametrize("address", ["/settings/text-size/", "/i18n/setlang/"])
def test_forms_without_a_token_are_taken_from_our_own_pages_alone(db: Any, address: str) -> None:
    client = Client(enforce_csrf_checks=True)
    sent = {"text_size": "large", "language": "en"}
    foreign = [
        {},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://testserver"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null", "Referer": "http://testserver/"},
        {"Referer": "https://evil.example/testserver"},
    ]
    for headers in foreign:
        assert client.post(address, sent, headers=headers).status_code == 403, headers
    ours = [
        {"Sec-Fetch-Site": "same-origin"},
        {"Origin": "http://testserver"},
        {"Referer": "http://testserver/cases/"},
    ]
    for headers in ours:
        assert client.post(address, sent, headers=headers).status_code == 302, headers


@pytest.mark.parametrize(
    "address",
    ["/cases/a%00b/", "/cases/?q=%00", "/estates/%00/", "/procedures/%00/", "/cases/?page=%00"],
)
def test_signs_that_no_database_takes_are_no_fault_of_ours(db: Any, address: str) -> None:
    assert Client(raise_request_exception=False).get(address).status_code < 500
