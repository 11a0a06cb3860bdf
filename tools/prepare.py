"""Make the environment: `prepare.py run` for running Sanwen, `prepare.py dev` for its tests.

Uses the standard library alone and no syntax newer than Python 3.7, so that an old Python can
still say what is missing. Done before? Then it ends within a second: each part leaves a stamp
with the hash of the lock file that it was made from.
"""

from __future__ import annotations

import ctypes
import glob
import hashlib
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
OLDEST = (3, 11)
START = time.monotonic()

# Names of Debian 12 and Ubuntu. What WeasyPrint loads, and a Chinese face for its pages:
PDF_LIBRARIES = {
    "libpango-1.0.so.0": "libpango-1.0-0",
    "libpangoft2-1.0.so.0": "libpangoft2-1.0-0",
    "libharfbuzz-subset.so.0": "libharfbuzz-subset0",
}
FONT_PACKAGES = ["fontconfig", "fonts-noto-cjk"]
# The tests read papers with other programs than those that wrote them, and walk in a browser.
PDF_READERS = {"pdftotext": "poppler-utils", "qpdf": "qpdf"}
BROWSER = "chromium"
# The web server of a city, and what asks it much; often where only root looks for programs.
SERVERS = {"nginx": "nginx-light", "wrk": "wrk"}
# What drives the browser is a Node.js, which loads this.
DRIVER_LIBRARIES = {"libatomic.so.1": "libatomic1"}
PDF_TRIAL = "import weasyprint; weasyprint.HTML(string='<p>三问于民').write_pdf()"


