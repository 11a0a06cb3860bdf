"""Schemathesis against the running server, with what the API says of itself: nothing is found, by
whoever reads, nor by a program that acts for a resident or for staff."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from tests.sandbox.opinion_procedures import Needs, photo
from workflows import acts
from workflows.models import Attachment, Case, StepRun
from workflows.portal.api import tokens
from workflows.records import first_fault

LONG = os.environ.get("SANWEN_TEST_SCHEMATHESIS") == "long"
"""Other examples in each run, hundreds of each operation, and one operation after another with what
the one before has answered; a quarter of an hour for each test at most."""
STEADY = ("--continue-on-failure",) if LONG else ("--seed=1", "--generation-deterministic")
LONGEST = 1500 if LONG else 500
EXPECTED = ["2xx", "3xx", "401", "403", "404", "409", "422", "429"]

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.city,
    pytest.mark.slow,
    pytest.mark.timeout(LONGEST + 100),
]


MANY = (
    ("--max-examples=150", "--phases=examples,coverage,fuzzing,stateful", "--max-time=900")
    if LONG
    else ()
)


def try_everything(url: str, folder: Path, *more: str) -> None:
    """Let schemathesis look; fails with what it has found."""
    described = folder / "openapi.json"
    with urllib.request.urlopen(f"{url}/api/v1/openapi.json", timeout=120) as answer:
        described.write_bytes(answer.read())
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            described,
            f"--url={url}",
            *STEADY,
            "--request-timeout=30",
            "--max-failures=5",
            "--no-color",
            *more,
        ],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=LONGEST,
        check=False,
    )
    if LONG:
        print(done.stdout[-3000:])
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"


def test_schemathesis_finds_nothing(place: Place, live_server: Any, tmp_path: Path) -> None:
    cache.clear()
    place.consultation()
    place.ballot()
    more = MANY or ("--max-examples=6", "--phases=examples,coverage,fuzzing")
    more += ("--exclude-tag=acting",)
    try_everything(live_server.url, tmp_path, *more)


@pytest.mark.parametrize("who", ["resident", "staff"])
def test_nothing_is_found_by_who_acts(
    place: Place, live_server: Any, tmp_path: Path, who: str
) -> None:
    cache.clear()
    case = acts.open_case(Needs, place.community, place.staff("office"), title="问需")
    run = StepRun.objects.get(process=case, name="ask")
    mine = place.owner(1, "household")
    said = {"text": "雨棚漏水"}
    done = acts.perform(case, "ask", "opinion.submitted", mine, said, {"photos": [photo(3)]})
    person = place.others[0] if who == "resident" else place.committee
    token = tokens.give(person, "fuzz", tokens.SCOPES, 300, confirmed=True)
    named = {
        "path.number": case.number,
        "path.run": run.pk,
        "path.code": "sandbox_needs",
        "path.seq": done.record.seq,
        "path.uid": str(Attachment.objects.get(record=done.record).uid),
    }
    # What the form of an act takes is described case by case (``GET …/acts``), so that a body which
    # the description of all acts allows may still be told what is missing.
    lines = [f'headers = {{ Authorization = "Bearer {token}" }}', "[parameters]"]
    lines += [f'"{name}" = {json.dumps(value)}' for name, value in named.items()]
    lines += ["[checks.positive_data_acceptance]", f"expected-statuses = {EXPECTED}"]
    (tmp_path / "schemathesis.toml").write_text("\n".join(lines))
    phases = "coverage,fuzzing" if who == "resident" else "fuzzing"
    more = MANY or ("--max-examples=10", f"--phases={phases}")
    more += ("--include-tag=acting", "--include-tag=mine")
    try_everything(live_server.url, tmp_path, *more)
    for each in Case.objects.all():
        assert first_fault(each) is None
