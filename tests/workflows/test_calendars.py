"""The calendar in the database: seeded, read, a year imported or refused."""

import datetime as dt
import json

import chinese_calendar
import pytest
from django.core.management import CommandError, call_command

from workflows import calendars, terms
from workflows.calendars import CalendarRefused
from workflows.models.calendar import CalendarDay, CalendarYear
from workflows.terms import Days, WorkingDays

pytestmark = pytest.mark.django_db

D = dt.date.fromisoformat
SOURCE = "国办发明电〔2026〕0号(示范)"
# An invented table for 2027 in the form of a notice; thirteen named days off, three swapped.
DAYS_2027 = [
    *[(f"2027-01-0{n}", False, "元旦") for n in (1, 2, 3)],
    *[(f"2027-02-{n:02}", False, "春节") for n in range(5, 12)],
    ("2027-02-20", True, "春节"),
    *[(f"2027-04-0{n}", False, "清明节") for n in (3, 4, 5)],
    *[(f"2027-05-0{n}", False, "劳动节") for n in (1, 2, 3)],
    ("2027-05-08", True, "劳动节"),
    ("2027-06-09", False, "端午节"),
    ("2027-09-15", False, "中秋节"),
    *[(f"2027-10-0{n}", False, "国庆节") for n in range(1, 8)],
    ("2027-10-09", True, "国庆节"),
]


def as_json(days=DAYS_2027, **changed):
    listed = [{"date": date, "workday": worked, "name": name} for date, worked, name in days]
    return json.dumps({"year": 2027, "source": SOURCE, "days": listed, **changed}).encode()


def as_csv(days=DAYS_2027, encoding="utf-8-sig"):
    lines = [f"{date},{'是' if worked else '否'},{name}" for date, worked, name in days]
    return "\r\n".join(["日期,上班,名称", *lines, ""]).encode(encoding)


def rows():
    return set(CalendarDay.objects.values_list("date", "is_workday", "name", "source", "version"))


@pytest.fixture
def seeded():
    CalendarDay.objects.all().delete()
    CalendarYear.objects.all().delete()
    calendars.seed()


class TestSeed:
    def test_agrees_with_the_package_on_every_day(self, seeded):
        calendar = calendars.current()
        day = D("2004-01-01")
        while day <= D("2026-12-31"):
            assert calendar.is_workday(day) is chinese_calendar.is_workday(day), day
            day += terms.ONE_DAY

    def test_only_days_that_say_something_have_rows(self, seeded):
        assert CalendarYear.objects.count() == 23
        assert CalendarDay.objects.count() < 900
        swapped = CalendarDay.objects.get(date=D("2026-02-28"))
        assert (swapped.is_workday, swapped.name, swapped.version) == (True, "春节", 1)
        assert CalendarDay.objects.get(date=D("2026-10-03")).name == "国庆节"

    def test_again_changes_nothing(self, seeded):
        before = rows()
        assert calendars.seed() == frozenset()
        assert rows() == before

    def test_fills_only_what_is_missing(self, seeded):
        CalendarYear.objects.filter(year=2020).delete()
        CalendarDay.objects.filter(date__year=2020).delete()
        assert calendars.seed() == {2020}
        assert calendars.current().is_rest_day(D("2020-10-08"))

    def test_takes_the_models_of_a_migration(self, seeded):
        from django.apps import apps

        CalendarYear.objects.all().delete()
        CalendarDay.objects.all().delete()
        assert len(calendars.seed(apps)) == 23
        assert calendars.current().is_rest_day(D("2026-10-07"))


class TestCurrent:
    def test_one_query_once_read(self, seeded, django_assert_num_queries):
        calendars.current()
        with django_assert_num_queries(1):
            again = calendars.current()
        with django_assert_num_queries(1):
            assert calendars.current() is again

    def test_counts_as_the_law_does(self, seeded):
        end = terms.end_of(Days(20), D("2026-09-14"), calendars.current())
        assert (end.ends_on, end.provisional) == (D("2026-10-08"), False)

    def test_nothing_loaded_is_provisional(self, seeded):
        CalendarYear.objects.all().delete()
        assert terms.end_of(Days(1), D("2026-03-02"), calendars.current()).provisional

    def test_a_load_rolled_back_is_not_remembered(self, seeded):
        """Two loads with one version, the first undone: the second is what is read."""
        from django.db import transaction

        with transaction.atomic():
            calendars.import_year(as_json())
            assert calendars.current().is_rest_day(D("2027-06-09"))
            transaction.set_rollback(True)
        other = [d for d in DAYS_2027 if d[0] != "2027-06-09"] + [("2027-06-10", False, "端午节")]
        calendars.import_year(as_json(other))
        assert calendars.current().version(2027) == 1
        assert calendars.current().is_workday(D("2027-06-09"))