def works(*command: str) -> bool:
    """Whether a command ends well; what it prints is not for people."""
    return subprocess.run(command, capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def say(text: str) -> None:
    """One line of progress, with the seconds since the start."""
    print(f"[{time.monotonic() - START:5.1f} s] {text}", flush=True)


def stop(text: str) -> None:
    """End with a message for the person at the keyboard."""
    print(f"\nSanwen cannot go on: {text}", file=sys.stderr)
    raise SystemExit(1)


def root_prefix() -> list[str] | None:
    """How to run a command as root without asking anyone, or None where that is not possible."""
    if os.geteuid() == 0:
        return []
    if shutil.which("sudo") and works("sudo", "-n", "true"):
        return ["sudo", "-n", "env", "DEBIAN_FRONTEND=noninteractive"]
    return None


def install_system(packages: list[str]) -> bool:
    """Install Debian packages where we may; else name the command. True if installed."""
    command = f"sudo apt-get update && sudo apt-get install -y {' '.join(packages)}"
    prefix = root_prefix()
    if not shutil.which("apt-get") or prefix is None:
        print(
            f"\n  The system lacks some packages (names of Debian). Please have them installed:"
            f"\n\n    {command}\n",
            file=sys.stderr,
        )
        return False
    say(f"installing {' '.join(packages)}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    for part in (["update", "-q"], ["install", "-y", "-q", "--no-install-recommends", *packages]):
        done = subprocess.run(
            [*prefix, "apt-get", *part],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    if done.returncode:
        print(done.stdout[-2000:], file=sys.stderr)
        print(
            f"\n  Installing failed (is there a network?). By hand:\n\n    {command}\n",
            file=sys.stderr,
        )
    return not done.returncode


def loads(library: str) -> bool:
    """Whether the system has a shared library."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def program(name: str) -> str | None:
    """Where a program of the system is, or None."""
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def has_chinese_face() -> bool:
    """Whether a font for Simplified Chinese is there."""
    if not shutil.which("fc-list"):
        return False
    listed = subprocess.run(["fc-list", ":lang=zh-cn"], capture_output=True)
    return bool(listed.stdout.strip())


def missing_packages(aim: str) -> list[str]:
    """The Debian packages that this machine lacks: all at once, so that one asks for them once."""
    missing = []
    if not has_pip(PYTHON) and not works(sys.executable, "-c", "import venv, ensurepip"):
        # Debian ships the module apart.
        missing.append("python{}.{}-venv".format(*sys.version_info[:2]))
    missing += [package for name, package in PDF_LIBRARIES.items() if not loads(name)]
    missing += [] if has_chinese_face() else FONT_PACKAGES
    if aim == "dev":
        missing += [package for name, package in PDF_READERS.items() if not shutil.which(name)]
        missing += [package for name, package in SERVERS.items() if not program(name)]
        missing += [] if chromium() else [BROWSER]
        missing += [package for name, package in DRIVER_LIBRARIES.items() if not loads(name)]
    return missing


def newer_python() -> None:
    """Go on under Python 3.11 or later, if this one is older."""
    if sys.version_info >= OLDEST:
        return
    for minor in (13, 12, 11):
        found = shutil.which(f"python3.{minor}")
        if found:
            os.execv(found, [found, *sys.argv])
    stop(
        "it needs Python 3.11 or later, and this is {}.{}.\n"
        "Debian 12 and Ubuntu 24.04 have it: sudo apt-get install -y python3 python3-venv\n"
        "Ubuntu 22.04: sudo apt-get install -y python3.11 python3.11-venv\n"
        "Or name another one: make PYTHON=/path/to/python3.12 …".format(*sys.version_info[:2])
    )


def has_pip(python: Path) -> bool:
    """Whether that is a Python, new enough, which can install packages."""
    return python.exists() and works(
        str(python), "-c", "import sys, pip; assert sys.version_info >= (3, 11)"
    )


def make_venv() -> None:
    """A virtual environment of this Python in .venv, unless a working one is there."""
    if has_pip(PYTHON):
        return
    if not works(sys.executable, "-c", "import venv, ensurepip"):
        stop("without Python's venv module it cannot make its environment.")
    say("making .venv with Python {}.{}.{}".format(*sys.version_info[:3]))
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)


def stamp_of(part: str, *files: str) -> tuple[Path, str]:
    """The stamp file of a part, and what it holds once the part is made from these files."""
    content = b"".join((ROOT / name).read_bytes() for name in files)
    return VENV / f"stamp-{part}", hashlib.sha256(content).hexdigest()


def is_made(stamp: tuple[Path, str]) -> bool:
    """Whether the part was made from the files as they are now."""
    path, digest = stamp
    return path.exists() and path.read_text() == digest


def install_locked(lock: str) -> None:
    """Install exactly what the lock file names; every file is checked against its hash."""
    stamp = stamp_of(Path(lock).stem, lock)
    if is_made(stamp):
        return
    size = "some 300 MB" if "dev" in lock else "some 100 MB"
    say(f"installing the packages of {lock}; the first time this downloads {size}")
    pip = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "--no-input"]
    done = subprocess.run(
        [*pip, "--quiet", "--require-hashes", "--no-deps", "-r", str(ROOT / lock)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    if done.returncode:
        print(done.stdout[-3000:], file=sys.stderr)
        stop(f"the packages of {lock} could not be installed (see above; is there a network?).")
    stamp[0].write_text(stamp[1])


def install_attackers() -> None:
    """What attacks the site in tests, in an environment of its own: its locks are not ours."""
    lock, python = "requirements-attack.txt", VENV / "attack" / "bin" / "python"
    stamp = stamp_of("attack", lock)
    if is_made(stamp) and python.exists():
        return
    say("installing what attacks the site in tests; the first time this downloads some 60 MB")
    uv = str(VENV / "bin" / "uv")
    made = works(uv, "venv", "--clear", "--python", str(PYTHON), str(VENV / "attack"))
    synced = ("pip", "sync", "--require-hashes", "--python", str(python), str(ROOT / lock))
    if not (made and works(uv, *synced)):
        stop(f"the packages of {lock} could not be installed (is there a network?).")
    stamp[0].write_text(stamp[1])


def check_pdf(needed: bool) -> None:
    """Printed papers and trails: really make a page. Without: stop if `needed`."""
    stamp = stamp_of("pdf", "requirements.txt")
    if is_made(stamp):
        return
    if works(str(PYTHON), "-c", PDF_TRIAL) and has_chinese_face():
        stamp[0].write_text(stamp[1])
    elif needed:
        stop("the tests need Pango and a Chinese font, for PDF.")
    else:
        say("no PDF (printed papers, trails) for want of Pango or a Chinese font; all else works")


def chromium() -> str | None:
    """A Chromium of the system or of Playwright's own cache."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        # Ubuntu's chromium-browser may be an empty shell that only names a snap.
        if path and works(path, "--version"):
            return path
    cached = glob.glob(str(Path.home() / ".cache/ms-playwright/chromium*/*/*"))
    return next((path for path in cached if path.endswith(("/chrome", "/headless_shell"))), None)


def check_test_programs() -> None:
    """The tests walk whole cases in Chromium, and read PDF files."""
    absent = [name for name in PDF_READERS if not shutil.which(name)]
    if absent:
        stop(f"the tests need {' and '.join(absent)}.")
    if not program("nginx"):
        stop("the tests of a city need nginx. Debian: sudo apt-get install -y nginx-light")
    if not works(str(VENV / "bin" / "playwright"), "--version"):
        stop("what drives the browser does not start: .venv/bin/playwright --version says why.")
    if not chromium():
        stop(
            "the tests need Chromium. Debian: sudo apt-get install -y chromium\n"
            "Ubuntu (where that is a snap): .venv/bin/playwright install --with-deps chromium"
        )


def main(aim: str) -> None:
    """Prepare for `run` or for `dev`."""
    newer_python()
    missing = missing_packages(aim)
    if missing:
        install_system(missing)
    make_venv()
    install_locked("requirements-dev.txt" if aim == "dev" else "requirements.txt")
    check_pdf(needed=aim == "dev")
    if aim == "dev":
        install_attackers()
        check_test_programs()


if __name__ == "__main__":
    if sys.argv[1:] not in (["run"], ["dev"]):
        raise SystemExit("usage: prepare.py run|dev")
    try:
        main(sys.argv[1])
    except KeyboardInterrupt:
        raise SystemExit(130) from None
