"""A case's records by themselves: every way of tampering is named at its place, nothing else is."""

from __future__ import annotations

import base64
import json

import pytest
import rfc8785

from sanwen import chain, disclosure, merkle
from sanwen.faults import SAID, Fault
from tests.sanwen.made import Maker


@pytest.fixture
def maker():
    return Maker()


def case_of(maker: Maker, count: int = 8) -> list[bytes]:
    case = maker.case()
    for _ in range(count):
        maker.add(case, words=2)
    return case


def fault(lines: list[bytes]) -> Fault:
    with pytest.raises(Fault) as caught:
        chain.check(lines)
    return caught.value


def rechained(lines: list[bytes], start: int = 0) -> list[bytes]:
    """The lines with positions and hashes made to fit, as a thorough forger would."""
    done = lines[:start]
    for seq, line in enumerate(lines[start:], start):
        content = json.loads(line)
        content["seq"] = seq
        content.pop("prev", None)
        if seq:
            content["prev"] = base64.b64encode(merkle.leaf_hash(done[-1])).decode()
        done.append(rfc8785.dumps(content))
    return done


def test_a_thousand_untouched_cases_hold():
    maker = Maker(seed=7)
    for count in range(1000):
        case = maker.case()
        for _ in range(1 + count % 7):
            maker.add(case)
        number = maker.number(case)
        followed, contents = chain.check(case)
        assert (followed.case, followed.length) == (number, len(case))
        given = maker.disclosures[number]
        assert chain.check_disclosures(dict(enumerate(contents)), given)[0] == len(given)


def test_every_changed_byte_but_of_the_last_record_is_caught_where_it_is(maker):
    case = case_of(maker, 3)
    for at in range(len(case[1])):
        changed = bytearray(case[1])
        changed[at] ^= 1
        found = fault([case[0], bytes(changed), case[2]])
        assert found.about.get("seq") in (1, 2)


def test_a_changed_word_is_named_by_the_record_that_follows(maker):
    case = case_of(maker)
    changed = case[3].replace(b'"role":"household"', b'"role":"officer"')
    found = fault([*case[:3], changed, *case[4:]])
    assert (found.code, found.about) == ("prev_wrong", {"seq": 4, "before": 3})


@pytest.mark.parametrize(
    ("tamper", "code", "seq"),
    [
        (lambda c: [*c[:3], *c[4:]], "left_out", 3),
        (lambda c: c[1:], "left_out", 0),
        (lambda c: [*c[:4], c[3], *c[4:]], "out_of_place", 4),
        (lambda c: [*c[:3], c[4], c[3], *c[5:]], "left_out", 3),
        (lambda c: [*c[:3], c[0], *c[3:]], "out_of_place", 3),
        (lambda c: [*c[:3], rechained(c[:4])[3].replace(b'"v":1', b'"v":2')], "malformed", 3),
        (lambda c: [*c[:3], c[3] + b" ", *c[4:]], "not_canonical", 3),
        (lambda c: [*c[:3], c[3].replace(b'"act"', b'"act":"x","act"')], "not_canonical", 3),
        (lambda c: [*c[:3], c[3].replace(b'"v":1', b'"v":1.0')], "malformed", 3),
        (lambda c: [*c[:3], b"[" * 60000], "malformed", 3),
        (lambda c: [*c[:3], b'{"a":"\\ud800"}'], "malformed", 3),
        (lambda c: [*c[:3], b"x" * 70000], "malformed", 3),
        (lambda c: [*c[:3], c[3].replace(b"RENO-2026-0001", b"RENO-2026-0002")], "another_case", 3),
        (lambda c: [*c[:3], c[3].replace(b"2026.1", b"2026.2"), *c[4:]], "procedure_changed", 3),
    ],
)
def test_what_was_done_to_a_chain_is_named_at_its_place(maker, tamper, code, seq):
    found = fault(tamper(case_of(maker)))
    assert found.code == code
    assert found.about["seq"] == seq


def test_a_case_without_records_is_none():
    assert fault([]).code == "nothing"


def test_a_record_dated_before_the_one_ahead_of_it_even_if_all_hashes_fit(maker):
    case = case_of(maker)
    content = json.loads(case[4])
    content["at"] = "2026-03-03T09:50:00+08:00"
    found = fault(rechained([*case[:4], rfc8785.dumps(content), *case[5:]], 4))
    assert (found.code, found.about["seq"]) == ("time_back", 4)


def test_a_clock_that_was_put_right_accuses_nobody(maker):
    case = case_of(maker, 3)
    content = json.loads(case[1])
    content["at"] = "2026-03-03T09:59:30+08:00"
    chain.check(rechained([case[0], rfc8785.dumps(content), case[2]], 1))


def test_times_of_other_zones_are_the_same_moment():
    assert chain.moment("2026-03-03T02:00:00Z") == "2026-03-03T10:00:00+08:00"
    for wrong in ("2026-03-03", "2026-02-30T10:00:00+08:00", "2026-03-03T10:00:00", "٢026"):
        assert not chain.is_moment(wrong)


# --- disclosures -------------------------------------------------------------------------------


def test_a_masked_value_swapped_for_another_is_named(maker):
    case = case_of(maker)
    contents = dict(enumerate(chain.check(case)[1]))
    given = maker.disclosures[maker.number(case)]
    seq, text = given[4]
    salt = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))[0]
    array = json.dumps([salt, "text0", "另一段话"], ensure_ascii=False).encode()
    swapped = base64.urlsafe_b64encode(array).decode().rstrip("=")
    for wrong in (swapped, disclosure.made("text0", "另一段话")):
        with pytest.raises(Fault) as caught:
            chain.check_disclosures(contents, [*given[:4], (seq, wrong), *given[5:]])
        assert caught.value.code == "disclosure_unknown"
        assert caught.value.about == {"seq": seq, "name": "text0"}


def test_disclosures_of_another_record_doubled_or_torn_are_refused(maker):
    case = case_of(maker)
    contents = dict(enumerate(chain.check(case)[1]))
    given = maker.disclosures[maker.number(case)]
    for wrong, code in (
        ([(5, given[0][1])], "disclosure_unknown"),
        ([(99, given[0][1])], "disclosure_unknown"),
        ([given[0], given[0]], "disclosure_repeated"),
        ([(0, given[0][1][:-9])], "disclosure_malformed"),
        ([(0, "中文")], "disclosure_malformed"),
    ):
        with pytest.raises(Fault) as caught:
            chain.check_disclosures(contents, wrong)
        assert caught.value.code == code


def test_a_withdrawn_word_is_counted_and_nobody_accused(maker):
    case = case_of(maker)
    contents = dict(enumerate(chain.check(case)[1]))
    given = maker.disclosures[maker.number(case)]
    whole = chain.check_disclosures(contents, given)
    fewer = chain.check_disclosures(contents, given[2:])
    assert fewer == (whole[0] - 2, whole[1] + 2)


def test_every_finding_has_its_sentence_in_both_languages():
    import string

    names = [
        [{name for _t, name, _f, _c in string.Formatter().parse(text) if name} for text in pair]
        for pair in SAID.values()
    ]
    assert all(zh == en for zh, en in names)
