"""Opinions accepted a second over HTTP, by 1, 8 and 64 clients that each wait for their answer.

    .venv/bin/python -m benchmarks.arrivals [SECONDS]

One uvicorn worker as in production, on PostgreSQL and Redis, for signed-in households: session,
CSRF, rights, form, record and receipt. Against the same server with a plain Django view that
inserts one row, without sessions or CSRF. The processor is that of the worker, for one answer.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from benchmarks import ground
from benchmarks.sockets import free_port

HOUSEHOLDS = 64
CLIENTS = (1, 8, 64)
TICKS = os.sysconf("SC_CLK_TCK")


@dataclass
class Side:
    """A server, where it is posted to and by whom."""

    path: str
    cookies: list[str]
    port: int
    process: subprocess.Popen[bytes]

    def processor(self) -> float:
        """The seconds that the worker has computed so far."""
        stat = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(stat[11]) + int(stat[12])) / TICKS


def served(side: str, database: str) -> tuple[int, subprocess.Popen[bytes]]:
    """A worker of the site, or of the plain view."""
    port = free_port()
    env = {
        **os.environ,
        "SANWEN_DATABASE": database,
        "DJANGO_SETTINGS_MODULE": "benchmarks.served",
        "BENCHMARK_SIDE": side,
    }
    process = subprocess.Popen(
        [
            sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port),
            "--lifespan", "off", "--log-level", "error", "--no-access-log",
        ],
        env=env,
    )  # fmt: skip
    return port, process


async def client(side: Side, number: int, until: float) -> int:
    """Post one opinion after the other, each answered with a redirect; how many."""
    reader, writer = await asyncio.open_connection("127.0.0.1", side.port)
    done = 0
    while time.perf_counter() < until:
        key = secrets.token_hex(12)
        body = urlencode({"text": f"建议第{key}处加装扶手。", "idempotency_key": key}).encode()
        secret = "c" * 32
        writer.write(
            (
                f"POST {side.path} HTTP/1.1\r\nHost: 127.0.0.1:{side.port}\r\n"
                "Content-Type: application/x-www-form-urlencoded\r\n"
                f"Cookie: sessionid={side.cookies[number]}; csrftoken={secret}\r\n"
                f"X-CSRFToken: {secret}\r\nContent-Length: {len(body)}\r\n\r\n"
            ).encode()
            + body
        )
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").lower()
        length = head.partition("content-length:")[2].split("\r\n")[0].strip()
        if length and int(length):
            await reader.readexactly(int(length))
        elif "chunked" in head:
            await reader.readuntil(b"0\r\n\r\n")
        if " 302 " not in head.split("\r\n")[0] or "/done/" not in head:
            raise RuntimeError(head[:200])
        done += 1
    writer.close()
    return done


async def rate(side: Side, clients: int, seconds: float) -> tuple[float, float]:
    """Answers a second, and the worker's seconds for each."""
    before, begun = side.processor(), time.perf_counter()
    until = begun + seconds
    done = sum(await asyncio.gather(*(client(side, n, until) for n in range(clients))))
    return done / (time.perf_counter() - begun), (side.processor() - before) / max(1, done)


def lay() -> tuple[str, list[str]]:
    """A case that asks, and the sessions of its households: address and cookies."""
    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.sessions.backends.db import SessionStore

    from tests import factories
    from tests.sandbox.opinion_procedures import OFFICE, Plans
    from workflows import acts, calendars

    calendars.seed()
    estate = factories.make_estate(units=HOUSEHOLDS, parent=factories.make_street())
    case = acts.open_case(Plans, estate.community, OFFICE, title="甲")
    cookies = []
    for person in factories.make_members(factories.units_of(estate)):
        store: Any = SessionStore()
        store[SESSION_KEY] = str(person.pk)
        store[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[-1]
        store[HASH_SESSION_KEY] = person.get_session_auth_hash()
        store.create()
        cookies.append(str(store.session_key))
    return f"/cases/{case.number}/do/ask/opinion.submitted/", cookies


def main() -> None:
    """Serve, post, print."""
    ground.prepare()
    from tests.workflows.test_concurrency import database_address

    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 6.0
    path, cookies = lay()
    sides = {
        "opinions": Side(path, cookies, *served("site", database_address())),
        "plain": Side("/row/", cookies, *served("plain", database_address())),
    }

    async def measure() -> None:
        for side in sides.values():
            while True:
                try:
                    await rate(side, 4, 2)
                    break
                except OSError:
                    await asyncio.sleep(0.3)
        for clients in CLIENTS:
            found: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
            for _round in range(3):
                for name, side in sides.items():
                    found[name].append(await rate(side, clients, seconds))
            best = {name: max(rates)[0] for name, rates in found.items()}
            cost = {name: min(cost for _rate, cost in rates) for name, rates in found.items()}
            print(
                f"{clients:>2} clients: {best['opinions']:.0f} opinions a second, "
                f"{best['opinions'] / best['plain']:.2f} of a plain INSERT's; "
                f"{cost['opinions'] * 1000:.1f} ms of processor each, "
                f"{cost['opinions'] / cost['plain']:.1f} of a plain INSERT's"
            )

    try:
        asyncio.run(measure())
    finally:
        for side in sides.values():
            side.process.terminate()


if __name__ == "__main__":
    main()
