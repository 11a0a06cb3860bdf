"""Masks of names, rooms and telephone numbers (catalogue, 0.4)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from processes.community.masking import mask_name, mask_phone, mask_room


@pytest.mark.parametrize(
    ("name", "masked"),
    [
        ("张三", "张*"),
        ("张示甲", "张**"),
        ("张示甲乙丙", "张**"),
        ("欧阳甲", "欧阳*"),
        ("欧阳示甲", "欧阳**"),
        ("欧阳", "欧*"),
        ("示范物业有限公司", "示**"),
        ("一", "***"),
        ("", "***"),
        ("John Smith", "***"),
    ],
)
def test_names(name: str, masked: str) -> None:
    assert mask_name(name) == masked


@pytest.mark.parametrize(
    ("number", "masked"),
    [
        ("13812345678", "138****5678"),
        ("+86 138-1234-5678", "138****5678"),
        ("0532-86880000", "****"),
        ("12345", "****"),
        ("", "****"),
        ("138123456789", "****"),
    ],
)
def test_phones(number: str, masked: str) -> None:
    assert mask_phone(number) == masked


def test_rooms() -> None:
    assert mask_room("3号楼2单元") == "3号楼2单元***室"


@given(st.text(max_size=45))
def test_a_mask_keeps_no_more_than_a_family_name(name: str) -> None:
    masked = mask_name(name)
    kept = masked.rstrip("*")
    assert masked.endswith("*")
    assert name.startswith(kept)
    assert len(kept) <= 2
    assert len(kept) < max(len(name), 1)


@given(st.text(alphabet="0123456789 -+", max_size=20))
def test_a_phone_mask_hides_the_middle(number: str) -> None:
    assert "****" in mask_phone(number)
    assert sum(sign.isdigit() for sign in mask_phone(number)) in (0, 7)
