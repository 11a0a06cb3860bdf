"""Meeting (会议、开放日): called in time, signed up for, held, minuted."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from django import forms
from django.db.models import Count, Exists, OuterRef, Q, QuerySet
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from .. import clock, terms
from ..acts import Act, Written
from ..models.case import StepRun
from ..parties import Party
from ..uploads import UploadField
from .act import ActForm, ActSpec, Words, act, refuse
from .base import Step, counted_by_run
from .meeting_rows import MeetingSession, SignIn, SignUp
from .opinion_forms import PublicText

# --- forms -------------------------------------------------------------------------------------


class CallForm(ActForm):
    """When, where, about what, and for how many."""

    starts_at = forms.DateTimeField(
        label=_("开会时间"),
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        input_formats=["%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M"],
    )
    place = PublicText(label=_("地点"), max_length=120, meaning=False, rows=1)
    agenda = PublicText(label=_("议题"), max_length=2000)
    places = forms.IntegerField(
        label=_("名额（不限则不填）"), min_value=1, max_value=100_000, required=False
    )

    def clean_starts_at(self) -> dt.datetime:
        """In the future, and with the notice that the step needs."""
        starts: dt.datetime = self.cleaned_data["starts_at"]
        step: Meeting = self.act.open_run.step
        if starts <= self.act.at:
            raise forms.ValidationError(_("开会时间应当晚于现在。"))
        if step.notice is not None:
            first = terms.meeting_not_before(self.act.at, step.notice)
            if timezone.localtime(starts).date() < first:
                raise forms.ValidationError(
                    _("应提前%(notice)s通知，最早为%(day)s。")
                    % {"notice": step.notice, "day": first.isoformat()}
                )
        return starts


class SessionForm(ActForm):
    """One of the sessions of this step, in a life that fits the act."""

    lives: ClassVar[tuple[str, ...]] = ("called",)
    session = forms.ModelChoiceField(
        label=_("场次"),
        queryset=MeetingSession.objects.none(),
        empty_label=_("请选择"),
        error_messages={"invalid_choice": _("没有可以这样办理的场次，请重新选择。")},
    )

    def setup(self) -> None:
        """The sessions to choose from."""
        choice: Any = self.fields["session"]
        choice.queryset = self.sessions(
            MeetingSession.objects.filter(run=self.act.run, life__in=self.lives)
        )
        choice.label_from_instance = session_words

    def sessions(self, found: QuerySet[MeetingSession]) -> QuerySet[MeetingSession]:
        """Those that fit the act, with what their words need."""
        return found


class SignUpForm(SessionForm):
    """A session that one wants to come to; it says how many places are left."""

    @property
    def advice(self) -> Words:
        """Why there is nothing to choose."""
        choice: Any = self.fields["session"]
        left = self.is_bound or choice.queryset.exists()
        return "" if left else _("没有可以预约的场次：您都预约了，或者已经开始。")

    def sessions(self, found: QuerySet[MeetingSession]) -> QuerySet[MeetingSession]:
        """With how many are coming; offered are those to come that one has not signed up for."""
        found = found.annotate(coming=Count("sign_ups", filter=Q(sign_ups__life="coming")))
        if self.is_bound:  # the door says why not
            return found
        mine = SignUp.objects.filter(session=OuterRef("pk"), party_key=self.act.party.key)
        return found.filter(starts_at__gt=self.act.at).exclude(
            Exists(mine.exclude(life="cancelled"))
        )


class MineForm(SessionForm):
    """A session that one has signed up for."""

    def sessions(self, found: QuerySet[MeetingSession]) -> QuerySet[MeetingSession]:
        """Those of the party."""
        mine = SignUp.objects.filter(session=OuterRef("pk"), party_key=self.act.party.key)
        return found.filter(Exists(mine.exclude(life="cancelled")))


class SignInForm(ActForm):
    """The code at the door."""

    door = forms.CharField(max_length=10, widget=forms.HiddenInput)

    def clean_door(self) -> MeetingSession:
        """The session of that door, while one may sign in."""
        door = self.cleaned_data["door"].upper()
        session = MeetingSession.objects.filter(run=self.act.run, door=door).first()
        if session is None:
            raise forms.ValidationError(_("没有这个签到码，请重新扫码。"))
        return session


class HeldForm(SessionForm):
    """How many came, with photos."""

    attendance = forms.IntegerField(
        label=_("到会人数"),
        min_value=0,
        max_value=100_000,
        help_text=_("扫码签到的和在纸质签到表上签名的，合计人数。"),
    )
    photos = UploadField(label=_("现场照片"), required=False, public=True, pictures_only=True)

    def clean(self) -> dict[str, Any]:
        """No fewer came than signed in."""
        data = self.cleaned_data
        session, came = data.get("session"), data.get("attendance")
        if session is not None and came is not None:
            signed_in = session.sign_ins.count()
            if came < signed_in:
                self.add_error(
                    "attendance",
                    _("扫码签到的已有%(n)s人，到会人数不能少于这个数。") % {"n": signed_in},
                )
        return data


class MinutesForm(SessionForm):
    """What was said and agreed, without names."""

    lives = ("held",)
    minutes = PublicText(label=_("会议记录（将公开，不写姓名）"), max_length=5000, rows=10)
    papers = UploadField(label=_("会议材料"), required=False, public=True)


class CancelForm(SessionForm):
    """Why a session does not take place."""

    reason = PublicText(label=_("取消原因（将公开）"), max_length=300)


NAMED = 3
"""Sessions to come that the page of the case names; the page of the step has all."""


def when_and_where(session: MeetingSession) -> str:
    """The moment and the place of a session."""
    starts = date_format(timezone.localtime(session.starts_at), "DATETIME_FORMAT")
    return f"{starts} {session.place}"


def session_words(session: MeetingSession) -> str:
    """A session as people tell it apart; with the places left where `coming` was counted."""
    words = when_and_where(session)
    coming = getattr(session, "coming", None)
    if coming is None or session.places is None:
        return words
    if coming >= session.places:
        return _("%(session)s（名额已满，可以候补）") % {"session": words}
    return _("%(session)s（还有%(n)s个名额）") % {"session": words, "n": session.places - coming}


# --- the node ----------------------------------------------------------------------------------


class Meeting(Step):
    """Meetings in batches (分批分次), at least `sessions_at_least` of them held and minuted.

    `notice`: so many full days lie between the call and the session.
    """

    kind = "meeting"
    explained = _("到场听介绍、提意见，会议记录公开。")
    outcomes: ClassVar[dict[str, Words]] = {"done": _("已召开")}

    def __init__(
        self,
        *,
        title: Words,
        sessions_at_least: int = 1,
        notice: terms.Days | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(title=title, **kwargs)
        self.sessions_at_least = sessions_at_least
        self.notice = notice

    @classmethod
    def glances(cls, runs: Sequence[StepRun]) -> Mapping[int, Any]:
        """Sessions by state."""
        lives = counted_by_run(MeetingSession.objects.filter(run__in=runs), "life")
        return {run.pk: lives.get(run.pk, {}) for run in runs}

    def offered(self, spec: ActSpec, run: StepRun) -> bool:
        """Each act while a session is in the life that it needs."""
        if spec.name == "meetings.closed":
            return not self.unmet(run)
        lives = {"meeting.minuted": ("held",)}.get(spec.name, ("called",))
        if spec.name == "meeting.called":
            return True
        return any(self.glance(run).get(life) for life in lives)

    @act("meeting.called", title=_("发布会议通知"), by="by", form=CallForm)
    def call(self, doing: Act) -> Written:
        """Call a session."""
        data = doing.data
        session = MeetingSession.objects.create(
            run=doing.open_run,
            starts_at=data["starts_at"],
            place=data["place"],
            agenda=data["agenda"],
            places=data["places"],
        )
        body: dict[str, Any] = {
            "starts_at": timezone.localtime(session.starts_at).isoformat(timespec="minutes"),
            "place": session.place,
            "agenda": session.agenda,
        }
        if session.places is not None:
            body["places"] = session.places
        return Written(body, fact=session)

    @act("meeting.signed_up", title=_("预约参会"), by="participants", form=SignUpForm)
    def sign_up(self, doing: Act) -> Written:
        """Say that one comes; beyond the places one waits for one to fall free."""
        session: MeetingSession = doing.data["session"]
        if session.starts_at <= doing.at:
            raise refuse(_("该场会议已经开始，不能再预约。"), field="session", code="late")
        mine = SignUp.objects.filter(session=session, party_key=doing.party.key)
        if mine.exclude(life="cancelled").exists():
            raise refuse(_("您已经预约了这一场。"), field="session", code="duplicate")
        taken = SignUp.objects.filter(session=session, life="coming").count()
        full = session.places is not None and taken >= session.places
        row = SignUp.objects.create(
            session=session,
            party_key=doing.party.key,
            user_id=doing.party.user_id,
            channel=doing.party.via,
            life="waiting" if full else "coming",
            created=doing.at,
        )
        return Written({"session": _seq(session), "waiting": full}, fact=row)

    @act("signup.cancelled", title=_("取消预约"), by="participants", form=MineForm, optional=True)
    def cancel_sign_up(self, doing: Act) -> Written:
        """Say that one does not come; the first who waits moves up."""
        session: MeetingSession = doing.data["session"]
        row = (
            SignUp.objects.filter(session=session, party_key=doing.party.key)
            .exclude(life="cancelled")
            .first()
        )
        if row is None:
            raise refuse(_("您没有预约这一场。"), field="session")
        free = row.life == "coming"
        row.cancel()
        row.save()
        waiting = SignUp.objects.filter(session=session, life="waiting").order_by("pk").first()
        if free and waiting is not None:
            waiting.move_up()
            waiting.save()
        return Written({"session": _seq(session), "moved_up": free and waiting is not None})

    @act("meeting.signed_in", title=_("签到"), by="participants", form=SignInForm, page=False)
    def sign_in(self, doing: Act) -> Written:
        """Say at the door that one is there."""
        session: MeetingSession = doing.data["door"]
        if not session.door_is_open(doing.at):
            early = session.life == "called" and doing.at < session.door_opens
            words = _("还没有到签到时间。") if early else _("本场签到已经结束。")
            raise refuse(words, field="door", code="early" if early else "late")
        if SignIn.objects.filter(session=session, party_key=doing.party.key).exists():
            raise refuse(_("您已经签到了。"), field="door", code="duplicate")
        row = SignIn(
            session=session,
            party_key=doing.party.key,
            user_id=doing.party.user_id,
            created=doing.at,
        )
        return Written({"session": _seq(session)}, fact=row)

    @act("meeting.held", title=_("登记召开情况"), by="by", form=HeldForm)
    def hold(self, doing: Act) -> Written:
        """It was held; so many came."""
        session: MeetingSession = doing.data["session"]
        at = doing.happened_at or doing.at
        if at < session.starts_at:
            raise refuse(_("会议时间未到，不能登记为已召开。"), field="session", code="early")
        session.hold()
        session.held_at = at
        session.attendance = doing.data["attendance"]
        session.save()
        return Written({"session": _seq(session), "attendance": session.attendance})

    @act("meeting.minuted", title=_("公布会议记录"), by="by", form=MinutesForm)
    def minute(self, doing: Act) -> Written:
        """Publish the minutes."""
        session: MeetingSession = doing.data["session"]
        session.minute()
        session.minutes = doing.data["minutes"]
        session.save()
        return Written({"session": _seq(session), "text": session.minutes})

    @act("meeting.cancelled", title=_("取消会议"), by="by", form=CancelForm, optional=True)
    def cancel(self, doing: Act) -> Written:
        """A session does not take place."""
        session: MeetingSession = doing.data["session"]
        session.cancel()
        session.reason = doing.data["reason"]
        session.save()
        return Written({"session": _seq(session), "reason": session.reason})

    @act("meetings.closed", title=_("会议全部结束"), by="by")
    def close(self, doing: Act) -> Written:
        """No further session; refused while something is missing."""
        if missing := self.unmet(doing.open_run):
            raise refuse(missing[0], code="unmet")
        return Written(outcome="done")

    def unmet(self, run: StepRun) -> list[Words]:
        """Sessions not held, minutes not published, too few sessions."""
        lives = self.glance(run)
        missing: list[Words] = []
        if lives.get("called"):
            missing.append(_("还有%(n)s场会议没有召开") % {"n": lives["called"]})
        if lives.get("held"):
            missing.append(_("还有%(n)s场会议没有公布记录") % {"n": lives["held"]})
        if lives.get("minuted", 0) < self.sessions_at_least:
            missing.append(
                _("至少召开%(least)s场，已完成%(n)s场")
                % {"least": self.sessions_at_least, "n": lives.get("minuted", 0)}
            )
        return missing

    def to_come(self, run: StepRun) -> list[str]:
        """When and where the next sessions are; none is asked for where none is called."""
        if not self.glance(run).get("called"):
            return []
        called = MeetingSession.objects.filter(run=run, life="called", starts_at__gt=clock.now())
        return [when_and_where(session) for session in called[:NAMED]]

    def result(self, run: StepRun) -> dict[str, Any]:
        """How many sessions were held."""
        return {"sessions": MeetingSession.objects.filter(run=run, life="minuted").count()}

    def page(self, run: StepRun) -> dict[str, Any]:
        """The sessions with their sign-ups in numbers; one query."""
        coming = Count("sign_ups", filter=Q(sign_ups__life="coming"), distinct=True)
        waiting = Count("sign_ups", filter=Q(sign_ups__life="waiting"), distinct=True)
        return {
            "sessions": MeetingSession.objects.filter(run=run)
            .select_related("record")
            .annotate(coming=coming, waiting=waiting, signed_in=Count("sign_ins", distinct=True))
            .order_by("starts_at", "pk")
        }

    def mine(self, run: StepRun, parties: Sequence[Party]) -> dict[str, Any]:
        """What they signed up for, by session: `coming` or `waiting`."""
        keys = {party.key for party in parties if party.role in self.participants}
        rows = SignUp.objects.filter(session__run=run, party_key__in=keys)
        return {"lives": dict(rows.exclude(life="cancelled").values_list("session", "life"))}


def _seq(session: MeetingSession) -> int:
    """The record by which a session is named in public."""
    assert session.record is not None
    return session.record.seq
