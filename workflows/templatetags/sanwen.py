"""Filters for pages: words for codes, exact amounts."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

from django import template
from django.utils.translation import gettext as _

from .. import law
from ..parties import role_title
from ..portal import words

register = template.Library()


@register.filter
def word(code: str | None) -> Any:
    """What people read for a code of a record (``adopted`` → 采纳)."""
    return words.VALUES.get(code or "") or law.words().get(code or "", code or "")


@register.filter
def role(code: str) -> Any:
    """What people read for a role."""
    return role_title(code)


@register.filter
def day_words(text: str) -> str:
    """A day of ISO 8601, as records hold it, in words."""
    return words.day_words(text)


@register.filter
def file_title(label: str) -> str:
    """The label of a file as people read it."""
    return words.file_title(label)


@register.filter
def badge_state(code: str | None) -> str:
    """The state under which a badge shows the answer to an opinion or objection."""
    return {
        "adopted": "adopted",
        "partly": "partly",
        "not_adopted": "not_adopted",
        "upheld": "done",
        "dismissed": "stopped",
        "out_of_scope": "waiting",
    }.get(code or "", "waiting")


@register.filter
def yuan(fen: int | None) -> str:
    """An amount in fen as yuan: 123450 → ``1,234.50``. Exact."""
    return "" if fen is None else words.money(int(fen))


@register.filter
def area(hundredths: int | None) -> str:
    """An area in hundredths of a square metre: 6678397 → ``66,783.97㎡``. Exact."""
    if hundredths is None:
        return ""
    whole, rest = divmod(int(hundredths), 100)
    return _("%(area)s㎡") % {"area": f"{whole:,}.{rest:02d}"}


@register.filter
def of(mapping: Any, key: Any) -> Any:
    """The entry of a dict under a key that the template holds in a variable."""
    return mapping.get(key, "") if mapping else ""


@register.filter
def percent(share: Fraction) -> str:
    """A share in percent with one decimal, cut off so that it never shows more than there is."""
    whole, tenth = divmod(share.numerator * 1000 // share.denominator, 10)
    return f"{whole}.{tenth}"


@register.filter
def permille(part: int, whole: int) -> int:
    """A share in thousandths, for the length of a bar only."""
    return part * 1000 // whole if whole else 0