class TestImport:
    @pytest.mark.parametrize(
        "data", [as_csv(), as_csv(encoding="utf-8"), as_csv(encoding="gb18030"), as_json()]
    )
    def test_loads_a_year(self, seeded, data):
        assert calendars.import_year(data, year=2027, source=SOURCE) == {2027}
        calendar = calendars.current()
        assert calendar.version(2027) == 1
        assert calendar.is_workday(D("2027-10-09"))
        assert calendar.is_rest_day(D("2027-06-09"))
        assert CalendarDay.objects.filter(date__year=2027).count() == len(DAYS_2027)
        assert CalendarDay.objects.get(date=D("2027-02-20")).source == SOURCE

    def test_a_provisional_term_can_be_counted(self, seeded):
        term = WorkingDays(25)
        guess = terms.end_of(term, D("2026-12-31"), calendars.current())
        calendars.import_year(as_json())
        deadline = terms.recompute(term, guess, calendars.current())
        assert (guess.provisional, deadline.provisional) == (True, False)
        # January has 20 from the 4th on, February four before Spring Festival: the 25th is 02-12.
        assert (guess.ends_on, deadline.ends_on) == (D("2027-02-05"), D("2027-02-12"))

    def test_other_forms(self, seeded):
        listed = [{"name": n, "date": d, "isOffDay": not w} for d, w, n in DAYS_2027]
        paper = "https://www.example.gov.cn/notice.htm"
        data = json.dumps({"year": 2027, "papers": [paper], "days": listed}).encode()
        assert calendars.import_year(data) == {2027}
        assert CalendarYear.objects.get(year=2027).source == paper
        columns = "date,workday,name,year,source\n" + "\n".join(
            f"{d.replace('-', '/')},{int(w)},{n},2027,{paper}" for d, w, n in DAYS_2027
        )
        assert calendars.import_year(columns.encode()) == frozenset()

    def test_the_same_again_changes_nothing(self, seeded):
        calendars.import_year(as_json())
        before = rows()
        assert calendars.import_year(as_json(list(reversed(DAYS_2027)))) == frozenset()
        assert rows() == before
        assert calendars.current().version(2027) == 1

    def test_a_correction_supersedes(self, seeded):
        calendars.import_year(as_json())
        corrected = [d for d in DAYS_2027 if d[0] != "2027-06-09"]
        assert calendars.import_year(as_json([*corrected, ("2027-06-08", False, "端午节")])) == {
            2027
        }
        calendar = calendars.current()
        assert calendar.version(2027) == 2
        assert calendar.is_workday(D("2027-06-09"))
        assert calendar.is_rest_day(D("2027-06-08"))
        assert terms.end_of(Days(1), D("2027-06-07"), calendar).rule.endswith("cal=2027@2")
        assert set(
            CalendarDay.objects.filter(date__year=2027).values_list("version", flat=True)
        ) == {2}

    def test_a_whole_year_may_be_listed(self, seeded):
        said = {D(date): (worked, name) for date, worked, name in DAYS_2027}
        every = [D("2027-01-01") + dt.timedelta(days=n) for n in range(365)]
        listed = [(day.isoformat(), *said.get(day, (day.weekday() < 5, ""))) for day in every]
        calendars.import_year(as_json(listed))
        assert CalendarDay.objects.filter(date__year=2027).count() == len(DAYS_2027)

    def test_the_notice_decides_about_the_days_before_new_year(self, seeded):
        before = terms.end_of(Days(3), D("2026-12-28"), calendars.current())
        assert (before.ends_on, before.provisional) == (D("2026-12-31"), True)
        calendars.import_year(as_json([*DAYS_2027, ("2026-12-31", False, "元旦")]))
        after = terms.recompute(Days(3), before, calendars.current())
        assert (after.ends_on, after.provisional) == (D("2027-01-04"), False)

    def test_other_years_stay(self, seeded):
        before = {row for row in rows() if row[0].year < 2027}
        calendars.import_year(as_json())
        assert {row for row in rows() if row[0].year < 2027} == before


def day(date, worked=False, name="元旦"):
    return (date, worked, name)


