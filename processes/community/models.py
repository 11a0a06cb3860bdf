"""People and places: estates, their units and owners; offices, committees, who serves in them."""

from __future__ import annotations

import datetime as dt
import hashlib
from typing import ClassVar

from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from workflows.models import Community
from workflows.parties import appointed_roles

from .masking import mask_room


class Person(AbstractUser):
    """An account. Residents need no more than a name to sign in; no document number is kept."""

    display_name = models.CharField(_("姓名"), max_length=40, blank=True)

    def __str__(self) -> str:
        return self.display_name or self.username


class Estate(models.Model):
    """An old estate (小区): a community with buildings, units and owners."""

    community = models.OneToOneField(Community, on_delete=models.PROTECT, related_name="estate")
    address = models.CharField(_("地址"), max_length=120, blank=True)
    developer = models.CharField(_("建设单位"), max_length=80, blank=True)
    origin = models.CharField(max_length=40, blank=True)
    """The middle of its plan: ``latitude,longitude``. See `plans`."""

    def __str__(self) -> str:
        return self.community.name


class Building(models.Model):
    """A building (楼)."""

    estate = models.ForeignKey(Estate, on_delete=models.PROTECT, related_name="buildings")
    number = models.CharField(_("楼号"), max_length=20)
    order = models.PositiveIntegerField(default=0)
    outline = models.JSONField(null=True, blank=True)
    """Its corners, decimetres east and north of the estate's origin."""

    class Meta:
        ordering: ClassVar = ["order", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["estate", "number"], name="one_building_a_number")
        ]

    def __str__(self) -> str:
        return f"{self.number}号楼"


class Stairwell(models.Model):
    """A stairwell (单元) with its notice board."""

    building = models.ForeignKey(Building, on_delete=models.PROTECT, related_name="stairwells")
    number = models.CharField(_("单元号"), max_length=20)
    order = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["building__order", "order", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["building", "number"], name="one_stairwell_a_number")
        ]

    def __str__(self) -> str:
        return f"{self.building}{self.number}单元"


class Owner(models.Model):
    """An owner (业主): a natural person or a firm, by the name on the roll.

    Within an estate the same name is the same owner, unless `number`, the owner's number on the
    roll (never the number of a document), tells namesakes apart.
    """

    estate = models.ForeignKey(Estate, on_delete=models.PROTECT, related_name="owners")
    name = models.CharField(_("姓名或名称"), max_length=40)
    number = models.CharField(_("业主编号"), max_length=40, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["estate", "name"])]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["estate", "number"], condition=~Q(number=""), name="one_owner_a_number"
            )
        ]

    def __str__(self) -> str:
        return f"owner {self.pk}"


class Unit(models.Model):
    """An exclusive unit (专有部分). `area` in hundredths of a square metre, by `title_source`."""

    SOURCES: ClassVar = [
        ("register", _("不动产登记")),
        ("survey", _("测绘")),
        ("contract", _("买卖合同")),
    ]

    stairwell = models.ForeignKey(Stairwell, on_delete=models.PROTECT, related_name="units")
    room = models.CharField(_("室号"), max_length=20)
    area = models.PositiveIntegerField(_("专有部分面积"))
    title_source = models.CharField(_("面积依据"), max_length=10, choices=SOURCES)
    developer_unsold = models.BooleanField(_("建设单位未售或未交付"), default=False)
    owners = models.ManyToManyField(Owner, through="Ownership", related_name="units")
    order = models.PositiveIntegerField(default=0)

    class Meta:
        ordering: ClassVar = ["order", "pk"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["stairwell", "room"], name="one_unit_a_room"),
            models.CheckConstraint(condition=Q(area__gt=0), name="unit_has_area"),
        ]

    def __str__(self) -> str:
        return f"unit {self.pk}"

    @property
    def label(self) -> str:
        """Where it is, in full: for those who may know."""
        return f"{self.stairwell}{self.room}室"

    @property
    def public_label(self) -> str:
        """Where it is, with the room masked."""
        return mask_room(str(self.stairwell))


