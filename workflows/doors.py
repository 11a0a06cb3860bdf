"""Forms at the door: each household answers once, online by the code on its form or on the paper;
the first answer stands, and whoever comes second is told so.

The one door asks here (`take`) whenever an act comes by a code or from a paper.
"""

from __future__ import annotations

import datetime as dt
import hmac
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import F
from django.utils.translation import gettext_lazy as _

from . import codes
from .models.case import Case, StepRun
from .models.door import DoorForm
from .parties import Member
from .uploads import UploadField

if TYPE_CHECKING:
    from .acts import Act
    from .steps.act import Words

BY_CODE, ON_PAPER = "code", "paper"


@dataclass(frozen=True, slots=True)
class Kind:
    """A form that a step has for every household: the `act` that its answer is, in which `role`,
    and whom it goes to, in walking order.

    `secret`: nothing on the part that is handed back, and nothing on the page of its code, says
    whose it is; the numbers of the forms are drawn, not counted. `signed`: the paper is signed.
    `says` stands on it before what is filled in; `by_hand` is written on the paper alone, and not
    typed in.
    """

    act: str
    title: Words
    role: str
    members: Callable[[], Sequence[Member]]
    secret: bool = False
    signed: bool = True
    says: Words = ""
    by_hand: tuple[Words, ...] = ()


def kinds(run: StepRun) -> dict[str, Kind]:
    """The forms that a run has for households now, by their act."""
    step: Any = run.flow_task
    return {kind.act: kind for kind in step.door_kinds(run)} if run.is_open else {}


def found(code: str) -> DoorForm | None:
    """The form with that code, however it was typed."""
    rows = DoorForm.objects.select_related("run__process__community")
    return rows.filter(hash=codes.digest("form", code)).first()


def standing(form: DoorForm, now: dt.datetime) -> str:
    """Whether a form may be answered online: ``open``, ``used``, ``withdrawn``, ``over``.

    The code ends with the step, or with its term.
    """
    if form.used_at is not None:
        return "used"
    if form.withdrawn_at is not None:
        return "withdrawn"
    step: Any = form.run.flow_task
    over = form.act not in kinds(form.run) or step.over(form.run, now)
    return "over" if over else "open"


def take(doing: Act) -> bool:
    """Close the form of a household that answers by its code or on paper, within the act that does
    so; False where the household has answered already, or has no open code.

    A paper of a household that was given no form is typed in without one.
    """
    run, party, name = doing.open_run, doing.party, doing.spec.name
    mine = DoorForm.objects.filter(
        run=run, act=name, party_key=party.key, role=party.role, withdrawn_at=None
    )
    if party.via == ON_PAPER and not mine.exists():
        return True
    if run.step.answered(run, name, party.key):
        return False
    noted = marks(doing.case, doing.form) if party.via == ON_PAPER and doing.form else {}
    taken = mine.filter(used_at=None).update(used_at=doing.at, via=party.via, marks=noted)
    # What was answered and taken back in writing may be answered on paper again.
    return taken == 1 or party.via == ON_PAPER


def marks(case: Case, form: Any) -> dict[str, str]:
    """A digest of each answer of a validated form, keyed with the case's salt. Blanks and signs of
    punctuation do not count: two who read the same hand may set them differently."""
    found = {}
    for name, field in form.fields.items():
        if isinstance(field, UploadField):
            continue
        said = "".join(sign for sign in str(form.cleaned_data.get(name) or "") if sign.isalnum())
        whole = f"{name}\x1f{said}".encode()
        found[name] = hmac.digest(bytes(case.salt), whole, "sha256").hex()[:32]
    return found


def tried(run: StepRun, act: str, party_key: str, now: dt.datetime) -> None:
    """Note that somebody wanted to answer a second time."""
    DoorForm.objects.filter(run=run, act=act, party_key=party_key, withdrawn_at=None).update(
        tries=F("tries") + 1, tried_at=now
    )


TWICE = _("这一户已经交过这份表，以先交的为准，没有再登记。")
