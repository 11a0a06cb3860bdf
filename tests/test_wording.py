"""What Django itself says to people reads as an office would write it."""

from __future__ import annotations

import re
from pathlib import Path

import django
import polib
import pytest
from django import forms
from django.utils import translation

LOCALE = Path(__file__).resolve().parent.parent / "locale" / "zh_Hans" / "LC_MESSAGES"
OWN = polib.pofile(str(LOCALE / "django.po"))
DJANGO = polib.pofile(
    str(Path(django.__file__).parent / "conf/locale/zh_Hans/LC_MESSAGES/django.po")
)
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]")


def said(entry: polib.POEntry) -> str:
    return str(entry.msgstr_plural[0] if entry.msgid_plural else entry.msgstr)


@pytest.mark.parametrize("entry", OWN, ids=lambda entry: entry.msgid[:40])
def test_each_of_our_wordings_stands_for_one_that_django_has(entry):
    theirs = {(e.msgid, e.msgid_plural) for e in DJANGO if not e.msgctxt}
    assert (entry.msgid, entry.msgid_plural) in theirs
    assert set(PLACEHOLDER.findall(said(entry))) <= set(PLACEHOLDER.findall(entry.msgid))


class Form(forms.Form):
    name = forms.CharField(max_length=3, min_length=2)
    n = forms.IntegerField(min_value=1, max_value=5)
    day = forms.DateField()
    choice = forms.ChoiceField(choices=[("a", "甲")])
    rate = forms.DecimalField(max_digits=4, decimal_places=2)


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("name", "一", "至少2个字，现在是1个。"),
        ("name", "一二三四", "最多3个字，现在是4个。"),
        ("name", "", "请填写这一项。"),
        ("n", "0", "不能小于1。"),
        ("n", "6", "不能大于5。"),
        ("n", "多", "请填写整数。"),
        ("day", "三月五日", "请填写正确的日期，例如 2026-03-05。"),
        ("choice", "b", "“b”不在可选的范围内，请重新选择。"),
        ("rate", "1.234", "小数不能超过2位。"),
    ],
)
def test_a_form_says_what_to_do(field, value, words):
    with translation.override("zh-hans"):
        errors = [str(error) for error in Form({field: value}).errors[field]]
    assert words in errors
