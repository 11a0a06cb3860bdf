"""Notices on the wall: printed one for each place, and a photo of each where it hangs.

Acts of the case as a whole, since what came of a step is put up when the step has ended. Only the
notice whose posting begins the term of a publicity is posted at the step itself (`Publicity.post`).
"""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django import forms
from django.db import transaction
from django.utils.translation import gettext_lazy as _

from .. import codes
from ..acts import CASE, Act, Done, Written, perform
from ..models.case import Case, StepRun
from ..models.record import Attachment
from ..models.sheet import STANDS, Sheet, of_case, unused
from ..parties import Party, directory
from ..pictures import alike, examine
from ..uploads import UploadField
from .act import ActForm, Words, act, refuse
from .base import Step
from .opinion_forms import PublicText
from .publicity import Publicity
from .publicity_rows import STANDING, Posting

PLACES = "stairwells"
"""The group of places with a notice board."""
VALID = dt.timedelta(days=60)
"""How long the codes of printed sheets are open, unless they were used or withdrawn."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """One sheet before it is printed: its place and the code that only the paper will hold."""

    place: str
    label: str
    code: str


def places(run: StepRun) -> list[tuple[str, str]]:
    """Where the notices of a run are to hang: keys and public names, in walking order."""
    step: Any = run.flow_task
    if isinstance(step, Publicity) and step.posted_in is not None:
        return [(row.place, row.label) for row in step.places(run)]
    members = directory().members(PLACES, run.process.community)
    return [(member.key, member.public_label) for member in members]


def handlers(run: StepRun) -> set[str]:
    """The roles that print and put up the notices of a run: those that handle it, and where the
    posting is not itself an act of the step, whoever types in paper for the place."""
    step: Any = run.flow_task
    by = set(getattr(step, "by", ()))
    at_step = isinstance(step, Publicity) and step.posted_in is not None
    return by if at_step else by | set(directory().typists)


def checkers(run: StepRun) -> set[str]:
    """The roles that send a bad photo back: those, and whoever types in paper for the place."""
    return handlers(run) | set(directory().typists)


def draw(run: StepRun, wanted: Iterable[str] = ()) -> list[Drawn]:
    """A sheet with a fresh code for each place, or for those that are `wanted`."""
    chosen = set(wanted)
    return [
        Drawn(place, label, codes.new())
        for place, label in places(run)
        if not chosen or place in chosen
    ]


def bare(run: StepRun, notice: str) -> list[str]:
    """The places where no photo shows that a notice hangs."""
    hung = set(
        Sheet.objects.filter(run=run, notice=notice, photo__isnull=False).values_list(
            "place", flat=True
        )
    )
    if notice == STANDS:
        postings = Posting.objects.filter(run=run, posted_at__isnull=False)
        hung |= set(postings.values_list("place", flat=True))
    return [place for place, _label in places(run) if place not in hung]


def found(code: str) -> Sheet | None:
    """The sheet with that code, however it was typed."""
    rows = Sheet.objects.select_related("run__process__community", "photo")
    return rows.filter(hash=codes.digest("sheet", code)).first()


def standing(sheet: Sheet, now: dt.datetime) -> str:
    """Whether a photo may be sent by a code: ``open``, ``used``, ``withdrawn``, ``over``."""
    if sheet.used_at is not None:
        return "used"
    if sheet.withdrawn_at is not None:
        return "withdrawn"
    return "over" if sheet.until <= now or _ended(sheet) else "open"


def _ended(sheet: Sheet) -> bool:
    """A notice that is about a step's own term is over with the step."""
    return sheet.notice == STANDS and not sheet.run.is_open


def hang(sheet: Sheet, photo: Any, party: Party, now: dt.datetime) -> Done:
    """Register by its code that a sheet hangs, with the photo of it; raises `Refused`.

    `party` is whoever is signed in and handles the step; else the officer who had it printed.
    """
    run = sheet.run
    step: Any = run.flow_task
    if not (isinstance(step, Publicity) and step.posted_in and sheet.notice == STANDS):
        return perform(
            run.process, CASE, "notice.hung", party, {"sheet": sheet.pk}, {"photos": photo}
        )
    with transaction.atomic():
        # The case before the sheet, in the order of every act.
        list(Case.objects.select_for_update().filter(pk=run.process_id).values_list("pk"))
        _use(sheet, now)
        payload = {"places": [sheet.place]}
        done = perform(run.process, run.name, "notice.posted", party, payload, {"photos": [photo]})
        Sheet.objects.filter(pk=sheet.pk).update(photo=done.record.files.first())
        return done


