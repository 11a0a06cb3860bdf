"""Broken on purpose, under load: nothing accepted is lost, nothing doubled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.slow
@pytest.mark.skipif(
    os.environ.get("SANWEN_TEST_STACK") != "city", reason="it brings its own city; once is enough"
)
def test_killed_at_random_moments_nothing_accepted_is_lost_and_nothing_doubled():
    environment = {k: v for k, v in os.environ.items() if not k.startswith("SANWEN_")}
    ran = subprocess.run(
        [sys.executable, "tools/chaos.py", "--seconds", "20"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=550,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr[-4000:]
    said = json.loads(ran.stdout.splitlines()[-1])
    assert said["accepted"] > 20
    assert said["broken"] > 3
    assert said["wrong"] == 0
