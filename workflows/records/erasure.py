"""Erasing a person's data (个人信息删除) while every hash still checks.

Law: Personal Information Protection Law (个人信息保护法) 47. What a person said, showed and was
called goes: disclosures, the fields that they came from, files, the links from records to parties,
pseudonyms. What the law keeps (a vote counted, an entry in the accounts) stays without identity,
and what a step still needs to know (who has voted already) stays until the step has ended.

Other rooms hook in: `erasing` is sent within the transaction, `erased` after it.
"""

from __future__ import annotations

import datetime as dt
import secrets
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from django.apps import apps
from django.db import models, transaction
from django.db.models import F, Q, QuerySet
from django.dispatch import Signal

from ..models.case import Case, StepRun
from ..models.record import Alias, Attachment, Disclosure, Record, Refusal, Trace
from ..parties import own_roles
from ..steps.opinion_rows import Reply, Statement
from . import masking, words

erasing = Signal()
"""Within the transaction of an erasure: `subject`, `at`. Receivers erase what they hold of the
subject and return a mapping of kinds to counts."""

erased = Signal()
"""After commit, when published words or personal data of cases have changed: `case_ids`. Receivers
drop what they keep of those cases (finished papers, caches)."""


@dataclass(frozen=True, slots=True)
class Subject:
    """Whose data: accounts, party keys, and the clear values by which others wrote of them.

    `names` are looked for in published words, `labels` (3号楼2单元501室) in private values.
    `options` are for other rooms (close the account, take the name off the roll).
    """

    users: frozenset[int] = frozenset()
    keys: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()
    labels: frozenset[str] = frozenset()
    options: frozenset[str] = frozenset()


@dataclass(slots=True)
class Erased:
    """What came of an erasure: counts by kind, and by kind of what is kept until a step ends."""

    gone: Counter[str] = field(default_factory=Counter)
    kept: Counter[str] = field(default_factory=Counter)


def records_of(subject: Subject) -> QuerySet[Record]:
    """The records of acts that the subject did, or that were typed in for it from paper."""
    typed_in = Q(canonical__contains='"via":"paper"')  # there the account is the officer's
    own = Q(trace__user__in=subject.users) & ~typed_in
    return Record.objects.filter(own | Q(trace__party_key__in=subject.keys))


def cases_of(subject: Subject) -> QuerySet[Case]:
    """The cases that hold something of the subject."""
    held = Q(pk__in=records_of(subject).values("case"))
    held |= Q(pk__in=Trace.objects.filter(user__in=subject.users).values("record__case"))
    for model, way in _facts():
        for name in ("party_key", "subject_key"):
            if _has(model, name):
                rows = model._default_manager.filter(**{f"{name}__in": subject.keys})
                held |= Q(pk__in=rows.values(way))
    found = set(Case.objects.filter(held).values_list("pk", flat=True))
    return Case.objects.filter(pk__in=found | _naming(subject)).order_by("pk")


def _naming(subject: Subject) -> set[int]:
    """Cases in which private values name the subject, or published words do."""
    values = subject.names | subject.labels
    if not values:
        return set()
    rows = Disclosure.objects.defer("digest").select_related("record")
    return {
        row.record.case_id
        for row in rows.iterator(chunk_size=1000)
        if any(
            value in "".join(leaf.split())
            for leaf in words.leaves([words.clear(row), row.now])
            for value in values
        )
    }


def erase(case: Case, subject: Subject, at: dt.datetime) -> Erased:
    """Erase the subject's data of one case; only within the act that records it."""
    result = Erased()
    token = f"erased:{secrets.token_hex(8)}"
    own = list(records_of(subject).filter(case=case))
    said = [record.pk for record in own if record.role in own_roles()]
    about = _disclosures(case, subject, own, said, result)
    _facts_of(case, subject, own, token, at, result)
    _files(Attachment.objects.filter(record__in=said) | _papers(about), result)
    Trace.objects.filter(record__in=own).update(party_key=token, user=None)
    officers = Trace.objects.filter(record__case=case, user__in=subject.users)
    officers.update(user=None)
    Refusal.objects.filter(case=case, user__in=subject.users).update(user=None)
    Alias.objects.filter(case=case, party_key__in=subject.keys).delete()
    result.gone["records"] += len(own)
    _look_again(case, at)
    return result


def _papers(about: Iterable[int]) -> QuerySet[Attachment]:
    return Attachment.objects.filter(record__in=list(about), public=False)


