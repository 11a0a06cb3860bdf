"""What a ledger (台账) may hold: kinds of entries, their forms, their lives and what ends them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .act import ActForm, Roles, Words
from .ledger_rows import LedgerEntry
from .opinion_forms import PublicText


@dataclass(slots=True)
class Entry:
    """What a form says of an entry. Amounts in fen; `private` and `subject_key` are not public."""

    on: dt.date
    amount: int | None = None
    value: int | None = None
    public: dict[str, Any] = field(default_factory=dict)
    private: dict[str, str] = field(default_factory=dict)
    subject_key: str = ""
    mark: str = ""


class EntryForm(ActForm):
    """The form of a kind of entry; procedures give their own fields and `entry`."""

    kind = forms.CharField(widget=forms.HiddenInput)
    on = forms.DateField(label=_("日期"), widget=forms.DateInput(attrs={"type": "date"}))

    def clean_on(self) -> dt.date:
        """Not in the future."""
        on: dt.date = self.cleaned_data["on"]
        if on > timezone.localtime(self.act.at).date():
            raise forms.ValidationError(_("日期不能晚于今天。"))
        return on

    def entry(self) -> Entry:
        """What the answers mean."""
        return Entry(on=self.cleaned_data["on"])


class MoveForm(ActForm):
    """The form of a move; procedures add fields. `public` and `private` go into its row."""

    entry = forms.IntegerField(widget=forms.HiddenInput, min_value=1, max_value=2**63 - 1)
    to = forms.CharField(widget=forms.HiddenInput)

    def public(self) -> dict[str, Any]:
        """What everybody may read of the move."""
        return {}

    def private(self) -> dict[str, str]:
        """What is not public; enters the record as digests."""
        return {}

    def change(self, entry: LedgerEntry) -> None:
        """Change the entry's figures with the move (a payment's day, say)."""


class NotedMoveForm(MoveForm):
    """A move with words on what was done."""

    note = PublicText(label=_("说明（将公开）"), max_length=1000)

    def public(self) -> dict[str, Any]:
        """The words."""
        return {"note": self.cleaned_data["note"]}


@dataclass(frozen=True, slots=True)
class Move:
    """A step in the life of an entry: from `source` to `target`, done by `by`."""

    name: str
    title: Words
    source: str
    target: str
    by: Roles
    form: type[MoveForm] = NotedMoveForm


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Entries that a case of another procedure decides about while the ledger goes on.

    Those of which `when` holds are in `state` until that case ends; then the state that is named as
    its end is theirs.
    """

    procedure: str
    when: Callable[[Entry], bool]
    state: str


@dataclass(frozen=True, slots=True)
class EntryKind:
    """A kind of entry: who enters it with which form, its life, and what blocks closing.

    `waiting` are the states in which the ledger cannot be closed; in the `hidden` ones the public
    knows of the entry in numbers only. `check` refuses an entry that does not fit the others.
    `elsewhere` says which entries a child case decides about. `ends` is the last day of an
    entry that runs for a time (a warranty): `remind` days before a record says so and the keepers'
    inbox asks for it; after that day it goes to the state `ended` by itself. It runs in the states
    `runs`, or if none are named in all but `ended`. None while that day is still a guess.
    `labels` are what people read for the names of its public fields, where it has words of its own.
    """

    code: str
    title: Words
    by: Roles
    form: type[EntryForm]
    start: str
    states: dict[str, Words]
    moves: tuple[Move, ...] = ()
    waiting: frozenset[str] = frozenset()
    hidden: frozenset[str] = frozenset()
    unit: str = ""
    check: Callable[[QuerySet[LedgerEntry], Entry], None] | None = None
    elsewhere: Elsewhere | None = None
    ends: Callable[[LedgerEntry], dt.date | None] | None = None
    remind: int = 30
    ended: str = ""
    runs: frozenset[str] = frozenset()
    labels: Mapping[str, Words] = field(default_factory=dict)


class DuesForm(ActForm):
    """What every household is to pay."""

    amount = forms.DecimalField(
        label=_("每户应缴（元）"), min_value=0, max_digits=10, decimal_places=2
    )

    def clean_amount(self) -> int:
        """In fen, more than nothing."""
        fen = int(self.cleaned_data["amount"] * 100)
        if fen <= 0:
            raise forms.ValidationError(_("金额应大于零。"))
        return fen


class CorrectionForm(ActForm):
    """Which entry is wrong, and why; the right one is entered anew."""

    entry = forms.IntegerField(label=_("台账条目"), widget=forms.HiddenInput, min_value=1)
    reason = PublicText(label=_("更正原因（将公开）"), max_length=500)


class CloseForm(ActForm):
    """Why the ledger is complete."""

    reason = PublicText(label=_("说明（将公开）"), max_length=500)


@dataclass(frozen=True, slots=True)
class Standing:
    """How many entries of a kind stand in a state, and the largest of their values."""

    kind: str
    state: str
    n: int
    most: int | None


@dataclass(slots=True)
class Kept:
    """What lists ask of a ledger: what stands in it, and the entries that run for a time."""

    standing: Sequence[Standing]
    timed: Sequence[LedgerEntry]
