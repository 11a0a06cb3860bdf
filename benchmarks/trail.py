"""How long a trail takes and how much memory: ``.venv/bin/python benchmarks/trail.py [records …]``.

Each measurement is a process of its own, on a case of opinions and replies.
The yardstick is headless Chromium printing the same HTML; the ratios count, not the seconds.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
ADDRESS = "https://sanwen.example.org/cases/SNE-2026-0001/"
WORDS = "三号楼北侧雨水管破损，下雨天积水严重，第{n}户希望尽快更换管道并清理化粪池。"
REPLIED_AT_ONCE = 5


def start() -> None:
    """Django on the folder that the parent made."""
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.settings"
    import django

    django.setup()
    from django.conf import settings
    from django.utils import translation

    settings.DEMO = True
    settings.SANWEN_TRAIL_DEMO = Path(os.environ["SANWEN_HOME"]) / "trail-demo"
    translation.activate("zh-hans")


def case():
    """The one case."""
    from workflows.models import Case

    return Case.objects.select_related("community").first()


def fill(count: int) -> None:
    """A case with about `count` records, all in the log."""
    from django.core.management import call_command

    from tests.sandbox.opinion_procedures import COMMITTEE, OFFICE, Needs, household
    from workflows import acts, calendars
    from workflows.models import Community
    from workflows.records import log

    call_command("migrate", verbosity=0)
    calendars.seed()
    place = Community.objects.create(code="demo", name="示范小区", kind="estate")
    case = acts.open_case(Needs, place, OFFICE, title="示范征求意见")
    run, waiting, number = case.runs.get(name="ask"), [], 0
    while case.length < count:
        number += 1
        sent = {"item": "roof", "stance": "want", "text": WORDS.format(n=number)}
        done = acts.perform(case, "ask", "opinion.submitted", household(number), sent)
        waiting.append(done.fact.pk)
        if len(waiting) == REPLIED_AT_ONCE:
            answer = {"opinions": waiting, "outcome": "adopted", "reason": "已列入改造方案。"}
            answer["public_text"] = WORDS.format(n="几")
            acts.perform(case, "ask", "opinion.replied", COMMITTEE, answer)
            waiting = []
        case.refresh_from_db(fields=["length"])
    assert run.pk
    while log.integrate():
        pass


def grow() -> None:
    """One more record."""
    from tests.sandbox.opinion_procedures import household
    from workflows import acts
    from workflows.records import log

    sent = {"item": "roof", "stance": "want", "text": WORDS.format(n="又一")}
    acts.perform(case(), "ask", "opinion.submitted", household(10**6 + case().length), sent)
    while log.integrate():
        pass


def make() -> None:
    """The trail; prints seconds, MB of this process and of the largest beside it, bytes, work."""
    from workflows.records.trail import make as trail
    from workflows.records.trail import press

    press.pressed("<html lang=zh><title>x</title><p>一")  # what a server has loaded long ago
    trail.seal.described()
    begun = time.perf_counter()
    worked = cpu()
    held = trail.public(case(), ADDRESS)
    took = time.perf_counter() - begun
    worked = cpu() - worked
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    beside = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    print(f"{took:.3f} {own:.0f} {beside:.0f} {len(held.read())} {worked:.3f}")


def html(path: str) -> None:
    """All of the trail's pages but the cover as one HTML file."""
    from workflows.records.trail import chapters

    read = chapters.read(case(), full=False)
    body = "".join(block.html for chapter in read.chapters for block in chapter.blocks)
    Path(path).write_text(chapters.page(body, "x"), encoding="utf-8")


def run(*words: object) -> str:
    """A part of this file in a process of its own."""
    command = [sys.executable, __file__, *(str(word) for word in words)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def cpu() -> float:
    """Seconds of processor that this process and those that ended below it have used."""
    return sum(os.times()[:4])


def adopt() -> None:
    """Become the parent of processes whose own parent ends before them (Linux)."""
    ctypes.CDLL(None, use_errno=True).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER


def printed_by_chromium(source: Path) -> tuple[float, float]:
    """Seconds, and of processor in all its processes, of headless Chromium for the same HTML."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    assert browser, "no Chromium on this machine"
    command = [browser, "--headless", "--no-sandbox", "--disable-gpu", "--no-pdf-header-footer"]
    command += [f"--print-to-pdf={source.with_suffix('.pdf')}", source.as_uri()]
    begun, worked = time.perf_counter(), cpu()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    took = time.perf_counter() - begun
    with contextlib.suppress(ChildProcessError):
        while True:
            os.waitpid(-1, 0)
    return took, cpu() - worked


def compare(count: int) -> None:
    """One line: cold, Chromium, one more record, memory, size."""
    folder = Path(tempfile.mkdtemp(prefix="trail-benchmark-"))
    os.environ["SANWEN_TEST_FOLDER"] = str(folder)
    os.environ["SANWEN_HOME"] = str(folder / "alone")
    adopt()
    try:
        run("fill", count)
        source = folder / "trail.html"
        run("html", source)
        colds, browsers, mores = [], [], []
        for _ in range(3 if count <= 1000 else 1):
            shutil.rmtree(folder / "alone" / "media" / "trails", ignore_errors=True)
            browsers.append(printed_by_chromium(source))
            colds.append(run("make").split())
            run("grow")
            mores.append(run("make").split())
        more = [min(column, key=float) for column in zip(*mores, strict=True)]
        cold = min(colds, key=lambda row: float(row[0]))
        seconds, browser = float(cold[0]), min(browsers)[0]
        work, its_work = min(float(row[4]) for row in colds), min(row[1] for row in browsers)
        memory = max(int(row[1]) for row in colds), max(int(row[2]) for row in colds)
        print(
            f"{count:>6} records: cold {seconds:.2f} s, {seconds / count * 1000:.2f} ms a record; "
            f"Chromium {browser:.2f} s, ratio {seconds / browser:.2f}; "
            f"processor {work:.2f} s and {its_work:.2f} s, ratio {work / its_work:.2f}; "
            f"one more {float(more[0]):.2f} s, {float(more[0]) / seconds:.2f} of cold; "
            f"processor {float(more[4]):.2f} s, {float(more[4]) / work:.2f}; "
            f"memory {memory[0]} MB and {memory[1]} MB in each helper; "
            f"{int(cold[3]) / 2**20:.1f} MB",
            flush=True,
        )
    finally:
        shutil.rmtree(folder)


PARTS = {"fill": lambda count: fill(int(count)), "grow": grow, "make": make, "html": html}

if __name__ == "__main__":
    part, *given = sys.argv[1:] or [""]
    if part in PARTS:
        start()
        PARTS[part](*given)
    else:
        for wanted in sys.argv[1:] or ["1000", "3000", "10000"]:
            compare(int(wanted))
