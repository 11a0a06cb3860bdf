"""Terms by the law's articles: dated cases, then properties."""

import datetime as dt

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows import clock, terms
from workflows.clock import SHANGHAI
from workflows.terms import Days, Months, TableCalendar, WorkingDays

D = dt.date.fromisoformat


def span(first: str, last: str) -> list[dt.date]:
    return [D(first) + dt.timedelta(days=n) for n in range((D(last) - D(first)).days + 1)]


# The State Council's notice for 2026; 2027 as a table that tests may "announce".
OFF_2026 = [
    *span("2026-01-01", "2026-01-03"),
    *span("2026-02-15", "2026-02-23"),
    *span("2026-04-04", "2026-04-06"),
    *span("2026-05-01", "2026-05-05"),
    *span("2026-06-19", "2026-06-21"),
    *span("2026-09-25", "2026-09-27"),
    *span("2026-10-01", "2026-10-07"),
]
WORKED_2026 = [
    D(day)
    for day in ("2026-01-04", "2026-02-14", "2026-02-28", "2026-05-09", "2026-09-20", "2026-10-10")
]
TABLE_2026 = {**dict.fromkeys(OFF_2026, False), **dict.fromkeys(WORKED_2026, True)}
TABLE_2027 = {**dict.fromkeys(span("2027-01-01", "2027-01-05"), False), D("2027-01-09"): True}
CAL = TableCalendar(TABLE_2026, [2026])
CAL_27 = TableCalendar({**TABLE_2026, **TABLE_2027}, {2026: 1, 2027: 1})
# 2018 as first announced, and after the notice for 2019, which moved its last days.
CAL_18 = TableCalendar({}, [2018])
CAL_19 = TableCalendar(
    {D("2018-12-29"): True, D("2018-12-31"): False, D("2019-01-01"): False}, [2018, 2019]
)

CASES = [
    # Article 201: the day it starts is not counted.
    ("1d", "2026-03-02", "2026-03-03"),
    ("5d", "2026-03-02", "2026-03-09"),  # 03-07 is a Saturday
    ("3d", "2026-03-02", "2026-03-05"),
    ("1w", "2026-03-02", "2026-03-03"),
    ("1d", "2026-03-07", "2026-03-09"),  # starts on a rest day, 03-08 is a Sunday
    # Article 203: a last day on a rest day.
    ("20d", "2026-09-14", "2026-10-08"),  # 10-04 lies in the National Day holiday
    ("20d", "2026-03-02", "2026-03-23"),  # 03-22 is a Sunday
    ("15d", "2026-09-10", "2026-09-28"),  # 09-25, Mid-Autumn
    ("15d", "2026-01-31", "2026-02-24"),  # 02-15, Spring Festival, nine days
    ("20d", "2026-03-15", "2026-04-07"),  # 04-04, Qingming
    ("3d", "2026-04-28", "2026-05-06"),  # 05-01, Labour Day
    ("7d", "2026-06-12", "2026-06-22"),  # 06-19, Dragon Boat
    ("3d", "2025-12-31", "2026-01-04"),  # 01-03; Sunday 01-04 is worked
    ("20d", "2026-09-11", "2026-10-08"),  # 10-01
    ("20d", "2026-09-17", "2026-10-08"),  # 10-07, last day off
    ("20d", "2026-09-18", "2026-10-08"),  # 10-08 itself
    ("20d", "2026-09-10", "2026-09-30"),  # the day before the holiday
    # A swapped working weekend is no rest day: a last day there stays.
    ("5d", "2026-10-05", "2026-10-10"),
    ("5d", "2026-02-09", "2026-02-14"),
    ("5d", "2026-02-23", "2026-02-28"),
    ("4d", "2026-05-05", "2026-05-09"),
    ("6d", "2026-09-14", "2026-09-20"),
    ("5d", "2026-10-06", "2026-10-12"),  # but Sunday 10-11 gives way
    ("4d", "2026-09-15", "2026-09-20"),  # Saturday 09-19 gives way to the worked Sunday
    # Working days.
    ("5w", "2026-10-03", "2026-10-13"),  # from a rest day: 08, 09, 10 (worked), 12, 13
    ("5w", "2026-09-30", "2026-10-13"),
    ("5w", "2026-04-28", "2026-05-08"),
    ("6w", "2026-04-28", "2026-05-09"),
    ("1w", "2026-02-13", "2026-02-14"),
    ("2w", "2026-02-13", "2026-02-24"),
    ("5w", "2026-02-24", "2026-03-02"),  # 25, 26, 27, 28 (worked Saturday), 03-02
    ("3w", "2026-09-17", "2026-09-21"),  # 18, 20 (worked Sunday), 21
    ("5w", "2026-09-24", "2026-10-09"),  # over both holidays: 28, 29, 30, 10-08, 10-09
    ("7w", "2026-03-02", "2026-03-11"),
    ("20w", "2026-03-02", "2026-03-30"),
    ("20w", "2026-09-07", "2026-10-10"),
    ("10w", "2026-06-15", "2026-06-30"),
    ("2w", "2025-12-31", "2026-01-05"),
    # Article 202: months.
    ("1m", "2026-03-02", "2026-04-02"),
    ("3m", "2026-03-02", "2026-06-02"),
    ("1m", "2026-01-31", "2026-02-28"),  # no 31st: the last day; a worked Saturday, so it stays
    ("1m", "2026-01-30", "2026-02-28"),
    ("1m", "2026-02-28", "2026-03-30"),  # corresponds to 03-28, a Saturday; not to the month's end
    ("1m", "2026-01-15", "2026-02-24"),  # 02-15, Spring Festival
    ("1m", "2026-03-31", "2026-04-30"),
    ("6m", "2026-03-31", "2026-09-30"),
    ("1m", "2026-09-03", "2026-10-08"),
    ("11m", "2026-01-20", "2026-12-21"),  # 12-20 is a Sunday
]
LEAP = TableCalendar({}, range(2020, 2030))


