"""On to the post: training with attendance and test, agreements."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.utils.translation import gettext_lazy as _

from workflows.acts import Act, Written
from workflows.models import StepRun
from workflows.steps.act import ActSpec, act, refuse
from workflows.steps.base import SHOWN

from . import forms, rules
from .models import Applicant, Holder
from .noticing import NOTICE, move_up, watch
from .people import APPLY, Lane, Own, Progress, handed_in_by


class Train(Own, Lane):
    """Training before the post, with attendance and a test (岗前培训)."""

    explained = _("到课并且考试合格的上岗；未通过的由候补人员依次递补。")
    waits_for = ("publicised", "cleared")
    shows = ("cleared", "trained")
    of_own: ClassVar = {"place.declined": ("reserve", "publicised", "cleared", "trained")}

    def __init__(self, *, supplement: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supplement = supplement

    @act(
        "place.declined",
        title=_("放弃安置"),
        by=APPLY,
        form=forms.NumberForm,
        optional=True,
    )
    def decline(self, doing: Act) -> Written:
        """An applicant does not want the place any more: the first of the reserve list moves up."""
        row = self.of_number(doing, doing.data["number"])
        if not handed_in_by(row, doing.party):
            raise refuse(_("只能放弃自己提交的申请。"), field="number", code="wrong_party")
        if row.life not in self.of_own["place.declined"]:
            raise refuse(_("该申请现在不能放弃。"), field="number")
        row.withdraw()
        row.save(update_fields=["life"])
        moved = move_up(doing.case, doing.at, NOTICE)
        if moved:
            watch(doing.case, self.supplement)
        return Written({"number": row.number, "moved_up": [person.number for person in moved]})

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Results while somebody waits for training."""
        if spec.name == "training.entered":
            return bool(self.glance(run).lives["cleared"])
        return super().offered(spec, run)

    def progress(self, run: StepRun) -> Iterator[Progress]:
        """How many of those whose notice is over have their result."""
        lives = self.glance(run).lives
        done = sum(lives[life] for life in ("trained", "failed", "appointed"))
        yield Progress(_("已登记培训结果"), done, done + lives["cleared"])

    @act(
        "training.entered",
        title=_("登记培训结果"),
        by="by",
        form=forms.TrainingForm,
        preview=True,
    )
    def enter(self, doing: Act) -> Written:
        """Who passed; whoever did not gives place to the first of the reserve list."""
        results, absent = doing.data["results"], doing.data["absent"]
        if (not results and not absent) or set(results) & set(absent):
            raise refuse(_("请填写成绩或者缺课人员，同一人不能两处都填。"), field="results")
        people = list(
            Applicant.objects.filter(
                case=doing.case, life="cleared", number__in=[*results, *absent]
            )
        )
        if len(people) != len(results) + len(absent):
            raise refuse(_("有的编号不在待培训人员中。"), field="results")
        for person in people:
            (person.train if results.get(person.number, 0) >= rules.PASS else person.fail)()
        Applicant.objects.bulk_update(people, ["life"], batch_size=500)
        passed = sum(person.life == "trained" for person in people)
        moved = move_up(doing.case, doing.at, NOTICE)
        if moved:
            watch(doing.case, self.supplement)
        return Written(
            {
                "passed": passed,
                "failed": len(people) - passed,
                "moved_up": [person.number for person in moved],
            }
        )


class Onboard(Lane):
    """Agreements (上岗): a year (D), within the subsidy's time (L)."""

    explained = _("签订协议后上岗；补贴期限最长三年，距退休不足五年的可至退休。")
    waits_for = ("publicised", "cleared", "trained")
    shows = ("trained", "appointed")

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Agreements while somebody is trained and has none."""
        if spec.name == "agreement.signed":
            return bool(self.glance(run).lives["trained"])
        return super().offered(spec, run)

    def progress(self, run: StepRun) -> Iterator[Progress]:
        """How many of those who passed have signed."""
        lives = self.glance(run).lives
        yield Progress(_("已签协议"), lives["appointed"], lives["appointed"] + lives["trained"])

    def beside(self, run: StepRun, spec: ActSpec, query: Any) -> dict[str, Any]:
        """Whom an agreement may be with."""
        if spec.name != "agreement.signed":
            return {}
        trained = Applicant.objects.filter(case=run.process, life="trained")
        return {"people": trained.select_related("post").order_by("number")[:SHOWN]}

    @act("agreement.signed", title=_("登记上岗协议"), by="by", form=forms.OnboardForm)
    def sign(self, doing: Act) -> Written:
        """Someone trained starts."""
        person = self.of_number(doing, doing.data["number"])
        if person.life != "trained":
            raise refuse(_("该申请人尚未培训合格，或者已经上岗。"), field="number")
        person.appoint()
        person.save(update_fields=["life"])
        starts = doing.data["starts"]
        subsidy = rules.subsidy_until(starts, doing.data["pension"])
        holder = Holder(
            applicant=person,
            starts=starts,
            until=rules.agreement_until(starts, subsidy),
            subsidy_until=subsidy,
        )
        body = {
            "number": person.number,
            "post": person.post.number,
            "starts": starts.isoformat(),
            "agreement_until": holder.until.isoformat(),
        }
        return Written(body, {"subsidy_until": subsidy.isoformat()}, holder)
