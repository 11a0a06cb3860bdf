"""Five thousand open pages on one worker: how soon all hear of an act, and the memory of each.

    .venv/bin/python -m benchmarks.sockets [COUNT] [--sqlite]

The worker is uvicorn as in production, with the Redis layer. The readers are a process of their
own on the same machine, so that the time holds their work too. How much that is a bare application
tells: the same server, the same readers, the same frame, sent to one socket after another when a
line comes in, with no site, no Redis and no act.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import resource
import socket
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any

SOCKETS = next((int(each) for each in sys.argv[1:] if each.isdecimal()), 5000)
ROUNDS = 7
FRAME = {"type": "websocket.send", "text": "changed 60000"}

_bare: list[Any] = []


async def bare(scope: Any, receive: Any, send: Any) -> None:
    """An application that does nothing but send the frame: to all, when a page is asked for."""
    if scope["type"] == "http":
        for each in _bare:
            await each(FRAME)
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})
        return
    await receive()
    await send({"type": "websocket.accept"})
    _bare.append(send)
    while (await receive())["type"] != "websocket.disconnect":
        pass


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


def processor(pid: int) -> float:
    """The seconds of processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def readers(port: int, query: str, pid: int, sockets: int) -> None:
    """Open the sockets; at each hint print how long until all had heard."""
    from websockets.asyncio.client import connect

    before = kilobytes(pid)
    url = f"ws://127.0.0.1:{port}/live/?{query}"
    opened = []
    for at in range(0, sockets, 100):
        more = [
            connect(
                url,
                origin=f"http://127.0.0.1:{port}",
                ping_interval=None,
                open_timeout=120,
                compression=None,
            )
            for _ in range(min(100, sockets - at))
        ]
        opened += await asyncio.gather(*more)
    await asyncio.sleep(2)
    print(f"memory {(kilobytes(pid) - before) / sockets:.1f}", flush=True)
    loop = asyncio.get_running_loop()
    for _ in range(ROUNDS):
        waiting = [asyncio.ensure_future(each.recv()) for each in opened]
        await asyncio.sleep(1)
        print("ready", flush=True)
        line = await loop.run_in_executor(None, sys.stdin.readline)
        await asyncio.wait_for(asyncio.gather(*waiting), 60)
        print(f"heard {time.time() - float(line):.3f}", flush=True)
    os._exit(0)  # closing thousands politely measures nothing


def many_files() -> None:
    """As many open files as this process may have."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Room:
    """A worker with an application, and the readers that have all their sockets open there."""

    def __init__(self, application: str, query: str, env: dict[str, str]) -> None:
        self.port = free_port()
        self.served = subprocess.Popen(
            [
                sys.executable, "-m", "uvicorn", application, "--port", str(self.port),
                "--lifespan", "off", "--log-level", "error", "--no-access-log",
                "--ws-per-message-deflate", "false",
            ],
            env=env,
        )  # fmt: skip
        while socket.socket().connect_ex(("127.0.0.1", self.port)):
            time.sleep(0.2)
        self.looking = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.sockets", "read", str(self.port), query,
             str(self.served.pid), str(SOCKETS)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=env,
        )  # fmt: skip
        assert self.looking.stdin is not None
        assert self.looking.stdout is not None
        self.say: IO[str] = self.looking.stdin
        self.said: IO[str] = self.looking.stdout
        self.memory = float(self.said.readline().split()[1])

    def heard(self, act: Any) -> tuple[float, float, float]:
        """Seconds from before `act` until all had heard; of these the worker's and the readers'
        processor time."""
        assert self.said.readline() == "ready\n"
        pids = self.served.pid, self.looking.pid
        before = [processor(pid) for pid in pids]
        begun = time.time()
        act()
        self.say.write(f"{begun}\n")
        self.say.flush()
        seconds = float(self.said.readline().split()[1])
        worker, reading = (processor(pid) - was for pid, was in zip(pids, before, strict=True))
        return seconds, worker, reading

    def close(self) -> None:
        """Shut down."""
        self.looking.kill()
        self.served.kill()


def report(name: str, times: list[tuple[float, float, float]], memory: float) -> float:
    """Print what a room took; its median seconds."""
    whole, worker, reading = (statistics.median(each) for each in zip(*times, strict=True))
    print(
        f"{name}: heard after {', '.join(f'{each[0]:.2f}' for each in times)} s; processor of the "
        f"worker {worker:.2f} s, of the readers {reading:.2f} s; {memory:.1f} KiB a socket"
    )
    return whole


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
    env = {**os.environ, "SANWEN_DATABASE": database_address()}

    numbers = itertools.count(1)

    def act() -> None:
        text = {"seq": 0, "text": f"更正{next(numbers)}"}
        acts.perform(case, acts.CASE, "record.corrected", OFFICE, text)

    def ask() -> None:
        with socket.create_connection(("127.0.0.1", room.port)) as asking:
            asking.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            asking.recv(1000)

    begun = time.perf_counter()
    act()
    print(f"the act alone {time.perf_counter() - begun:.3f} s; load {os.getloadavg()[0]:.1f}")
    rooms = (("bare", "benchmarks.sockets:bare", ask), ("site", "config.asgi:application", act))
    middle = {}
    for name, application, work in rooms:
        room = Room(application, f"case={case.number}", env)
        try:
            times = [room.heard(work) for _ in range(ROUNDS)]
            middle[name] = report(name, times, room.memory)
        finally:
            room.close()
    connection.close()
    took = middle["site"]
    ground.line(f"{SOCKETS} sockets heard of an act, in seconds", took, "<= 1", took <= 1)
    print(f"the same : the bare application {took / middle['bare']:.2f}")


if __name__ == "__main__":
    many_files()
    if sys.argv[1:2] == ["read"]:
        asyncio.run(readers(int(sys.argv[2]), sys.argv[3], int(sys.argv[4]), int(sys.argv[5])))
    else:
        main()
