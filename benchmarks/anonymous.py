"""The page of a case for people who have not signed in: made anew, kept by nginx, and a plain file.

    .venv/bin/python -m benchmarks.anonymous [--seconds 4] [--rounds 5]

The city profile on this machine (PostgreSQL, Redis, two servers, nginx as shipped), asked by wrk.
Each way is asked in turn, several times, so that all see the same machine; medians. Beside the
page stand a plain Django page of as many bytes (one template, no database), and nginx handing out
the same bytes as a file. The rates hold the work of wrk, which runs on the same processors.
"""

from __future__ import annotations

import argparse
import datetime as dt
import gzip
import http.client
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .ground import line

ROOT = Path(__file__).resolve().parent.parent
PLAIN = """
import os
from django.conf import settings
settings.configure(
    SECRET_KEY="x", ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__,
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [os.path.dirname(os.path.abspath(__file__))]}],
)
from django.core.asgi import get_asgi_application
from django.shortcuts import render
from django.urls import path
def page(request):
    return render(request, "plain.html", {"title": "plain"})
urlpatterns = [path("", page)]
application = get_asgi_application()
"""
# From the models, which is ten times as fast as by the migrations, and gives the same.
TABLES = """
import django
from django.conf import settings
settings.MIGRATION_MODULES = type(
    "None", (), {"__contains__": lambda *_: True, "__getitem__": lambda *_: None}
)()
django.setup()
from django.core.management import call_command
call_command("migrate", run_syncdb=True, verbosity=0)
"""
EACH_OTHER = """
counter = 0
request = function()
  counter = counter + 1
  return wrk.format("GET", wrk.path .. "?n=" .. counter .. "." .. math.random(1, 1000000000))
end
init = function() math.randomseed(os.time()) end
"""


def lay() -> str:
    """A case that was held and asks for opinions; the address of its page."""
    import django

    django.setup()
    from processes.open_days.procedure import OpenDay
    from tests import factories
    from workflows import acts, calendars, clock
    from workflows.parties import Party

    calendars.seed()
    street = factories.make_street()
    estate = factories.make_estate(units=2, parent=street)
    office = factories.make_person("office", "office", community=street)
    party = Party("office", f"person:{office.pk}", office.pk)
    clock.set_now(clock.now() - dt.timedelta(days=3))
    case = acts.open_case(OpenDay, estate.community, party, title="示范开放日", demo=True)
    starts = clock.now() + dt.timedelta(minutes=5)
    call = {"starts_at": starts.astimezone(clock.SHANGHAI).strftime("%Y-%m-%dT%H:%M")}
    acts.perform(
        case, "visit", "meeting.called", party, {**call, "place": "楼前", "agenda": "参观现场。"}
    )
    session = case.runs.get(name="visit").sessions.get()
    clock.set_now(starts + dt.timedelta(hours=1))
    held = {"session": session.pk}
    acts.perform(case, "visit", "meeting.held", party, {**held, "attendance": 3})
    acts.perform(case, "visit", "meeting.minuted", party, {**held, "minutes": "参观了屋面。"})
    acts.perform(case, "visit", "meetings.closed", party)
    clock.set_now(None)
    return f"/cases/{case.number}/"


def got(port: int, path: str) -> bytes:
    """The bytes of a page."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    link.request("GET", path, headers={"Host": "127.0.0.1"})
    answer = link.getresponse()
    body = answer.read()
    assert answer.status == 200, (path, answer.status)
    return body


def rate(address: str, connections: int, seconds: int, *more: str) -> float:
    """Requests a second that wrk gets answered. Raises for answers that are no pages."""
    said = subprocess.run(
        ["wrk", "-t2", f"-c{connections}", f"-d{seconds}s", "--timeout", "20s", *more,
         "-H", "Accept-Encoding: gzip", "-H", "Host: 127.0.0.1", address],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "Non-2xx" not in said, said
    found = re.search(r"Requests/sec:\s+([\d.]+)", said)
    assert found is not None, said
    return float(found[1])


def main() -> int:
    """Measure, and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=int, default=4)
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    if shutil.which("wrk") is None:
        raise SystemExit("wrk is missing. Debian: sudo apt-get install -y wrk")
    sys.path.insert(0, str(ROOT / "tools"))
    from city import City, Part, free_port

    with tempfile.TemporaryDirectory(
        prefix="sanwen-anonymous-", ignore_cleanup_errors=True
    ) as made:
        folder = Path(made)
        city = City(folder / "city", workers=2, clocks=0, celery=0, nginx=True,
                    more={"SANWEN_DEMO": "1"})  # fmt: skip
        try:
            city.stores()
            subprocess.run([sys.executable, "-c", TABLES], cwd=ROOT, check=True)
            path = lay()
            city.open()
            city.wait()
            page = got(city.door, path)
            file = Path(city.env["SANWEN_STATIC"]) / "page.html"
            file.write_bytes(page)
            file.with_name("page.html.gz").write_bytes(gzip.compress(page, 6))
            (folder / "plain.html").write_bytes(page)
            (folder / "plain.py").write_text(PLAIN)
            (folder / "other.lua").write_text(EACH_OTHER)
            port = free_port()
            plain = Part(
                "plain",
                [sys.executable, "-m", "uvicorn", "plain:application", "--app-dir", made,
                 "--port", str(port), "--lifespan", "off", "--no-access-log"],
                {**city.env, "DJANGO_SETTINGS_MODULE": ""}, folder / "plain.log",
            )  # fmt: skip
            plain.start()
            until = time.monotonic() + 60
            while True:
                try:
                    got(port, "/")
                    break
                except OSError:
                    assert time.monotonic() < until, (folder / "plain.log").read_text()
                    time.sleep(0.2)
            each = ("-s", str(folder / "other.lua"))
            ways = {
                "plain": lambda: rate(f"http://127.0.0.1:{port}/", 8, options.seconds),
                "cold": lambda: rate(
                    f"http://127.0.0.1:{city.ports[0]}{path}", 8, options.seconds, *each
                ),
                "kept": lambda: rate(f"http://127.0.0.1:{city.door}{path}", 64, options.seconds),
                "file": lambda: rate(
                    f"http://127.0.0.1:{city.door}/static/page.html", 64, options.seconds
                ),
            }
            rates: dict[str, list[float]] = {name: [] for name in ways}
            for way in ways.values():
                way()
            for _n in range(options.rounds):
                for name in ways:
                    rates[name].append(ways[name]())
            plain.end()
        finally:
            city.end()
    middle = {name: statistics.median(found) for name, found in rates.items()}
    print(f"a page of {len(page)} bytes; requests a second, medians of {options.rounds}:")
    for name, what in (
        ("plain", "a plain Django page of as many bytes, one server"),
        ("cold", "the page of a case, made anew each time, one server"),
        ("kept", "the same through nginx, kept for the second"),
        ("file", "nginx, the same bytes as a file"),
    ):
        print(f"  {what:<56} {middle[name]:10.1f}")
    ratio = statistics.median(a / b for a, b in zip(rates["kept"], rates["file"], strict=True))
    line("the page of a case, kept : the same bytes as a file", ratio, ">= 0.5", ratio >= 0.5)
    cold = middle["cold"] / middle["plain"]
    print(f"made anew : a plain Django page {cold:.3f}; kept : made anew "
          f"{middle['kept'] / middle['cold']:.0f}")  # fmt: skip
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
