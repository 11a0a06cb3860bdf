"""Receipts: found by code alone, kept with a proof, hopeless to guess."""

from __future__ import annotations

import json

import pytest
from django.core.cache import cache
from django.db import connection
from django.test.utils import CaptureQueriesContext

from sanwen import disclosure, merkle, note
from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import Shortlist, household
from workflows import acts, calendars, records
from workflows.models import Case, Community
from workflows.parties import Party
from workflows.records import log

pytestmark = pytest.mark.django_db

OFFICE = Party("office", "person:1")


@pytest.fixture(autouse=True)
def _fresh(settings, frozen):
    cache.clear()
    settings.SANWEN_LOG_KEY = str(note.Signer.make("log.example"))


@pytest.fixture
def done():
    calendars.seed()
    SandboxDirectory.reset()
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Errand, estate, OFFICE, title="甲")
    return acts.perform(case, "write", "task.done", OFFICE, {"text": "修好", "name": "张三"})


def test_a_copy_to_keep_proves_the_record_without_the_site(client, done):
    log.integrate()
    answer = client.get(f"/r/{done.receipt}/copy.json")
    assert answer["Content-Disposition"].endswith('.sanwen.json"')
    assert answer["Cache-Control"] == "no-store"
    assert "张三" not in answer.content.decode()
    kept = json.loads(answer.content)
    content = json.loads(kept["record"])
    assert disclosure.opened(content, kept["disclosures"])["text"] == "修好"
    index, path, signed = note.parse_proof(kept["proof"])
    checkpoint, _note = note.open_checkpoint(signed, [log.signer().verifier])
    leaf = merkle.leaf_hash(kept["record"].encode())
    merkle.check_inclusion(leaf, index, checkpoint.size, path, checkpoint.root)


def test_before_it_has_its_place_the_copy_says_so(client, done):
    assert json.loads(client.get(f"/r/{done.receipt}/copy.json").content)["proof"] is None
    assert "正在排入公开日志" in client.get(f"/r/{done.receipt}/").content.decode()
    log.integrate()
    page = client.get(f"/r/{done.receipt}/").content.decode()
    assert "已有签名证明" in page
    assert "<svg" in page


def test_anyone_may_keep_any_record(client, done):
    log.integrate()
    record = done.record
    answer = client.get(f"/cases/{record.case.number}/records/{record.seq}/copy.json")
    assert json.loads(answer.content)["record"] == record.canonical
    assert client.get(f"/cases/{record.case.number}/records/99/copy.json").status_code == 404


def test_guessing_is_limited_and_true_codes_are_not_counted(client, done):
    for _ in range(30):
        assert client.get(f"/r/{done.receipt}/").status_code == 200
    # A minute may turn while we guess: then the count begins once more.
    wrong = [client.get(f"/r/AAAAA-BBBBB-CCCCC-{n:05d}/").status_code for n in range(60)]
    assert wrong[0] == 404
    assert wrong.count(404) <= 2 * 21
    assert wrong[-1] == 429
    assert client.get("/r/AAAAA-BBBBB-CCCCC-DDDDD/copy.json").status_code == 429


def test_a_copy_behind_a_wrong_code_is_not_there(client, done):
    assert client.get("/r/AAAAA-BBBBB-CCCCC-DDDDD/copy.json").status_code == 404


def test_codes_are_long_and_different(done):
    case = Case.objects.get()
    codes = {records.receipt_code(case, seq) for seq in range(2000)}
    assert len(codes) == 2000
    assert all(len(code) == 23 for code in codes)


def test_a_new_secret_key_shows_no_wrong_code(client, done, settings, django_user_model):
    from workflows.models import Trace

    user = django_user_model.objects.create_user("amy", password="x" * 12)
    Trace.objects.update(user=user)
    client.force_login(user)
    record = done.record
    page = f"/cases/{record.case.number}/done/{record.seq}/"
    assert done.receipt in client.get(page).content.decode()
    settings.SECRET_KEY = "another"
    client.force_login(user)
    assert client.get(page).status_code == 302
    assert client.get(f"/r/{done.receipt}/").status_code == 200


def test_a_receipt_costs_the_same_however_many_were_answered_with_it(client, done):
    case = acts.open_case(Shortlist, done.record.case.community, OFFICE, title="入围")

    def object_to(number: int):
        data = {"ground": "content", "text": f"打分有误，其{number}。"}
        return acts.perform(case, "stand", "objection.raised", household(number), data)

    def decide(*objections):
        keys = [row.pk for row in objections]
        words = {"public_text": "打分有误。", "reason": "核对无误，得分属实。"}
        data = {"objections": keys, "decision": "dismissed", **words}
        acts.perform(case, "stand", "objection.decided", OFFICE, data)

    def asked(receipt: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            assert "核对无误" in client.get(f"/r/{receipt}/").content.decode()
        return len(queries)

    first = object_to(1)
    decide(first.fact)
    asked(first.receipt)
    before = asked(first.receipt)
    rest = [object_to(number) for number in range(2, 12)]
    decide(*(each.fact for each in rest))
    log.integrate()
    assert asked(rest[-1].receipt) <= before