class TestEnd:
    @pytest.mark.parametrize(("code", "start", "end"), CASES)
    def test_dated_case(self, code, start, end):
        deadline = terms.end_of(
            terms.parse(code), D(start), TableCalendar(TABLE_2026, [2025, 2026])
        )
        assert deadline.ends_on == D(end)
        assert deadline.provisional is False
        assert deadline.start == D(start)

    @pytest.mark.parametrize(
        ("code", "start", "end"),
        [
            ("12m", "2024-02-29", "2025-02-28"),
            ("1m", "2024-01-31", "2024-02-29"),
            ("12m", "2022-02-28", "2023-02-28"),
            ("2m", "2024-12-31", "2025-02-28"),
            ("12m", "2024-12-10", "2025-12-10"),
        ],
    )
    def test_months_over_years(self, code, start, end):
        assert terms.end_of(terms.parse(code), D(start), LEAP).ends_on == D(end)

    def test_ends_at_midnight(self):
        """Article 203: 24:00 of the last day."""
        deadline = terms.end_of(Days(20), D("2026-09-14"), CAL)
        assert deadline.ends_at == dt.datetime(2026, 10, 9, tzinfo=SHANGHAI)
        assert not deadline.is_over(dt.datetime(2026, 10, 8, 23, 59, 59, tzinfo=SHANGHAI))
        assert deadline.is_over(deadline.ends_at)

    def test_ends_with_office_hours(self):
        """Article 203: where there are office hours, when they close."""
        deadline = terms.end_of(WorkingDays(5), D("2026-10-03"), CAL, by_office_hours=True)
        assert deadline.ends_at == dt.datetime(2026, 10, 13, 17, 0, tzinfo=SHANGHAI)
        early = terms.end_of(
            Days(1), D("2026-03-02"), CAL, by_office_hours=True, office_closes=dt.time(16, 30)
        )
        assert early.ends_at == dt.datetime(2026, 3, 3, 16, 30, tzinfo=SHANGHAI)
        assert early.rule == "1d;exclude-start;roll-to-workday;end=16:30;cal=2026@1"

    def test_the_day_is_that_of_shanghai(self):
        late = dt.datetime(2026, 3, 2, 16, 30, tzinfo=dt.UTC)  # 00:30 on 3 March there
        assert terms.end_of(Days(1), late, CAL).ends_on == D("2026-03-04")

    def test_a_moment_without_zone_is_refused(self):
        with pytest.raises(ValueError, match="time zone"):
            terms.end_of(Days(1), dt.datetime(2026, 3, 2), CAL)

    def test_rule(self):
        assert (
            terms.end_of(Days(20), D("2026-09-14"), CAL).rule
            == "20d;exclude-start;roll-to-workday;end=24:00;cal=2026@1"
        )
        assert (
            terms.end_of(WorkingDays(5), D("2026-10-03"), CAL).rule
            == "5w;exclude-start;end=24:00;cal=2026@1"
        )