def _disclosures(
    case: Case, subject: Subject, own: list[Record], said: list[int], result: Erased
) -> set[int]:
    """Delete the subject's disclosures and the private values that name it; mask it in public.

    Returns the records of others that were about the subject.
    """
    theirs = Disclosure.objects.filter(record__in=own)
    gone = theirs.filter(Q(record__in=said) | Q(public=False, now__isnull=True))
    result.gone["disclosures"] += gone.count()
    gone.delete()
    values = subject.names | subject.labels
    about = {
        row.pk: row.record_id
        for row in Disclosure.objects.filter(record__case=case, public=False, now__isnull=True)
        # A whole value: what others wrote in their own words is theirs.
        if any(
            part in values for leaf in words.leaves(words.clear(row)) for part in leaf.split("、")
        )
    }
    Disclosure.objects.filter(pk__in=about).delete()
    result.gone["disclosures"] += len(about)

    names = masking.Names(subject.names)
    rows = list(
        Disclosure.objects.filter(record__case=case).exclude(public=False, now__isnull=True)
    )
    leaves = {leaf for row in rows for leaf in words.leaves(words.standing(row))}
    for leaf in leaves:
        if (after := _without(leaf, names, subject)) != leaf:
            words.restate(case, leaf, after, forget=True)
            result.gone["words"] += 1
    for row in Disclosure.objects.filter(record__case=case, now__isnull=False).exclude(encoded=""):
        # Masked by a moderator before: the older wording is not public and goes now.
        older = words.leaves(words.clear(row))
        if any(_without(leaf, names, subject) != leaf for leaf in older):
            Disclosure.objects.filter(pk=row.pk).update(encoded="")
    return set(about.values())


def _without(text: str, names: masking.Names, subject: Subject) -> str:
    for label in subject.labels:
        text = text.replace(label, "***")
    if not any(set(name) <= set(text) for name in subject.names):
        return text
    try:
        return masking.propose(text, names)
    except masking.MaskingFailed:
        return ""


def _facts() -> list[tuple[type[models.Model], str]]:
    """The models of facts with the way to their case."""
    found = []
    for model in apps.get_models():
        if model in (Case, Record, Disclosure, Alias, Trace, Attachment, Refusal, StepRun):
            continue
        way = words.way_to(model, Case)
        if way is not None:
            found.append((model, way))
    return found


def _has(model: type[models.Model], name: str) -> bool:
    return any(f.name == name for f in model._meta.concrete_fields)


def _facts_of(
    case: Case, subject: Subject, own: list[Record], token: str, at: dt.datetime, result: Erased
) -> None:
    statements: dict[type[models.Model], list[int]] = {}
    chosen: list[tuple[type[models.Model], list[int]]] = []
    for model, way in _facts():
        rows = _rows(model, way, case, subject, own)
        if rows is None:
            continue
        if getattr(model, "kept_while_open", False):
            run = words.way_to(model, StepRun)
            waiting = rows.filter(**{f"{run}__finished__isnull": True})
            if kept := waiting.count():
                result.kept[model._meta.model_name or ""] += kept
            rows = rows.filter(**{f"{run}__finished__isnull": False})
        keys = list(rows.values_list("pk", flat=True))
        if keys:
            chosen.append((model, keys))
            if issubclass(model, Statement):
                statements[model] = keys
    replies = _wordings_of(statements)
    for model, keys in chosen:
        _clear(model, keys, token, at)
        result.gone[model._meta.model_name or ""] += len(keys)
    for wording in set(Reply.objects.filter(pk__in=replies).values_list("public_text", flat=True)):
        if wording:
            words.restate(case, wording, "", forget=True)
            result.gone["wordings"] += 1


def _rows(
    model: Any, way: str, case: Case, subject: Subject, own: list[Record]
) -> QuerySet[Any] | None:
    """The rows of a model that are the subject's; None for models that are nobody's."""
    rows = model._default_manager.filter(**{way: case})
    found = Q()
    if _has(model, "party_key"):
        found |= Q(party_key__in=subject.keys)
        if _has(model, "record"):
            # An officer's visit is the record of somebody else's row.
            found |= Q(record__in=own, party_key=F("record__trace__party_key"))
    elif getattr(model, "personal", None) and _has(model, "record"):
        # One row a case, of whoever opened it.
        found |= Q(record__in=own)
    if _has(model, "user"):
        found |= Q(user__in=subject.users)
    if _has(model, "subject_key"):
        found |= Q(subject_key__in=subject.keys)
    name = model._meta.model_name
    if name == "ledgermove":
        found |= Q(entry__subject_key__in=subject.keys)
    if name == "rollrow":
        found |= Q(ways__party_key__in=subject.keys, ways__proxy=False)
        found |= Q(papers__record__in=own)
    if not found:
        return None
    return model._default_manager.filter(
        pk__in=list(rows.filter(found).values_list("pk", flat=True))
    )


