"""Cases for the tests of the trail."""

from __future__ import annotations

import datetime as dt
import subprocess
from pathlib import Path
from typing import Any

import pikepdf

from tests.sandbox.opinion_procedures import COMMITTEE, OFFICE, Needs, household
from workflows import acts, clock
from workflows.models import Case, Community
from workflows.records.trail import seal

NOON = dt.datetime(2026, 6, 15, 12, tzinfo=clock.SHANGHAI)
SECRET = "三号楼漏水，请找张三丰，电话13812345678"
SHOWN = "三号楼漏水，请尽快维修。"


def make_case(opinions: int = 2) -> Case:
    """A consultation with so many opinions, the first of them answered."""
    place, _new = Community.objects.get_or_create(
        code="trail", defaults={"name": "示范小区", "kind": "estate"}
    )
    case = acts.open_case(Needs, place, OFFICE, title="示范征求意见")
    for number in range(1, opinions + 1):
        add_opinion(case, number)
    if opinions:
        first = case.runs.get(name="ask").opinions.order_by("pk").first()
        acts.perform(
            case,
            "ask",
            "opinion.replied",
            COMMITTEE,
            {
                "opinions": [str(first.pk)],
                "outcome": "adopted",
                "reason": "已列入方案。",
                "public_text": SHOWN,
            },
        )
    case.refresh_from_db()
    return case


def add_opinion(case: Case, number: int) -> None:
    """One more opinion, by a household of its own."""
    sent = {"item": "roof", "stance": "want", "text": f"{SECRET}，第{number}户"}
    acts.perform(case, "ask", "opinion.submitted", household(number), sent)


def attachments(path: Path) -> dict[str, bytes]:
    """The files within a PDF."""
    with pikepdf.open(path) as pdf:
        return {name: spec.get_file().read_bytes() for name, spec in pdf.attachments.items()}


def sealed(source: Path, target: Path) -> None:
    """A document with the seal."""
    with pikepdf.open(source) as pdf:
        seal.placed(pdf, reason="全过程案卷", at=NOON)
        pdf.save(target, object_stream_mode=pikepdf.ObjectStreamMode.generate)
    seal.signed(target)


def squeezed(text: str) -> str:
    """Text without blanks and line breaks."""
    return "".join(text.split())


def numbered(pdf: Any) -> dict[int, Any]:
    """The parent tree of a PDF: key to entry."""
    listed = list(pdf.Root.StructTreeRoot.ParentTree.Nums)
    return {int(listed[at]): listed[at + 1] for at in range(0, len(listed), 2)}


def shell(*command: object) -> str:
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def seen(path: Path, folder: Path) -> dict[str, object]:
    """All that a reader, or the reader's tools, meet in a trail but moments and signature."""
    folder.mkdir()
    shell("pdftoppm", "-r", 50, path, folder / "page")
    with pikepdf.open(path) as pdf:
        places = {page.objgen: at for at, page in enumerate(pdf.pages)}
        rows = numbered(pdf)

        def told(element, page):
            """An element of the structure with its content: tag, page, numbers of marks."""
            page = places[element.Pg.objgen] if "/Pg" in element else page
            kids = element.get("/K", ())
            kids = list(kids) if isinstance(kids, pikepdf.Array) else [kids]
            found = []
            for kid in kids:
                if isinstance(kid, int):
                    found.append((page, kid))
                elif "/MCID" in kid:
                    found.append((places[kid.Pg.objgen], int(kid.MCID)))
                elif "/Obj" in kid:
                    found.append(("note", str(kid.Obj.get("/Dest"))))
                else:
                    found.append(told(kid, page))
            return str(element.S), str(element.get("/A", {}).get("/Scope")), found

        def place(target):
            return places[target[0].objgen], float(target[3])

        def marks(items):
            return [(item.title, *place(item.destination), marks(item.children)) for item in items]

        targets = list(pdf.Root.Names.Dests.Names)
        with pdf.open_outline() as outline:
            outlined = marks(outline.root)
        return {
            "pictures": [page.read_bytes() for page in sorted(folder.iterdir())],
            "words": shell("pdftotext", "-raw", path, "-").split("\f"),
            "structure": told(pdf.Root.StructTreeRoot.K[0], None),
            "marks of pages": [
                [str(owner.S) for owner in rows[int(page.obj.StructParents)]] for page in pdf.pages
            ],
            "outline": outlined,
            "targets": [
                (str(targets[at]), *place(targets[at + 1])) for at in range(0, len(targets), 2)
            ],
            "fonts": sorted(row.split("+")[1] for row in shell("pdffonts", path).splitlines()[2:]),
            "metadata": str(pdf.open_metadata()),
            "attached": attachments(path),
        }
