"""A whole log, read from a folder: every lie is named, an honest log is never accused."""

from __future__ import annotations

import base64
import datetime as dt
import json

import pytest
import rfc8785
from hypothesis import given, settings
from hypothesis import strategies as st

from sanwen import chain, merkle, note
from sanwen.verify import Line, Trust, bundles, verify
from tests.sanwen.made import BEGIN, Maker
from tests.sanwen.test_chain import rechained


def grown(seed: int = 1, count: int = 600, every: int = 100) -> Maker:
    """A log of seven cases with a checkpoint now and then."""
    maker = Maker(seed)
    cases = [maker.case() for _ in range(7)]
    for at in range(count):
        maker.add(maker.random.choice(cases))
        if at % every == every - 1:
            maker.sign()
            maker.now += dt.timedelta(hours=1)
    if not maker.checkpoints or len(maker.records) % every:
        maker.sign()
    return maker


def check(maker: Maker, folder, trust: Trust | None = None):
    maker.write(folder)
    return verify(str(folder), trust or Trust([maker.keys[0][1].verifier]))


def first(maker: Maker, folder, trust: Trust | None = None) -> Line:
    found = check(maker, folder, trust).first_fault
    assert found is not None
    return found


def changed(line: bytes, **more) -> bytes:
    return rfc8785.dumps({**json.loads(line), **more})


# --- nothing is wrong --------------------------------------------------------------------------


def test_an_honest_log_holds_in_every_respect(tmp_path):
    result = check(grown(), tmp_path)
    assert [line.code for line in result.lines] == [
        "signature_holds",
        "root_holds",
        "cases_hold",
        "times_hold",
    ]
    assert result.status == 0


@settings(max_examples=100, deadline=None)
@given(seed=st.integers(0, 2**32), count=st.integers(1, 40), every=st.integers(1, 9))
def test_no_honest_log_is_accused(tmp_path_factory, seed, count, every):
    assert check(grown(seed, count, every), tmp_path_factory.mktemp("log")).status == 0


@pytest.mark.parametrize("count", [1, 2, 255, 256, 257, 511, 513])
def test_every_shape_of_the_tree(tmp_path, count):
    assert check(grown(3, count, 50), tmp_path).status == 0


