"""An appeal walked from outside, act by act: for the demo and for tests of whole cases.

Everything goes through the one door, as the pages do it; time is set on the engine's clock.
"""

from __future__ import annotations

import datetime as dt
import io
import secrets
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import transaction
from django.db.models import Q
from PIL import Image, ImageDraw

from workflows import acts, clock, sweep
from workflows.models import Case, Community, StepRun
from workflows.parties import Party, directory

from .models import Appeal
from .procedure import Appeals


def picture(number: int = 0) -> SimpleUploadedFile:
    """A small picture, plainly drawn: a wall with a crack."""
    wall = (205 - number * 9 % 60, 198, 184)
    image = Image.new("RGB", (320, 240), wall)
    pen = ImageDraw.Draw(image)
    pen.rectangle((0, 180, 320, 240), fill=(128, 126, 120))
    points = [(40 + step * 30, 60 + (step * 37 + number * 11) % 70) for step in range(9)]
    pen.line(points, fill=(70, 60, 55), width=4)
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80)
    return SimpleUploadedFile("photo.jpg", out.getvalue(), content_type="image/jpeg")


class Story:
    """One appeal on its way; `staff` names accounts by what they do here."""

    def __init__(
        self,
        place: Community,
        staff: dict[str, Any],
        start: dt.datetime,
        *,
        photos: int = 0,
        demo: bool = True,
        **said: Any,
    ) -> None:
        self.place, self.staff = place, staff
        clock.set_now(start)
        self.author = Party("anyone", f"drawn:{secrets.token_hex(16)}")
        told = {"kind": "repair", "text": "三号楼一单元楼道灯不亮。", "may_show": "on", **said}
        files = {"photos": [picture(number) for number in range(photos)]} if photos else {}
        with transaction.atomic():
            self.case: Case = acts.open_case(Appeals, place, self.author, demo=demo)
            done = acts.perform(self.case.pk, "submit", "task.done", self.author, told, files)
        self.receipt = done.receipt

    @property
    def number(self) -> str:
        """The public number."""
        return str(self.case.number)

    # --- moving about
    def act(
        self, who: str, step: str, data: dict[str, Any], act: str = "task.done", **files: Any
    ) -> acts.Done:
        """One act of somebody who serves."""
        [party, *_more] = directory().parties_of(self.staff[who], self.place, clock.now())
        return acts.perform(self.case.pk, step, act, party, data, files)

    def own(self, step: str, data: dict[str, Any], act: str = "task.done") -> Story:
        """One act of the author."""
        acts.perform(self.case.pk, step, act, self.author, data)
        return self

    def until(self, moment: dt.datetime) -> Story:
        """Let time pass; the sweep does what is due in this case on its day."""
        mine = Q(process=self.case)
        open_runs = StepRun.objects.filter(mine, finished__isnull=True, provisional=False)
        while due := open_runs.filter(scheduled__lte=moment).order_by("scheduled").first():
            clock.advance_to(max(due.scheduled, clock.now()))
            if not sweep.sweep(mine):
                break
        clock.set_now(moment)
        return self

    def wait(self, **delta: int) -> Story:
        """The same, by how long."""
        return self.until(clock.now() + dt.timedelta(**delta))

    # --- what happens
    def assign(self, unit: str = "housing", *joint: str, **more: Any) -> Story:
        """The office gives it to a unit, with those beside it."""
        appeal = Appeal.objects.get(case=self.case)
        wording = {"wording": appeal.text, "building": appeal.building} if appeal.may_show else {}
        told = {"decision": "assigned", "kind": appeal.kind, "unit": unit, "joint": list(joint)}
        self.act("office", "classify", {**told, **wording, **more})
        return self

    def back(self, who: str, reason: str) -> Story:
        """The unit gives it back."""
        self.act(who, "handle", {"decision": "returned", "reason": reason})
        return self

    def answer(self, who: str, note: str, *, step: str = "handle", **more: Any) -> Story:
        """The unit answers."""
        told = {"decision": "replied", "answer": f"您好：{note}感谢您的反映。", "result": "solved"}
        self.act(who, step, {**told, "note": note, **more}, photos=[picture(5)])
        return self

    def rate(self, rating: str, step: str = "rate") -> Story:
        """The author says whether that will do."""
        return self.own(step, {"rating": rating, "comment": ""})
