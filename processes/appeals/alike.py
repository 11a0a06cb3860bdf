"""Near-duplicates: proposed by likeness of the words, linked by a person, never deleted."""

from __future__ import annotations

import datetime as dt
import hashlib

from rapidfuzz import fuzz, process

from workflows.records import masking

from .models import Appeal

WITHIN = dt.timedelta(days=90)
LIKE = 70
"""Of 100, by `fuzz.ratio`: from here on two texts are proposed as the same matter."""
LOOKED_AT = 2000
PROPOSED = 5


def plain(text: str) -> str:
    """A text without blanks and signs, for comparing."""
    return "".join(sign for sign in masking.cleaned(text) if sign.isalnum())


def digest(text: str) -> str:
    """Names a text however it is spaced and punctuated."""
    return hashlib.sha256(plain(text).encode()).hexdigest()


def proposals(appeal: Appeal) -> list[Appeal]:
    """Earlier appeals of the same place, of the last 90 days, that read like this one."""
    since = appeal.case.created - WITHIN
    rows = (
        Appeal.objects.filter(
            case__community=appeal.case.community_id,
            case__created__gte=since,
            pk__lt=appeal.pk,
            held="",
        )
        .exclude(linked_from__appeal=appeal)
        .select_related("case")
        .order_by("-pk")[:LOOKED_AT]
    )
    known = {row.pk: row for row in rows}
    texts = {pk: plain(row.text) for pk, row in known.items()}
    found = process.extract(
        plain(appeal.text), texts, scorer=fuzz.ratio, score_cutoff=LIKE, limit=PROPOSED
    )
    return [known[pk] for _text, _score, pk in found]