class TestYearNotAnnounced:
    def test_crossing_is_provisional(self):
        deadline = terms.end_of(WorkingDays(20), D("2026-12-04"), CAL)
        assert deadline.provisional is True
        assert deadline.ends_on == D("2027-01-04")  # 01-01 is fixed, 01-02 and 03 a weekend
        assert deadline.rule.endswith("cal=2026@1,2027@0")

    def test_the_day_before_is_not(self):
        deadline = terms.end_of(WorkingDays(15), D("2026-12-04"), CAL)
        assert (deadline.ends_on, deadline.provisional) == (D("2026-12-25"), False)

    def test_counted_again_when_loaded(self):
        guess = terms.end_of(WorkingDays(20), D("2026-12-04"), CAL)
        deadline = terms.recompute(WorkingDays(20), guess, CAL_27)
        assert deadline.provisional is False
        assert deadline.ends_on == D("2027-01-06")  # this 2027 rests until the 5th
        assert deadline.rule.endswith("cal=2026@1,2027@1")

    def test_fixed_holidays_are_rest_days(self):
        assert terms.end_of(Days(10), D("2027-04-21"), CAL).ends_on == D("2027-05-03")
        assert terms.end_of(Days(10), D("2027-09-21"), CAL).ends_on == D("2027-10-04")
        assert CAL.is_rest_day(D("2027-05-02"))
        assert D("2024-05-02") not in terms.fixed_holidays(2024)

    def test_a_table_is_not_believed_before_its_year_is_loaded(self):
        half = TableCalendar(TABLE_2027, [2026])
        assert half.is_workday(D("2027-01-05"))
        assert not half.is_workday(D("2027-01-09"))

    def test_new_years_notice_reaches_back(self):
        """The notice for 2019 made Monday 2018-12-31 a day off, Saturday 2018-12-29 worked."""
        guess = terms.end_of(Days(3), D("2018-12-28"), CAL_18)
        assert (guess.ends_on, guess.provisional) == (D("2018-12-31"), True)
        deadline = terms.recompute(Days(3), guess, CAL_19)
        assert (deadline.ends_on, deadline.provisional) == (D("2019-01-02"), False)
        assert terms.end_of(WorkingDays(1), D("2018-12-28"), CAL_19).ends_on == D("2018-12-29")
        assert terms.end_of(Days(1), D("2018-12-26"), CAL_18).provisional is False


class TestTermsThemselves:
    @pytest.mark.parametrize("kind", [Days, WorkingDays, Months])
    @pytest.mark.parametrize("n", [0, -1, 10_000])
    def test_out_of_range(self, kind, n):
        with pytest.raises(terms.TermError):
            kind(n)

    @pytest.mark.parametrize("n", [1.0, True, "5", None])
    def test_only_whole_numbers(self, n):
        with pytest.raises(TypeError):
            Days(n)

    @pytest.mark.parametrize(
        ("term", "code", "text"),
        [
            (Days(20), "20d", "20日"),
            (WorkingDays(5), "5w", "5个工作日"),
            (Months(3), "3m", "3个月"),
        ],
    )
    def test_code_and_words(self, term, code, text):
        assert (term.code, str(term)) == (code, text)
        assert terms.parse(code) == term

    @pytest.mark.parametrize(
        "code", ["", "20", "d", "0d", "-5d", "5.0d", "05d", "5y", "5d ", "5d\n", "٥d", "99999d"]
    )
    def test_not_a_term(self, code):
        with pytest.raises(terms.TermError):
            terms.parse(code)

    def test_two_types_never_equal(self):
        assert Days(5) != WorkingDays(5)


