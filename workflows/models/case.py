"""Cases and their steps: viewflow's process and task, with what the public needs to know."""

from __future__ import annotations

import datetime as dt
import secrets
from typing import TYPE_CHECKING, Any, ClassVar

from django.db import models
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from viewflow.workflow.models import AbstractProcess, AbstractTask

from ..search import ReadStatistics, SignsIndex
from .figure import Recount, SumsHead

if TYPE_CHECKING:
    from ..procedure import Procedure
    from ..statements import Ready
    from ..steps.base import Ahead, Step


class Community(models.Model):
    """Where a case is held: an estate, a village, a sub-district. What is there, others know."""

    KINDS: ClassVar = [
        ("estate", _("小区")),
        ("village", _("村")),
        ("subdistrict", _("街道")),
        ("site", _("本站")),
    ]

    code = models.SlugField(_("代码"), max_length=40, unique=True)
    name = models.CharField(_("名称"), max_length=60)
    kind = models.CharField(_("类别"), max_length=20, choices=KINDS)
    parent = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="children"
    )

    _belonged: int | None = None

    class Meta:
        ordering: ClassVar = ["code"]
        indexes: ClassVar = [
            models.Index(fields=["kind"], name="community_kind"),
            SignsIndex(fields=["name"], name="community_name_signs"),
        ]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Where it now belongs to another, every sum of figures is made anew."""
        moved = not self._state.adding and self._belonged != self.__dict__.get("parent_id")
        super().save(*args, **kwargs)
        if moved:
            SumsHead.objects.update(until=None, version=models.F("version") + 1)
            self._belonged = self.parent_id

    @classmethod
    def from_db(cls, *row: Any, **more: Any) -> Any:
        """Remember to what it belonged."""
        made = super().from_db(*row, **more)
        made._belonged = made.__dict__.get("parent_id")
        return made


def _salt() -> bytes:
    return secrets.token_bytes(32)


class Case(AbstractProcess):
    """One running instance of a procedure (事项).

    It changes only through `workflows.acts`: `open_case` and `perform`. It keeps the version of the
    procedure under which it was opened (`flow_class`) until it ends.
    """

    number = models.CharField(_("编号"), max_length=40, unique=True)
    procedure = models.CharField(_("程序"), max_length=40)
    version = models.CharField(_("版本"), max_length=20)
    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="cases")
    title = models.CharField(_("标题"), max_length=120)
    params = models.JSONField(_("参数"), default=dict, blank=True)
    """What the office set at opening within the procedure's declared bounds; published."""
    parent = models.ForeignKey(
        "StepRun", on_delete=models.PROTECT, null=True, blank=True, related_name="child_cases"
    )
    lot = models.CharField(_("标段"), max_length=40, blank=True)
    outcome = models.CharField(_("结果"), max_length=40, blank=True)
    suspended_at = models.DateTimeField(_("中止时间"), null=True, blank=True)
    suspended_reason = models.CharField(_("中止原因"), max_length=300, blank=True)
    demo = models.BooleanField(_("演示"), default=False)
    unlisted = models.BooleanField(default=False)
    """In no public list, search, feed or export of many: held until a person has looked at it, or
    found to be no matter at all. Whoever has its number still sees its page and its records."""
    length = models.PositiveIntegerField(_("记录数"), default=0)
    head = models.BinaryField(_("末条记录的哈希"), max_length=32, null=True, editable=False)
    salt = models.BinaryField(max_length=32, default=_salt, editable=False)
    """Makes pseudonyms meaningless outside the case; never published."""
    recorded_until: dt.datetime | None = None
    """Before when no record of it may be dated (`records.append`); set when it is locked."""

    class Meta:
        ordering: ClassVar = ["-created", "-pk"]
        indexes: ClassVar = [
            models.Index(fields=["community", "status"]),
            models.Index(fields=["procedure", "status", "created"]),
            models.Index(fields=["-created", "-id"], name="case_newest"),
            models.Index(fields=["-finished", "-id"], name="case_ended_last"),
            # What lists and figures count, without reading the cases.
            models.Index(
                fields=["procedure", "finished", "parent"],
                condition=models.Q(unlisted=False),
                name="case_counted",
            ),
            models.Index(
                fields=["id", "procedure", "community"],
                condition=models.Q(finished=None, suspended_at=None, unlisted=False),
                name="case_going",
            ),
            # A list of one procedure, open or ended, and how long it is.
            models.Index(
                fields=["procedure", "-created", "-id", "finished", "suspended_at"],
                condition=models.Q(unlisted=False, parent=None),
                name="case_listed_newest",
            ),
            SignsIndex(fields=["title"], name="case_title_signs"),
            SignsIndex(fields=["number"], name="case_number_signs"),
            ReadStatistics(fields=["title"], name="case_title_words"),
        ]

    def __str__(self) -> str:
        return f"{self.number} {self.title}"

    @classmethod
    def from_db(cls, *row: Any, **more: Any) -> Any:
        """Remember whether it was in public figures."""
        made = super().from_db(*row, **more)
        made._was_unlisted = made.__dict__.get("unlisted")
        return made

    _was_unlisted: bool | None = None
    """As the database has it; None where that was not read."""

    def save(self, *args: Any, **kwargs: Any) -> None:
        """What comes into public figures, or goes from them, is counted anew there."""
        turned = self._was_unlisted is not None and self._was_unlisted != self.unlisted
        super().save(*args, **kwargs)
        if turned:
            Recount.objects.create(place=self.community_id)
            self._was_unlisted = self.unlisted

    @cached_property
    def unwritten(self) -> list[models.Model | Ready]:
        """Rows that stand beside records of the running act, and other statements in their order;
        `records.flush` writes them."""
        return []

    @cached_property
    def keys(self) -> list[int]:
        """Keys of records to come in the running act, where the database gave them beforehand."""
        return []

    ahead: Ahead | None = None
    """What the running act has read for the step that it opens next."""

    @property
    def declared(self) -> type[Procedure]:
        """The procedure, in the version that the case was opened under."""
        return self.flow_class

    @property
    def task_set(self) -> Any:
        """The name under which viewflow looks for the runs."""
        return self.runs

    @property
    def open(self) -> bool:
        """Whether acts may still be done."""
        return self.finished is None

    def get_absolute_url(self) -> str:
        """The page of the case; this address stays for ever."""
        return f"/cases/{self.number}/"