def _use(sheet: Sheet, now: dt.datetime) -> None:
    """Take the code of a sheet: of two who send a photo at once, one may."""
    if unused(now).filter(pk=sheet.pk).update(used_at=now) != 1 or _ended(sheet):
        raise refuse(
            _("这张张贴件已经登记过，或者码已经失效；可以请居委会重新打印。"), code="duplicate"
        )


def by_sheet(sheet: Sheet) -> Party:
    """Whoever put a sheet up, in the name of the officer who had it printed."""
    return Party(sheet.role, sheet.party_key, sheet.user_id, via="sheet")


class PhotoForm(ActForm):
    """One photo of the notice where it hangs."""

    photos = UploadField(label=_("张贴照片"), many=False, most=1, public=True, pictures_only=True)


UNCLEAR, NOT_HUNG = "unclear", "not_hung"
ON_THE_SPOT: dict[str, Words] = {
    UNCLEAR: _("照片看不清或者拍错，已到现场确认张贴着：公示期照算"),
    NOT_HUNG: _("没有张贴，或者贴错、不能确认：补贴并重新登记，公示期重新计算"),
}
"""What a photo is sent back for, and what follows for a term that had begun."""


class RejectForm(ActForm):
    """Which photo proves nothing, what was found on the spot, and why."""

    photo = forms.IntegerField(widget=forms.HiddenInput)
    on_the_spot = forms.ChoiceField(
        label=_("核查情况"), choices=list(ON_THE_SPOT.items()), widget=forms.RadioSelect
    )
    reason = PublicText(label=_("原因（将公开）"), max_length=300)

    @property
    def advice(self) -> Words:
        """What follows."""
        return _(
            "退回后这一处重新标红；墙上那张的码可以再用一次，重新拍照上传即可；纸丢了的，重印这一处。"
        )


class Walls(Step):
    """Printing sheets, and the photos of those that hang."""

    @act(
        "sheets.printed",
        title=_("打印张贴件"),
        by="handlers",
        while_suspended=True,
        after_close=True,
        page=False,
    )
    def print_sheets(self, doing: Act) -> Written:
        """Sheets of one notice for its places; the payload holds `run`, `notice` and `sheets`."""
        run, drawn = self._run(doing), list(doing.payload["sheets"])
        known = dict(places(run))
        if not drawn or any(each.place not in known for each in drawn):
            raise refuse(_("这里还没有登记楼道，或者楼道已经变动，请刷新后重试。"))
        notice = str(doing.payload["notice"])
        Sheet.objects.bulk_create(
            Sheet(
                run=run,
                notice=notice,
                place=each.place,
                label=each.label,
                hash=codes.digest("sheet", each.code),
                role=doing.party.role,
                party_key=doing.party.key,
                user_id=doing.party.user_id,
                until=doing.at + VALID,
            )
            for each in drawn
        )
        return Written({"of_step": run.name, "notice": notice, "sheets": len(drawn)})

    @act(
        "sheets.withdrawn",
        title=_("作废张贴件的码"),
        by="handlers",
        while_suspended=True,
        after_close=True,
        page=False,
    )
    def withdraw_sheets(self, doing: Act) -> Written:
        """End the codes of a notice that nobody has used; payload: `run`, `notice`."""
        run, notice = self._run(doing), str(doing.payload["notice"])
        rows = Sheet.objects.filter(run=run, notice=notice, used_at=None, withdrawn_at=None)
        ended = rows.update(withdrawn_at=doing.at)
        if not ended:
            raise refuse(_("没有还没用的码。"), code="duplicate")
        return Written({"of_step": run.name, "notice": notice, "sheets": ended})

    @act(
        "notice.hung",
        title=_("登记张贴"),
        by="handlers",
        form=PhotoForm,
        while_suspended=True,
        after_close=True,
        page=False,
    )
    def hang(self, doing: Act) -> Written:
        """A sheet hangs where it belongs; its photo is public. Payload: `sheet`."""
        sheet = Sheet.objects.filter(pk=doing.payload["sheet"], run__process=doing.case).first()
        if sheet is None:
            raise refuse(_("没有找到这张张贴件。"))
        sheet.run.process = doing.case
        self._may(doing, sheet.run)
        Publicity._refuse_known(sheet.run, doing.files)
        _use(sheet, doing.at)
        photo = doing.files[0]
        photo.run, photo.label = sheet.run, sheet.label
        examine(photo, [bytes(sheet.hash)])
        photo.save(update_fields=["run", "label", "look", "code_seen"])
        Sheet.objects.filter(pk=sheet.pk).update(photo=photo)
        said = {"of_step": sheet.run.name, "notice": sheet.notice, "place": sheet.label}
        return Written(said)

    @act(
        "photo.rejected",
        title=_("退回张贴照片"),
        by="handlers",
        form=RejectForm,
        while_suspended=True,
        after_close=True,
        button=False,
    )
    def reject(self, doing: Act) -> Written:
        """A photo proves nothing: its place is bare again, and the code of its sheet, which still
        hangs there, is open again. Where it was not hung, a term that had begun with the last
        place begins anew with it."""
        photo, found_so = doing.data["photo"], doing.data["on_the_spot"]
        posting = Posting.objects.filter(photo=photo, run__process=doing.case).first()
        sheet = Sheet.objects.filter(photo=photo, run__process=doing.case).first()
        shown = posting or sheet
        if shown is None:
            raise refuse(_("没有找到这张照片，或者已经退回。"), code="duplicate")
        run = shown.run
        run.process = doing.case
        if doing.party.role not in checkers(run):
            raise refuse(_("您的身份不能办理这一操作。"), code="wrong_party")
        body: dict[str, Any] = {"of_step": run.name, "place": shown.label, "on_the_spot": found_so}
        if posting is not None:
            if not run.is_open:
                raise refuse(_("这次公示已经结束，照片不再退回。"), code="closed_step")
            Posting.objects.filter(pk=posting.pk).update(photo=None, posted_at=None)
            if found_so == NOT_HUNG and run.phase == STANDING:
                body["phase"] = Publicity.bare_again(run)
        opened = {"used_at": None, "photo": None, "until": doing.at + VALID}
        Sheet.objects.filter(photo=photo, run=run).update(**opened)
        return Written({**body, "reason": doing.data["reason"]})

    def _run(self, doing: Act) -> StepRun:
        run = StepRun.objects.filter(pk=doing.payload["run"], process=doing.case).first()
        if run is None:
            raise refuse(_("没有找到该环节。"))
        run.process = doing.case
        self._may(doing, run)
        return run

    @staticmethod
    def _may(doing: Act, run: StepRun) -> None:
        if doing.party.role not in handlers(run):
            raise refuse(_("您的身份不能办理这一操作。"), code="wrong_party")


