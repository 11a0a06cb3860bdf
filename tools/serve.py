"""Run Sanwen on one machine: the server and the clock, until Ctrl-C or SIGTERM.

    .venv/bin/python tools/serve.py [--port 8000] [--host 127.0.0.1]

The clock is started again when it dies; when the server dies, all ends with its exit code, so
that whoever supervises this process notices.
"""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from types import FrameType

ROOT = Path(__file__).resolve().parent.parent
GRACE = 15.0
"""Seconds that a process gets to finish what it is doing."""
PATIENCE = 120.0
"""Seconds until a server that has not yet said that it is well counts as broken."""
RESTART = 5.0
"""Seconds between two starts of a clock that dies."""


def in_the_way(host: str, port: int) -> str:
    """Why the server cannot listen there, or ""."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((host, port))
        except OSError as error:
            return f"{host}:{port}: {error.strerror or error}"
    return ""


def answers(host: str, port: int) -> bool:
    """Whether the server says that it is well."""
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"http://{host}:{port}/healthz", timeout=5) as reply:
            return bool(reply.status == 200)
    except (OSError, urllib.error.HTTPError):
        return False


def start(*command: str) -> subprocess.Popen[bytes]:
    """A child process in the project's folder."""
    return subprocess.Popen([sys.executable, *command], cwd=ROOT)


def end(child: subprocess.Popen[bytes]) -> None:
    """Ask a child to stop; kill it after the grace."""
    if child.poll() is None:
        child.terminate()
    try:
        child.wait(GRACE)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def serve(host: str, port: int, ready: Callable[[], None]) -> int:
    """Server and clock; calls `ready` once /healthz answers. Returns the exit code."""
    stop = threading.Event()

    def told(number: int, frame: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, told)
    clock_command = ("manage.py", "clock")
    server = start(
        "-m", "uvicorn", "config.asgi:application", "--host", host, "--port", str(port),
        "--lifespan", "off", "--log-level", "warning", "--no-access-log", "--no-server-header",
        "--timeout-graceful-shutdown", "10",
        # Hints are one word; compressing them costs memory for every open page.
        "--ws-per-message-deflate", "false",
    )  # fmt: skip
    clock, clock_began = start(*clock_command), time.monotonic()
    began, waiting = time.monotonic(), True
    try:
        while not stop.wait(0.5):
            if server.poll() is not None:
                print(f"the server ended by itself ({server.returncode})", file=sys.stderr)
                return server.returncode or 1
            if waiting and answers(host, port):
                waiting = False
                ready()
            elif waiting and time.monotonic() - began > PATIENCE:
                print(f"the server is not well after {PATIENCE:.0f} s; see above", file=sys.stderr)
                return 1
            if clock.poll() is not None and time.monotonic() - clock_began > RESTART:
                print(f"the clock ended ({clock.returncode}); starting it again", file=sys.stderr)
                clock, clock_began = start(*clock_command), time.monotonic()
        return 0
    finally:
        end(server)
        end(clock)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=int(os.environ.get("PORT") or 8000))
    options = parser.parse_args()
    trouble = in_the_way(options.host, options.port)
    if trouble:
        print(f"cannot listen on {trouble}", file=sys.stderr)
        return 1
    return serve(
        options.host,
        options.port,
        lambda: print(f"Sanwen runs on http://{options.host}:{options.port}/", flush=True),
    )


if __name__ == "__main__":
    raise SystemExit(main())
