"""Good rolls: what is read, how heads are counted, how an import changes an estate."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from processes.community import claims, generator, rolls
from processes.community.directory import CommunityDirectory
from processes.community.models import (
    Building,
    Estate,
    Household,
    HouseholdMember,
    Owner,
    Person,
    RollImport,
    Stairwell,
    Unit,
)
from processes.community.rolls import (
    MAX_TOTAL,
    OwnerName,
    Preview,
    RollRefused,
    Totals,
    apply_roll,
    parse_area,
    preview,
)
from workflows import clock
from workflows.counting import area_words, freeze_roll
from workflows.parties import Party

from .places import GOOD, HEADING, make_estate, make_staff, table, workbook

SAMPLES = Path(generator.__file__).parent / "samples"
NOON = dt.datetime(2025, 5, 6, 12, tzinfo=clock.SHANGHAI)


# --- reading -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(table(GOOD), id="UTF-8"),
        pytest.param(b"\xef\xbb\xbf" + table(GOOD), id="UTF-8 with mark"),
        pytest.param(table(GOOD).decode().encode("gb18030"), id="GB18030"),
        pytest.param(table(GOOD).replace(b",", b"\t"), id="tabs"),
        pytest.param(table(GOOD).replace(b",", b";"), id="semicolons"),
        pytest.param(table(GOOD).replace(b"\r\n", b"\r"), id="old line ends"),
        pytest.param(table("", ",,,", GOOD, "").replace(b"\r\n,,,", b""), id="blank line"),
        pytest.param(
            table(
                "1,1,101,85.3 m2,register,张示甲,no,",
                heading="Building,Stairwell,Room,Area (m²),Title source,Owners,"
                "Developer unsold,Owner id",
            ),
            id="English",
        ),
        pytest.param(
            table(
                "１号楼,1单元,101室,８５．３０平方米,不动产登记, 张 示甲 ,,",
                heading="楼栋,单元号,房号,建筑面积（㎡）,面积来源,产权人,未售,产权人编号",
            ),
            id="synonyms and suffixes",
        ),
        pytest.param(
            table("85.30㎡,张示甲,登记,101,1,1", heading="面积,权利人,面积依据,房间号,单元,幢号"),
            id="other order, no optional columns",
        ),
        pytest.param(workbook(["1", "1", "101", 85.3, "登记", "张示甲", "否", None]), id="XLSX"),
        pytest.param(workbook([1, 1, 101, "85.30", "登记", "张示甲", False]), id="XLSX numbers"),
        pytest.param(
            workbook([1.0, 1, 101, 85.299999999999997, "登记", "张示甲"]), id="XLSX binary fraction"
        ),
    ],
)
def test_the_same_unit_however_it_is_written(content: bytes) -> None:
    seen = preview(content, "名册")
    assert seen.problems == []
    (row,) = seen.rows
    assert row.place == ("1", "1", "101")
    assert (row.area, row.source, row.developer_unsold) == (8530, "register", False)
    assert row.owners == (OwnerName("张示甲"),)
    assert seen.totals == Totals(1, 1, 8530)


def test_kind_names_the_encoding() -> None:
    assert preview(table(GOOD), "").kind == "CSV (UTF-8)"
    assert preview(table(GOOD).decode().encode("gb18030"), "").kind == "CSV (GB18030)"
    assert preview(workbook(["1"]), "x.csv").kind == "XLSX"


def test_a_rare_name_survives_gb18030() -> None:
    content = table(GOOD.replace("张示甲", "𠮷示甲")).decode().encode("gb18030")
    assert preview(content, "").rows[0].owners == (OwnerName("𠮷示甲"),)


def test_two_byte_chance_does_not_make_a_gb18030_file_mixed() -> None:
    # 联通 in GB18030 looks nearly like UTF-8; 亩 (C4 B6) in a line of its own is valid UTF-8.
    content = "building,stairwell,room,area,title source,owners\n1,1,1,9,register,亩\n".encode(
        "gb18030"
    ) + "1,1,2,9,register,张示甲\n".encode("gb18030")
    assert [row.owners[0].name for row in preview(content, "").rows] == ["亩", "张示甲"]


def test_rows_are_numbered_as_in_the_file() -> None:
    content = table(",,,,,,,", GOOD, ",,,,,,,", GOOD.replace("101", "102"))
    assert [row.row for row in preview(content, "").rows] == [3, 5]


@pytest.mark.parametrize("sign", ["、", ";", "；", "/", "／"])
def test_co_owners(sign: str) -> None:
    line = GOOD.replace("张示甲", f'"张示甲{sign} 李示乙"')
    assert preview(table(line), "").rows[0].owners == (OwnerName("张示甲"), OwnerName("李示乙"))


@pytest.mark.parametrize(
    ("lines", "heads"),
    [
        pytest.param([("甲", "否", ""), ("乙", "否", "")], 2, id="one unit one head"),
        pytest.param([("甲", "否", ""), ("甲", "否", "")], 1, id="one owner of two units"),
        pytest.param([("甲", "否", "1"), ("甲", "否", "2")], 2, id="namesakes"),
        pytest.param([("甲、乙", "否", ""), ("乙、甲", "否", "")], 1, id="the same co-owners"),
        pytest.param([("甲、乙", "否", ""), ("甲", "否", "")], 2, id="alone and together"),
        pytest.param([("", "是", ""), ("", "yes", "")], 1, id="developer"),
        pytest.param([("", "是", ""), ("甲", "是", ""), ("甲", "", "")], 2, id="not handed over"),
    ],
)
def test_heads_by_the_laws_rule(lines: list[tuple[str, str, str]], heads: int) -> None:
    content = table(*(f"1,1,{n},50,测绘,{o},{u},{i}" for n, (o, u, i) in enumerate(lines, 101)))
    seen = preview(content, "")
    assert seen.problems == []
    assert seen.totals == Totals(len(lines), heads, 5000 * len(lines))


# --- areas -------------------------------------------------------------------------------------


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 100_000_000),
    st.sampled_from(["", "㎡", "m²", "m2", "M2", " 平方米", "平米"]),
    st.booleans(),
    st.booleans(),
)
def test_every_area_reads_back(area: int, unit: str, commas: bool, wide: bool) -> None:
    text = area_words(area) if commas else f"{area // 100}.{area % 100:02d}"
    if wide:
        text = "".join(chr(ord(sign) + 0xFEE0) if sign != "," else "，" for sign in text)
    assert parse_area(f" {text}{unit} ") == area


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 4).flatmap(lambda places: st.decimals(-10, 10**7, places=places)))
def test_no_area_is_rounded(number: Decimal) -> None:
    text = f"{number:f}"
    try:
        area = parse_area(text)
    except ValueError:
        return
    assert Decimal(area) == number * 100


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_an_area_or_refused(text: str) -> None:
    try:
        area = parse_area(text)
    except ValueError:
        return
    assert 0 < area <= 100_000_000


def test_bounds_of_areas() -> None:
    assert parse_area("0.01") == 1
    assert parse_area("1,000,000") == 100_000_000
    assert parse_area("66,783,970.00", MAX_TOTAL) == 6_678_397_000
    with pytest.raises(ValueError, match="过大"):
        parse_area("1000000.01")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_no_bytes_bring_the_preview_down(content: bytes) -> None:
    seen = preview(HEADING.encode() + b"\n" + content, "")
    assert seen.sound or seen.problems


# --- importing ---------------------------------------------------------------------------------


@pytest.fixture
def estate(db: None) -> Estate:
    return make_estate()


@pytest.fixture
def clerk(estate: Estate) -> Person:
    return make_staff("clerk", estate.community)


LINES = (
    "2,1,101,85.30,登记,张示甲、李示乙,否,",
    "2,1,102,60.00,测绘,王示丙,否,",
    "1,1,101,85.30,登记,王示丙,否,",
    "1,2,101,40.00,合同,,是,",
)
DECLARED = Totals(4, 3, 27060)


def seen_of(*lines: str) -> Preview:
    seen = preview(table(*lines), "")
    assert seen.problems == []
    return seen


def test_import_keeps_the_order_of_the_file(estate: Estate, clerk: Person) -> None:
    with clock.at(NOON):
        done = apply_roll(seen_of(*LINES), estate, DECLARED, clerk)
    assert (done.units, done.heads, done.area) == (4, 3, 27060)
    assert (done.by, done.at, len(done.sha256)) == (clerk, NOON, 64)
    assert [b.number for b in estate.buildings.all()] == ["2", "1"]
    wells = Stairwell.objects.filter(building__estate=estate)
    assert [str(well) for well in wells] == ["2号楼1单元", "1号楼1单元", "1号楼2单元"]
    units = list(Unit.objects.all())
    assert [unit.room for unit in units] == ["101", "102", "101", "101"]
    assert [unit.title_source for unit in units] == ["register", "survey", "register", "contract"]
    roll = CommunityDirectory().roll("owners", estate.community)
    assert roll[0].owner_labels == ("张示甲", "李示乙")
    entries = freeze_roll("owners", roll)
    assert sorted(entry.area for entry in entries) == [4000, 8530, 14530]
    # The developer lives in no unit.
    assert Household.objects.count() == 3


@pytest.mark.parametrize(
    ("declared", "column", "stated", "counted"),
    [
        (Totals(5, 3, 27060), "户数", "5", "4"),
        (Totals(4, 4, 27060), "业主人数", "4", "3"),
        (Totals(4, 3, 27061), "专有面积", "270.61㎡", "270.60㎡"),
    ],
)
def test_other_totals_than_declared_change_nothing(
    estate: Estate, clerk: Person, declared: Totals, column: str, stated: str, counted: str
) -> None:
    with pytest.raises(RollRefused) as refused:
        apply_roll(seen_of(*LINES), estate, declared, clerk)
    (problem,) = refused.value.problems
    assert (problem.row, problem.column) == (0, column)
    assert stated in problem.message
    assert counted in problem.message
    assert not Building.objects.exists()
    assert not RollImport.objects.exists()


def test_a_roll_with_a_problem_is_not_imported_in_part(estate: Estate, clerk: Person) -> None:
    seen = preview(table(*LINES, "1,2,102,0,登记,赵示丁,否,"), "")
    with pytest.raises(RollRefused) as refused:
        apply_roll(seen, estate, seen.totals, clerk)
    assert [p.row for p in refused.value.problems] == [6]
    assert not Unit.objects.exists()
    assert not Owner.objects.exists()


def test_a_failure_half_way_leaves_nothing(
    estate: Estate, clerk: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(**_values: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(RollImport.objects, "create", fail)
    with pytest.raises(RuntimeError):
        apply_roll(seen_of(*LINES), estate, DECLARED, clerk)
    assert not Building.objects.exists()
    assert not Owner.objects.exists()


def claim(unit: Unit, person: Person) -> HouseholdMember:
    return HouseholdMember.objects.create(
        household=unit.household, person=person, since=dt.date(2025, 1, 1)
    )


def test_import_again_updates_in_place_and_keeps_claims(estate: Estate, clerk: Person) -> None:
    apply_roll(seen_of(*LINES), estate, DECLARED, clerk)
    before = {unit.label: unit.pk for unit in Unit.objects.all()}
    claimed = claim(Unit.objects.get(pk=before["2号楼1单元102室"]), clerk)
    lines = (
        "1,1,101,86.00,测绘,钱示戊,否,",
        "2号楼,1单元,102室,60.00,测绘,王示丙,否,",
        "3,1,101,50.00,登记,王示丙,否,",
    )
    seen = seen_of(*lines)
    apply_roll(seen, estate, Totals(3, 2, 19600), clerk)
    after = {unit.label: unit for unit in Unit.objects.all()}
    assert list(after) == ["1号楼1单元101室", "2号楼1单元102室", "3号楼1单元101室"]
    assert after["1号楼1单元101室"].pk == before["1号楼1单元101室"]
    assert after["1号楼1单元101室"].area == 8600
    claimed.refresh_from_db()
    assert claimed.household.unit_id == before["2号楼1单元102室"]
    assert set(Owner.objects.values_list("name", flat=True)) == {"钱示戊", "王示丙"}
    assert [b.number for b in estate.buildings.all()] == ["1", "2", "3"]
    assert [str(w) for w in Stairwell.objects.all()] == ["1号楼1单元", "2号楼1单元", "3号楼1单元"]
    assert RollImport.objects.count() == 2


def test_the_same_roll_again_changes_no_row(estate: Estate, clerk: Person) -> None:
    apply_roll(seen_of(*LINES), estate, DECLARED, clerk)
    units, owners = list(Unit.objects.values()), list(Owner.objects.values())
    apply_roll(seen_of(*LINES), estate, DECLARED, clerk)
    assert list(Unit.objects.values()) == units
    assert list(Owner.objects.values()) == owners


def test_a_claimed_unit_may_not_disappear(estate: Estate, clerk: Person) -> None:
    apply_roll(seen_of(*LINES), estate, DECLARED, clerk)
    claim(Unit.objects.get(room="102"), clerk)
    with pytest.raises(RollRefused) as refused:
        apply_roll(seen_of(LINES[0]), estate, Totals(1, 1, 8530), clerk)
    (problem,) = refused.value.problems
    assert "2号楼1单元102室" in problem.message
    assert Unit.objects.count() == 4


def test_owners_of_another_estate_are_others(estate: Estate, clerk: Person) -> None:
    other = make_estate("lin")
    apply_roll(seen_of(*LINES), estate, DECLARED, clerk)
    apply_roll(seen_of(*LINES), other, DECLARED, clerk)
    assert Owner.objects.filter(name="王示丙").count() == 2
    apply_roll(seen_of(LINES[1]), other, Totals(1, 1, 6000), clerk)
    assert Unit.objects.filter(stairwell__building__estate=estate).count() == 4


def test_a_number_keeps_an_owner_through_a_change_of_name(estate: Estate, clerk: Person) -> None:
    apply_roll(seen_of("1,1,101,50,登记,张示甲,否,A1"), estate, Totals(1, 1, 5000), clerk)
    owner = Owner.objects.get()
    apply_roll(seen_of("1,1,101,50,登记,张示己,否,A1"), estate, Totals(1, 1, 5000), clerk)
    assert list(Owner.objects.values_list("pk", "name")) == [(owner.pk, "张示己")]


# --- the generator -----------------------------------------------------------------------------


def test_the_demo_roll_is_exact(estate: Estate, clerk: Person) -> None:
    rows = generator.generate()
    seen = preview(generator.as_csv(rows), "")
    assert seen.problems == []
    assert seen.totals == Totals(432, 403, 6_678_397)
    assert area_words(seen.totals.area) == "66,783.97"
    assert len({row.building for row in seen.rows}) == 12
    assert sum(row.developer_unsold for row in seen.rows) == 8
    owners = [row.owners for row in seen.rows if row.owners]
    assert any(len(each) == 2 for each in owners)
    assert len(owners) - len(set(owners)) == 22
    assert all("示" in owner.name[1:3] for each in owners for owner in each)
    done = apply_roll(seen, estate, Totals(432, 403, 6_678_397), clerk)
    roll = freeze_roll("owners", CommunityDirectory().roll("owners", estate.community))
    assert (len(roll), sum(entry.area for entry in roll)) == (done.heads, done.area)


@pytest.mark.parametrize("name", ["roll-demo.csv", "roll-demo.xlsx"])
def test_the_samples_are_what_the_generator_makes(name: str) -> None:
    seen = preview((SAMPLES / name).read_bytes(), name)
    assert seen.problems == []
    assert seen.rows == preview(generator.as_csv(generator.generate()), "").rows


def test_a_workbook_says_the_same_as_the_table() -> None:
    rows = generator.generate(seed=3, blocks=2, heads=24, area=190_005)
    table_rows = preview(generator.as_csv(rows), "").rows
    assert preview(generator.as_xlsx(rows), "").rows == table_rows


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 999), st.integers(1, 15), st.integers(4, 500), st.integers(1, 90))
def test_every_estate_is_exact(seed: int, blocks: int, heads: int, each: int) -> None:
    if heads < 2 * blocks:
        return
    area = heads * each * 1000 + heads * 1000 + seed + blocks * 1000
    rows = generator.generate(seed, blocks, heads, area)
    seen = preview(generator.as_csv(rows), "")
    assert seen.problems == []
    assert (seen.totals.heads, seen.totals.area) == (heads, area)
    assert len({row.building for row in seen.rows}) == blocks
    assert rows == generator.generate(seed, blocks, heads, area)


@pytest.mark.parametrize(("blocks", "heads", "area"), [(0, 9, 10**6), (5, 9, 10**6), (1, 9, 100)])
def test_an_estate_that_cannot_be(blocks: int, heads: int, area: int) -> None:
    with pytest.raises(ValueError, match="at least"):
        generator.generate(1, blocks, heads, area)


# --- a unit that changed hands -----------------------------------------------------------------

SOLD = table(
    GOOD.replace("张示甲", "周示新"),
    "1,1,102,60.00,登记,李示乙,否,",
    "1,1,103,50.00,登记,吴示丙,否,7",
)


def _two_claimed(estate: Estate, clerk: Person) -> None:
    first = preview(
        table(GOOD, "1,1,102,60.00,登记,李示乙,否,", "1,1,103,50.00,登记,旧示名,否,7"), ""
    )
    apply_roll(first, estate, first.totals, clerk)
    for number, household in enumerate(Household.objects.order_by("unit__order")):
        person = Person.objects.create(username=f"resident{number}")
        HouseholdMember.objects.create(
            household=household, person=person, since=dt.date(2020, 1, 1)
        )


@pytest.mark.django_db
def test_who_sold_votes_no_more(estate: Estate, clerk: Person) -> None:
    _two_claimed(estate, clerk)
    seen = preview(SOLD, "")
    assert rolls.changed_hands(seen, estate) == ["1号楼1单元101室"]
    sold, kept, _renamed = Household.objects.order_by("unit__order")
    ((_h, owner_code), (_h2, kept_code)) = claims.issue([sold, kept], NOON, clerk, owns=True)
    ((_h3, tenant_code),) = claims.issue([sold], NOON, clerk, owns=False)
    with clock.at(NOON):
        done = apply_roll(seen, estate, seen.totals, clerk)
    assert done.changed_hands == 1
    owns = list(HouseholdMember.objects.order_by("household__unit__order").values_list("owns"))
    # A name that changed under the same number is the same owner.
    assert owns == [(False,), (True,), (True,)]
    people = list(Person.objects.filter(username__startswith="resident").order_by("username"))
    party = Party("owner", f"household:{sold.unit_id}", people[0].pk)
    assert not CommunityDirectory().holds(party, estate.community, NOON)
    assert CommunityDirectory().parties_of(people[0], estate.community, NOON)
    newcomer = Person.objects.create(username="newcomer")
    with pytest.raises(claims.ClaimRefused):
        claims.claim(owner_code, newcomer, NOON)
    claims.claim(tenant_code, newcomer, NOON)
    claims.claim(kept_code, newcomer, NOON)


@pytest.mark.django_db
def test_the_same_owners_in_another_order_are_the_same(estate: Estate, clerk: Person) -> None:
    both = preview(table(GOOD.replace("张示甲", "张示甲、李示乙")), "")
    apply_roll(both, estate, both.totals, clerk)
    turned = preview(table(GOOD.replace("张示甲", "李示乙、张示甲")), "")
    assert rolls.changed_hands(turned, estate) == []
    assert apply_roll(turned, estate, turned.totals, clerk).changed_hands == 0


@pytest.mark.django_db
def test_what_the_developer_sells_has_a_household_from_then_on(
    estate: Estate, clerk: Person
) -> None:
    unsold = preview(table("1,1,101,85.30,合同,,是,"), "")
    apply_roll(unsold, estate, unsold.totals, clerk)
    assert not Household.objects.exists()
    seen = preview(table(GOOD), "")
    assert rolls.changed_hands(seen, estate) == []
    assert apply_roll(seen, estate, seen.totals, clerk).changed_hands == 0
    member = HouseholdMember.objects.create(
        household=Household.objects.get(), person=clerk, since=dt.date(2020, 1, 1)
    )
    # And back: whoever had bought it votes for it no more.
    assert rolls.changed_hands(unsold, estate) == ["1号楼1单元101室"]
    assert apply_roll(unsold, estate, unsold.totals, clerk).changed_hands == 1
    member.refresh_from_db()
    assert not member.owns


@pytest.mark.django_db
def test_a_unit_that_is_gone_has_not_changed_hands(estate: Estate, clerk: Person) -> None:
    first = preview(table(GOOD, "1,1,102,60.00,登记,李示乙,否,"), "")
    apply_roll(first, estate, first.totals, clerk)
    second = preview(table(GOOD), "")
    assert rolls.changed_hands(second, estate) == []
    assert apply_roll(second, estate, second.totals, clerk).changed_hands == 0
