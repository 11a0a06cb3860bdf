"""Published words, and how what is public of them is changed: masked further, or withdrawn.

A record is never edited. Its words stand in disclosures beside it and in the rows that pages read;
both are changed in one place, so that the newer wording stands everywhere at once. The older one is
no longer published; overseers still read it, until the person whom it names has it erased.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any, NamedTuple

from django.apps import apps
from django.db import models

from sanwen import disclosure

from ..models.case import Case, StepRun
from ..models.record import Alias, Attachment, Disclosure, Record, Refusal, Trace
from .append import is_code


class Place(NamedTuple):
    """Rows that pages read: the model, the way from it to the case, and its fields of words."""

    model: type[models.Model]
    case: str
    texts: tuple[str, ...]
    trees: tuple[str, ...]


def leaves(value: Any) -> Iterator[str]:
    """Every text in a value of a body."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from leaves(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from leaves(inner)


def replaced(value: Any, old: str, new: str) -> Any:
    """The value with every text that is `old` as `new`."""
    if isinstance(value, str):
        return new if value == old else value
    if isinstance(value, dict):
        return {name: replaced(inner, old, new) for name, inner in value.items()}
    if isinstance(value, list):
        return [replaced(inner, old, new) for inner in value]
    return value


def clear(row: Disclosure) -> Any:
    """The value behind a digest; None once it has been erased."""
    return disclosure.read(row.encoded)[1] if row.encoded else None


def standing(row: Disclosure) -> Any:
    """What is public of a disclosure: its value, or what stands instead; None when nothing is."""
    if row.now is not None:
        return row.now
    return clear(row) if row.public else None


def restate(case: Case, old: str, new: str, *, forget: bool = False) -> list[int]:
    """Put `new` wherever `old` is published in a case; returns the records, by position.

    An empty `new` withdraws the words; `forget` also deletes what they were. Only within an act.
    """
    touched = set()
    shown = models.Q(public=True) | models.Q(now__isnull=False)
    rows = Disclosure.objects.filter(shown, record__case=case).select_related("record")
    for row in rows.order_by("record__seq").iterator(chunk_size=500):
        value = standing(row)
        if old in leaves(value):
            row.now, row.public = replaced(value, old, new), False
            row.encoded = "" if forget else row.encoded
            row.save(update_fields=["now", "public", "encoded"])
            touched.add(row.record.seq)
    for place in places():
        _restate(place, case, old, new)
    for name in ("title", "suspended_reason"):
        if getattr(case, name) == old:
            setattr(case, name, new)
            case.save(update_fields=[name])
    if old in leaves(case.params):
        case.params = replaced(case.params, old, new)
        case.save(update_fields=["params"])
    return sorted(touched)


def _restate(place: Place, case: Case, old: str, new: str) -> None:
    rows = place.model._default_manager.filter(**{place.case: case})
    for name in place.texts:
        # A row reached over a join cannot be updated in one statement everywhere: by its key.
        keys = list(rows.filter(**{name: old}).values_list("pk", flat=True))
        if keys:
            place.model._default_manager.filter(pk__in=keys).update(**{name: new})
    if is_code(old):  # in a tree it may be a code that only looks like the words
        return
    for name in place.trees:
        for key, value in list(rows.values_list("pk", name)):
            if old in leaves(value):
                after = replaced(value, old, new)
                place.model._default_manager.filter(pk=key).update(**{name: after})


SHORTEST = 80
# Rows of the record itself, and those that hold no words.
_NO_PLACES = (Case, Record, Disclosure, Alias, Trace, Attachment, Refusal)


@cache
def places() -> tuple[Place, ...]:
    """Every model of facts that belongs to a case, of the engine and of procedures alike.

    Found by its foreign keys, so that a new kind of fact cannot be forgotten. Private fields
    (`personal`) are not among the words, nor are short ones, which hold codes.
    """
    found = []
    for model in apps.get_models():
        way = None if model in _NO_PLACES else way_to(model, Case)
        if way is None:
            continue
        private = set(getattr(model, "personal", ()))
        fields = [f for f in model._meta.concrete_fields if f.name not in private]
        texts = [
            f.name
            for f in fields
            if isinstance(f, models.TextField)
            or (isinstance(f, models.CharField) and (f.max_length or 0) >= SHORTEST)
        ]
        trees = tuple(f.name for f in fields if isinstance(f, models.JSONField))
        if texts or trees:
            # viewflow's own columns of a run are references, none of them words.
            found.append(Place(model, way, () if model is StepRun else tuple(texts), trees))
    return tuple(found)


def way_to(model: type[models.Model], goal: type[models.Model], depth: int = 3) -> str | None:
    """The shortest chain of foreign keys from a model to `goal`, as a lookup; None without one."""
    if model is goal:
        return "pk"
    edge: list[tuple[str, type[models.Model]]] = [("", model)]
    for _step in range(depth):
        following = []
        for way, at in edge:
            for field in at._meta.concrete_fields:
                target = field.related_model
                if not isinstance(field, models.ForeignKey) or not isinstance(target, type):
                    continue
                if at is StepRun and field.name != "process":
                    continue
                name = f"{way}__{field.name}" if way else field.name
                if target is goal:
                    return name
                if target._meta.app_label not in ("auth", "contenttypes", "viewflow"):
                    following.append((name, target))
        edge = following
    return None
