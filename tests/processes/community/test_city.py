"""A generated city: every byte as the door writes it, all of it verifiable, and it goes on."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db.models import Q

from processes.appeals import demo as appeals
from processes.community import demo
from processes.community.city import copies, making, patterns
from processes.community.models import HouseholdMember, Person, Role
from processes.disclosure import demo as disclosure
from processes.open_days import demo as open_days
from processes.public_posts import demo as public_posts
from processes.renovation import demo as renovation
from sanwen.verify import Trust, verify
from workflows import acts, clock, records, sweep
from workflows.models import Alias, Attachment, Case, Community, Opinion, Record, StepRun, Trace
from workflows.parties import Party
from workflows.records import log

TODAY = dt.datetime(2026, 11, 24, 12, tzinfo=clock.SHANGHAI)


@pytest.fixture(autouse=True)
def _key(settings, tmp_path):
    settings.DEMO = True
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.SANWEN_LOG_KEY = ""
    settings.SANWEN_LOG_KEY_FILE = tmp_path / "log.key"


# --- every byte --------------------------------------------------------------------------------


class AsItWas(copies.Drawn):
    """Draws what the door drew for the pattern itself."""

    def __init__(self, reader: patterns.Reader) -> None:
        self.reader = reader

    def salt(self, case):
        return bytes(self.reader.pattern.cases[case].salt)

    def alias(self, number):
        return sorted(self.reader.found[Alias].items())[number][1].name

    def disclosure_salt(self, number):
        return self.reader.pattern.disclosures[number][1]

    def other(self, blank):
        if blank[0] == "drawn":
            return blank[1]
        if blank[0] == "uuid":
            return self.reader.found[Attachment][blank[1]].uid.hex
        row = self.reader.found[blank[1]][blank[2]]
        return row.door if blank[0] == "token" else bytes(row.hash).hex()


class Same(dict):
    """Whoever and whatever was there, is."""

    def __missing__(self, key):
        return key if isinstance(key, int) else key[1]


class Keys(dict):
    """The keys that rows have."""

    def __init__(self, reader):
        super().__init__()
        self.reader = reader

    def __missing__(self, model):
        keys = sorted(self.reader.found[model])
        return SimpleNamespace() if not keys else _Row(keys)


class _Row:
    def __init__(self, keys):
        self.keys = keys

    def __add__(self, number):
        return self.keys[number]


def onto_itself(case: Case) -> Counter[str]:
    """Fill the pattern of a case with what it was read from; how many rows of each model came out
    as they are stored."""
    reader = patterns.Reader(case, clock.now())
    pattern = reader.read()
    place = copies.Place(case.community_id, case.community.name, Same(), Same())
    numbers = tuple(each.number for each in pattern.cases)
    copy = copies.Copy(place, Keys(reader), numbers, 0)
    found: Counter[str] = Counter()
    for model, lines in copies.Filler(pattern).fill(copy, AsItWas(reader)):
        rows = [row for _key, row in sorted(reader.found[model].items())]
        for row, line in zip(rows, lines, strict=True):
            columns = model._meta.concrete_fields
            stored = [patterns.plain(c, getattr(row, c.attname)) for c in columns]
            kept = [
                "\\N" if c.attname == "log_index" else cell
                for c, cell in zip(columns, stored, strict=True)
            ]
            assert line.split("\t") == kept, (model, row.pk)
        found[model.__name__] += len(lines)
    return found


@pytest.mark.slow
def test_a_pattern_filled_with_what_it_was_read_from_is_the_same_to_the_byte(site):
    """Every kind of act that the demo knows, of every procedure, by the real door."""
    with clock.at(TODAY):
        for module in (renovation, public_posts, disclosure, appeals, open_days):
            list(module.load(TODAY))
    clock.set_now(TODAY)
    found: Counter[str] = Counter()
    for case in Case.objects.filter(parent=None).select_related("community"):
        found += onto_itself(case)
    assert found["Case"] == Case.objects.count()
    assert found["Record"] == Record.objects.count()
    assert found["Opinion"] == Opinion.objects.count()
    assert found["Trace"] == Trace.objects.count()
    assert len(set(Record.objects.values_list("act", flat=True))) > 50


def test_the_plan_gives_the_cases_that_were_asked_for_and_about_the_records():
    sizes = [(1, 10), (1, 40), (4, 900), (1, 700), (1, 14)]
    for cases, wanted in ((1000, 100), (37, 60), (10_000, 500)):
        counts = making.shares(sizes, cases, cases * wanted)
        assert sum(n * c for n, (c, _r) in zip(counts, sizes, strict=True)) == cases
        made = sum(n * r for n, (_c, r) in zip(counts, sizes, strict=True))
        assert 0.8 < made / (cases * wanted) < 1.2
    counts = making.shares(sizes, 1000, 10**9)  # longer than any
    assert counts[3] == max(counts)


# --- the command -------------------------------------------------------------------------------


@pytest.fixture
def few(monkeypatch):
    """Two stages of a renovation and an open day, and no demo beside them: it takes seconds."""
    monkeypatch.setattr(renovation, "SCENES", renovation.SCENES[:2])
    monkeypatch.setattr(demo, "offered", lambda: [renovation, open_days])
    monkeypatch.setattr(demo, "load", lambda _today: iter(()))


def generated():
    """Its cases."""
    return Case.objects.filter(community__code__startswith="sample-")


@pytest.mark.city
@pytest.mark.django_db(transaction=True)
def test_a_small_city_verifies_is_looked_at_and_goes_on(site, few, client, tmp_path):
    call_command("generate", residents=300, cases=20, records=2000, processes=2, verbosity=0)
    assert generated().count() == 20
    assert all(case.demo for case in generated())
    assert Person.objects.filter(households__isnull=False).count() >= 300
    made = Record.objects.filter(case__in=generated())
    assert 1000 < made.count() < 4000
    _verifies(tmp_path)
    _numbers_are_nobody_else_s()
    for case in generated():
        page = client.get(case.get_absolute_url())
        assert page.status_code == 200
        assert case.number in page.content.decode()
    _goes_on()
    _verifies(tmp_path / "then")
    clock.set_now(None)
    _again()


def _verifies(folder):
    assert all(records.first_fault(case) is None for case in Case.objects.all())
    log.integrate_now()
    assert log.latest().size == Record.objects.count()
    folder.mkdir(exist_ok=True)
    log.write_to(folder)
    found = verify(str(folder), Trust([log.signer().verifier]))
    assert found.status == 0, [line.text("en") for line in found.lines]


def _numbers_are_nobody_else_s():
    """Salts, pseudonyms, receipts and disclosures of copies are their own."""
    for rows, name in (
        (Case.objects.all(), "salt"),
        (Alias.objects.all(), "name"),
        (Trace.objects.exclude(receipt=None), "receipt"),
    ):
        held = [bytes(v) if name != "name" else v for v in rows.values_list(name, flat=True)]
        assert len(set(held)) == len(held)
    for case in generated():
        assert not Trace.objects.filter(record__case=case, user__username="juwei").exists()


def _goes_on():
    """A resident speaks at a generated case, the office of its street answers, its term ends."""
    run = StepRun.objects.filter(
        process__in=generated(), name="ask_needs", finished__isnull=True
    ).first()
    member = HouseholdMember.objects.filter(
        household__unit__stairwell__building__estate__community=run.process.community, owns=True
    ).first()
    resident = Party("household", f"household:{member.household.unit_id}", member.person_id)
    said = {"text": "希望单元门口加一盏灯。"}
    acts.perform(run.process_id, "ask_needs", "opinion.submitted", resident, said)
    with pytest.raises(acts.Refused):  # the words are known: its fingerprint is the case's own
        acts.perform(run.process_id, "ask_needs", "opinion.submitted", resident, said)
    serves = Role.objects.get(community=run.process.community.parent, role="residents_committee")
    committee = Party("residents_committee", f"person:{serves.person_id}", serves.person_id)
    waiting = Opinion.objects.filter(run=run, life="submitted")
    assert waiting.count() > 1
    for item in set(waiting.values_list("item", "stance")):
        group = list(waiting.filter(item=item[0], stance=item[1]))
        reply = {
            "opinions": [opinion.pk for opinion in group],
            "outcome": "adopted",
            "public_text": group[0].text,
            "reason": "已列入改造内容。",
        }
        acts.perform(run.process_id, "ask_needs", "opinion.replied", committee, reply)
    clock.set_now(run.ends_at + dt.timedelta(hours=1))
    sweep.sweep(Q(process=run.process))
    run.refresh_from_db()
    assert run.outcome == "done"
    assert StepRun.objects.filter(process=run.process, finished=None).exists()


def _again():
    """It is not made twice, nor beside anything real."""
    before = Record.objects.count()
    with pytest.raises(CommandError, match="cannot be gone on with"):
        call_command("generate", residents=10, cases=2, records=10, verbosity=0)
    Case.objects.filter(pk=generated().first().pk).update(demo=False)
    with pytest.raises(CommandError, match="left alone"):
        call_command("generate", residents=10, cases=2, records=10, verbosity=0)
    assert Record.objects.count() == before


@pytest.mark.django_db
def test_a_database_with_people_is_left_alone(site):
    Person.objects.create_user("wang")
    with pytest.raises(CommandError, match="left alone"):
        call_command("generate", residents=10, cases=2, records=10, verbosity=0)
    assert Community.objects.count() == 0
    with pytest.raises(CommandError, match="at least one"):
        call_command("generate", residents=0)
