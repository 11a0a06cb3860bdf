"""Open data: what other programs read, without an account and without personal data."""

from __future__ import annotations

import asyncio
import csv
import io
import json
import tracemalloc
import xml.etree.ElementTree as ET

import pytest
import rfc8785
from django.core.cache import cache
from django.db import connection
from django.test import AsyncClient
from django.test.utils import CaptureQueriesContext
from icalendar import Calendar

from sanwen import disclosure
from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.panel_procedures import Books
from tests.workflows.test_portal import NOON
from workflows import acts, calendars, clock, records
from workflows.models import Case, Community, Disclosure, Record
from workflows.parties import Party
from workflows.records import export

OFFICE = Party("office", "person:1")
ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture(autouse=True)
def _fresh(db):
    cache.clear()
    calendars.seed()
    SandboxDirectory.reset()
    with clock.at(NOON):
        yield


@pytest.fixture
def estate():
    return Community.objects.create(code="demo", name="示范小区", kind="estate")


@pytest.fixture
def case(estate):
    case = acts.open_case(Errand, estate, OFFICE, title="示范差事")
    data = {"text": "=HYPERLINK(1)\n<b>第二行</b>", "name": "张三丰"}
    acts.perform(case, "write", "task.done", OFFICE, data)
    return Case.objects.get(pk=case.pk)


CASE = "/cases/ERR-2026-0001/"
STREAMED = [
    CASE + "records.jsonl",
    CASE + "disclosures.jsonl",
    CASE + "records.csv",
    CASE + "ocel.json",
    CASE + "log.xes",
    "/procedures/errand/ocel.json",
    "/procedures/errand/log.xes",
]
WHOLE = [
    CASE + "feed.atom",
    CASE + "terms.ics",
    "/estates/demo/feed.atom",
    "/estates/demo/terms.ics",
    "/procedures/errand/feed.atom",
    "/procedures/errand/terms.ics",
]


def body(response) -> bytes:
    return b"".join(response) if response.streaming else response.content


@pytest.mark.parametrize("address", STREAMED + WHOLE)
def test_each_address_answers_and_holds_no_private_value(client, case, address):
    response = client.get(address)
    assert response.status_code == 200
    content = body(response)
    assert content
    assert "张三丰".encode() not in content
    assert b"person:1" not in content


@pytest.mark.parametrize("address", STREAMED + WHOLE)
def test_who_has_it_is_told_so_until_something_happens(client, case, address):
    first = client.get(address)
    assert "no-cache" in first["Cache-Control"]
    again = client.get(address, headers={"If-None-Match": first["ETag"]})
    assert (again.status_code, again.content) == (304, b"")
    since = client.get(address, headers={"If-Modified-Since": first["Last-Modified"]})
    assert since.status_code == 304
    acts.perform(case, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正一处"})
    later = client.get(address, headers={"If-None-Match": first["ETag"]})
    assert later.status_code == 200
    assert later["ETag"] != first["ETag"]


@pytest.mark.parametrize("address", [*STREAMED, CASE + "book/9999999/book.csv"])
def test_what_is_not_there_is_not_found(client, estate, address):
    address = address.replace("errand", "nothing").replace("ERR-2026-0001", "none")
    assert client.get(address).status_code == 404


def test_pages_name_their_feeds_and_downloads(client, case):
    for page in (CASE, "/estates/demo/", "/procedures/errand/"):
        shown = client.get(page).content.decode()
        assert f'type="application/atom+xml" href="{page}feed.atom"' in shown
        assert f'href="{page}terms.ics"' in shown
    assert "示范差事" in client.get("/estates/demo/").content.decode()


def test_a_sub_district_has_the_cases_of_its_estates(client, case, estate):
    street = Community.objects.create(code="street", name="示范街道", kind="subdistrict")
    Community.objects.filter(pk=estate.pk).update(parent=street)
    assert "示范差事" in client.get("/estates/street/").content.decode()
    assert entries(client, "/estates/street/feed.atom")
    assert events(client.get("/estates/street/terms.ics").content)


# --- tables


def test_the_table_opens_in_spreadsheet_programs_and_runs_nothing(client, case):
    content = body(client.get(CASE + "records.csv"))
    assert content.startswith(b"\xef\xbb\xbf")
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"), newline="")))
    assert len(rows) == case.length + 1
    assert len({len(row) for row in rows}) == 1
    assert [row[0] for row in rows[1:]] == [str(seq) for seq in range(case.length)]
    written = next(row for row in rows if "HYPERLINK" in row[9])
    assert "\n" in written[9]
    assert not any(value.startswith(("=", "+", "-", "@", "\t")) for row in rows for value in row)


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("=1+1", "'=1+1"),
        ("+86", "'+86"),
        ("-5", "'-5"),
        ("@x", "'@x"),
        ("\t=1", "'\t=1"),
        ("  =1", "'  =1"),
        ("＝1", "'＝1"),
        ("1=1", "1=1"),
        ("一\x00二", "一二"),
        (-5, -5),
        (None, None),
    ],
)
def test_a_cell_is_never_a_formula(value, shown):
    assert export.cell(value) == shown


