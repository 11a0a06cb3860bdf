"""docs/write-a-procedure.md, followed literally: its blocks are what is written and run here."""

from __future__ import annotations

import datetime as dt
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from workflows import clock

from .page import Block, blocks

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "write-a-procedure.md"
FOREVER = "make demo"
"""A block that begins so runs until it is told to stop."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(3000)]


class Reader:
    """Somebody who does what a page says, at a shell in the checkout."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.port = _free_port()
        self.running: subprocess.Popen[bytes] | None = None
        self.exports = home / "exports"
        self.exports.touch()
        # What the tests themselves stand on is not the reader's.
        mine = ("SANWEN_", "PYTEST_", "DJANGO_", "PORT")
        self.environment = {k: v for k, v in os.environ.items() if not k.startswith(mine)}
        self.environment |= {"HOME": str(home), "SANWEN_STATIC": str(home / "static")}

    def follow(self, block: Block) -> None:
        """Write the file, or run the commands; what they export holds for those that follow."""
        if block.path:
            block.write(self.home / "street")
            return
        # Whatever stands at that port here, and whatever year it is.
        year = str((clock.now() - dt.timedelta(days=3)).year)
        text = block.text.replace("8010", str(self.port)).replace("BIKE-2026", f"BIKE-{year}")
        if text.startswith(FOREVER):
            self.start(text)
        else:
            done = self.shell(f"{text}\nexport -p > {self.exports}")
            out, _nothing = done.communicate(timeout=2400)
            assert done.returncode == 0, f"{text}\n{out.decode()[-6000:]}"

    def shell(self, text: str) -> subprocess.Popen[bytes]:
        """Commands, all of which must succeed."""
        return subprocess.Popen(
            ["bash", "-euo", "pipefail", "-c", f"source {self.exports}\n{text}"],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def start(self, text: str) -> None:
        """Start what does not end, and wait until it says that it is ready."""
        said = self.home / "said"
        self.running = self.shell(f"{text.strip()} > {said} 2>&1")
        end = time.monotonic() + 2400
        while "Ctrl-C ends it" not in (said.read_text() if said.exists() else ""):
            assert self.running.poll() is None, said.read_text()
            assert time.monotonic() < end, said.read_text()
            time.sleep(0.5)

    def leave(self) -> None:
        """End what was started."""
        if self.running is not None and self.running.poll() is None:
            os.killpg(self.running.pid, signal.SIGTERM)
            self.running.wait(timeout=60)


def _free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
        return port


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[Reader]:
    """A reader with a home of their own."""
    found = Reader(tmp_path)
    yield found
    found.leave()


def test_the_page_leads_to_a_procedure_that_people_walk(reader):
    for block in blocks(PAGE):
        reader.follow(block)
    # People at their browsers: a test of its own, on a site that has the package.
    street = reader.home / "street"
    environment = {**reader.environment, "HOME": os.environ.get("HOME", "/"), "SANWEN_DEMO": "1"}
    environment |= {"PYTHONPATH": str(street), "SANWEN_APPS": "bike_places"}
    walk = [sys.executable, "-m", "pytest", "-n", "0", "-q", "tests/journeys/own_procedure.py"]
    done = subprocess.run(walk, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-6000:]
    assert "1 passed" in done.stdout
