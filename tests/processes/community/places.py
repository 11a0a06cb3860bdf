"""Estates and people for the tests of rolls."""

from __future__ import annotations

import datetime as dt
import io

from openpyxl import Workbook

from processes.community.models import Estate, Person, Role
from workflows.models import Community

HEADING = "楼号,单元,室号,专有面积,面积依据,业主,建设单位未售,业主编号"
GOOD = "1,1,101,85.30,登记,张示甲,否,"


def table(*lines: str, heading: str = HEADING) -> bytes:
    """A CSV file in UTF-8."""
    return "\r\n".join([heading, *lines, ""]).encode()


def workbook(*rows: list[object], heading: str = HEADING) -> bytes:
    """An XLSX file."""
    book = Workbook()
    book.active.append(heading.split(","))
    for row in rows:
        book.active.append(row)
    return saved(book)


def saved(book: Workbook) -> bytes:
    """The bytes of a workbook."""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def make_estate(code: str = "shifan", parent: Community | None = None) -> Estate:
    """An empty estate."""
    community = Community.objects.create(code=code, name="示范小区", kind="estate", parent=parent)
    return Estate.objects.create(community=community)


def make_staff(username: str, community: Community, role: str = "office") -> Person:
    """A person who serves there since 2020."""
    person = Person.objects.create_user(username, password="not-secret-1")
    Role.objects.create(person=person, community=community, role=role, since=dt.date(2020, 1, 1))
    return person