def _wordings_of(statements: dict[type[models.Model], list[int]]) -> set[int]:
    """The replies that answer nobody but the subject: their wording is the subject's own."""
    found: set[int] = set()
    for model, keys in statements.items():
        rows: Any = model._default_manager
        mine = set(rows.filter(pk__in=keys, reply__isnull=False).values_list("reply", flat=True))
        others = rows.filter(reply__in=mine).exclude(pk__in=keys)
        found |= mine - set(others.values_list("reply", flat=True))
    edge = found
    while edge:  # and those that they corrected
        edge = set(Reply.objects.filter(corrected_by__in=edge).values_list("pk", flat=True)) - found
        found |= edge
    return found


def _clear(model: Any, keys: list[int], token: str, at: dt.datetime) -> None:
    rows = model._default_manager.filter(pk__in=keys)
    fresh: dict[str, Any] = dict(getattr(model, "personal", {}))
    for name in ("party_key", "subject_key"):
        if _has(model, name):
            fresh[name] = token
    if _has(model, "user"):
        fresh["user"] = None
    if _has(model, "erased_at"):
        fresh["erased_at"] = at
    rows.update(**fresh)
    if _has(model, "life"):
        # Nobody has to answer what is no longer there, or to judge who is not.
        waiting = getattr(model, "withdrawn_when_erased", ("submitted", "enrolled"))
        rows.filter(life__in=waiting).update(life="withdrawn")
    if model._meta.model_name == "objection":
        rows.filter(life="raised").update(life="withdrawn")
    for name in ("fingerprint", "key"):
        # Single in their rows, and keyed with what stays: drawn anew.
        if _has(model, name):
            for pk in keys:
                mark = secrets.token_hex(28)
                model._default_manager.filter(pk=pk).update(**{name: f"erased:{mark}"})


def _files(attachments: QuerySet[Attachment], result: Erased) -> None:
    """Delete the content of files; name, size and hash stay, as in the record."""
    for attachment in attachments.exclude(file=""):
        storage, path = attachment.file.storage, str(attachment.file.name)
        transaction.on_commit(partial(storage.delete, path))
        Attachment.objects.filter(pk=attachment.pk).update(file="", public=False)
        result.gone["files"] += 1


def let_go(rows: QuerySet[Any], at: dt.datetime) -> Counter[str]:
    """Erase what was told with facts that are kept no longer: their personal fields, and of their
    own records the private values and files. Their rows, links and public words stay. Only within
    the act that records it; the model has `personal` and `erased_at`."""
    keys = list(rows.values_list("pk", flat=True))
    own = list(rows.exclude(record=None).values_list("record", flat=True))
    gone = let_go_of(Record.objects.filter(pk__in=own))
    model: Any = rows.model
    gone["people"] = model._default_manager.filter(pk__in=keys).update(
        **model.personal, erased_at=at
    )
    return gone


def let_go_of(told: QuerySet[Record]) -> Counter[str]:
    """Erase what was told in private with acts: values and files; counts by kind."""
    result = Erased()
    gone = Disclosure.objects.filter(record__in=told, public=False, now__isnull=True)
    result.gone["disclosures"] = gone.count()
    gone.delete()
    _files(Attachment.objects.filter(record__in=told, public=False), result)
    return result.gone


def _look_again(case: Case, at: dt.datetime) -> None:
    """A step that only waited for what was erased goes on at the next sweep."""
    over = StepRun.objects.filter(
        process=case, finished__isnull=True, ends_at__lte=at, scheduled__isnull=True
    )
    over.update(scheduled=at)


def announce(case_ids: Iterable[int]) -> None:
    """Tell those who keep copies, once it is committed."""
    ids = list(case_ids)
    transaction.on_commit(lambda: erased.send_robust(sender=Case, case_ids=ids))
