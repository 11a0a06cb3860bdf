"""Schemathesis against the running server, with what the API says of itself: nothing is found."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from tests.processes.community.test_erasure import Place
from tests.processes.community.test_erasure import place as place

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city, pytest.mark.slow]


def test_schemathesis_finds_nothing(place: Place, live_server: Any, tmp_path: Path) -> None:
    cache.clear()
    place.consultation()
    place.ballot()
    done = subprocess.run(
        [
            Path(sys.executable).parent / "schemathesis",
            "run",
            f"{live_server.url}/api/v1/openapi.json",
            "--max-examples=6",
            "--seed=1",
            "--generation-deterministic",
            "--phases=examples,coverage,fuzzing",
            "--request-timeout=30",
            "--max-failures=5",
            "--no-color",
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=500,
        check=False,
    )
    assert done.returncode == 0, f"{done.stdout[-6000:]}\n{done.stderr[-2000:]}"
