"""The staff pages of the roll, and the commands: who may, what is shown, what is kept."""

from __future__ import annotations

import datetime as dt
import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import CommandError, call_command
from django.test import Client

from processes.community import generator, roll_files, views
from processes.community.models import (
    Estate,
    HouseholdMember,
    Owner,
    Person,
    Role,
    RollDraft,
    RollImport,
    Unit,
)
from processes.community.rolls import Totals
from workflows import clock
from workflows.models import Community

from .places import GOOD, make_estate, make_staff, table

pytestmark = pytest.mark.django_db
SMALL = table(GOOD, "1,1,102,60.00,测绘,李示乙,否,")
TOTALS = {"units": "2", "heads": "2", "area": "145.30"}


@pytest.fixture(autouse=True)
def _plain(settings: Any, tmp_path: Path) -> None:
    settings.SANWEN_STAFF_TOTP = False
    settings.CACHES = {"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}}
    settings.RATELIMIT_ENABLE = False


@pytest.fixture
def estate() -> Estate:
    return make_estate()


@pytest.fixture
def clerk(estate: Estate) -> Person:
    return make_staff("clerk", estate.community)


@pytest.fixture
def desk(client: Client, clerk: Person) -> Client:
    client.force_login(clerk)
    return client


def upload(client: Client, content: bytes, name: str = "roll.csv", code: str = "shifan") -> Any:
    file = SimpleUploadedFile(name, content, "application/octet-stream")
    return client.post(f"/staff/rolls/{code}/", {"file": file})


def confirm(client: Client, **changed: str) -> Any:
    draft = RollDraft.objects.first()
    sha256 = draft.sha256 if draft else ""
    return client.post("/staff/rolls/shifan/preview/", TOTALS | {"sha256": sha256} | changed)


# --- who may -----------------------------------------------------------------------------------

PAGES = ["/staff/rolls/", "/staff/rolls/shifan/", "/staff/rolls/shifan/preview/"]


@pytest.mark.parametrize("path", PAGES)
def test_strangers_are_sent_to_sign_in(client: Client, estate: Estate, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 302
    assert "login" in answer["Location"]


@pytest.mark.parametrize("path", PAGES)
@pytest.mark.parametrize(
    "role", ["owners_committee", "auditor", "admin", "contractor", "moderator", ""]
)
def test_other_roles_may_not(client: Client, estate: Estate, path: str, role: str) -> None:
    person = Person.objects.create_user("p")
    if role:
        Role.objects.create(
            person=person, community=estate.community, role=role, since=dt.date(2020, 1, 1)
        )
    client.force_login(person)
    assert client.get(path).status_code == 403
    if path != "/staff/rolls/":
        assert client.post(path, TOTALS).status_code == 403


@pytest.mark.parametrize("path", PAGES[1:])
def test_the_office_of_another_estate_may_not(client: Client, estate: Estate, path: str) -> None:
    client.force_login(make_staff("other", make_estate("lin").community))
    assert client.get(path).status_code == 403
    assert upload(client, SMALL).status_code == 403
    listed = client.get("/staff/rolls/").content.decode()
    assert "/staff/rolls/lin/" in listed
    assert "/staff/rolls/shifan/" not in listed


def test_the_office_of_the_subdistrict_may(client: Client) -> None:
    street = Community.objects.create(code="street", name="示范街道", kind="subdistrict")
    make_estate(parent=street)
    client.force_login(make_staff("street", street))
    assert "/staff/rolls/shifan/" in client.get("/staff/rolls/").content.decode()
    assert client.get("/staff/rolls/shifan/").status_code == 200


def test_the_residents_committee_may(client: Client, estate: Estate) -> None:
    client.force_login(make_staff("rc", estate.community, "residents_committee"))
    assert client.get("/staff/rolls/shifan/").status_code == 200


def test_a_role_that_has_ended_may_not(desk: Client, clerk: Person) -> None:
    clerk.roles.update(until=clock.today() - dt.timedelta(days=1))
    assert [desk.get(path).status_code for path in PAGES] == [403, 403, 403]


def test_no_such_estate(desk: Client) -> None:
    assert desk.get("/staff/rolls/nowhere/").status_code == 404


def test_the_draft_of_a_colleague_is_not_shown(desk: Client, estate: Estate) -> None:
    upload(desk, SMALL)
    other = Client()
    other.force_login(make_staff("second", estate.community))
    answer = other.get("/staff/rolls/shifan/preview/")
    assert answer.status_code == 302
    assert confirm(other).status_code == 302
    assert not RollImport.objects.exists()


# --- what happens ------------------------------------------------------------------------------


def test_upload_preview_confirm(desk: Client, clerk: Person) -> None:
    assert upload(desk, SMALL)["Location"] == "/staff/rolls/shifan/preview/"
    shown = desk.get("/staff/rolls/shifan/preview/")
    assert "145.30㎡" in shown.content.decode()
    assert "李示乙" in shown.content.decode()
    assert "no-store" in shown["Cache-Control"]
    assert not Unit.objects.exists()
    answer = confirm(desk)
    assert answer["Location"] == "/staff/rolls/shifan/"
    done = RollImport.objects.get()
    assert (done.units, done.heads, done.area, done.by) == (2, 2, 14530, clerk)
    assert not RollDraft.objects.exists()
    after = desk.get("/staff/rolls/shifan/").content.decode()
    assert "名册已导入" in after
    assert done.sha256 in after
    assert "145.30㎡" in desk.get("/staff/rolls/").content.decode()
    # Pressed twice: the second time there is nothing left to import.
    assert confirm(desk)["Location"] == "/staff/rolls/shifan/"
    assert RollImport.objects.count() == 1


def test_problems_are_shown_by_row_and_column_and_nothing_is_kept(desk: Client) -> None:
    answer = upload(desk, table(GOOD, "1,1,102,0,听说,李示乙,否,"))
    shown = answer.content.decode()
    assert answer.status_code == 422
    assert "有2处问题" in shown
    assert shown.count("第3行") == 2
    assert "面积必须大于零" in shown
    assert 'name="units"' not in shown
    assert not RollDraft.objects.exists()


def test_a_file_that_is_no_table_is_shown_as_a_problem(desk: Client) -> None:
    answer = upload(desk, b"%PDF-1.7\n%%EOF", "roll.xlsx")
    assert answer.status_code == 422
    assert "这是PDF文件" in answer.content.decode()


def test_names_are_escaped(desk: Client) -> None:
    upload(desk, table(GOOD.replace("张示甲", "<b>张示甲</b>".replace("/", ""))))
    shown = desk.get("/staff/rolls/shifan/preview/").content.decode()
    assert "&lt;b&gt;张示甲" in shown
    assert "<b>张示甲" not in shown


def test_many_problems_are_counted_where_not_listed(
    desk: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(views, "SHOWN_PROBLEMS", 2)
    lines = [f"1,1,{n},0,登记,李示乙,否," for n in range(101, 106)]
    shown = upload(desk, table(*lines)).content.decode()
    assert "有5处问题" in shown
    assert "另有3处问题" in shown
    assert "第4行" not in shown


@pytest.mark.parametrize("content", [b"", b"x" * (roll_files.MAX_BYTES + 1)], ids=["none", "big"])
def test_a_file_of_no_size_or_too_much(desk: Client, content: bytes) -> None:
    assert upload(desk, content).status_code == 422
    assert not RollDraft.objects.exists()


def test_no_file_at_all(desk: Client) -> None:
    assert desk.post("/staff/rolls/shifan/", {}).status_code == 422


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"units": "3"}, "申报为3，文件中为2"),
        ({"heads": "1"}, "申报为1，文件中为2"),
        ({"area": "145.31"}, "申报为145.31㎡，文件中为145.30㎡"),
    ],
)
def test_other_declared_totals(desk: Client, changed: dict[str, str], words: str) -> None:
    upload(desk, SMALL)
    answer = confirm(desk, **changed)
    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Unit.objects.exists()
    assert RollDraft.objects.exists()
    assert confirm(desk).status_code == 302
    assert Unit.objects.count() == 2


