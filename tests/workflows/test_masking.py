"""What is masked before words of people are public, and that it fails closed."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from workflows.records.masking import is_clear, propose


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("电话13812345678", "电话138****5678"),
        ("138 1234 5678", "138****5678"),
        ("138-1234-5678", "138****5678"),
        ("13812345678", "138****5678"),
        ("一三八一二三四五六七八", "138****5678"),
        ("①③⑧①②③④⑤⑥⑦⑧", "138****5678"),
        ("1\u200b38123\u200b45678", "138****5678"),
        ("+86 13812345678", "+*************"),
        ("0532-88881234", "************"),
        ("8888 1234", "********"),
        ("370202199001011234", "3702**********1234"),
        ("37020219900101123X", "3702**********123X"),
        ("370202900101123", "3702*******1123"),
        ("6222 0212 3456 7890 123", "***************0123"),
        ("a.b@example.com", "***@***"),
        ("微信号:abc_123", "微信号:***"),
        ("QQ 1234567", "QQ ***"),
        ("鲁B12345", "鲁B*****"),
        ("鲁B·D12345", "鲁B*****"),
        ("鲁B 1234挂", "鲁B*****"),
        ("3号楼2单元501室漏水", "3号楼2单元***室漏水"),
        ("3号楼2单元501漏水", "3号楼2单元***漏水"),
        ("三号楼二单元五〇一", "三号楼二单元***"),
        ("3-2-501", "3-2-***"),
        ("3#2-501", "3#2-***"),
        ("101房间", "***房间"),
        ("A座1203", "A座***"),
    ],
)
def test_what_points_at_a_person_is_masked(text, masked):
    assert propose(text) == masked
    assert not is_clear(text)
    assert is_clear(masked)


@pytest.mark.parametrize(
    "text",
    [
        "2026-09-14至2026-10-08",
        "二〇二六年九月十四日",
        "2026年10月8日上午9:30",
        "2020-2026年",
        "面积66783.97平方米",
        "两室一厅",
        "12号楼东侧增设12个车位",
        "3号楼100户",
        "加装电梯每户30万元",
        "拨打12345",
        "占用消防登高场地,宽度不足4米。",
        "3号楼2单元***室 138****5678",
    ],
)
def test_what_says_nothing_of_a_person_stays(text):
    assert propose(text) == text


def test_names_are_masked_by_family_name():
    assert propose("我是欧阳小明,邻居张三", ["欧阳小明", "张三"]) == "我是欧阳**,邻居张*"
    assert not is_clear("邻居张三说", ["张三"])


SIGNS = st.sampled_from(
    [*list("0123456789 -.·x室单元号楼栋@鲁Ba*一三〇①,年月#"), "2026-09-14", "\u200b"]
)


@settings(max_examples=200, deadline=None)
@given(st.lists(SIGNS, max_size=40).map("".join))
def test_twice_masks_no_more_than_once_and_leaves_no_long_number(text):
    masked = propose(text)
    assert propose(masked) == masked
    assert not re.search(r"[0-9]{7}", masked)


@settings(max_examples=100, deadline=None)
@given(
    st.from_regex(r"1[3-9][0-9]{9}", fullmatch=True),
    st.sampled_from(["", " ", "-", ".", "·"]),
    st.text(alphabet="漏水的,。", max_size=5),
)
def test_no_mobile_number_survives_however_it_is_split(number, separator, around):
    split = separator.join([number[:3], number[3:7], number[7:]])
    masked = propose(f"{around}{split}{around}")
    assert masked == f"{around}{number[:3]}****{number[7:]}{around}"
