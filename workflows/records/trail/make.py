"""Make a trail: read the case, render what is not kept, bind, sign."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cache, lru_cache
from html import escape, unescape
from pathlib import Path
from typing import IO, Any

import pikepdf
import segno
from django.conf import settings
from django.db.models import Q
from django.template.loader import get_template
from django.utils import timezone, translation
from django.utils.translation import get_language
from django.utils.translation import gettext as _

from sanwen import merkle

from ... import clock, jobs
from ...models.case import Case
from ...models.job import Job
from ...models.log import Checkpoint
from ...portal import words as portal_words
from ...templatetags.trail import picture
from .. import log
from . import binding, chapters, keep, press, seal, setting
from .blocks import Blocks, plain, said
from .face import Face
from .face import signs as face_signs

Told = Callable[[int], None]
"""Hears how far the work has come, in percent."""

_DIGITS = "0123456789abcdef"
"""Signs of what is not known before the pages are numbered."""
_LEVELS = 4
_TILE = 2**_LEVELS
"""So many neighbours in the log are proved together: their paths are the same from there on."""
_NEWEST = "newest-{language}.pdf"


@dataclass(slots=True)
class _Work:
    case: Case
    reading: chapters.Reading
    address: str
    folder: Path
    checkpoint: Checkpoint | None


def waiting(case: Case) -> int:
    """About how many records of a case no kept trail shows yet: how long making one will take."""
    held = keep.opened(case, f"covers-{get_language()}")
    if held is None:
        return case.length
    with held:
        return max(0, case.length - int(held.read()))


def newest(case: Case) -> IO[bytes] | None:
    """The kept public trail, if the case and the log stand as it shows them."""
    held = keep.opened(case, f"state-{get_language()}")
    if held is None:
        return None
    with held:
        if held.read().decode() != _state(case):
            return None
    return keep.opened(case, _NEWEST.format(language=get_language()))


def public(case: Case, address: str, told: Told = lambda _percent: None) -> IO[bytes]:
    """The public trail, made now unless it is kept; an open file, whose end closes it.

    `address` is that of the case's page, for the cover. Raises `seal.CannotSign` and
    `press.PressFailed`; then nothing is kept but finished pieces.
    """
    state = _state(case)
    before = keep.forgotten(case)
    language = get_language()
    with tempfile.TemporaryDirectory(prefix="trail-") as name:
        made = _made(case, address, Path(name), False, told)
        keep.drop(case, {_NEWEST.format(language=language)} & keep.kept(case))
        keep.put(case, made, _NEWEST.format(language=language))
    if keep.forgotten(case) != before:  # a person's data were erased while it was made
        keep.forget(case)
        case.refresh_from_db()
        return public(case, address, told)
    keep.note(case, f"state-{language}", state)
    keep.note(case, f"covers-{language}", str(case.length))
    found = keep.opened(case, _NEWEST.format(language=language))
    assert found is not None
    return found


def full(case: Case, address: str, told: Told = lambda _percent: None) -> IO[bytes]:
    """The full trail with everything that is not public, in an unnamed file; nothing is kept."""
    held = tempfile.TemporaryFile(prefix="trail-")  # noqa: SIM115 - the caller closes it
    with tempfile.TemporaryDirectory(prefix="trail-") as name:
        made = _made(case, address, Path(name), True, told)
        with made.open("rb") as source:
            while part := source.read(2**20):
                held.write(part)
    held.seek(0)
    return held


def public_work(job: Job, told: Told) -> None:
    """Make a public trail in the background; it is then kept."""
    assert job.case is not None
    with translation.override(job.params["language"]):
        public(job.case, job.params["address"], told).close()


def full_work(job: Job, told: Told) -> IO[bytes]:
    """Make a full trail in the background, for the one who asked."""
    assert job.case is not None
    with translation.override(job.params["language"]):
        return full(job.case, job.params["address"], told)


def forget(case: Case) -> None:
    """Throw away every trail of a case and what they are made of; jobs under way stop."""
    keep.forget(case)
    own = Q(case=case, kind__in=("trail", "full_trail"))
    for job in Job.objects.filter(own | Q(downloads__case=case)).distinct():
        jobs.drop(job)


def _state(case: Case) -> str:
    """What a kept trail must agree with: the case's end, the log's, and how trails are made."""
    checkpoint = log.latest()
    last: Any = case.records.filter(seq=case.length - 1)
    place = last.values_list("log_index", flat=True).first()
    # Later checkpoints say nothing more of the case than the first that covers its end.
    covered = checkpoint is not None and place is not None and place < checkpoint.size
    head = bytes(case.head).hex() if case.head else ""
    return f"{case.length} {head} {covered} {_version()} {seal.described()}"


@cache
def _version() -> str:
    """The hash of all that shapes a trail besides its case."""
    digest = hashlib.sha256()
    own = Path(__file__).parent
    template: Any = get_template("trail/page.html")
    shown = Path(template.origin.name).parent
    paths = [path for place in (own, shown) for path in place.glob("*.*")]
    paths += [path for place in settings.LOCALE_PATHS for path in Path(place).glob("*/*/*.mo")]
    for path in sorted(paths):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _made(case: Case, address: str, folder: Path, full: bool, told: Told) -> Path:
    told(1)
    reading = chapters.read(case, full=full)
    work = _Work(case, reading, address, folder, log.latest())
    furniture = binding.Furniture(
        left=f"{case.number}　{_short(case.title)}",
        right=_("全过程案卷（完整版）") if full else _("全过程案卷"),
        number=_("第 {n} 页　共 {total} 页"),
    )
    written = chapters.pieces(reading)
    attached = list(_attachments(work))
    held = _Held(work)
    signs = "".join(held.signs(piece) for piece in written)
    drafted = _front_html(work, 0, [], [], attached)
    sheet = _sheet(work, f"{furniture}{drafted}{signs}{_DIGITS}")
    face = Face(pikepdf.Pdf.open(sheet))
    pieces = _pieces(work, written, held, face, told)
    counts, marks = binding.measure(pieces)
    # A piece without the head of a chapter goes on with the chapter before it.
    marks = [
        own if piece.begins else [replace(mark, level=mark.level + 1) for mark in own]
        for piece, own in zip(written, marks, strict=True)
    ]
    front, fronted = _front(work, face, counts, marks, attached)
    done = folder / "trail.pdf"
    told(90)
    binding.bind(
        sheet,
        [front, *pieces],
        face,
        done,
        furniture=furniture,
        marks=list(_bookmarks(fronted, counts, marks)),
        anchors=list(_anchors(fronted, counts, marks)),
        attached=attached,
        title=f"{case.title} {_('全过程案卷')}",
        at=clock.now(),
        finish=lambda out: seal.placed(
            out, reason=_("全过程案卷 %(number)s") % {"number": case.number}, at=clock.now()
        ),
    )
    told(95)
    seal.signed(done)
    told(100)
    return done


def _short(title: str) -> str:
    return title if len(title) <= 30 else f"{title[:29]}…"


@dataclass(slots=True)
class _Entry:
    """A kept piece: its file, its signs and, where it was set, their numbers in the face."""

    name: str
    signs: str
    codes: str


class _Held:
    """What is kept of the public trail in the language that is active: pieces by their keys.

    A full trail finds nothing and leaves nothing.
    """

    def __init__(self, work: _Work) -> None:
        self.case, self.full = work.case, work.reading.full
        self.listing = f"parts-{get_language()}"
        self.files = set() if self.full else keep.kept(self.case)
        self.entries: dict[str, _Entry] = {}
        rows: dict[str, Any] = {}
        file = None if self.full else keep.opened(self.case, self.listing)
        if file is not None:
            with file:
                rows = json.loads(file.read())
        version = rows.pop("version", "")
        self.before = {name for name, *_ in rows.values()} & self.files
        if version == _version():
            found = {key: _Entry(*row) for key, row in rows.items()}
            self.entries = {key: row for key, row in found.items() if row.name in self.files}

    def signs(self, piece: chapters.Piece) -> str:
        """Every sign of a piece."""
        entry = self.entries.get(piece.key)
        return entry.signs if entry else face_signs(unescape(piece.html))

    def found(self, piece: chapters.Piece, face: Face) -> _Entry | None:
        """The kept piece, unless another edition of the face numbers its signs otherwise."""
        entry = self.entries.get(piece.key)
        if entry and entry.codes and entry.codes != face.codes(entry.signs):
            return None
        return entry

    def put(self, used: dict[str, _Entry], folder: Path) -> None:
        """Keep what a trail is made of, and throw away what it no longer has."""
        if self.full:
            return
        names = {entry.name for entry in used.values()}
        for name in names - self.files:
            keep.put(self.case, folder / name)
        keep.drop(self.case, self.before - names)
        rows = {key: [entry.name, entry.signs, entry.codes] for key, entry in used.items()}
        keep.note(self.case, self.listing, json.dumps({"version": _version(), **rows}))


def _pieces(
    work: _Work, written: list[chapters.Piece], held: _Held, face: Face, told: Told
) -> list[Path]:
    """The PDF of each piece, from what is kept where it is the public trail."""
    pressed: list[tuple[str, Path]] = []
    set_here: list[tuple[Blocks, Path]] = []
    used: dict[str, _Entry] = {}
    for piece in written:
        entry = held.found(piece, face)
        if entry is None:
            signs = held.signs(piece)
            blocks = plain(piece.html)
            is_set = blocks is not None and face.knows(said(blocks))
            codes = face.codes(signs) if is_set else ""
            name = f"{chapters.key_of(piece.key, work.case.title, codes, _version())}.pdf"
            entry = _Entry(name, signs, codes)
            if blocks is not None and is_set:
                set_here.append((blocks, work.folder / name))
            else:
                page = chapters.page(piece.html, work.case.title)
                pressed.append((page, work.folder / name))
        used[piece.key] = entry
    new = {path.name for _given, path in (*pressed, *set_here)}
    keep.fetch(work.case, {entry.name for entry in used.values()} - new, work.folder)
    press.press(pressed, lambda done: told(5 + 60 * done // len(pressed)))
    for at, (blocks, path) in enumerate(set_here):
        setting.Setter(face).set(blocks).save(path)
        told(65 + 20 * at // len(set_here))
    held.put(used, work.folder)
    return [work.folder / used[piece.key].name for piece in written]


def _drop_old(case: Case, listing: str, names: Sequence[str]) -> None:
    """Throw away the files of the trail before this one that it no longer has."""
    held = keep.opened(case, listing)
    before = set()
    if held is not None:
        with held:
            before = set(held.read().decode().split())
    keep.drop(case, before - set(names))
    keep.note(case, listing, "\n".join(names))


def _sheet(work: _Work, text: str) -> Path:
    """The sheet of the face with every sign of the pieces and of what stands on each page."""
    html = chapters.page(f"<p>{escape(face_signs(unescape(text)), quote=False)}</p>", "0")
    name = f"sheet-{chapters.key_of(html)}.pdf"
    path = work.folder / name
    if not work.reading.full and name in keep.kept(work.case):
        keep.fetch(work.case, [name], work.folder)
    else:
        path.write_bytes(press.pressed(html))
        if not work.reading.full:
            keep.put(work.case, path)
            _drop_old(work.case, f"sheet-{get_language()}", [name])
    return path


def _front(
    work: _Work,
    face: Face,
    counts: list[int],
    marks: list[list[binding.Heading]],
    attached: list[binding.Attached],
) -> tuple[Path, int]:
    """The cover and the contents, and how many pages they are."""
    path = work.folder / "front.pdf"
    # The contents hold the numbers of pages that they themselves move: guess, and look.
    pages = 3 if len(attached) + sum(m.level == 1 for own in marks for m in own) > 18 else 2
    while True:
        body = _front_html(work, pages, counts, marks, attached)
        blocks = plain(body)
        if blocks is not None and face.knows(said(blocks)):
            setting.Setter(face).set(blocks).save(path)
        else:
            path.write_bytes(press.pressed(chapters.page(body, work.case.title)))
        (own,), _marks = binding.measure([path])
        if own == pages:
            return path, pages
        pages = own


def _front_html(
    work: _Work,
    pages: int,
    counts: list[int],
    marks: list[list[binding.Heading]],
    attached: list[binding.Attached],
) -> str:
    case = work.case
    entries = [
        {"anchor": name, "title": title.partition("　")[2] or title, "page": page + 1}
        for name, title, page, _top in _chapter_places(pages, counts, marks)
    ]
    root = bytes(work.checkpoint.root).hex() if work.checkpoint else ""
    return get_template("trail/front.html").render(
        {
            "language": get_language(),
            "title": case.title,
            "case": case,
            "full": work.reading.full,
            "count": len(work.reading.records),
            "outcome": portal_words.outcome_title(case, "", case.outcome) if case.finished else "",
            "made": timezone.localtime(clock.now()),
            "signed": seal.described(),
            "demo": case.demo,
            "address": work.address,
            "qr": _qr(work.address) if work.address else "",
            "entries": entries,
            "attached": attached,
            "checkpoint": work.checkpoint,
            "root": root,
        }
    )


@lru_cache(maxsize=4)  # drawn twice for each trail: for its signs, and with the numbers of pages
def _qr(address: str) -> str:
    out = io.BytesIO()
    segno.make(address, error="m").save(out, kind="svg", border=0, scale=4, xmldecl=False)
    return picture(out.getvalue().decode())


def _places(
    start: int, counts: list[int], marks: list[list[binding.Heading]]
) -> list[tuple[int, str, int, float]]:
    found = []
    for count, headings in zip(counts, marks, strict=True):
        found += [(h.level, h.title, start + h.page, h.top) for h in headings]
        start += count
    return found


def _chapter_places(
    start: int, counts: list[int], marks: list[list[binding.Heading]]
) -> list[tuple[str, str, int, float]]:
    first = [place for place in _places(start, counts, marks) if place[0] == 1]
    return [(f"c{at}", title, page, top) for at, (_l, title, page, top) in enumerate(first, 1)]


def _bookmarks(
    fronted: int, counts: list[int], marks: list[list[binding.Heading]]
) -> list[tuple[int, str, int, float]]:
    cover = [(1, _("封面"), 0, 842.0), (1, _("目录"), 1, 842.0)]
    return cover + _places(fronted, counts, marks)


def _anchors(
    fronted: int, counts: list[int], marks: list[list[binding.Heading]]
) -> list[tuple[str, int, float]]:
    return [(name, page, top) for name, _t, page, top in _chapter_places(fronted, counts, marks)]


def _attachments(work: _Work) -> list[binding.Attached]:
    about = {
        "records.jsonl": _("全部公开记录的原始字节，每行一条，哈希即由此算出"),
        "disclosures.jsonl": _("与记录一同公开的文字"),
        "words.json": _("记录代码与文字的对照"),
        "case.json": _("本案卷的概要"),
    }
    if work.reading.full:
        about["disclosures.jsonl"] = _("全部文字，含不公开的内容")
    found = [
        binding.Attached(name, kind, content, about[name], "Source")
        for name, kind, content in work.reading.attached()
    ]
    if work.checkpoint is not None:
        signed = log.signed_note(work.checkpoint).encode()
        about_it = _("公开日志的检查点，由日志签名")
        found.append(binding.Attached("checkpoint", "text/plain", signed, about_it))
        proofs = "".join(_proofs(work)).encode()
        about_it = _("每条记录在日志中的包含证明，与检查点合用")
        found.append(binding.Attached("proofs.jsonl", "application/x-ndjson", proofs, about_it))
    return found


def _proofs(work: _Work) -> list[str]:
    """A line a record that the checkpoint covers: its place in the log and the path to the root.

    With the checkpoint attached beside it, each line is a C2SP tlog-proof.
    """
    assert work.checkpoint is not None
    size = work.checkpoint.size
    nodes = cache(merkle.nodes_of_tiles(cache(log.hashes)))

    # Neighbours in the log share their paths but for the first few hashes.
    @cache
    def written(level: int, index: int) -> str:
        return f'"{base64.b64encode(nodes(level, index)).decode()}"'

    @cache
    def above(tile: int) -> list[str]:
        path = merkle.inclusion(nodes, tile * _TILE, size)[_LEVELS:]
        return [f'"{base64.b64encode(part).decode()}"' for part in path]

    def path_of(index: int) -> list[str]:
        if index // _TILE == size // _TILE:  # its tile is not full yet
            path = merkle.inclusion(nodes, index, size)
            return [f'"{base64.b64encode(part).decode()}"' for part in path]
        below = [written(level, (index >> level) ^ 1) for level in range(_LEVELS)]
        return below + above(index // _TILE)

    rows: Any = work.case.records.filter(log_index__lt=size).order_by("seq")
    return [
        f'{{"seq":{seq},"index":{index},"path":[{",".join(path_of(index))}]}}\n'
        for seq, index in rows.values_list("seq", "log_index")
    ]