@pytest.mark.parametrize(
    "changed", [{"units": ""}, {"heads": "0"}, {"area": "145.305"}, {"area": "all"}]
)
def test_declared_totals_that_are_none(desk: Client, changed: dict[str, str]) -> None:
    upload(desk, SMALL)
    assert confirm(desk, **changed).status_code == 422
    assert not Unit.objects.exists()


def test_totals_are_declared_for_the_file_that_was_seen(desk: Client) -> None:
    upload(desk, SMALL)
    seen = RollDraft.objects.get().sha256
    upload(desk, SMALL.replace("李示乙".encode(), "赵示丙".encode()))
    assert confirm(desk, sha256=seen)["Location"] == "/staff/rolls/shifan/preview/"
    assert not Unit.objects.exists()


def test_a_unit_claimed_meanwhile_stops_the_import(desk: Client, clerk: Person) -> None:
    upload(desk, SMALL)
    confirm(desk)
    upload(desk, table(GOOD))
    household = Unit.objects.get(room="102").household
    HouseholdMember.objects.create(household=household, person=clerk, since=dt.date(2025, 1, 1))
    answer = confirm(desk, units="1", heads="1", area="85.30")
    assert answer.status_code == 422
    assert "1号楼1单元102室已有住户关联" in answer.content.decode()
    assert Unit.objects.count() == 2


