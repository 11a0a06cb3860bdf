"""Opening a case: its page, and its first act where the procedure begins with one."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django_ratelimit.decorators import ratelimit

from .. import acts, clock
from .. import procedure as procedures
from ..models.case import Case, Community
from ..parties import Party, directory, role_title
from . import again, kept
from .desk import tell
from .viewer import capacities_to_open
from .views import context

FORM_KEY = "idempotency_key"


class OpenForm(forms.Form):
    """Where, and under which title unless all cases have the same; with the terms that may be
    set by those who handle it."""

    community = forms.ModelChoiceField(
        label=gettext_lazy("地点"), queryset=Community.objects.none(), to_field_name="code"
    )
    title = forms.CharField(label=gettext_lazy("事项名称"), max_length=120)

    def __init__(
        self,
        *args: Any,
        procedure: type[procedures.Procedure],
        communities: list[int],
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        places: Any = self.fields["community"]
        places.queryset = Community.objects.filter(pk__in=communities)
        if len(communities) == 1:
            places.initial, places.empty_label = places.queryset.get(), None
        if procedure.fixed_title:
            del self.fields["title"]
        self.params: dict[str, str] = {}
        for name, step in procedure.adjustable().items():
            assert step.term is not None
            assert step.adjustable is not None
            least, most = step.adjustable
            field = name.replace(".", "__")
            self.params[name] = field
            self.fields[field] = forms.IntegerField(
                label=_("%(step)s的期限") % {"step": step.title},
                help_text=_("可在%(least)s至%(most)s之间确定。") % {"least": least, "most": most},
                min_value=least.n,
                max_value=most.n,
                initial=step.term.n,
            )

    def chosen(self, procedure: type[procedures.Procedure]) -> dict[str, str]:
        """The terms as codes."""
        known = procedure.adjustable()
        codes = {}
        for name, field in self.params.items():
            term = known[name].term
            assert term is not None
            codes[name] = type(term)(self.cleaned_data[field]).code
        return codes


@kept.login_required
@ratelimit(key="user", rate="30/h", method="POST", block=True)
def open_case(request: HttpRequest, code: str) -> HttpResponse:
    """Open a case of a procedure; where the procedure says so, together with its first act."""
    now = clock.now()
    try:
        declared = procedures.current(code, clock.today())
    except KeyError as error:
        raise Http404 from error
    capacities = capacities_to_open(directory().parties_everywhere(request.user, now), declared)
    if not capacities or not declared.listed:
        raise PermissionDenied
    role = request.POST.get("as") or request.GET.get("as", "")
    role = role if role in capacities else next(iter(capacities))
    places = capacities[role]
    data = request.POST if request.method == "POST" else None
    form = OpenForm(data, procedure=declared, communities=list(places))
    files = request.FILES if data is not None else None
    first = first_form(declared, next(iter(places.values())), data, files)
    done: acts.Done | None = None
    if data is not None and form.is_valid():
        party = places[form.cleaned_data["community"].pk]
        try:
            key = again.key_of(request, FORM_KEY)[:40]
            case, done = open_and_begin(
                declared,
                party,
                form,
                (request.POST, request.FILES),
                f"{request.user.pk}:{key}" if key else "",
            )
        except acts.Refused as refused:
            tell(form if first is None else first, refused)
        else:
            if done is not None:
                response = redirect(f"/cases/{case.number}/done/{done.record.seq}/")
            else:
                messages.success(request, _("已立项，编号%(number)s。") % {"number": case.number})
                response = redirect(case.get_absolute_url())
            return again.remember(request, response, FORM_KEY, key)
    elif data is not None and first is not None:
        first.is_valid()
    elif data is None:
        kept.fill(request, form, first)
    return render(
        request,
        "portal/open.html",
        context(
            request,
            "procedures",
            procedure=declared,
            form=form,
            first=first,
            step=declared.step(declared.opens_with[0]) if declared.opens_with else None,
            role=role,
            others=[(each, role_title(each)) for each in capacities if each != role],
            role_title=role_title(role),
            files_lost=bool(request.FILES),
            idempotency_key=request.POST.get(FORM_KEY) or uuid.uuid4().hex,
            writer=kept.writer(request),
        ),
        status=422 if data is not None else 200,
    )


def first_form(
    declared: type[procedures.Procedure], party: Party, data: Any = None, files: Any = None
) -> forms.Form | None:
    """The form of the act that opens a case, before there is one."""
    if declared.opens_with is None:
        return None
    step: Any = declared.step(declared.opens_with[0])
    spec = step.acts[declared.opens_with[1]]
    doing = acts.Act(Case(flow_class=declared), None, spec, party, clock.now())
    form_class = step.form_for(spec, doing)
    form: forms.Form = form_class(data, files, act=doing)
    return form


def open_and_begin(
    declared: type[procedures.Procedure],
    party: Party,
    form: OpenForm,
    first: tuple[Mapping[str, Any], Mapping[str, Any]],
    key: str,
) -> tuple[Case, acts.Done | None]:
    """Open the case and do its first act, with what that takes (fields and files), or neither."""
    with transaction.atomic():
        case = acts.open_case(
            declared,
            form.cleaned_data["community"],
            party,
            title=form.cleaned_data.get("title", ""),
            params=form.chosen(declared),
            key=key,
            demo=bool(getattr(settings, "DEMO", False)),
        )
        if declared.opens_with is None:
            return case, None
        step, act = declared.opens_with
        return case, acts.perform(case, step, act, party, *first, key=f"{key}:1" if key else "")
