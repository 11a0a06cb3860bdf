"""`make demo`, second half: database, demo cases, server and clock. Runs in the environment.

PORT and SANWEN_HOME are honoured. A database that holds other than demo cases is left alone.
"""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

import messages
import serve

ROOT = Path(__file__).resolve().parent.parent
# The Makefile hands on when it began, so that the seconds count on from the first half.
BEGAN = float(os.environ.get("BEGAN") or time.time())


def say(text: str) -> None:
    """One line of progress, with the seconds since the start."""
    print(f"[{time.time() - BEGAN:5.1f} s] {text}", flush=True)


def static_digest() -> str:
    """A digest of the project's static files and of the packages that bring their own."""
    digest = hashlib.sha256((ROOT / "requirements.txt").read_bytes())
    for path in sorted(ROOT.glob("**/static/**/*")):
        if path.is_file() and ".venv" not in path.parts:
            digest.update(f"{path} {path.stat().st_mtime_ns} {path.stat().st_size}\n".encode())
    return digest.hexdigest()


def collect_static() -> None:
    """Gather and compress static files, unless none has changed."""
    from django.conf import settings
    from django.core.management import call_command

    stamp = Path(settings.STATIC_ROOT) / ".stamp"
    digest = static_digest()
    if stamp.exists() and stamp.read_text() == digest:
        return
    say("gathering static files")
    call_command("collectstatic", interactive=False, verbosity=0)
    stamp.write_text(digest)


def main() -> int:
    """Prepare, load the demo, serve."""
    port = os.environ.get("PORT") or "8000"
    if not port.isdecimal() or not 0 < int(port) < 65536:
        print(f"PORT={port} is no port; for example: make demo PORT=8080", file=sys.stderr)
        return 1
    trouble = serve.in_the_way("127.0.0.1", int(port))
    if trouble:
        print(
            f"Cannot listen on {trouble}.\n"
            f"Take another port: make demo PORT={int(port) % 65535 + 1}",
            file=sys.stderr,
        )
        return 1
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    os.environ["SANWEN_DEMO"] = "1"
    sys.path.insert(0, str(ROOT))

    messages.compile_all()
    import django

    django.setup()
    from django.core.management import CommandError, call_command

    collect_static()
    try:
        # Before migrating: what is somebody's is not touched at all.
        call_command("load_demo", check=True)
        say("bringing the database up to date")
        call_command("migrate", interactive=False, verbosity=0)
        say("loading the demo")
        call_command("load_demo")
    except CommandError as error:
        print(f"\n{error}\nFor example: make demo SANWEN_HOME=~/sanwen-demo", file=sys.stderr)
        return 1
    say("starting server and clock")

    def ready() -> None:
        say("ready")
        print(f"\n  http://127.0.0.1:{port}/\n\nThe accounts of the demo:\n")
        call_command("demo_accounts")
        print("\nCtrl-C ends it.", flush=True)

    return serve.serve("127.0.0.1", int(port), ready)


if __name__ == "__main__":
    try:
        raise SystemExit(main())
    except KeyboardInterrupt:
        raise SystemExit(130) from None