class Ownership(models.Model):
    """Who owns a unit; several are co-owners with one vote between them."""

    unit = models.ForeignKey(Unit, on_delete=models.CASCADE, related_name="ownerships")
    owner = models.ForeignKey(Owner, on_delete=models.PROTECT, related_name="ownerships")

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["unit", "owner"], name="one_ownership")
        ]

    def __str__(self) -> str:
        return f"ownership {self.pk}"


class Household(models.Model):
    """Those who live in a unit (住户). It is claimed by a one-time code, printed on paper."""

    unit = models.OneToOneField(Unit, on_delete=models.CASCADE, related_name="household")

    def __str__(self) -> str:
        return f"household {self.pk}"


def code_hash(code: str) -> bytes:
    """What is stored of a one-time code, however it was typed."""
    plain = "".join(sign for sign in code.upper() if sign.isalnum())
    return hashlib.sha256(b"household\x00" + plain.encode()).digest()


class ClaimCode(models.Model):
    """A one-time code by which an account is linked to a household; only its hash is kept.

    With `owns` it is for the owners, who also vote; without, for those who only live there. Open
    until `until`, unless it was used or withdrawn; the row stays as the trace of both.
    """

    household = models.ForeignKey(Household, on_delete=models.CASCADE, related_name="codes")
    hash = models.BinaryField(max_length=32, unique=True)
    owns = models.BooleanField()
    issued_at = models.DateTimeField()
    issued_by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+", null=True)
    until = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    used_by = models.ForeignKey(Person, on_delete=models.SET_NULL, related_name="+", null=True)
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["household", "owns"],
                condition=Q(used_at=None, withdrawn_at=None),
                name="one_code_waiting",
            )
        ]

    def __str__(self) -> str:
        return f"code {self.pk}"


class HouseholdMember(models.Model):
    """An account that speaks for a household, and for its unit's vote where `owns`.

    Who rents may say what the household wants; only the owner votes (Civil Code 278).
    """

    household = models.ForeignKey(Household, on_delete=models.CASCADE, related_name="members")
    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="households")
    owns = models.BooleanField(_("业主"), default=True)
    since = models.DateField()
    until = models.DateField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["household", "person"], name="one_membership"),
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gte=F("since")), name="membership_days_in_order"
            ),
        ]

    def __str__(self) -> str:
        return f"member {self.pk}"


class Office(models.Model):
    """An office (单位) that takes part: the sub-district, an authority of joint review, a firm."""

    KINDS: ClassVar = [
        ("subdistrict", _("街道办事处")),
        ("housing", _("住建部门")),
        ("planning", _("规划部门")),
        ("finance", _("财政部门")),
        ("community", _("社区")),
        ("firm", _("企业")),
        ("other", _("其他")),
    ]

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="offices")
    kind = models.CharField(_("类别"), max_length=20, choices=KINDS)
    name = models.CharField(_("名称"), max_length=80)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["community", "name"], name="one_office_a_name")
        ]

    def __str__(self) -> str:
        return self.name


