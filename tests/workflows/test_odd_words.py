"""Whatever people write stands on public pages as they wrote it, and breaks none of them."""

from __future__ import annotations

import json
from xml.etree import ElementTree

import pytest
from django.core.cache import cache
from django.test import Client

from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from tests.sandbox.opinion_procedures import Needs
from workflows import acts
from workflows.models import Opinion

pytestmark = pytest.mark.django_db(transaction=True)


# The last hours there are, by their week; a day that is none; a period of ages; signs that XML and
# PDF cannot hold; what templates, pages and tables take for their own; no place to break a line.
ODD = (
    "9999-W52-5T23Z",
    "2026-02-30",
    "P999999999999D",
    "希望修好雨棚\ufffe再种树\ufdd0谢谢",
    "{{ 7*7 }} {% now %} ${7*7}",
    "<svg onload=x>]]><!--",
    "=1+希望修好雨棚",
    "希望修好雨棚" * 160,
)


HIDDEN = (
    "希望修好雨棚\x0b再种树\x1b谢谢",
    "希望修好雨棚\x85再种树\u2028谢谢",
    "\u202e希望修好雨棚\u2066再种树",
)
"""Signs that nobody sees, behind which a name or a number could stand."""


@pytest.mark.parametrize("text", ODD)
def test_words_that_look_like_a_moment_break_no_page(place: Place, text: str) -> None:
    """People may write anything; what they wrote stands on public pages."""
    cache.clear()
    case = acts.open_case(Needs, place.community, place.staff("office"), title="问需")
    party = place.owner(1, "household")
    acts.perform(case, "ask", "opinion.submitted", party, {"text": f"{text} 屋顶"})
    opinion = Opinion.objects.get()
    said = {"opinions": [opinion.pk], "outcome": "adopted", "public_text": text, "reason": text}
    said = {**said, "reason": f"{text}已改"} if text.startswith("P") else said
    clerk = place.staff("residents_committee")
    done = acts.perform(case, "ask", "opinion.replied", clerk, said)
    base = f"/cases/{case.number}/"
    run = opinion.run_id
    client = Client(raise_request_exception=False)
    for path in (
        *(base, f"{base}records/", f"{base}records/{done.record.seq}/", f"{base}steps/{run}/"),
        *(f"{base}feed.atom", f"{base}records.csv", f"{base}book/{run}/", f"{base}log.xes"),
        *(f"{base}book/{run}/book.pdf", f"{base}book/{run}/book.csv", f"{base}terms.ics"),
        *(f"{base}ocel.json", f"{base}trail.pdf", f"/api/v1{base}records"),
    ):
        answer = client.get(path)
        assert answer.status_code in (200, 503), path  # 503: a test has no key to sign trails with
        content = b"".join(answer.streaming_content) if answer.streaming else answer.content
        if path.endswith((".atom", ".xes")):
            ElementTree.fromstring(content)  # else no program reads it
        elif path.endswith(".json"):
            json.loads(content)


@pytest.mark.parametrize("text", HIDDEN)
def test_signs_that_nobody_sees_are_not_published(place: Place, text: str) -> None:
    case = acts.open_case(Needs, place.community, place.staff("office"), title="问需")
    party = place.owner(1, "household")
    acts.perform(case, "ask", "opinion.submitted", party, {"text": "雨棚"})
    said = {"opinions": [Opinion.objects.get().pk], "outcome": "adopted", "public_text": text}
    with pytest.raises(acts.Refused):
        acts.perform(
            case,
            "ask",
            "opinion.replied",
            place.staff("residents_committee"),
            {**said, "reason": "已列入计划。"},
        )
