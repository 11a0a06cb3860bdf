"""Five thousand open pages on one worker: how soon all hear of an act, and the memory of each.

    .venv/bin/python -m benchmarks.sockets [--sqlite]

The worker is uvicorn as in production, with the Redis layer; the readers are a process of their
own on the same machine, so that the time holds their work too.
"""

from __future__ import annotations

import asyncio
import os
import resource
import socket
import subprocess
import sys
import time
from pathlib import Path

SOCKETS = 5000
ROUNDS = 5


def free_port() -> int:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def kilobytes(pid: int) -> int:
    """The resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS")))


async def readers(port: int, number: str, pid: int) -> None:
    """Open the sockets; at each act print how long until all had heard."""
    from websockets.asyncio.client import connect

    before = kilobytes(pid)
    url = f"ws://127.0.0.1:{port}/live/?case={number}"
    opened = []
    for at in range(0, SOCKETS, 100):
        more = [
            connect(
                url,
                origin=f"http://127.0.0.1:{port}",
                ping_interval=None,
                open_timeout=120,
                compression=None,
            )
            for _ in range(min(100, SOCKETS - at))
        ]
        opened += await asyncio.gather(*more)
    await asyncio.sleep(2)
    print(f"memory {(kilobytes(pid) - before) / SOCKETS:.1f}", flush=True)
    loop = asyncio.get_running_loop()
    for _ in range(ROUNDS):
        waiting = [asyncio.ensure_future(each.recv()) for each in opened]
        await asyncio.sleep(0.5)
        print("ready", flush=True)
        line = await loop.run_in_executor(None, sys.stdin.readline)
        await asyncio.wait_for(asyncio.gather(*waiting), 60)
        print(f"heard {time.time() - float(line):.3f}", flush=True)
    os._exit(0)  # closing five thousand politely measures nothing


def many_files() -> None:
    """As many open files as this process may have."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def main() -> None:
    """Serve, read, act, print."""
    from benchmarks import ground

    ground.prepare()
    from django.db import connection

    from tests.sandbox.opinion_procedures import OFFICE, Plans
    from tests.workflows.test_concurrency import database_address
    from workflows import acts, calendars
    from workflows.models import Community

    calendars.seed()
    estate = Community.objects.create(code="bench", name="示范小区", kind="estate")
    case = acts.open_case(Plans, estate, OFFICE, title="甲")
    port = free_port()
    env = {**os.environ, "SANWEN_DATABASE": database_address()}
    served = subprocess.Popen(
        [
            sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port),
            "--lifespan", "off", "--log-level", "error", "--no-access-log",
            "--ws-per-message-deflate", "false",
        ],
        env=env,
    )  # fmt: skip
    while socket.socket().connect_ex(("127.0.0.1", port)):
        time.sleep(0.2)
    looking = subprocess.Popen(
        [sys.executable, "-m", "benchmarks.sockets", "read", str(port), case.number,
         str(served.pid)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
    )  # fmt: skip
    assert looking.stdin is not None
    assert looking.stdout is not None
    try:
        print(f"memory of a socket: {looking.stdout.readline().split()[1]} KiB")
        seconds = []
        for number in range(ROUNDS):
            assert looking.stdout.readline() == "ready\n"
            begun = time.time()
            acts.perform(
                case, acts.CASE, "record.corrected", OFFICE, {"seq": 0, "text": f"更正{number}"}
            )
            looking.stdin.write(f"{begun}\n")
            looking.stdin.flush()
            seconds.append(float(looking.stdout.readline().split()[1]))
        print("all heard after " + ", ".join(f"{each:.2f}" for each in seconds) + " s")
        middle = sorted(seconds)[ROUNDS // 2]
        ground.line(f"{SOCKETS} sockets heard, in seconds", middle, "<= 1", middle <= 1)
    finally:
        looking.kill()
        served.kill()
        connection.close()


if __name__ == "__main__":
    many_files()
    if sys.argv[1:2] == ["read"]:
        asyncio.run(readers(int(sys.argv[2]), sys.argv[3], int(sys.argv[4])))
    else:
        main()