def test_both_processes_and_many_segments(tmp_path, monkeypatch):
    monkeypatch.setattr(bundles, "SEGMENT", 1)
    maker = grown(5, 1500)
    assert check(maker, tmp_path / "whole").status == 0
    case = next(iter(maker.cases.values()))
    at = maker.records.index(case[len(case) // 2])
    maker.again([*maker.records[:at], *maker.records[at + 1 :]])
    maker.sign()
    found = first(maker, tmp_path / "gap")
    assert (found.code, found.about["fault"].code) == ("in_log", "left_out")
    assert found.about["fault"].about["seq"] == len(case) // 2


# --- the quick way and the exact way judge alike -----------------------------------------------


@settings(max_examples=300, deadline=None)
@given(seed=st.integers(0, 2**16), data=st.data())
def test_what_the_quick_way_takes_the_exact_way_takes_too(seed, data):
    maker = Maker(seed)
    case = maker.case()
    lines = [maker.add(case) for _ in range(3)]
    line = bytearray(data.draw(st.sampled_from(lines)))
    for _ in range(data.draw(st.integers(0, 3))):
        at = data.draw(st.integers(0, len(line) - 1))
        way = data.draw(st.sampled_from(("change", "delete", "insert")))
        if way == "change":
            line[at] = data.draw(st.sampled_from(b'{}[]",:0123456789aeT+-_\\\x00\xff '))
        elif way == "delete":
            del line[at : at + data.draw(st.integers(1, 9))]
        else:
            line[at:at] = data.draw(st.sampled_from([b'"a":1,', b"{}", b"[]", b"0", b"}"]))
        if not line:
            return
    record = bytes(line)
    quick = bundles._Quick().rows(merkle.bundle([record]))
    if quick:
        exact = bundles._exactly(record)
        assert [quick[0][at] for at in (1, 3, 4, 7, 8, 9, 10)] == [
            exact[at] for at in (1, 3, 4, 7, 8, 9, 10)
        ]


def test_the_quick_way_is_the_usual_one():
    maker = grown()
    assert bundles._Quick().rows(merkle.bundle(maker.records[:256])) is not None


# --- the tree ----------------------------------------------------------------------------------


def test_a_changed_byte_in_any_record_is_named_by_its_place(tmp_path):
    maker = grown(2, 300)
    maker.write(tmp_path)
    for index in (0, 1, 255, 256, 299):
        number, at = divmod(index, 256)
        path = tmp_path / merkle.tile_path("entries", number, 256 if number == 0 else 44)
        whole = path.read_bytes()
        records = merkle.unbundle(whole)
        records[at] = records[at].replace(b'"role":"household"', b'"role":"househole"')
        path.write_bytes(merkle.bundle(records))
        found = verify(str(tmp_path), Trust([maker.key.verifier])).first_fault
        assert (found.code, found.about) == ("leaf_wrong", {"index": index})
        path.write_bytes(whole)


@pytest.mark.parametrize(
    "tamper",
    [
        lambda rows: [*rows[:20], *rows[21:]],
        lambda rows: [*rows[:20], rows[3], *rows[20:]],
        lambda rows: [*rows[:20], rows[19], *rows[20:]],
        lambda rows: [*rows[:20], rows[21], rows[20], *rows[22:]],
    ],
    ids=["left out", "inserted", "repeated", "reordered"],
)
def test_a_bundle_tampered_with_is_named_by_the_first_place(tmp_path, tamper):
    maker = grown(2, 200)
    maker.write(tmp_path)
    path = tmp_path / merkle.tile_path("entries", 0, 200)
    path.write_bytes(merkle.bundle(tamper(merkle.unbundle(path.read_bytes()))))
    found = verify(str(tmp_path), Trust([maker.key.verifier])).first_fault
    assert (found.code, found.about) == ("leaf_wrong", {"index": 20})


def test_a_bundle_cut_in_the_middle_or_missing_cannot_be_read(tmp_path):
    maker = grown(2, 200)
    maker.write(tmp_path)
    path = tmp_path / merkle.tile_path("entries", 0, 200)
    path.write_bytes(path.read_bytes()[:-5])
    assert verify(str(tmp_path), Trust([maker.key.verifier])).first_fault.code == "unreadable"
    path.unlink()
    assert verify(str(tmp_path), Trust([maker.key.verifier])).first_fault.code == "unreadable"


def test_a_root_that_is_not_that_of_its_records(tmp_path):
    maker = grown(2, 200)
    text = note.Checkpoint("log.example", 200, b"\1" * 32).text
    maker.checkpoints[-1] = f"{text}\n{maker.key.sign(text)}"
    assert first(maker, tmp_path).code == "tiles_wrong"


# --- a log that lies and signs its lie ----------------------------------------------------------


@pytest.mark.parametrize(
    ("tamper", "code"),
    [
        (lambda c: [*c[:9], *c[10:]], "left_out"),
        (lambda c: [*c[:9], c[8], *c[9:]], "out_of_place"),
        (lambda c: [*c[:9], c[10], c[9], *c[11:]], "left_out"),
        (lambda c: [*c[:9], changed(c[9], act="opinion.withdrawn"), *c[10:]], "prev_wrong"),
        (lambda c: [*c[:9], changed(c[9], procedure="renovation@2"), *c[10:]], "procedure_changed"),
        (
            lambda c: rechained([*c[:9], changed(c[9], at="2026-01-01T00:00:00+08:00"), *c[10:]]),
            "time_back",
        ),
        (lambda c: [*c[:9], c[9].replace(b'"v":1', b'"v":2'), *c[10:]], "malformed"),
        (lambda c: [*c[:9], c[9].replace(b'{"_sd', b'{ "_sd'), *c[10:]], "not_canonical"),
    ],
)
def test_a_chain_broken_before_it_was_signed(tmp_path, tamper, code):
    maker = Maker()
    other, case = maker.case(), maker.case()
    for _ in range(30):
        maker.add(case, words=1)
    maker.add(other)
    maker.again([*tamper(case), *other])
    maker.sign()
    result = check(maker, tmp_path)
    found = result.first_fault
    assert found.code == "in_log"
    assert (found.about["index"], found.about["fault"].code) == (
        10 if code == "prev_wrong" else 9,
        code,
    )
    assert "root_holds" in [line.code for line in result.lines]


def test_a_record_back_dated_beneath_an_earlier_checkpoint(tmp_path):
    maker = grown(4, 300)
    case = maker.case()
    maker.add(case, at="2026-03-03T10:01:00+08:00")
    maker.sign()
    found = first(maker, tmp_path)
    assert found.code == "back_dated"
    assert (found.about["index"], found.about["seq"]) == (300, 0)
    assert found.about["at"] == "2026-03-03T10:01:00+08:00"


def test_a_record_from_the_future(tmp_path):
    maker = grown(4, 300)
    maker.add(maker.case(), at="2026-03-09T10:00:00+08:00")
    maker.sign()
    assert first(maker, tmp_path).code == "post_dated"


def test_the_two_minutes_that_clocks_may_differ(tmp_path):
    maker = grown(4, 100)
    maker.now = dt.datetime.fromisoformat(json.loads(maker.records[-1])["at"])
    for seconds, guilty in ((-118, False), (118, False), (-125, True)):
        at = chain.shown(maker.now + dt.timedelta(seconds=seconds))
        maker.add(maker.case(), at=at)
        maker.sign()
        assert bool(check(maker, tmp_path / str(seconds)).first_fault) is guilty


def test_a_backlog_signed_in_parts_is_not_back_dated(tmp_path):
    """A checkpoint that does not hold all that was entered tells no time."""
    maker = Maker()
    case = maker.case()
    lines = [maker.add(case) for _ in range(9)]
    maker.again([])
    maker.now += dt.timedelta(hours=3)
    for line in lines:
        maker.enter(line)
        maker.sign(timed=len(maker.records) == 9)
    assert check(maker, tmp_path).status == 0


def test_a_witness_catches_a_log_that_lies_about_its_own_time(tmp_path):
    maker = grown(4, 100)
    witness = note.Signer("witness.example", b"\7" * 32)
    maker.now = BEGIN + dt.timedelta(days=9)
    text = maker.checkpoints[-1].split("\n\n")[0] + "\n"
    maker.checkpoints[-1] += witness.cosign(text, int(maker.now.timestamp()))
    maker.now = BEGIN + dt.timedelta(hours=5)
    maker.add(maker.case())
    maker.sign()
    assert check(maker, tmp_path / "alone").status == 0
    trust = Trust([maker.key.verifier], [witness.verifier])
    assert first(maker, tmp_path / "both", trust).code == "back_dated"


def test_without_earlier_checkpoints_the_order_is_looked_at(tmp_path):
    maker = grown(4, 100)
    maker.add(maker.case(), at="2026-03-03T09:00:00+08:00")
    maker.sign()
    maker.write(tmp_path)
    (tmp_path / "checkpoints/0").unlink()
    result = verify(str(tmp_path), Trust([maker.key.verifier]))
    assert [line.code for line in result.lines][-2:] == ["no_checkpoints", "order_odd"]
    assert result.lines[-1].about["index"] == 100


# --- what was seen before ----------------------------------------------------------------------


@pytest.fixture
def remembered(tmp_path):
    """A log of 300 records that the verifier has seen, and its memory."""
    maker = grown(6, 300)
    trust = Trust(state=tmp_path / "state.json")
    maker.write(tmp_path / "first")
    seen = maker.now
    result = verify(str(tmp_path / "first"), trust)
    assert result.lines[0].code == "key_first_seen"
    held = json.loads(trust.state.read_text())
    held["log.example"]["at"] = chain.shown(seen)
    trust.state.write_text(json.dumps(held))
    return maker, trust


def test_a_log_that_grew_holds_and_is_remembered_anew(remembered, tmp_path):
    maker, trust = remembered
    maker.add(maker.case())
    maker.sign()
    result = check(maker, tmp_path / "again", trust)
    assert result.status == 0
    assert "grown" in [line.code for line in result.lines]
    assert "\n301\n" in json.loads(trust.state.read_text())["log.example"]["checkpoint"]


def test_a_checkpoint_that_shrinks(remembered, tmp_path):
    maker, trust = remembered
    maker.again(maker.records[:200])
    maker.sign()
    found = first(maker, tmp_path / "again", trust)
    assert (found.code, found.about) == ("shrank", {"old": 300, "size": 200})


def test_a_log_that_forks_against_what_was_seen_or_against_itself(remembered, tmp_path):
    maker, trust = remembered
    before = list(maker.checkpoints)
    case = maker.case()
    maker.again([*maker.records[:250], maker.add(case), *maker.records[251:300]])
    maker.sign()
    assert first(maker, tmp_path / "seen", trust).code == "forked"
    maker.checkpoints = [*before[:-1], *maker.checkpoints]
    found = first(maker, tmp_path / "itself")
    assert found.code in ("forked", "in_log")


def test_a_record_slipped_in_later_than_it_says_is_seen_by_who_looked(remembered, tmp_path):
    maker, trust = remembered
    maker.add(maker.case(), at=chain.shown(BEGIN))
    maker.checkpoints = []
    maker.sign(timed=False)
    assert first(maker, tmp_path / "again", trust).code == "back_dated"


def test_a_replaced_key_that_the_old_one_did_not_introduce(remembered, tmp_path):
    maker, trust = remembered
    maker.key = note.Signer("log.example", b"\5" * 32)
    maker.keys.append((300, maker.key))
    maker.add(maker.case())
    maker.sign()
    found = first(maker, tmp_path / "again", trust)
    assert found.code == "key_unknown"
    assert str(found.about["found"]) == str(maker.key.verifier)


def test_a_replaced_key_with_a_record_that_only_itself_has_signed(remembered, tmp_path):
    maker, trust = remembered
    old, new = maker.key, note.Signer("log.example", b"\5" * 32)
    site = maker.cases.setdefault("SITE-2026-0001", [])
    maker.disclosures["SITE-2026-0001"] = []
    body = {"old": str(old.verifier), "new": str(new.verifier)}
    maker.add(site, 0, act="log.key_rotated", procedure="site@1", body=body)
    maker.key = new
    maker.keys.append((301, new))
    maker.sign()
    assert first(maker, tmp_path / "again", trust).code == "key_unknown"


def test_a_key_handed_over_in_the_log_is_followed_both_ways(remembered, tmp_path):
    maker, trust = remembered
    maker.rotate()
    maker.add(maker.case())
    maker.sign()
    maker.rotate()
    maker.add(maker.case())
    maker.sign()
    assert check(maker, tmp_path / "again", trust).status == 0
    assert json.loads(trust.state.read_text())["log.example"]["key"] == str(maker.key.verifier)
    for _since, key in maker.keys:
        assert check(maker, tmp_path / "again", Trust([key.verifier])).status == 0


def test_an_old_key_that_signs_on_after_it_was_replaced(remembered, tmp_path):
    maker, trust = remembered
    old = maker.key
    maker.rotate()
    maker.add(maker.case())
    maker.sign()
    maker.key = old
    maker.add(maker.case())
    maker.sign()
    assert first(maker, tmp_path / "again", trust).code == "key_unknown"


def test_a_wrong_key_and_a_false_signature(tmp_path):
    maker = grown(2, 50)
    stranger = note.Signer("log.example", b"\5" * 32).verifier
    assert first(maker, tmp_path, Trust([stranger])).code == "key_unknown"
    line = maker.checkpoints[-1]
    head, _dash, tail = line.rpartition(" ")
    raw = bytearray(base64.b64decode(tail))
    raw[-1] ^= 1
    maker.checkpoints[-1] = f"{head} {base64.b64encode(raw).decode()}\n"
    assert first(maker, tmp_path).code == "bad_checkpoint"
    (tmp_path / "checkpoint").write_text("log.example\n5\n")
    assert verify(str(tmp_path)).first_fault.code == "bad_checkpoint"


def test_what_is_no_log_is_said(tmp_path):
    assert verify(str(tmp_path / "none")).first_fault.code == "unknown_thing"
    assert verify("http://127.0.0.1:9/").first_fault.code == "unreadable"
    assert verify("ftp://example.org/").first_fault.code == "unreadable"
