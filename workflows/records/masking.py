"""Masks for text that people wrote, before it may be public (屏蔽个人信息).

The customary masks: mobile 138****5678, identity card 3702**********1234, bank card its last four
digits, 3号楼2单元***室, plate 鲁B*****. Law: Personal Information Protection Law (个人信息保护法)
6 and 25; Regulations on Open Government Information (政府信息公开条例) 15.

A pattern cannot know every name: an officer reads the text as well, and may mask more. What
`propose` would still mask is never published (`is_clear`). It rather masks too much.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

_HAN_DIGITS = {"〇": "0", "零": "0", "幺": "1", "两": "2"} | {
    sign: str(at % 10)
    for signs in ("零一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖")
    for at, sign in enumerate(signs)
}
_SEPARATOR = r"[ \u00a0\u3000.·•\-‐‑‒–—_/]"
_DIGIT = r"[0-9]"
_NOT_AFTER = r"(?<![0-9])"

# Dates, spans of years and amounts with cents look like numbers of people, but say nothing of them.
_HARMLESS = (
    rf"{_NOT_AFTER}(?:19|20)[0-9]{{2}}[-./](?:1[0-2]|0?[1-9])[-./](?:3[01]|[12][0-9]|0?[1-9])(?![0-9])"
    rf"|{_NOT_AFTER}(?:19|20)[0-9]{{2}}[-–—](?:19|20)[0-9]{{2}}(?![0-9])"
    rf"|{_NOT_AFTER}[0-9]{{1,6}}\.[0-9]{{1,2}}(?![0-9.])"
)
_PATTERN = re.compile(
    rf"(?P<email>[a-z0-9_.+%-]+\s?@\s?[a-z0-9-]+(?:\.[a-z0-9-]+)*)"
    rf"|(?P<contact>(?:微信|企鹅|扣扣|qq|wechat|weixin|vx|v信)(?:号码?|id)?(?:是|为)?[\s::]*"
    rf"(?=[a-z0-9_-]{{5}})[a-z0-9_-]+)"
    rf"|(?P<plate>[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使][a-z][\s·•.\-]?"
    rf"(?:[a-z0-9]{{5,6}}|[a-z0-9]{{4}}[挂学警港澳领])(?![a-z0-9]))"
    rf"|(?P<room>(?:(?<=单元)|(?<=号楼)|(?<=[栋幢座#]))[\s\-第]*[a-z]?{_DIGIT}{{2,4}}[a-z]?"
    rf"(?![0-9]|[号楼栋幢元万亿平㎡米年月户人个层%])"
    rf"|{_NOT_AFTER}[a-z]?{_DIGIT}{{3,4}}[a-z]?(?=\s?(?:室|房|号房|住户|业主))"
    rf"|{_NOT_AFTER}(?<=[楼单元层])[\s]*{_DIGIT}{{2,4}}(?=\s?(?:室|号)))"
    rf"|(?P<harmless>{_HARMLESS})"
    rf"|(?P<address>{_NOT_AFTER}{_DIGIT}{{1,3}}[-–—#]{_DIGIT}{{1,2}}[-–—]{_DIGIT}{{3,4}}(?![0-9]))"
    rf"|(?P<number>{_NOT_AFTER}{_DIGIT}(?:{_SEPARATOR}?{_DIGIT}){{6,}}(?:{_SEPARATOR}?x(?![a-z]))?)",
    re.IGNORECASE,
)


def _shadow(text: str) -> str:
    """`text` sign by sign, with every kind of digit as 0-9 and wide letters as plain ones."""
    signs = []
    for sign in text:
        plain = _HAN_DIGITS.get(sign)
        if plain is None:
            digit = unicodedata.digit(sign, None)
            if digit is not None and sign not in "²³":  # m² is no number of anybody
                plain = str(digit)
            elif "\uff01" <= sign <= "\uff5e":
                plain = chr(ord(sign) - 0xFEE0)
            else:
                plain = sign
        signs.append(plain)
    return "".join(signs)


def _number(found: str) -> str:
    digits = [sign for sign in found if sign.isdigit() or sign in "xX"]
    plain = "".join(digits)
    if len(plain) == 18:
        return f"{plain[:4]}{'*' * 10}{plain[14:]}"
    if len(plain) == 15:
        return f"{plain[:4]}{'*' * 7}{plain[11:]}"
    if len(plain) == 11 and re.match(r"1[3-9]", plain):
        return f"{plain[:3]}****{plain[7:]}"
    if 16 <= len(plain) <= 19:
        return f"{'*' * (len(plain) - 4)}{plain[-4:]}"
    return "*" * len(plain)


def _masked(match: re.Match[str]) -> str | None:
    found = match.group()
    match match.lastgroup:
        case "harmless":
            return None
        case "email":
            return "***@***"
        case "contact":
            return re.sub(r"[a-z0-9_-]{5,}$", "***", found, flags=re.IGNORECASE)
        case "plate":
            return f"{found[:2]}*****"
        case "room":
            return "***"
        case "address":
            return re.sub(r"[0-9]{3,4}$", "***", found)
        case _:
            return _number(found)


def _once(text: str) -> str:
    parts = []
    at = 0
    for match in _PATTERN.finditer(_shadow(text)):
        masked = _masked(match)
        if masked is not None:
            parts += [text[at : match.start()], masked]
            at = match.end()
    return "".join([*parts, text[at:]])


def name(clear: str) -> str:
    """The mask of a person's name: 张*, 张**, 欧阳**; of anything else only stars."""
    if not re.fullmatch(r"[\u4e00-\u9fff·]{2,}", clear):
        return "***"
    family = 2 if clear[:2] in _DOUBLE and len(clear) > 2 else 1
    return clear[:family] + "*" * min(len(clear) - family, 2)


_DOUBLE = frozenset(
    re.findall("..", "欧阳司马上官诸葛东方皇甫尉迟公孙慕容令狐司徒夏侯端木宇文长孙轩辕南宫西门")
)


def propose(text: str, names: Iterable[str] = ()) -> str:
    """`text` with everything masked that a pattern can find, and each of `names`.

    Doing it twice changes nothing more. Invisible signs are taken out, since they hide numbers.
    """
    text = "".join(
        sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cf", "Cc")
    )
    for clear in sorted({n.strip() for n in names}, key=len, reverse=True):
        if len(clear) > 1:
            text = text.replace(clear, name(clear))
    # A mask can bring what stood around it together; every round leaves fewer signs to mask.
    while (after := _once(text)) != text:
        text = after
    return text


def is_clear(text: str, names: Iterable[str] = ()) -> bool:
    """Whether `text` may be public as far as patterns can tell: `propose` would change nothing."""
    return propose(text, names) == text