# --- feeds


def entries(client, address):
    return ET.fromstring(client.get(address).content).findall(f"{ATOM}entry")


def test_a_feed_has_an_entry_a_record_with_an_id_for_ever(client, case):
    found = entries(client, CASE + "feed.atom")
    assert len(found) == case.length
    ids = [entry.find(f"{ATOM}id").text for entry in found]
    assert len(set(ids)) == len(ids)
    assert all(each.startswith("urn:uuid:") for each in ids)
    acts.perform(case, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正一处"})
    cache.clear()
    later = [e.find(f"{ATOM}id").text for e in entries(client, CASE + "feed.atom")]
    assert later[1:] == ids
    elsewhere = client.get(CASE + "feed.atom", headers={"Host": "localhost"})
    assert later[0] in elsewhere.content.decode()


def test_what_people_wrote_is_text_in_a_feed(client, case):
    written = [e.find(f"{ATOM}summary").text for e in entries(client, CASE + "feed.atom")]
    shown = next(text for text in written if text and "HYPERLINK" in text)
    assert "&lt;b&gt;第二行&lt;/b&gt;" in shown
    assert "<b>" not in shown


def test_feeds_of_many_cases_tell_how_they_move(client, case, estate):
    other = Community.objects.create(code="other", name="另一小区", kind="estate")
    acts.open_case(Errand, other, OFFICE, title="别处的差事")
    titles = [e.find(f"{ATOM}title").text for e in entries(client, "/estates/demo/feed.atom")]
    assert titles
    assert not any("别处" in title for title in titles)
    acts_told = {
        e.find(f"{ATOM}category").get("term") for e in entries(client, "/estates/demo/feed.atom")
    }
    assert {"case.opened", "step.opened", "step.completed"} <= acts_told
    assert "task.done" not in acts_told
    both = [e.find(f"{ATOM}title").text for e in entries(client, "/procedures/errand/feed.atom")]
    assert any("别处" in title for title in both)


# --- calendars


def events(content: bytes) -> list:
    return list(Calendar.from_ical(content).walk("VEVENT"))


def test_a_term_is_a_day_in_the_calendar(client, case):
    found = events(client.get(CASE + "terms.ics").content)
    run = case.runs.get(name="write")
    assert [(e["DTSTART"].dt, str(e["STATUS"])) for e in found] == [(run.ends_on, "CONFIRMED")]
    assert "示范差事" in found[0]["SUMMARY"]
    again = events(client.get(CASE + "terms.ics").content)
    assert found[0]["UID"] == again[0]["UID"]


def test_meetings_stand_in_the_calendar_and_are_cancelled_there(client, estate):
    case = acts.open_case(Books, estate, OFFICE, title="开会")
    data = {"starts_at": "2026-06-20T19:00", "place": "活动室", "agenda": "听取意见"}
    acts.perform(case, "meeting", "meeting.called", OFFICE, data)
    session = case.runs.get(name="meeting").sessions.get()
    address = f"/cases/{case.number}/terms.ics"
    (before,) = [e for e in events(client.get(address).content) if "LOCATION" in e]
    assert before["DTSTART"].dt == session.starts_at
    assert str(before["STATUS"]) == "CONFIRMED"
    data = {"session": session.pk, "reason": "场地停电，改期举行。"}
    acts.perform(case, "meeting", "meeting.cancelled", OFFICE, data)
    (after,) = [e for e in events(client.get(address).content) if "LOCATION" in e]
    assert (str(after["UID"]), str(after["STATUS"])) == (str(before["UID"]), "CANCELLED")


def test_ones_own_calendar_has_a_secret_address_that_ends_with_the_password(
    client, case, django_user_model
):
    assert client.get("/my/terms.ics").status_code == 302
    user = django_user_model.objects.create_user("officer", password="示范-密码-一二三")
    acts.open_case(Errand, case.community, OFFICE, title="还没有办")
    client.force_login(user)
    signed_in = client.get("/my/terms.ics")
    assert any("还没有办" in event["SUMMARY"] for event in events(signed_in.content))
    address = client.get("/my/").context["calendar"]
    client.logout()
    own = client.get(address)
    assert events(own.content)
    assert own["Cache-Control"] == "private, no-store"
    other = "1" if address[-5] == "0" else "0"
    assert client.get(f"{address[:-5]}{other}.ics").status_code == 404
    assert client.get(address.replace(f"/{user.pk}-", f"/{user.pk + 1}-")).status_code == 404
    user.set_password("另一个-密码-四五六")
    user.save()
    assert client.get(address).status_code == 404


# --- event logs


def test_an_event_log_is_sound_by_itself(client, case):
    log = json.loads(body(client.get("/procedures/errand/ocel.json")))
    objects = {each["id"]: each["type"] for each in log["objects"]}
    assert len(objects) == len(log["objects"])
    assert {kind["name"] for kind in log["objectTypes"]} == set(objects.values())
    declared = {
        kind["name"]: {a["name"]: a["type"] for a in kind["attributes"]}
        for kind in log["eventTypes"]
    }
    types = {"integer": int, "string": str, "time": str}
    for event in log["events"]:
        for attribute in event["attributes"]:
            kind = declared[event["type"]][attribute["name"]]
            assert isinstance(attribute["value"], types[kind])
    for each in log["objects"] + log["events"]:
        assert all(related["objectId"] in objects for related in each["relationships"])
    assert [event["id"] for event in log["events"]] == [
        f"{case.number}/record/{seq:06d}" for seq in range(case.length)
    ]


def test_a_control_character_breaks_neither_xml_nor_calendar(client, case):
    Case.objects.filter(pk=case.pk).update(title="示范\x0b差\x1f事")
    xes = ET.fromstring(body(client.get(CASE + "log.xes")))
    assert len(list(xes.iter("{http://www.xes-standard.org/}event"))) == case.length
    assert "示范差事" in entries(client, CASE + "feed.atom")[0].find(f"{ATOM}title").text
    assert "示范差事" in events(client.get(CASE + "terms.ics").content)[0]["SUMMARY"]


# --- cost


@pytest.mark.parametrize("address", STREAMED + WHOLE)
def test_an_export_costs_the_same_with_many_records(client, case, address):
    with CaptureQueriesContext(connection) as few:
        body(client.get(address))
    for _ in range(30):
        acts.perform(case, "case", "record.corrected", OFFICE, {"seq": 0, "text": "更正一处"})
    with CaptureQueriesContext(connection) as many:
        body(client.get(address))
    assert len(many) == len(few)
    assert len(few) <= 8


MANY = 10_000


@pytest.fixture
def long_case(case):
    """The case with ten thousand records more, written past the door: the opinions of a town."""
    rows, words = [], []
    for seq in range(case.length, case.length + MANY):
        encoded = disclosure.made("public_text", f"第{seq}条意见：希望改造屋面。")
        digest = disclosure.digest(encoded)
        content = {
            "v": 1,
            "case": case.number,
            "seq": seq,
            "procedure": "errand@1",
            "step": "write",
            "act": "opinion.submitted",
            "at": "2026-06-15T12:00:00+08:00",
            "party": {"role": "household", "id": f"{seq % 3000:016d}"},
            "body": {"item": "roof", "stance": "want", "files": 0, "_sd": [digest]},
        }
        canonical = rfc8785.dumps(content)
        words.append((encoded, digest))
        rows.append(
            Record(
                case=case,
                seq=seq,
                step="write",
                act="opinion.submitted",
                at=NOON,
                role="household",
                canonical=canonical.decode(),
                leaf_hash=records.leaf_hash(canonical),
            )
        )
    made = Record.objects.bulk_create(rows, batch_size=1000)
    Disclosure.objects.bulk_create(
        (
            Disclosure(record=row, name="public_text", encoded=encoded, digest=digest, public=True)
            for row, (encoded, digest) in zip(made, words, strict=True)
        ),
        batch_size=1000,
    )
    Case.objects.filter(pk=case.pk).update(length=case.length + MANY)
    return case


@pytest.mark.parametrize("address", STREAMED[:-2])
def test_ten_thousand_records_are_never_in_memory_together(client, long_case, address):
    body(client.get(address))  # imports, caches
    tracemalloc.start()
    try:
        size = sum(len(piece) for piece in client.get(address))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert size > 1_000_000
    assert peak < 6 * 2**20, f"{peak / 2**20:.1f} MiB at the peak"


@pytest.mark.django_db(transaction=True)
def test_under_asgi_an_export_is_sent_while_it_is_made(long_case):
    async def pieces() -> list[int]:
        response = await AsyncClient().get(CASE + "records.jsonl")
        assert response.is_async
        return [len(piece) async for piece in response]

    sizes = asyncio.run(pieces())
    assert len(sizes) > 20
    assert max(sizes) < 2**17


def test_whoever_downloads_without_end_is_told_to_wait(client, case):
    answers = [client.get("/procedures/errand/log.xes").status_code for _ in range(21)]
    assert (answers[0], answers[-1]) == (200, 429)