def test_the_preview_says_which_units_changed_hands(desk: Client) -> None:
    upload(desk, SMALL)
    page = desk.get("/staff/rolls/shifan/preview/").content.decode()
    assert "业主有变更" not in page
    assert confirm(desk).status_code == 302
    upload(desk, SMALL.replace("李示乙".encode(), "周示新".encode()))
    page = desk.get("/staff/rolls/shifan/preview/").content.decode()
    assert "1户的业主与现有名册不同" in page
    assert "<li>1号楼1单元102室</li>" in page
    assert "101室" not in page.split("业主有变更")[1].split("</section>")[0]
    assert confirm(desk).status_code == 302
    assert RollImport.objects.first().changed_hands == 1


def test_drafts_are_forgotten_after_a_day(desk: Client) -> None:
    start = dt.datetime(2025, 5, 6, 12, tzinfo=clock.SHANGHAI)
    with clock.at(start):
        upload(desk, SMALL)
    with clock.at(start + views.DRAFT_KEPT):
        assert desk.get("/staff/rolls/shifan/preview/").status_code == 200
    with clock.at(start + views.DRAFT_KEPT + dt.timedelta(seconds=1)):
        assert desk.get("/staff/rolls/").status_code == 200
    assert not RollDraft.objects.exists()


def test_the_pages_keep_to_the_policy(desk: Client) -> None:
    upload(desk, SMALL)
    for path in PAGES:
        shown = desk.get(path).content.decode()
        assert shown.count("<h1") == 1
        assert "style=" not in shown
        assert "<script>" not in shown


# --- commands ----------------------------------------------------------------------------------


def run(*args: str) -> str:
    out = io.StringIO()
    call_command(*args, stdout=out)
    return out.getvalue()


@pytest.mark.parametrize("ending", ["csv", "xlsx"])
def test_generate_then_import(estate: Estate, clerk: Person, tmp_path: Path, ending: str) -> None:
    file = str(tmp_path / f"roll.{ending}")
    made = run("generate_roll", file, "--blocks=2", "--heads=24", "--area=2,000.05")
    assert "业主24人，专有面积2,000.05㎡" in made
    assert "业主24人" in run("import_roll", "shifan", file)
    assert not Unit.objects.exists()
    declared = ["--heads=24", "--area=2000.05", "--by=clerk"]
    with pytest.raises(CommandError, match="申报为25"):
        run("import_roll", "shifan", file, "--units=25", *declared)
    units = str(len(generator.generate(blocks=2, heads=24, area=200_005)))
    assert "已导入" in run("import_roll", "shifan", file, f"--units={units}", *declared)
    done = RollImport.objects.get()
    assert Totals(done.units, done.heads, done.area) == Totals(int(units), 24, 200_005)
    assert Owner.objects.exists()


def test_commands_say_what_is_wrong(estate: Estate, clerk: Person, tmp_path: Path) -> None:
    bad = tmp_path / "bad.csv"
    bad.write_bytes(table("1,1,102,0,登记,李示乙,否,"))
    with pytest.raises(CommandError, match="第2行 专有面积：面积必须大于零"):
        run("import_roll", "shifan", str(bad))
    with pytest.raises(CommandError, match="没有代码为nowhere的小区"):
        run("import_roll", "nowhere", str(bad))
    with pytest.raises(CommandError, match="无法读取"):
        run("import_roll", "shifan", str(tmp_path / "none.csv"))
    bad.write_bytes(SMALL)
    with pytest.raises(CommandError, match="同时给出"):
        run("import_roll", "shifan", str(bad), "--units=2")
    with pytest.raises(CommandError, match="没有这个账号"):
        run("import_roll", "shifan", str(bad), "--units=2", "--heads=2", "--area=1", "--by=x")
    with pytest.raises(CommandError, match="结尾"):
        run("generate_roll", str(tmp_path / "roll.txt"))
    with pytest.raises(CommandError, match="at least"):
        run("generate_roll", str(tmp_path / "roll.csv"), "--heads=3")
