"""Pages for people who act: the page of an act, what came of it, my matters, the inbox."""

from __future__ import annotations

import datetime as dt
import uuid
from typing import Any

import segno
from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_ratelimit.decorators import ratelimit
from viewflow.workflow.status import STATUS

from .. import acts, clock, records
from ..models.case import Case, StepRun
from ..models.record import Trace
from ..parties import Party, directory, own_roles, role_title
from ..steps.act import Words
from ..steps.answers import following
from ..steps.base import SHOWN, Step
from ..steps.matters import CaseActs
from ..steps.opinion_forms import Keys
from . import dates, kept, mine, readers, words
from .viewer import Offer, Viewer
from .views import context, find_case


class PaperForm(forms.Form):
    """Whose paper form it is, and of which day."""

    resident = forms.CharField(
        label=gettext_lazy("户室"),
        help_text=gettext_lazy("按名册填写，例如 3号楼2单元501室。"),
        max_length=80,
    )
    happened_on = forms.DateField(
        label=gettext_lazy("填表日期"), widget=forms.DateInput(attrs={"type": "date"})
    )

    def __init__(self, *args: Any, case: Case, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.case = case
        self.fields["resident"].widget.attrs["list"] = "residents"

    def clean_resident(self) -> str:
        """The key of the household with that label."""
        wanted = "".join(self.cleaned_data["resident"].split())
        for member in directory().members("households", self.case.community):
            if "".join(member.label.split()) == wanted:
                return member.key
        raise forms.ValidationError(_("名册中没有这一户，请核对后重填。"))

    def clean_happened_on(self) -> dt.date:
        """Not in the future."""
        day: dt.date = self.cleaned_data["happened_on"]
        if day > clock.today():
            raise forms.ValidationError(_("填表日期不能晚于今天。"))
        return day


def offer_of(viewer: Viewer, step: str, act: str, paper: bool) -> Offer:
    """The act that a page is for, in the capacities of who looks at it; PermissionDenied where
    there are none, Http404 where there is no such act."""
    case = viewer.case
    run: StepRun | None = None
    node: Any = case.declared.case_acts()
    if step != acts.CASE:
        node = case.declared._nodes_by_name.get(step)
        if not isinstance(node, Step):
            raise Http404
        run = (
            StepRun.objects.filter(process=case, name=step, status=STATUS.STARTED)
            .order_by("-pk")
            .first()
        )
        if run is not None:
            run.process = case
    spec = node.acts.get(act)
    if spec is None or not spec.page:
        raise Http404
    parties = viewer.parties_for(node, spec)
    if paper:
        admits = set(node.allowed(spec, case)).intersection(directory().on_paper)
        parties = (viewer.typist,) if viewer.typist and admits else ()
    if not parties:
        raise PermissionDenied
    return Offer(case, run, node, spec, parties, paper=paper)


@kept.login_required
@ratelimit(key="user", rate="120/m", method="POST", block=True)
def act(request: HttpRequest, number: str, step: str, act: str) -> HttpResponse:
    """The page of one act: shows its form, and sends it through the one door."""
    case = find_case(number)
    offer = offer_of(Viewer(request.user, case), step, act, "paper" in request.GET)
    closed: Words | None = None
    if offer.run is None and step != acts.CASE:
        closed = _("该环节尚未开始或者已经结束。")
    posted = request.method == "POST"
    if offer.run is not None and not (posted or offer.paper):
        able = offer.step.able(offer.spec, offer.run, offer.parties)
        closed = None if able else offer.step.unable(offer.spec, offer.run, offer.parties)
    sent = request.POST if posted else request.GET
    doing = acts.Act(case, offer.run, offer.spec, _meant(request, offer), clock.now(), payload=sent)
    try:
        form_class = None if closed else acts.form_of(offer.step, doing)
    except acts.Refused:
        return redirect(f"/cases/{number}/steps/{offer.run.pk if offer.run else 0}/")
    initial = offer.step.prefill(doing, request.GET)
    if not posted and form_class and _nothing_chosen(form_class, initial):
        messages.warning(request, _("请先勾选要办理的条目。"))
        place = f"steps/{offer.run.pk}/" if offer.run else ""
        return redirect(f"{case.get_absolute_url()}{place}")
    data, files = (request.POST, request.FILES) if posted else (None, None)
    form = form_class(data, files, act=doing, initial=initial) if form_class else None
    if form is not None and not posted:
        kept.fill(request, form)
    paper_form = PaperForm(data, case=case) if offer.paper else None
    refused: acts.Refused | None = None
    preview: dict[str, Any] = {}
    if posted and offer.spec.preview and "preview" in request.POST:
        preview, refused = _foresee(request, offer, step)
    elif posted:
        done, refused = _send(request, offer, step, paper_form)
        if done is not None:
            return redirect(f"/cases/{number}/done/{done.record.seq}/")
    if refused is not None and form is not None:
        tell(form, refused)
    fields = form.fields.values() if form is not None else ()
    listed = offer.paper or any(f.widget.attrs.get("list") == "residents" for f in fields)
    members = directory().members("households", case.community) if listed else ()
    return render(
        request,
        "portal/act.html",
        context(
            request,
            "my",
            case=case,
            run=offer.run,
            step=offer.step,
            spec=offer.spec,
            offer=offer,
            title=offer.step.act_title(offer.spec, sent),
            form=form,
            paper_form=paper_form,
            members=members,
            closed=closed,
            last_day=offer.step.taken_until(offer.spec, offer.run) if offer.run else None,
            refused=refused,
            preview=preview,
            files_lost=bool(request.FILES),
            parties=[(party_code(party), party.label or _as(party)) for party in offer.parties],
            chosen=request.POST.get("as", request.GET.get("as", "")),
            beside=_beside(offer, request),
            inside=Viewer(request.user, case).inside,
            beside_template=f"steps/{offer.step.kind}_beside.html",
            idempotency_key=request.POST.get("idempotency_key") or uuid.uuid4().hex,
            writer=kept.writer(request),
        ),
        status=422 if posted and not preview else 200,
    )


def _foresee(
    request: HttpRequest, offer: Offer, step: str
) -> tuple[dict[str, Any], acts.Refused | None]:
    """What would come of an act, by doing it and taking it back: what its record would say, and
    whom it would change; the door decides again."""
    party, run = _meant(request, offer), offer.run
    assert run is not None
    before = offer.step.roster(run)
    try:
        with acts.foreseen(offer.case, step, offer.spec.name, party, request.POST) as record:
            after = offer.step.roster(run)
            lines = [(str(label), str(said)) for label, said in words.body_lines(run.case, record)]
    except acts.Refused as refused:
        return {}, refused
    changed = [
        (who, before.get(who, ""), after.get(who, ""))
        for who in {**before, **after}
        if before.get(who) != after.get(who)
    ]
    more = max(0, len(changed) - SHOWN)
    return {"lines": lines, "changed": changed[:SHOWN], "more": more}, None


def tell(form: forms.Form, refused: acts.Refused) -> None:
    """Show in a bound form why the door refused what it sent."""
    form.is_valid()
    for name, lines in refused.errors.items():
        if name in form.fields and name not in form.errors:
            for line in lines:
                form.add_error(name, line)
    if (not refused.errors and refused.code != "invalid") or not form.errors:
        form.add_error(None, str(refused))


def _nothing_chosen(form_class: type[forms.Form], initial: dict[str, Any]) -> bool:
    """Whether a form is about rows of a list, and none of them was marked."""
    lists = [name for name, bound in form_class.base_fields.items() if isinstance(bound, Keys)]
    return bool(lists) and not any(initial.get(name) for name in lists)


def _meant(request: HttpRequest, offer: Offer) -> Party:
    """The capacity that the viewer chose, else the first; on paper not yet known."""
    if offer.paper:
        return Viewer(request.user, offer.case).on_paper(offer.step, offer.spec, "")
    chosen = request.POST.get("as") or request.GET.get("as", "")
    return next((p for p in offer.parties if party_code(p) == chosen), offer.parties[0])


def _as(party: Party) -> Words:
    """What somebody is called in a capacity without a name of its own: that which everybody has
    says nothing but that it is oneself."""
    return _("本人") if party.everyone else role_title(party.role)


def party_code(party: Party) -> str:
    """How a form names a capacity."""
    return "|".join(part for part in (party.role, party.key, party.seat) if part)


def _beside(offer: Offer, request: HttpRequest) -> dict[str, Any]:
    if offer.run is None:
        replying = isinstance(offer.step, CaseActs) and offer.spec.name == "opinion.replied"
        return {"opinions": offer.step.picked(offer.case, request.GET)} if replying else {}
    beside = offer.step.beside(offer.run, offer.spec, request.GET)
    if offer.step.kind == "panel":
        beside = {**beside, "papers": readers.papers(offer.case)}
    return beside


def _send(
    request: HttpRequest, offer: Offer, step: str, paper_form: PaperForm | None
) -> tuple[acts.Done | None, acts.Refused | None]:
    party = _meant(request, offer)
    happened_at = None
    if paper_form is not None:
        if not paper_form.is_valid():
            return None, acts.Refused("invalid", _("请核对户室和填表日期。"))
        party = Viewer(request.user, offer.case).on_paper(
            offer.step, offer.spec, paper_form.cleaned_data["resident"]
        )
        day = paper_form.cleaned_data["happened_on"]
        if day < clock.today():
            happened_at = timezone.make_aware(dt.datetime.combine(day, dt.time(12)))
    key = request.POST.get("idempotency_key", "")[:64]
    try:
        done = acts.perform(
            offer.case,
            step,
            offer.spec.name,
            party,
            request.POST,
            request.FILES,
            happened_at=happened_at,
            key=f"{request.user.pk}:{key}"[:64] if key else "",
        )
    except acts.Refused as refused:
        return None, refused
    return done, None


def qr(address: str) -> SafeString:
    """A QR code as inline SVG without styles."""
    code = segno.make(address, error="m")
    svg = code.svg_inline(scale=4, border=2, dark="#000", light="#fff", omitsize=False)
    return mark_safe(svg)  # noqa: S308 - drawn by segno from our own address


@login_required
def act_done(request: HttpRequest, number: str, seq: int) -> HttpResponse:
    """What was accepted, with the receipt; a reload shows it again and does nothing twice."""
    case = find_case(number)
    trace = (
        Trace.objects.filter(record__case=case, record__seq=seq, user_id=request.user.pk)
        .select_related("record__run")
        .first()
    )
    if trace is None:
        raise Http404
    typed = trace.record.content["party"].get("via") == "paper"
    if typed and Viewer(request.user, case).typist is None:
        raise Http404  # a neighbour's receipt: for as long as one may type in here
    code = records.receipt_code(case, seq)
    if records.receipt_hash(code) != bytes(trace.receipt or b""):
        # Made under another secret key: the code on the paper still works, but is not known here.
        return redirect(f"/cases/{number}/records/{seq}/")
    address = request.build_absolute_uri(f"/r/{code}/")
    response = render(
        request,
        "portal/done.html",
        context(
            request,
            "my",
            case=case,
            row={
                **readers.record_row(case, trace.record),
                "title": words.deed(case, trace.record),
            },
            step=words.step_title(case, trace.record.step),
            receipt={
                "code": code,
                "url": address,
                "qr": qr(address),
                "what": words.deed(case, trace.record),
                "at": trace.record.at,
                "case_title": case.title,
                "case_number": case.number,
                "hash": bytes(trace.record.leaf_hash).hex(),
            },
            secret=trace.record.act == "vote.cast",
            run=trace.record.run if trace.record.run and trace.record.run.is_open else None,
            again=_again(request, case, trace),
        ),
    )
    response["Referrer-Policy"] = "strict-origin"
    response["Cache-Control"] = "no-store"
    return response


def _again(request: HttpRequest, case: Case, trace: Trace) -> str:
    """Where to do the same act once more, where that makes sense (the next paper form)."""
    run = trace.record.run
    if run is None or run.finished:
        return ""
    paper = trace.record.content["party"].get("via") == "paper"
    if trace.record.role in own_roles() and not paper:
        return ""  # one's own vote or opinion is one; what staff type in is many
    suffix = "?paper=1" if paper else ""
    viewer = Viewer(request.user, case)
    run.process = case
    same = [o for o in viewer.offers(run, run.step) if o.spec.name == trace.record.act]
    return f"/cases/{case.number}/do/{run.name}/{trace.record.act}/{suffix}" if same else ""


@login_required
def my(request: HttpRequest) -> HttpResponse:
    """My matters: what waits for me, where I belong, everything I did and what became of it."""
    page = Paginator(mine.my_deeds(request.user), 20).get_page(request.GET.get("page"))
    rows = []
    became = following([trace.record for trace in page.object_list])
    for trace in page.object_list:
        case = trace.record.case
        own = became[trace.record_id]
        if trace.record.content["party"].get("via") == "paper":
            # Of whoever signed it, not of who typed it in.
            own.links, own.acts, own.said = [], [], ""
        rows.append(
            {
                "title": words.deed(case, trace.record),
                "at": trace.record.at,
                "case": case,
                "state": mine.state_of_own(case, trace.record.role),
                "step": words.step_title(case, trace.record.step),
                "receipt": f"/cases/{case.number}/done/{trace.record.seq}/",
                "said": own.said,
                "waits": own.waits,
                "answers": own.answers,
                "links": own.links,
                "acts": [
                    {
                        "title": words.act_title(case, trace.record.step, name),
                        "url": f"/cases/{case.number}/do/{trace.record.step}/{name}/?{query}",
                    }
                    for name, query in own.acts
                ],
            }
        )
    return render(
        request,
        "portal/my.html",
        context(
            request,
            "my",
            page=page,
            rows=rows,
            waiting=mine.inbox(request.user),
            cases=[readers.card(case) for case in mine.my_communities(request.user)],
            calendar=dates.own_address(request.user),
        ),
    )


@login_required
def inbox(request: HttpRequest) -> HttpResponse:
    """What waits for me, overdue first."""
    rows = mine.inbox(request.user)
    page = Paginator(rows, 30).get_page(request.GET.get("page"))
    return render(
        request,
        "portal/inbox.html",
        context(request, "inbox", page=page, rows=page.object_list, inbox_count=len(rows)),
    )
