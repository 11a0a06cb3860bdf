"""Procedures of consultations and publicities, each as small as it can be."""

import io

from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image
from viewflow import this

from workflows.parties import Party
from workflows.procedure import Procedure
from workflows.steps.consultation import Consultation, MenuItem
from workflows.steps.nodes import Closing, Opening
from workflows.steps.publicity import Publicity
from workflows.terms import Days, WorkingDays

HANDLERS = ("residents_committee", "office")
RESIDENTS = ("household", "owner")
MENU = (
    MenuItem("roof", "屋面防水", "basic", "基础类"),
    MenuItem("parking", "停车位", "improving", "完善类"),
    MenuItem("lifts", "加装电梯", "upgrading", "提升类"),
)

OFFICE = Party("office", "person:9001", label="经办人")
COMMITTEE = Party("residents_committee", "person:9002")


def household(number: int) -> Party:
    """A household as it acts online."""
    return Party("household", f"household:{number}")


def photo(shade: int = 0) -> SimpleUploadedFile:
    """A picture, another one for every shade."""
    out = io.BytesIO()
    Image.new("RGB", (8, 8), (shade % 256, shade // 256, 7)).save(out, "PNG")
    return SimpleUploadedFile("张三家.png", out.getvalue(), "image/png")


class Needs(Procedure):
    """Every household is asked what it needs; may be closed after seven days."""

    code, version, number_prefix = "sandbox_needs", "1", "SNE"
    title = "问需"
    opening = Opening().Next(this.ask)
    ask = Consultation(
        title="问需",
        by=HANDLERS,
        participants=RESIDENTS,
        items=MENU,
        each_household=True,
        term=Days(15),
        minimum=Days(7),
    ).Next(this.asked)
    asked = Closing("已答复")


class Plans(Procedure):
    """Opinions on a plan in free words; the office then settles it or revises it."""

    code, version, number_prefix = "sandbox_plans", "1", "SPL"
    title = "问计"
    opening = Opening().Next(this.ask)
    ask = (
        Consultation(title="问计", by=HANDLERS, participants=RESIDENTS, term=Days(7))
        .On("done", this.settled, "方案确定")
        .On("revise", this.ask, "修改方案")
    )
    settled = Closing("方案确定")


class Results(Procedure):
    """Satisfaction, and opinions on what is left."""

    code, version, number_prefix = "sandbox_results", "1", "SRE"
    title = "问效"
    opening = Opening().Next(this.ask)
    ask = Consultation(
        title="问效", by=HANDLERS, participants=RESIDENTS, term=Days(15), survey=True
    ).Next(this.asked)
    asked = Closing("已答复")


class Design(Procedure):
    """A design hangs in every stairwell for twenty days; an upheld objection sends it back."""

    code, version, number_prefix = "sandbox_design", "1", "SDE"
    title = "设计方案公示"
    opening = Opening().Next(this.stand)
    stand = (
        Publicity(
            title="设计方案公示",
            by=HANDLERS,
            participants=RESIDENTS,
            term=Days(20),
            posted_in="stairwells",
        )
        .On("clean", this.agreed)
        .On("upheld", this.stand)
    )
    agreed = Closing("无异议")


class Shortlist(Procedure):
    """A result stands for five working days, on the web alone."""

    code, version, number_prefix = "sandbox_shortlist", "1", "SSH"
    title = "入围公示"
    opening = Opening().Next(this.stand)
    stand = (
        Publicity(title="入围公示", by=HANDLERS, participants=RESIDENTS, term=WorkingDays(5))
        .On("clean", this.agreed)
        .On("upheld", this.overturned)
    )
    agreed = Closing("无异议")
    overturned = Closing("异议成立", good=False)