# --- what pages read ---------------------------------------------------------------------------


@dataclass(slots=True)
class Wall:
    """One notice at its places: `rows` are (label, photo or None), in walking order."""

    run: StepRun
    notice: str
    title: Words
    rows: list[tuple[str, Attachment | None]]

    @property
    def posted(self) -> int:
        """At how many places it is shown to hang."""
        return sum(photo is not None for _label, photo in self.rows)

    @property
    def twins(self) -> dict[int, str]:
        """Photos that look almost like that of another place, by key, with that place's name: to
        be looked at by an officer."""
        seen = [(label, photo) for label, photo in self.rows if photo is not None]
        return {
            photo.pk: other_label
            for label, photo in seen
            for other_label, other in seen
            if photo.pk != other.pk and alike(photo.look, other.look)
        }

    @property
    def missing(self) -> list[str]:
        """Where no photo shows it yet."""
        return [label for label, photo in self.rows if photo is None]


def walls(case: Case, runs: Sequence[StepRun]) -> list[Wall]:
    """The notices of a case that are to hang somewhere; two queries however many there are."""
    from ..notices import listed  # it reads every kind of step, of which this is a part

    rows: dict[tuple[int, str], dict[str, tuple[str, Attachment | None]]] = defaultdict(dict)
    for posting in Posting.objects.filter(run__process=case).select_related("photo"):
        rows[posting.run_id, STANDS][posting.place] = (posting.label, posting.photo)
    for sheet in of_case(case.pk).select_related("photo").order_by("pk"):
        here = rows[sheet.run_id, sheet.notice]
        _label, before = here.get(sheet.place, ("", None))
        here[sheet.place] = (sheet.label, before or sheet.photo)
    found = []
    for run in runs:
        if any(key == run.pk for key, _notice in rows):
            for notice, title in listed(run).items():
                hanging = list(rows.get((run.pk, notice), {}).values())
                if hanging:
                    found.append(Wall(run, notice, title, hanging))
    return found
