"""What operators watch: readiness, figures, slow queries, log lines that find together."""

from __future__ import annotations

import datetime as dt
import io
import json
import logging
import re
from typing import Any

import pytest
from django.core.cache import cache
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from config.logs import HideReceipts, Json
from tests.processes.community.erasure_cases import NAME, Place
from tests.processes.community.erasure_cases import place as place
from workflows import clock, watch
from workflows.models import StepRun

pytestmark = pytest.mark.django_db(transaction=True)
TOKEN = {"Authorization": "Bearer geheim"}


def value(text: str, name: str) -> float:
    found = re.search(rf"^sanwen_{re.escape(name)} ([0-9.e+]+)$", text, re.MULTILINE)
    assert found, f"{name} in {text}"
    return float(found[1])


@pytest.fixture(autouse=True)
def _known(settings: Any) -> None:
    settings.SANWEN_METRICS_TOKEN = "geheim"
    cache.clear()


def test_metrics_only_for_who_may(place: Place, settings: Any) -> None:
    assert Client().get("/metrics").status_code == 404
    assert Client().get("/metrics", headers={"Authorization": "Bearer falsch"}).status_code == 404
    assert Client().get("/metrics", headers=TOKEN).status_code == 200
    settings.SANWEN_METRICS_TOKEN = ""
    assert Client().get("/metrics", headers={"Authorization": "Bearer "}).status_code == 404
    settings.SANWEN_METRICS_FROM = ["10.1.0.0/16"]
    assert Client().get("/metrics", REMOTE_ADDR="10.2.0.1").status_code == 404
    assert Client().get("/metrics", REMOTE_ADDR="10.1.9.9").status_code == 200
    assert Client().get("/metrics", REMOTE_ADDR="").status_code == 404


def test_the_figures_tell_of_acts_terms_and_the_log(place: Place) -> None:
    case = place.consultation()
    case.refresh_from_db()

    def shown() -> str:
        return Client().get("/metrics", headers=TOKEN).content.decode()

    text = shown()
    assert value(text, "records_total") == case.length
    assert value(text, 'cases{state="open"}') == 1
    assert value(text, "log_waiting") == case.length
    assert value(text, "steps_overdue") == 0
    assert NAME not in text
    clock.set_now(clock.now() + dt.timedelta(seconds=90))
    assert value(shown(), "log_lag_seconds") == 90
    run = StepRun.objects.get(process=case, name="ask")
    clock.set_now(run.scheduled + dt.timedelta(minutes=5))
    assert (value(shown(), "terms_unfired"), value(shown(), "clock_lag_seconds")) == (1, 300)
    StepRun.objects.filter(pk=run.pk).update(overdue_at=clock.now())
    with CaptureQueriesContext(connection) as asked:
        assert value(shown(), "steps_overdue") == 1
    assert len(asked) <= 8 + 3, "three are of news"


def test_other_rooms_add_their_figures(place: Place) -> None:
    def letters(sender: Any, **_more: Any) -> list[watch.Figure]:
        return [watch.Figure("letters_lost", "letters not delivered", {"red": 3}, "colour")]

    watch.collecting.connect(letters)
    try:
        text = Client().get("/metrics", headers=TOKEN).content.decode()
    finally:
        watch.collecting.disconnect(letters)
    assert value(text, 'letters_lost{colour="red"}') == 3


def test_ready_means_that_the_clock_works_too(place: Place, monkeypatch: Any) -> None:
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["ok"]) == (200, True)
    place.consultation()
    clock.set_now(clock.now() + dt.timedelta(minutes=2))
    answer = Client().get("/readyz")
    assert answer.status_code == 503
    assert answer.json()["parts"] == {
        "database": True,
        "migrations": True,
        "cache": True,
        "clock": False,
        "log": True,
    }
    monkeypatch.setattr(watch, "_caches", _raise)
    assert Client().get("/readyz").json()["parts"]["cache"] is False


def _raise() -> bool:
    raise OSError("disk full")


def test_the_operators_page_is_for_superusers(place: Place, django_user_model: Any) -> None:
    client = Client()
    assert client.get("/operate/").status_code == 302
    client.force_login(place.office)
    assert client.get("/operate/").status_code == 403
    boss = django_user_model.objects.create_superuser("boss", password="einlangespasswort")
    client.force_login(boss)
    page = client.get("/operate/").content.decode()
    assert "尚未进入日志的记录" in page
    assert "未能发出、将重试的消息" in page
    assert "未开启（SANWEN_SLOW_QUERY_MS）" in page
    english = client.get("/operate/", headers={"accept-language": "en"}).content.decode()
    assert "Slow query log" in english
    assert not re.search("[\u4e00-\u9fff]", re.sub("(?s).*<main|</main>.*", "", english))


def test_slow_queries_are_logged_without_what_people_wrote(
    place: Place, settings: Any, caplog: Any
) -> None:
    settings.SANWEN_SLOW_QUERY_MS = 1
    sleep = {
        "sqlite": "SELECT %s FROM (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n+1 "
        "FROM c WHERE n < 300000) SELECT count(*) FROM c)",
        "postgresql": "SELECT %s, pg_sleep(0.01)",
    }[connection.vendor]
    with (
        connection.execute_wrapper(watch._timed),
        caplog.at_level(logging.WARNING, "sanwen.slow"),
        connection.cursor() as cursor,
    ):
        cursor.execute(sleep, [NAME])
    assert "SELECT %s" in caplog.text
    assert NAME not in caplog.text
    connection.close()
    connection.ensure_connection()
    assert watch._timed in connection.execute_wrappers
    connection.execute_wrappers.remove(watch._timed)


def test_a_request_has_an_id_that_visitors_cannot_choose(db: Any, settings: Any) -> None:
    given = {"X-Request-ID": "abcdef-123456"}
    assert re.fullmatch(r"[0-9a-f]{32}", Client().get("/healthz")["X-Request-ID"])
    assert Client().get("/healthz", headers=given)["X-Request-ID"] != given["X-Request-ID"]
    settings.SANWEN_BEHIND_PROXY = True
    assert Client().get("/healthz", headers=given)["X-Request-ID"] == given["X-Request-ID"]
    forged = {"X-Request-ID": "x\u2028" * 4}
    assert Client().get("/healthz", headers=forged)["X-Request-ID"] != forged["X-Request-ID"]


def test_log_lines_for_programs_hide_values_and_secrets() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Json())
    handler.addFilter(HideReceipts())
    logger = logging.getLogger("tests.json")
    logger.propagate = False
    logger.addHandler(handler)
    try:
        raise ValueError(f"duplicate key\nDETAIL:  Key (name)=({NAME}) already exists.")
    except ValueError:
        logger.exception("Not Found: %s", "/r/6VVC5-FCX4M-TPVM5-6WW23/")
    line = json.loads(stream.getvalue())
    assert (line["level"], line["logger"], line["request"]) == ("ERROR", "tests.json", "-")
    assert "6VVC5" not in line["message"]
    assert "ValueError" in line["error"]
    assert NAME not in stream.getvalue()