class Committee(models.Model):
    """A committee of residents or of owners, for one term of office (届).

    Whoever serves in it serves no longer than its term.
    """

    KINDS: ClassVar = [
        ("residents_committee", _("居民委员会")),
        ("owners_committee", _("业主委员会")),
    ]

    community = models.ForeignKey(Community, on_delete=models.PROTECT, related_name="committees")
    kind = models.CharField(_("类别"), max_length=20, choices=KINDS)
    name = models.CharField(_("名称"), max_length=80)
    since = models.DateField(_("任期自"))
    until = models.DateField(_("任期至"), null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["community", "kind", "since"], name="one_committee_a_term"
            ),
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gte=F("since")), name="committee_days_in_order"
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.Model):
    """A capacity in which a person serves in a community (and in those below it), with dates.

    It may be held for an office, or in a committee, whose term then bounds it (`serving`).
    `organisation` names the employer where neither is on file.
    """

    person = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="roles")
    community = models.ForeignKey(Community, on_delete=models.CASCADE, related_name="roles")
    role = models.CharField(_("身份"), max_length=40, choices=appointed_roles)
    seat = models.CharField(_("席位"), max_length=40, blank=True)
    organisation = models.CharField(_("单位"), max_length=80, blank=True)
    office = models.ForeignKey(
        Office, on_delete=models.PROTECT, related_name="roles", null=True, blank=True
    )
    committee = models.ForeignKey(
        Committee, on_delete=models.PROTECT, related_name="roles", null=True, blank=True
    )
    since = models.DateField()
    until = models.DateField(null=True, blank=True)

    class Meta:
        indexes: ClassVar = [models.Index(fields=["person", "community"])]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["person", "community", "role", "seat", "since"], name="one_role_a_time"
            ),
            models.CheckConstraint(
                condition=Q(until=None) | Q(until__gte=F("since")), name="role_days_in_order"
            ),
            models.CheckConstraint(
                condition=Q(office=None) | Q(committee=None), name="role_of_one_body"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.role} {self.pk}"

    @property
    def label(self) -> str:
        """In whose name: the office, the committee, the employer, else what the role is called."""
        body = self.office or self.committee or self.organisation
        return str(body or self.get_role_display())


class Contact(models.Model):
    """What notices of a community say of whom to turn to: public, of offices and never of a person.

    What is left out is taken from the community that it belongs to.
    """

    community = models.OneToOneField(Community, on_delete=models.CASCADE, related_name="contact")
    office = models.CharField(_("落款单位"), max_length=60, blank=True)
    address = models.CharField(_("受理地点"), max_length=80, blank=True)
    telephone = models.CharField(_("受理电话"), max_length=40, blank=True)
    supervision = models.CharField(_("监督电话"), max_length=40, blank=True)

    def __str__(self) -> str:
        return f"contact of community {self.community_id}"


class RollImport(models.Model):
    """One import of an estate's roll: by whom, which file, and its totals.

    `area` in hundredths of a square metre; `heads` by the law's rule; `sha256` in hexadecimal;
    `changed_hands` counts the units whose owners are others than before.
    """

    estate = models.ForeignKey(Estate, on_delete=models.PROTECT, related_name="imports")
    by = models.ForeignKey(Person, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField(_("导入时间"))
    sha256 = models.CharField(max_length=64)
    units = models.PositiveIntegerField(_("户数"))
    heads = models.PositiveIntegerField(_("业主人数"))
    area = models.PositiveBigIntegerField(_("专有部分面积"))
    changed_hands = models.PositiveIntegerField(_("业主有变更的户数"), default=0)

    class Meta:
        ordering: ClassVar = ["-at", "-pk"]

    def __str__(self) -> str:
        return f"import {self.pk}"


class RollDraft(models.Model):
    """A file between preview and confirmation: one an estate and person, kept for a day at most."""

    estate = models.ForeignKey(Estate, on_delete=models.CASCADE, related_name="drafts")
    by = models.ForeignKey(Person, on_delete=models.CASCADE, related_name="+")
    created = models.DateTimeField()
    sha256 = models.CharField(max_length=64)
    content = models.BinaryField()

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["estate", "by"], name="one_draft_a_person")
        ]

    def __str__(self) -> str:
        return f"draft {self.pk}"


def active(on: dt.date) -> Q:
    """Rows with `since` and `until` that hold on a day; the last day still counts."""
    return Q(since__lte=on) & (Q(until__isnull=True) | Q(until__gte=on))


def serving(on: dt.date) -> Q:
    """Roles that hold on a day; one in a committee no longer than the committee's term."""
    return active(on) & (
        Q(committee=None)
        | Q(committee__since__lte=on)
        & (Q(committee__until__isnull=True) | Q(committee__until__gte=on))
    )