class StepRun(AbstractTask):
    """One step of one case while and after it was open: viewflow's task, with its term.

    The same step opens again when a case goes back: each time is a run of its own, `round` counts.
    `scheduled` (viewflow's timer column) is when the sweep must look at it next.
    """

    process = models.ForeignKey(Case, on_delete=models.CASCADE, related_name="runs")
    name = models.CharField(max_length=60)
    round = models.PositiveSmallIntegerField(default=1)
    phase = models.CharField(max_length=30, blank=True)
    outcome = models.CharField(max_length=40, blank=True)
    term = models.CharField(max_length=12, blank=True)
    starts_on = models.DateField(null=True, blank=True)
    ends_on = models.DateField(null=True, blank=True)
    ends_at = models.DateTimeField(null=True, blank=True)
    term_rule = models.CharField(max_length=160, blank=True)
    provisional = models.BooleanField(default=False)
    overdue_at = models.DateTimeField(null=True, blank=True)
    broken_at = models.DateTimeField(null=True, blank=True)
    """When a term of the run was first found broken (`breaks_term`). It stays, where `overdue_at`
    goes with the run's next term."""
    held_by = models.CharField(_("责任单位"), max_length=80, blank=True)
    """Whose term it is: a role, or a seat of it (``handler:housing``); empty where it is not an
    office's but one's own (an applicant's time to complete)."""
    data = models.JSONField(default=dict, blank=True)
    glance: Any = None
    """What lists ask of the run, read beforehand for many (`steps.base.look_at`); not stored."""
    came_from: Any = None
    """The run that a new one follows, until it is stored (`Step.begin`)."""
    seed = None  # viewflow sets it on every task; we keep none
    artifact = None

    class Meta:
        ordering: ClassVar = ["pk"]
        indexes: ClassVar = [
            models.Index(fields=["process", "name", "status"]),
            models.Index(
                fields=["scheduled"],
                condition=models.Q(finished__isnull=True),
                name="run_due",
            ),
            # What figures count of open steps, without reading these.
            models.Index(
                fields=["ends_at", "provisional", "held_by", "process", "id"],
                condition=models.Q(finished__isnull=True),
                name="run_open_term_held",
            ),
            models.Index(
                fields=["id", "process", "held_by"],
                condition=models.Q(finished__isnull=True),
                name="run_open_held",
            ),
            models.Index(
                fields=["process"],
                condition=models.Q(broken_at__isnull=False),
                name="run_broken_term",
            ),
            models.Index(
                fields=["process", "held_by", "overdue_at", "id"],
                condition=models.Q(broken_at__isnull=False, finished__isnull=True),
                name="run_late_now_held",
            ),
            # Of all that ends, what the figures look at.
            models.Index(
                fields=["finished"],
                condition=models.Q(flow_task_type="STEP", finished__isnull=False),
                name="run_step_finished",
            ),
            models.Index(
                fields=["-finished", "-id"],
                condition=models.Q(finished__isnull=False) & ~models.Q(outcome=""),
                name="run_decided_last",
            ),
            # What the figures of supervision look for, by month.
            models.Index(
                fields=["finished"],
                condition=models.Q(ends_at__isnull=False, broken_at__isnull=True),
                name="run_term_kept",
            ),
            models.Index(
                fields=["broken_at"],
                condition=models.Q(broken_at__isnull=False),
                name="run_term_broken_at",
            ),
        ]

    @classmethod
    def from_db(cls, *row: Any, **more: Any) -> Any:
        """Remember its term."""
        made = super().from_db(*row, **more)
        made._had = made._term()
        return made

    _had: tuple[Any, ...] | None = None
    """What of the term the figures go by, as the database has it; None for a new run."""

    def _term(self) -> tuple[Any, ...]:
        return self.__dict__.get("ends_at"), self.__dict__.get("provisional")

    def recounts(self) -> list[Recount]:
        """What is to be written beside the run, where its term moved since it was read or stored:
        what was answered within it is counted anew."""
        if self._had is None or self._had == self._term():
            return []
        self._had = self._term()
        return [Recount(place=self.process.community_id)]

    def save(self, *args: Any, **kwargs: Any) -> None:
        """Keep the node's name beside viewflow's reference, so that it can be indexed."""
        if not self.name and self.flow_task is not None:
            self.name = self.flow_task.name
        super().save(*args, **kwargs)
        for row in self.recounts():
            row.save()

    @property
    def case(self) -> Case:
        """The case of this run."""
        return self.process

    @property
    def step(self) -> Step:
        """The declared step."""
        return self.flow_task

    @property
    def is_open(self) -> bool:
        """Whether acts may be done at this run."""
        return self.finished is None

    def term_over(self, now: dt.datetime) -> bool:
        """Whether the term has run out. A provisional one has not: its end is a guess until the
        year's days off are announced, and nobody may be told by a guess that they are late."""
        return self.ends_at is not None and now >= self.ends_at and not self.provisional

    def breaks_term(self, now: dt.datetime, *, done: bool, by_clock: bool) -> bool:
        """Whether the run's term is broken at that moment: it has run out, and what was to be done
        in it is not `done`, or is done only now.

        What the clock itself completes when the term runs out (a publicity period that has stood
        its days) was in time, however late the clock came.
        """
        return self.term_over(now) and not (done and by_clock)


class NumberSeries(models.Model):
    """The last number given in a year to the cases of a prefix; locked while one is drawn."""

    prefix = models.CharField(max_length=10)
    year = models.PositiveSmallIntegerField()
    last = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["prefix", "year"], name="one_series_a_year")
        ]

    def __str__(self) -> str:
        return f"{self.prefix}-{self.year}-{self.last:04d}"