REFUSED = [
    # (what, file, row, part of the message)
    ("empty", b"", 0, "首行"),
    ("no encoding", b"\xff\xff\xff", 0, "编码"),
    ("no JSON", b'{"year": 2027', 0, "JSON"),
    ("deep JSON", b"[" * 100_000, 0, "JSON"),
    ("a list", b"[]", 0, "days"),
    ("days no list", as_json(days=[]).replace(b"[]", b"{}"), 0, "days"),
    ("days no objects", as_json(days=[]).replace(b"[]", b"[1]"), 0, "days"),
    ("no days", as_json([]), 0, "文件不完整"),
    ("a quote left open", b'date,workday,name\n"2027-01-01,0,x', 0, "CSV"),
    ("no year", as_csv(), 0, "年份"),
    ("no source", as_json(source=""), 0, "来源"),
    ("long source", as_json(source="x" * 121), 0, "120"),
    ("control character", as_json(source="x\0"), 0, "控制字符"),
    ("absurd year", as_json(year=20270), 0, "无效"),
    ("year in words", as_json(year="二〇二七"), 0, "无效"),
    ("other year", as_json(year=2028), 1, "2028年"),
    ("bad date", as_json([day("2027-02-30"), *DAYS_2027]), 1, "2027-01-01的形式"),
    ("week date", as_json([day("2027-W01-1"), *DAYS_2027]), 1, "2027-01-01的形式"),
    ("no date", as_json([day(None), *DAYS_2027]), 1, "2027-01-01的形式"),
    ("outside the year", as_json([*DAYS_2027, day("2028-01-01")]), len(DAYS_2027) + 1, "2027年"),
    ("too early", as_json([*DAYS_2027, day("2026-12-27")]), len(DAYS_2027) + 1, "2027年"),
    ("next year's", as_json([*DAYS_2027, day("2027-12-31")]), len(DAYS_2027) + 1, "下一年"),
    ("twice", as_json([*DAYS_2027, day("2027-01-01")]), len(DAYS_2027) + 1, "第1行"),
    ("not said", as_json([day("2027-01-01", "或许")]), 1, "“是”或“否”"),
    ("a number", as_json([day("2027-01-01", 2)]), 1, "“是”或“否”"),
    ("nameless", as_json([day("2027-06-01", False, "")]), 1, "节日名称"),
    ("long name", as_json([day("2027-01-01", False, "元" * 41)]), 1, "40"),
    ("cut short", as_json([d for d in DAYS_2027 if d[0] < "2027-06"]), 0, "2027-10-01"),
    ("holiday worked", as_json([*DAYS_2027[1:], day("2027-01-01", True)]), 0, "2027-01-01"),
    ("too few", as_json([d for d in DAYS_2027 if d[2] in ("元旦", "劳动节")]), 0, "少于法定"),
    ("no swaps", as_json([d for d in DAYS_2027 if not d[1]]), 0, "调休"),
    ("too large", b" " * 1_000_001, 0, "过大"),
]


class TestRefused:
    @pytest.mark.parametrize(
        ("data", "row", "words"),
        [case[1:] for case in REFUSED],
        ids=[case[0].replace(" ", "-") for case in REFUSED],
    )
    def test_says_where_and_changes_nothing(self, seeded, data, row, words):
        before = rows()
        with pytest.raises(CalendarRefused) as refused:
            calendars.import_year(data)
        assert any(p.row == row and words in p.message for p in refused.value.problems), str(
            refused.value
        )
        assert rows() == before
        assert not calendars.current().is_loaded(2027)

    def test_all_problems_at_once(self, seeded):
        lines = "日期,上班,名称\n2027-13-01,否,元旦\n\n2027-01-02,也许,元旦\n2028-05-01,否,\n"
        with pytest.raises(CalendarRefused) as refused:
            calendars.import_year(lines.encode(), year=2027)
        assert [p.row for p in refused.value.problems] == [0, 2, 4, 5, 5]

    def test_a_year_without_swaps_needs_a_word(self, seeded):
        data = as_json([d for d in DAYS_2027 if not d[1]])
        assert calendars.import_year(data, no_swapped_days=True) == {2027}


class TestCommand:
    def test_loads(self, seeded, tmp_path, capsys):
        path = tmp_path / "2027.csv"
        path.write_bytes(as_csv())
        call_command("import_calendar", str(path), "--year", "2027", "--source", SOURCE)
        assert "2027" in capsys.readouterr().out
        assert calendars.current().is_loaded(2027)

    def test_says_what_is_wrong(self, seeded, tmp_path):
        path = tmp_path / "2027.json"
        path.write_bytes(as_json([day("2027-02-30")]))
        with pytest.raises(CommandError, match="第1行"):
            call_command("import_calendar", str(path))
        with pytest.raises(CommandError, match="无法读取"):
            call_command("import_calendar", str(tmp_path / "none.csv"))
        assert not calendars.current().is_loaded(2027)