class TestSuspension:
    def moved(self, code, start, stopped, resumed, calendar=CAL):
        term = terms.parse(code)
        deadline = terms.end_of(term, D(start), calendar)
        return terms.resume(term, deadline, D(stopped), D(resumed), calendar)

    @pytest.mark.parametrize(
        ("code", "start", "stopped", "resumed", "end"),
        [
            # Two full days counted (03-03, 04), 18 left from 03-12 on: 03-30.
            ("20d", "2026-03-02", "2026-03-05", "2026-03-12", "2026-03-30"),
            # 15 working days left, from 03-16.
            ("20w", "2026-03-02", "2026-03-10", "2026-03-16", "2026-04-07"),
            # On the start day: the whole term.
            ("5w", "2026-03-02", "2026-03-02", "2026-03-04", "2026-03-11"),
            ("5d", "2026-03-02", "2026-03-02", "2026-03-04", "2026-03-09"),
            # On the last day: that day is left.
            ("5d", "2026-03-01", "2026-03-06", "2026-03-17", "2026-03-18"),
            # While the last day had moved on (10-04 to 10-08): it is left.
            ("20d", "2026-09-14", "2026-10-05", "2026-10-14", "2026-10-15"),
            # The new end moves on as well: 3 left from 10-28 is 10-31, a Saturday.
            ("5d", "2026-10-12", "2026-10-15", "2026-10-28", "2026-11-02"),
            # Months: 05-12…06-02 are 22 days left.
            ("3m", "2026-03-02", "2026-05-12", "2026-06-01", "2026-06-23"),
            # Within one day: that day does not count.
            ("5d", "2026-03-10", "2026-03-12", "2026-03-12", "2026-03-16"),
        ],
    )
    def test_dated_case(self, code, start, stopped, resumed, end):
        assert self.moved(code, start, stopped, resumed).ends_on == D(end)

    def test_over_before(self):
        deadline = terms.end_of(Days(3), D("2026-03-02"), CAL, by_office_hours=True)
        evening = dt.datetime(2026, 3, 5, 18, tzinfo=SHANGHAI)
        assert terms.resume(Days(3), deadline, evening, D("2026-03-10"), CAL) == deadline
        assert terms.resume(Days(3), deadline, D("2026-03-06"), D("2026-03-10"), CAL) == deadline

    def test_backwards_is_refused(self):
        with pytest.raises(ValueError, match="resumed"):
            self.moved("5d", "2026-03-02", "2026-03-05", "2026-03-04")

    def test_twice(self):
        term = Days(10)
        once = self.moved("10d", "2026-03-02", "2026-03-05", "2026-03-12")  # 8 left: 03-20
        assert once.ends_on == D("2026-03-20")
        twice = terms.resume(term, once, D("2026-03-16"), D("2026-04-07"), CAL)  # 5 left: 04-12
        assert twice.ends_on == D("2026-04-13")
        assert "counted=5d@2026-04-07" in twice.rule
        assert twice.start == D("2026-03-02")

    def test_counted_again_with_its_suspension_and_office_hours(self):
        term = WorkingDays(20)
        first = terms.end_of(term, D("2026-12-04"), CAL, by_office_hours=True)
        later = terms.resume(term, first, D("2026-12-14"), D("2026-12-21"), CAL)
        again = terms.recompute(term, later, CAL_27)
        assert later.provisional is True
        # 5 counted; 15 left: 22-25 (4), 28-31 (8), 01-06…08 (11), 09 worked (12), 11…13 (15).
        assert (again.ends_on, again.provisional) == (D("2027-01-13"), False)
        assert again.ends_at.time() == dt.time(17, 0)

    def test_extension(self):
        term = WorkingDays(20)
        deadline = terms.end_of(term, D("2026-09-07"), CAL)
        longer = terms.extend(term, deadline, WorkingDays(20), CAL)
        assert (deadline.ends_on, longer.ends_on) == (D("2026-10-10"), D("2026-11-06"))
        assert longer == terms.recompute(term, longer, CAL)
        # Stopped in the second part: 12 of it left.
        stopped = terms.resume(term, longer, D("2026-10-22"), D("2026-10-26"), CAL)
        assert "counted=12w@2026-10-26" in stopped.rule
        assert stopped.ends_on == D("2026-11-11")
        # Stopped on the last day of the first part: that day and all of the second are left.
        between = terms.resume(term, longer, D("2026-10-10"), D("2026-10-12"), CAL)
        assert "counted=1w+20w@2026-10-12" in between.rule
        assert between.ends_on == D("2026-11-10")

    def test_extended_days_run_from_the_moved_last_day(self):
        deadline = terms.end_of(Days(20), D("2026-09-14"), CAL)
        assert terms.extend(Days(20), deadline, Days(5), CAL).ends_on == D("2026-10-13")


