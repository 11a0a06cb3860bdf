"""One record, as `public record` describes it: checked with nothing of ours but the bytes."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import io
import json
import sys

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image

from tests.sandbox.core_procedures import Errand
from tests.sandbox.directory import SandboxDirectory
from tests.sandbox.opinion_procedures import MENU, Needs
from workflows import acts, calendars, clock, records
from workflows.models import Case, Community, Disclosure, Record, Trace
from workflows.parties import Member, Party

OFFICE = Party("office", "person:1")
NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
PHONE = "13812345678"


@pytest.fixture(autouse=True)
def _fresh(db):
    calendars.seed()
    SandboxDirectory.reset()
    SandboxDirectory.groups["households"] = [Member("household:1", "1号楼1单元101室", "1号楼***")]
    with clock.at(NOON):
        yield


@pytest.fixture
def case():
    estate = Community.objects.create(code="demo", name="示范小区", kind="estate")
    return acts.open_case(Needs, estate, OFFICE, title="问需")


def photo() -> SimpleUploadedFile:
    out = io.BytesIO()
    Image.new("RGB", (9, 9), 5).save(out, "PNG")
    return SimpleUploadedFile("王某某家.png", out.getvalue(), "image/png")


@pytest.fixture
def record(case) -> Record:
    """An opinion of last week on a paper form, with a photo."""
    resident = Party("household", "household:1", via="paper")
    data = {"item": MENU[0].code, "stance": "want", "text": f"漏雨，电话{PHONE}，王某某。"}
    done = acts.perform(
        case,
        "ask",
        "opinion.submitted",
        resident,
        data,
        {"photos": photo()},
        happened_at=NOON - dt.timedelta(hours=1),
    )
    return done.record


def test_every_field_is_there_and_no_other(record, case):
    content = json.loads(record.canonical)
    assert set(content) == {
        *("v", "case", "seq", "prev", "procedure", "step", "act", "at", "happened_at"),
        *("party", "body", "_sd", "_sd_alg", "files"),
    }
    assert content["v"] == 1
    assert content["case"] == case.number
    assert content["seq"] == 2
    assert (content["procedure"], content["step"]) == ("sandbox_needs@1", "ask")
    assert content["act"] == "opinion.submitted"
    assert content["at"] == "2026-06-15T12:00:00+08:00"
    assert content["happened_at"] == "2026-06-15T11:00:00+08:00"
    assert set(content["party"]) == {"role", "id", "via"}
    assert (content["party"]["role"], content["party"]["via"]) == ("household", "paper")
    assert content["_sd_alg"] == "sha-256"


def test_it_is_canonical_json(record):
    """RFC 8785 for what has only strings and integers: keys in order, no blanks, UTF-8 as it is."""
    for each in Record.objects.all():
        again = json.dumps(
            json.loads(each.canonical), ensure_ascii=False, sort_keys=True, separators=(",", ":")
        )
        assert each.canonical == again
        assert "\\u" not in each.canonical


def test_each_names_the_leaf_hash_of_the_one_before(record, case):
    before = None
    for seq, each in enumerate(case.records.order_by("seq")):
        content = json.loads(each.canonical)
        assert content["seq"] == seq
        assert content.get("prev") == before
        leaf = hashlib.sha256(b"\x00" + each.canonical.encode()).digest()
        assert bytes(each.leaf_hash) == leaf
        before = base64.b64encode(leaf).decode()
    fresh = Case.objects.get(pk=case.pk)
    assert base64.b64encode(bytes(fresh.head)).decode() == before
    assert fresh.length == seq + 1


def test_a_digest_is_that_of_a_salted_disclosure(record):
    """RFC 9901: base64url of [salt, name, value]; its SHA-256, base64url, stands in the record."""
    opened = {}
    for row in Disclosure.objects.filter(record=record):
        digest = base64.urlsafe_b64encode(hashlib.sha256(row.encoded.encode()).digest())
        assert digest.rstrip(b"=").decode() in record.content["_sd"]
        salt, name, value = json.loads(base64.urlsafe_b64decode(row.encoded + "=="))
        assert len(base64.urlsafe_b64decode(salt + "==")) == 16
        opened[name] = (salt, value)
    assert PHONE in opened["text"][1]
    assert len(record.content["_sd"]) == len(opened)


def test_no_two_salts_are_the_same(case):
    for number in range(3):
        acts.perform(
            case,
            "ask",
            "opinion.submitted",
            Party("household", f"household:{number}"),
            {"text": "同样的话。"},
        )
    digests = [digest for row in case.records.all() for digest in row.content.get("_sd", [])]
    assert len(digests) == len(set(digests)) == 3


def test_what_is_private_is_nowhere_in_it(record):
    for private in (PHONE, "王某某", "101", "household:1", "漏雨"):
        assert private not in record.canonical
    assert Trace.objects.get(record=record).party_key == "household:1"


def test_a_file_stands_in_it_with_type_size_and_hash(record):
    (stated,) = record.content["files"]
    kept = record.files.get()
    content = kept.file.read()
    assert stated == {
        "name": kept.name,
        "type": "image/png",
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    assert "王某某" not in kept.name


def test_a_correction_names_what_it_corrects(record, case):
    data = {"seq": 2, "text": "应为屋面。"}
    done = acts.perform(case, "case", "record.corrected", OFFICE, data)
    assert done.record.content["corrects"] == 2


def test_a_later_round_says_which(case):
    estate = case.community
    errand = acts.open_case(Errand, estate, OFFICE, title="差事")
    for _round in (1, 2):
        acts.perform(errand, "write", "task.done", OFFICE, {"text": "甲"})
        acts.perform(errand, "check_a", "task.done", OFFICE, {"note": "可"})
        acts.perform(errand, "check_b", "task.done", Party("reviewer", "person:2"), {"note": "可"})
        acts.perform(errand, "decide", "task.done", OFFICE, {"note": "可", "chosen": "again"})
    rounds = [r.content.get("round") for r in errand.records.filter(step="write").order_by("seq")]
    assert rounds == [None, None, None, 2, 2, 2, 3]


def test_what_is_too_long_is_refused_and_leaves_nothing(case, monkeypatch):
    monkeypatch.setattr(sys.modules["workflows.records.append"], "MAX_BYTES", 500)
    length = Case.objects.get(pk=case.pk).length
    with pytest.raises(acts.Refused) as refused:
        acts.perform(case, "case", "record.corrected", OFFICE, {"seq": 0, "text": "长" * 300})
    assert refused.value.code == "invalid"
    assert Case.objects.get(pk=case.pk).length == length == case.records.count()


@pytest.mark.parametrize("body", [{"n": 1.5}, {"n": [1, {"m": 2.0}]}, {"n": float("nan")}])
def test_no_float_ever_enters_a_record(case, body):
    with pytest.raises(TypeError, match="in a record"):
        records.append(case, act="x", at=NOON, party=OFFICE, body=body)


def test_a_pseudonym_cannot_be_computed_without_the_cases_salt(record, case):
    plain = base64.b32encode(hashlib.sha256(b"household:1").digest()[:10]).decode()
    assert record.content["party"]["id"] != plain
    assert case.salt.hex() not in "".join(r.canonical for r in case.records.all())
