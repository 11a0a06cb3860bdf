"""Customary masks of what this app knows of people (catalogue, 0.4); the engine masks free text.

A name is masked in one way everywhere: by `workflows.records.masking.name`.
"""

from __future__ import annotations

import re

from workflows.records.masking import name as mask_name

__all__ = ["mask_name", "mask_phone", "mask_room"]


def mask_room(place: str) -> str:
    """The place with its room masked: 3号楼2单元***室."""
    return f"{place}***室"


def mask_phone(number: str) -> str:
    """138****5678; of anything but a mobile number of this country only stars."""
    digits = re.sub(r"[ \-]", "", number).removeprefix("+86")
    if not re.fullmatch(r"1[3-9][0-9]{9}", digits):
        return "****"
    return f"{digits[:3]}****{digits[7:]}"
