"""Customary masks of personal data in notices (catalogue, 0.4)."""

from __future__ import annotations

COMPOUND = frozenset(
    ["欧阳", "司马", "上官", "诸葛", "东方", "皇甫", "尉迟", "公孙", "慕容", "令狐", "夏侯", "司徒"]
)


def mask_name(name: str) -> str:
    """张* for two signs, 张** for three and more, 欧阳* for a compound surname, * for one."""
    name = name.strip()
    if len(name) <= 1:
        return "*"
    if name[:2] in COMPOUND and len(name) > 2:
        return name[:2] + "*" * min(len(name) - 2, 2)
    return name[0] + "*" * min(len(name) - 1, 2)


def mask_phone(number: str) -> str:
    """138****5678."""
    return number[:3] + "****" + number[-4:] if len(number) >= 11 else "****"
