"""Putting a notice up (张贴): where it must hang, and the photo of each place."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils.translation import gettext_lazy as _

from ..acts import Act, Written
from ..models.case import Case, StepRun
from ..models.record import Attachment
from ..models.sheet import STANDS, hashes_of
from ..parties import directory
from ..pictures import examine
from .act import ActSpec, Roles, act, refuse
from .opinion import Answering
from .publicity_forms import PostingForm
from .publicity_rows import POSTING, STANDING, Posting
from .run_terms import term_body


class Posted(Answering):
    """A step whose notice may have to hang somewhere before its term begins; see `Publicity`."""

    posted_in: str | None

    def allowed(self, spec: ActSpec, case: Case) -> Roles:
        """Posting only where the notice hangs somewhere."""
        if spec.name == "notice.posted" and self.posted_in is None:
            return ()
        return super().allowed(spec, case)

    def opened(self, run: StepRun, now: dt.datetime) -> dict[str, Any]:
        """The term begins at once, or waits until the notice hangs everywhere."""
        if self.posted_in is None:
            run.phase = STANDING
            return {}
        term = run.term
        self._wait_for_posting(run)
        rows = Posting.objects.bulk_create(self.places(run))
        return {"phase": POSTING, "places": len(rows), "term": term}

    @staticmethod
    def _wait_for_posting(run: StepRun) -> None:
        run.phase, run.term, run.term_rule = POSTING, "", ""
        run.starts_on = run.ends_on = run.ends_at = run.scheduled = None
        run.provisional = False

    @classmethod
    def bare_again(cls, run: StepRun) -> str:
        """A place turns out to be bare: the term begins anew when the notice hangs everywhere.
        The phase that the run is in then."""
        cls._wait_for_posting(run)
        run.save()
        return POSTING

    def places(self, run: StepRun) -> list[Posting]:
        """Where the notice must hang; places registered since the opening are not yet saved."""
        rows = list(Posting.objects.filter(run=run))
        if self.posted_in is not None and run.phase == POSTING:
            known = {row.place for row in rows}
            rows += [
                Posting(run=run, place=member.key, label=member.public_label)
                for member in directory().members(self.posted_in, run.process.community)
                if member.key not in known
            ]
        return rows

    @act("notice.posted", title=_("登记张贴"), by="by", form=PostingForm)
    def post(self, doing: Act) -> Written:
        """Say where the notice was put up, a photo each; with the last place the term begins."""
        run, rows = doing.open_run, doing.form.rows
        at = doing.happened_at or doing.at
        if run.started is not None and at < run.started:
            raise refuse(_("张贴时间不能早于公示环节开始的时间。"))
        self._refuse_known(run, doing.files)
        Posting.objects.bulk_create([row for row in rows.values() if row.pk is None])
        newly = []
        for place, photo in zip(doing.data["places"], doing.files, strict=True):
            row = rows[place]
            if row.posted_at is None:
                row.photo, row.posted_at = photo, at
                photo.label = str(row.label)[:80]
                newly.append(row)
        sheets: dict[str, list[bytes]] = {}
        for place, digest in hashes_of(run, STANDS):
            sheets.setdefault(place, []).append(digest)
        for row in newly:
            examine(row.photo, sheets.get(row.place, ()))
        photos = [row.photo for row in newly if row.photo]
        Attachment.objects.bulk_update(photos, ["label", "look", "code_seen"])
        Posting.objects.bulk_update(newly, ["photo", "posted_at"])
        posted = sum(row.posted_at is not None for row in rows.values())
        body: dict[str, Any] = {
            "places": [rows[place].label for place in doing.data["places"]],
            "posted": posted,
            "of": len(rows),
        }
        term = self.term_in(doing.case, doing.at)
        if run.phase == POSTING and posted == len(rows) and term is not None:
            run.phase = STANDING
            self.start_term(run, term, doing.at)
            run.save()
            body |= {"phase": STANDING, **term_body(run), **self.term_law(doing.at)}
        return Written(body)

    @staticmethod
    def _refuse_known(run: StepRun, photos: list[Attachment]) -> None:
        marks = [photo.sha256 for photo in photos]
        before = Attachment.objects.filter(run=run, sha256__in=marks).exclude(
            pk__in=[photo.pk for photo in photos]
        )
        if len(set(marks)) < len(marks) or before.exists():
            raise refuse(
                _("同一张照片不能重复使用，请为每处张贴地点分别拍照。"),
                field="photos",
                code="duplicate",
            )