class TestNotices:
    def test_printed_end(self):
        deadline = terms.end_of(Days(20), D("2026-09-14"), CAL)
        terms.check_printed_end(deadline, D("2026-10-08"))
        terms.check_printed_end(deadline, D("2026-10-20"))
        with pytest.raises(terms.PrintedEndTooEarly, match="2026-10-04早于依法计算的2026-10-08"):
            terms.check_printed_end(deadline, D("2026-10-04"))

    @pytest.mark.parametrize(
        ("sent", "n", "first"),
        [
            ("2026-07-06", 15, "2026-07-22"),
            ("2026-09-20", 10, "2026-10-01"),
            ("2026-12-20", 15, "2027-01-05"),
            ("2026-02-27", 1, "2026-03-01"),
        ],
    )
    def test_meeting(self, sent, n, first):
        assert terms.meeting_not_before(D(sent), Days(n)) == D(first)

    @pytest.mark.parametrize(
        ("on", "bounds", "earliest", "latest"),
        [
            ("2022-01-31", {"at_most": 35}, "1986-02-01", None),
            ("2026-09-14", {"at_least": 18}, None, "2008-09-14"),
            ("2026-09-14", {"at_least": 18, "at_most": 60}, "1965-09-15", "2008-09-14"),
            ("2024-02-29", {"at_least": 18}, None, "2006-02-28"),
            ("2026-02-28", {"at_least": 18}, None, "2008-02-29"),
            ("2026-02-27", {"at_least": 18}, None, "2008-02-27"),
            ("2023-02-28", {"at_most": 34}, "1988-03-01", None),
        ],
    )
    def test_birth_bounds(self, on, bounds, earliest, latest):
        expected = (earliest and D(earliest), latest and D(latest))
        assert terms.birth_bounds(D(on), **bounds) == expected


class TestClock:
    MOMENT = dt.datetime(2026, 9, 30, 16, 30, tzinfo=dt.UTC)

    def test_stands_still_and_runs_again(self):
        with clock.at(self.MOMENT):
            assert clock.now() == self.MOMENT
            assert clock.now().tzinfo is SHANGHAI
            assert clock.today() == D("2026-10-01")
            clock.advance_to(self.MOMENT + dt.timedelta(days=1))
            assert clock.today() == D("2026-10-02")
            with pytest.raises(ValueError, match="backwards"):
                clock.advance_to(self.MOMENT)
        real = dt.datetime.now(tz=dt.UTC)
        assert abs(clock.now() - real) < dt.timedelta(seconds=5)

    def test_holds_for_other_threads(self):
        from concurrent.futures import ThreadPoolExecutor

        with clock.at(self.MOMENT), ThreadPoolExecutor(1) as pool:
            assert pool.submit(clock.now).result() == self.MOMENT

    def test_blocks_nest_and_end_on_errors(self):
        with clock.at(self.MOMENT):
            with pytest.raises(KeyError), clock.at(self.MOMENT + dt.timedelta(days=3)):
                raise KeyError
            assert clock.now() == self.MOMENT

    def test_no_zone_is_refused(self):
        with pytest.raises(ValueError, match="time zone"):
            clock.set_now(dt.datetime(2026, 3, 2))


