"""A kept database of each earlier release becomes one of this release, with its cases in flight.

Restored by `manage.py restore`, which migrates it and holds the log against the checkpoint that the
release signed; then each case is brought home by the present code, through the one door, and the
log of both releases together is verified again.
"""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.db import connection

from tests.releases import in_flight
from tests.workflows.test_backup import Site, _programs, new_site
from tools.keep_release import KEPT, PASSPHRASE

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]

HOME = """
import tempfile, pathlib
from workflows import records
from workflows.models import Case, Record
from workflows.records import log
from sanwen.verify import Trust, verify
from sanwen.note import Verifier
from tests.releases import in_flight
from workflows.models import LogKey
before = Record.objects.count()
ended = in_flight.bring_home()
log.integrate_now()
with tempfile.TemporaryDirectory() as made:
    log.write_to(pathlib.Path(made))
    key = Verifier.parse(LogKey.objects.get().vkey)
    found = verify(made, Trust([key]))
broken = [case.number for case in Case.objects.all() if records.first_fault(case) is not None]
print(json.dumps({
    "ended": ended, "before": before, "log": log.latest().size, "records": Record.objects.count(),
    "faults": [line.text("en") for line in found.lines if line.kind == "fault"], "broken": broken,
}))
"""


def kept() -> list[Path]:
    """The archives of earlier releases, of this kind of database."""
    return sorted(KEPT.glob(f"*.{connection.vendor}.tar.xz"))


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """An empty site of this release."""
    with new_site(tmp_path, "upgraded") as made:
        made.env |= {
            "NOW": in_flight.NOW.isoformat(),
            "SANWEN_BACKUP_PASSPHRASE": PASSPHRASE,
            "SANWEN_PG_BIN": _programs(),
        }
        yield made


def test_a_release_is_kept_for_both_kinds_of_database() -> None:
    names = {path.name.split(".")[-3] for path in KEPT.glob("*.tar.xz")}
    assert names == {"sqlite", "postgresql"}


@pytest.mark.parametrize("release", range(len(list(KEPT.glob("*.sqlite.tar.xz")))))
def test_cases_in_flight_of_an_earlier_release_are_brought_home(
    site: Site, tmp_path: Path, release: int, db: Any
) -> None:
    folder = tmp_path / "kept"
    with tarfile.open(kept()[release]) as packed:
        packed.extractall(folder, filter="data")
    told = site.manage("restore", str(folder))
    assert "restored, and all of it holds" in told
    manifest = json.loads((folder / "manifest.json").read_text())
    assert f"the checkpoint over {manifest['log_size']} records is signed by" in told
    assert "No planned migration operations" in site.manage("migrate", "--plan")

    came = site.ask(HOME)
    assert came["before"] == manifest["records"]
    assert came["ended"] == {
        in_flight.NEEDS: "open: ['owner_ballot']",
        in_flight.BALLOT: "completed",
        in_flight.WORKS: "completed",
        in_flight.OPEN_DAY: "done",
        in_flight.CALL: "completed",
        "disclosure": "answered",
        "appeals": "settled",
    }
    assert came["records"] > came["before"] + 300
    assert came["log"] == came["records"]
    assert came["faults"] == []
    assert came["broken"] == []