dates = st.dates(D("2025-12-20"), D("2027-03-01"))
lengths = st.integers(1, 90)
kinds = st.sampled_from([Days, WorkingDays])
any_term = st.one_of(
    st.builds(Days, lengths), st.builds(WorkingDays, lengths), st.builds(Months, st.integers(1, 14))
)
calendars = st.sampled_from([CAL, CAL_27])


class TestProperties:
    @given(any_term, dates, calendars)
    @settings(max_examples=200, deadline=None)
    def test_ends_on_a_workday_after_the_start(self, term, start, calendar):
        deadline = terms.end_of(term, start, calendar)
        assert not calendar.is_rest_day(deadline.ends_on)
        assert deadline.ends_on > start

    @given(kinds, lengths, dates, calendars)
    @settings(max_examples=200, deadline=None)
    def test_monotone_in_length(self, kind, n, start, calendar):
        shorter = terms.end_of(kind(n), start, calendar)
        longer = terms.end_of(kind(n + 1), start, calendar)
        assert shorter.ends_on <= longer.ends_on
        if kind is WorkingDays:
            assert shorter.ends_on < longer.ends_on

    @given(any_term, dates, calendars)
    @settings(max_examples=200, deadline=None)
    def test_monotone_in_start(self, term, start, calendar):
        later = terms.end_of(term, start + dt.timedelta(days=1), calendar)
        assert terms.end_of(term, start, calendar).ends_on <= later.ends_on

    @given(lengths, dates, calendars)
    @settings(max_examples=200, deadline=None)
    def test_exactly_n_working_days_after_the_start_day(self, n, start, calendar):
        end = terms.end_of(WorkingDays(n), start, calendar).ends_on
        after = [start + dt.timedelta(days=i) for i in range(1, (end - start).days + 1)]
        assert sum(calendar.is_workday(day) for day in after) == n

    @given(lengths, dates, calendars)
    @settings(max_examples=200, deadline=None)
    def test_days_give_way_to_the_first_workday_only(self, n, start, calendar):
        end = terms.end_of(Days(n), start, calendar).ends_on
        nominal = start + dt.timedelta(days=n)
        assert end >= nominal
        passed = [nominal + dt.timedelta(days=i) for i in range((end - nominal).days)]
        assert all(calendar.is_rest_day(day) for day in passed)

    @given(any_term, dates, st.integers(0, 40), st.integers(0, 40), calendars)
    @settings(max_examples=200, deadline=None)
    def test_a_suspension_never_shortens(self, term, start, until, pause, calendar):
        deadline = terms.end_of(term, start, calendar)
        stopped = start + dt.timedelta(days=until)
        moved = terms.resume(term, deadline, stopped, stopped + dt.timedelta(days=pause), calendar)
        assert moved.ends_on >= deadline.ends_on
        assert not calendar.is_rest_day(moved.ends_on)
        assert terms.recompute(term, moved, calendar) == moved
        assert len(moved.rule) <= 160

    @given(any_term, dates)
    @settings(max_examples=200, deadline=None)
    def test_settled_ends_do_not_move_when_a_year_is_loaded(self, term, start):
        deadline = terms.end_of(term, start, CAL)
        if not deadline.provisional:
            assert terms.recompute(term, deadline, CAL_27) == deadline

    @given(st.dates(D("1940-01-01"), D("2020-12-31")), dates, st.integers(1, 80))
    @settings(max_examples=200, deadline=None)
    def test_born_within_the_bounds_is_of_that_age(self, birth, on, n):
        earliest, _ = terms.birth_bounds(on, at_most=n - 1)
        _, latest = terms.birth_bounds(on, at_least=n)
        assert (birth <= latest) is not (birth >= earliest)  # either N or not yet N
        age = on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))
        if (birth.month, birth.day) != (2, 29):
            assert (birth <= latest) is (age >= n)
