"""Masks for text that people wrote, before it may be public (屏蔽个人信息).

The customary masks: mobile 138****5678, identity card 3702**********1234, bank card its last four
digits, 3号楼2单元***室, plate 鲁B*****, 张*. Law: Personal Information Protection Law
(个人信息保护法) 6 and 25; Regulations on Open Government Information (政府信息公开条例) 15.

A pattern cannot know every name: an officer reads the text as well, and a moderator may mask more.
What `propose` would still mask is never published (`is_clear`). It rather masks too much, and what
it cannot work through stays private (`MaskingFailed`). Every pattern takes linear time: its repeats
are bounded or begin only where the run of their signs begins.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
import time
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import phonenumbers
from stdnum import luhn
from stdnum.cn import ric, uscc

from .masking_words import AFTER, BEFORE, COMMON, DOUBLE, ENDING, NOT_CALLED, SAID, TITLES

MOST = 20_000
"""The longest text that is looked at, in signs; the longest field of any form is 5,000."""
SECONDS = 5.0
ROUNDS = 12

log = logging.getLogger("sanwen.masking")


class MaskingFailed(Exception):
    """The text could not be masked: it stays private. Says nothing of the text."""


@dataclass(frozen=True, slots=True)
class Found:
    """Something personal in a text: where, of which kind, and what stands there instead."""

    start: int
    end: int
    kind: str
    mask: str


# --- reading ------------------------------------------------------------------------------------

_HAN_DIGITS = {"〇": "0", "零": "0", "○": "0", "幺": "1", "两": "2"} | {
    sign: str(at % 10)
    for signs in ("零一二三四五六七八九", "零壹贰叁肆伍陆柒捌玖")
    for at, sign in enumerate(signs)
}


def _shadow(text: str) -> str:
    """`text` sign by sign, with every kind of digit as 0-9 and wide letters as plain ones."""
    signs = []
    for sign in text:
        plain = sign if sign.isascii() else _HAN_DIGITS.get(sign)
        if plain is None:
            digit = unicodedata.digit(sign, None)
            if digit is not None and sign not in "²³":  # m² is no number of anybody
                plain = str(digit)
            elif "\uff01" <= sign <= "\uff5e":
                plain = chr(ord(sign) - 0xFEE0)
            else:
                plain = sign
        signs.append(plain)
    # As scanners read digits: 138O5321lO2.
    return re.sub(
        r"(?<=[0-9])[oOlI](?=[0-9oOlI])", lambda m: "0" if m[0] in "oO" else "1", "".join(signs)
    )


def cleaned(text: str) -> str:
    """`text` without invisible signs, which hide numbers and names."""
    return "".join(
        sign for sign in text if sign in "\n\t" or unicodedata.category(sign) not in ("Cf", "Cc")
    )


# --- numbers, addresses, accounts ---------------------------------------------------------------

_GAP = r"[ \t\u00a0\u2002-\u200a\u3000.·•\-‐‑‒–—_/()\ufe0f\u20e3]{0,3}"
_D = r"[0-9]"
_FREE = r"(?<![0-9])"
_DATE = r"(?:19|20)[0-9]{2}[-./ ](?:1[0-2]|0?[1-9])[-./ ](?:3[01]|[12][0-9]|0?[1-9])"

# What looks like a number of somebody and says nothing of anybody: dates, spans of years, amounts
# with cents, numbers of cases, standards and documents.
_HARMLESS = (
    rf"{_FREE}{_DATE}(?![0-9])"
    rf"|{_FREE}(?:19|20)[0-9]{{2}}[-–—~](?:19|20)[0-9]{{2}}(?![0-9])"
    rf"|{_FREE}[0-9]{{1,9}}\.[0-9]{{1,2}}(?![0-9.])"
    rf"|(?<![a-z])[a-z]{{2,10}}-20[0-9]{{2}}-[0-9]{{4,9}}(?![0-9])"
    rf"|(?<![a-z])(?:gb|jgj|cjj|db|cecs|jg|cj)[0-9/t ]{{0,6}}[0-9]{{2,6}}(?:\.[0-9]{{1,2}})?"
    rf"-(?:19|20)?[0-9]{{2}}(?![0-9])"
    rf"|[〔\[(【](?:19|20)[0-9]{{2}}[〕\])】][0-9]{{1,6}}号"
)
_UNIT = (
    r"\s?(?:余|多)?(?:元|块|万|亿|千元|平|㎡|m²|m2|m³|米|公里|户|人次|人|票|%|吨|千瓦|kw|立方"
    r"|株|棵|张|次|条|套|台|盏|级|天|字节)"
)
_LABELLED = re.compile(
    r"(?:编号|文号|备案号?|合同号?|发票号?码?|档案号?|工单号?|订单号?|流水号?|凭证号?|收据号?|案号|图号"
    r"|型号|版本号?|许可证号?|代码|邮编|邮政编码|标准号?|批号|金额|造价|总价|合价|报价|单价|预算|面积|合计"
    r"|共计|总计)[\s:为是第№#]{0,3}$"
)
_MOBILE_WITHIN = re.compile(r"1[3-9][0-9]{9}")
_PATTERN = re.compile(
    # One alternative a kind; group `<kind>_x` is what is replaced where that is only a part.
    r"(?P<email>(?<![a-z0-9_.+%-])[a-z0-9_.+%-]++\s?(?:@|\(at\)|\[at\]|#(?=qq\b|163\b|126\b))\s?"
    r"[a-z0-9-]++(?:\.[a-z0-9-]++)*+)"
    r"|(?P<wechat>(?<![a-z0-9_-])wxid_[a-z0-9_-]++)"
    r"|(?P<contact>(?:微信|薇信|威信|企鹅|扣扣|qq|wechat|weixin|wx|vx|v信|加[微vV薇]|微号)"
    r"\s?(?:号码?|id|同号|联系|账号)?(?:是|为|叫)?[\s:]{0,3}(?P<contact_x>(?=[a-z0-9_-]{5})[a-z0-9_-]++))"
    r"|(?P<plate>[京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼使]\s?[a-z][\s·•.\-]?"
    r"(?P<plate_x>(?:[a-z0-9]\s?){4}(?:[a-z0-9]\s?[a-z0-9](?![a-z0-9])"
    r"|[a-z0-9挂学警港澳领](?![a-z0-9]))))"
    r"|(?P<room>(?:(?<=单元)|(?<=号楼)|(?<=[栋幢座#]))[\s\-第,的]{0,3}"
    rf"(?P<room_x>[a-z]?{_D}{{2,4}}[a-z]?)"
    r"(?![0-9]|\s?[号楼栋幢元万亿平㎡m米年月日天时户人个层台盏棵级部块份张次名组辆条根处件套吨度株k%])"
    rf"|(?<![0-9a-z共约有计超近达满])(?P<room_y>[a-z]?{_D}{{3,4}}[a-z]?)"
    r"(?=\s?(?:室|房(?!间?租)|号房|住户|业主|户主|租户|房东|那家|这家|那户|这户|家的|邻居))"
    rf"|{_FREE}(?<=[楼单元层])\s?(?P<room_z>{_D}{{2,4}})(?=\s?(?:室|号(?!楼)))"
    rf"|(?<=[住家])\s?(?P<room_v>{_D}{{3,4}})(?![0-9]|\s?[户年月天元人米平个])"
    rf"|(?<![0-9十])(?P<room_w>[0-9十]{{1,3}}[楼层]的?[东西南北中左右][边侧头手]?(?:户|屋|家|室)))"
    rf"|(?P<harmless>{_HARMLESS})"
    rf"|(?P<address>{_FREE}{_D}{{1,3}}[-–—#]{_D}{{1,2}}[-–—](?P<address_x>{_D}{{3,4}})(?![0-9-]))"
    rf"|(?P<number>{_FREE}1[3-9][0-9][,;、]\s?[0-9]{{4}}[,;、]\s?[0-9]{{4}}(?![0-9])"
    rf"|(?:\+\s?)?{_FREE}{_D}(?:{_GAP}{_D}){{6,}}(?:{_GAP}x(?![a-z]))?"
    r"(?:\s?(?:转|分机)[\s:]?[0-9]{1,6})?)",
    re.IGNORECASE,
)
_MASKS = {
    "email": "***@***",
    "contact": "***",
    "wechat": "***",
    "plate": "*****",
    "room": "***",
    "address": "***",
}


def _is_identity(plain: str) -> bool:
    """Whether region, birth date and check digit of an identity number hold (GB 11643)."""
    return ric.is_valid(plain)


def _is_phone(plain: str) -> bool:
    """Whether it is a telephone number of this country, or with + of another."""
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(plain, "CN"))
    except phonenumbers.NumberParseException:
        return False


def _is_card(plain: str) -> bool:
    """Whether it could be a bank card: length, issuer, check digit (Luhn)."""
    return 16 <= len(plain) <= 19 and plain[0] in "34569" and luhn.is_valid(plain)


def _is_day(plain: str) -> bool:
    if len(plain) != 8 or plain[:2] not in ("19", "20"):
        return False
    try:
        dt.date(int(plain[:4]), int(plain[4:6]), int(plain[6:]))
    except ValueError:
        return False
    return True


def _number_mask(plain: str) -> str:
    if len(plain) == 18:
        return f"{plain[:4]}{'*' * 10}{plain[14:]}"
    if len(plain) == 15:
        return f"{plain[:4]}{'*' * 7}{plain[11:]}"
    if len(plain) == 11 and re.match(r"1[3-9]", plain):
        return f"{plain[:3]}****{plain[7:]}"
    if len(plain) == 13 and re.match(r"861[3-9]", plain):
        return f"{plain[2:5]}****{plain[9:]}"
    if 16 <= len(plain) <= 19:
        return f"{'*' * (len(plain) - 4)}{plain[-4:]}"
    return "*" * len(plain)


def _number_kind(plain: str, shadow: str, start: int, end: int) -> str:
    """What a run of seven digits or more is; empty when it is nobody's."""
    if _is_identity(plain):
        return "identity"
    if _is_phone(plain):
        return "phone"
    before, after = shadow[max(0, start - 12) : start], shadow[end : end + 8]
    labelled = _LABELLED.search(before) is not None
    measured = re.match(_UNIT, after, re.IGNORECASE) is not None
    if _is_card(plain) and not (labelled and plain[:2] != "62"):
        return "card"
    model = re.search(r"[a-z]$", before, re.IGNORECASE) and not re.search(
        r"(?:tel|phone|mobile|qq|vx|wx|id|no)$", before, re.IGNORECASE
    )
    firm = len(plain) == 18 and plain[:2] in ("91", "92", "93")
    firm = firm and (labelled or uscc.is_valid(plain))
    # What stands before or after it makes a number nobody's, but not one with a mobile in it.
    if firm or ((labelled or measured or model) and not _MOBILE_WITHIN.search(plain)):
        return ""
    if _is_day(plain) and not re.search(r"(?:电话|手机|座机|联系)\S{0,2}$", before):
        return ""
    return "identity" if len(plain) in (15, 18) else "card" if len(plain) >= 16 else "phone"


def _numbers(match: re.Match[str]) -> Iterator[Found]:
    """The numbers in a run of digits: several side by side, where each is long enough."""
    shadow, start = match.string, match.start()
    parts = [m.span() for m in re.finditer(r"\+?[0-9xX]+", match.group())]
    if len(parts) < 2 or any(end - at < 7 for at, end in parts):
        parts = [(0, len(match.group()))]
    for at, end in parts:
        raw = match.group()[at:end]
        plain = re.sub(r"[^0-9X]", "", re.sub(r"(?:转|分机).*", "", raw).upper())
        kind = _number_kind(
            f"+{plain}" if raw.startswith("+") else plain, shadow, start + at, start + end
        )
        if kind:
            yield Found(start + at, start + end, kind, _number_mask(plain))


def _patterns(shadow: str) -> Iterator[Found]:
    for match in _PATTERN.finditer(shadow):
        kind = match.lastgroup
        # `lastgroup` is the outermost group that closed last: the kind itself.
        if kind == "harmless" or kind is None:
            continue
        if kind == "number":
            yield from _numbers(match)
            continue
        start, end = match.span()
        for part in ("_v", "_w", "_x", "_y", "_z"):
            name = f"{kind}{part}"
            if name in _PATTERN.groupindex and match.group(name) is not None:
                start, end = match.span(name)
        while shadow[end - 1].isspace():
            end -= 1
        yield Found(start, end, kind, _MASKS[kind])


# --- names --------------------------------------------------------------------------------------


def name(clear: str) -> str:
    """The mask of a person's name: 张*, 张**, 欧阳**; of anything else only stars."""
    if not re.fullmatch(r"[\u3400-\u9fff·]{2,}", clear):
        return "***"
    family = _family(clear)
    return family + "*" * min(len(clear) - len(family), 2)


def _family(clear: str) -> str:
    return clear[:2] if clear[:2] in DOUBLE and len(clear) > 2 else clear[:1]


class Names:
    """The names of a roll, made ready for many texts."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        given = {
            re.sub(r"[\s·•]", "", part) for name in names for part in re.split(r"[、,，;；/]", name)
        }
        self.names = {name for name in given if len(name) > 1}
        people = {n for n in self.names if re.fullmatch(r"[\u3400-\u9fff·]{2,4}", n)}
        self.lengths = sorted({len(n) for n in self.names}, reverse=True)
        self.firsts = {n[0] for n in self.names}
        self.families = {_family(n) for n in people}

    def found(self, text: str) -> Iterator[Found]:
        """Names, also split by blanks, then what neighbours call one another (老张, 王阿姨)."""
        signs = [(at, sign) for at, sign in enumerate(text) if sign not in " \t\u00a0\u3000·•"]
        plain = "".join(sign for _at, sign in signs)
        at = 0
        while at < len(plain):
            hit = self._at(plain, at) if plain[at] in self.firsts else ""
            if hit:
                start, end = signs[at][0], signs[at + len(hit) - 1][0] + 1
                if end - start <= 3 * len(hit):
                    yield Found(start, end, "name", name(hit))
                    at += len(hit)
                    continue
            at += 1
        if self.families:
            yield from self._called(text)

    def _at(self, plain: str, at: int) -> str:
        for length in self.lengths:
            clear = plain[at : at + length]
            if clear in self.names and self._meant(plain, at, at + length):
                return clear
        return ""

    @staticmethod
    def _meant(plain: str, start: int, end: int) -> bool:
        """Whether a name that is also a word, or the beginning of one, is meant as a name."""
        clear = plain[start:end]
        if len(clear) > 2:
            return True
        ends_in_word = plain[end - 1 : end + 1] in COMMON
        begun = start and plain[start - 1 : start + 1] in ENDING
        if clear not in COMMON and not begun and not ends_in_word:
            return True
        before = SAID if clear in COMMON else BEFORE
        return (
            re.match(rf"(?:{AFTER})", plain[end : end + 5]) is not None
            or re.search(rf"(?:{before})$", plain[max(0, start - 4) : start]) is not None
        )

    def _called(self, text: str) -> Iterator[Found]:
        family = "|".join(map(re.escape, sorted(self.families, key=len, reverse=True)))
        for match in re.finditer(rf"({family})(?=({TITLES}))", text):
            start, end = match.span()
            before = text[start - 1 : start] if start else ""
            # 王总, 李工: with one sign of title the two may be a word.
            word = len(match[2]) == 1 and match[1] + match[2] in COMMON
            if before + match[1][:1] not in ENDING and not word:
                yield Found(start, end, "called", "*")
        for match in re.finditer(rf"(?<![不大中最老小从])[老小阿]({family})(?![*\d])", text):
            start, end = match.span(1)
            following = text[end : end + 1]
            if match[1] + following not in COMMON and match.group() not in NOT_CALLED:
                yield Found(start, end, "called", "*")


# --- the whole ----------------------------------------------------------------------------------


def found(text: str, names: Iterable[str] | Names = ()) -> list[Found]:
    """What is personal in `text`, from left to right, none within another.

    `text` is to be `cleaned`. Raises `MaskingFailed` for a text above 20,000 signs.
    """
    if len(text) > MOST:
        raise MaskingFailed("too long")
    known = names if isinstance(names, Names) else Names(names)
    everything = [*_patterns(_shadow(text)), *known.found(text)]
    everything.sort(key=lambda f: (f.start, -f.end))
    kept: list[Found] = []
    for one in everything:
        if not kept or one.start >= kept[-1].end:
            kept.append(one)
    return kept


def propose(text: str, names: Iterable[str] | Names = ()) -> str:
    """`text` with everything masked that a pattern can find, and each of `names`.

    Doing it twice changes nothing more. Raises `MaskingFailed` when it cannot be worked through
    within `SECONDS`: then the text stays private.
    """
    began = time.monotonic()
    try:
        known = names if isinstance(names, Names) else Names(names)
        text = cleaned(text)
        # A mask can bring what stood around it together; every round leaves less to mask.
        for _round in range(ROUNDS):
            parts, at = [], 0
            for one in found(text, known):
                parts += [text[at : one.start], one.mask]
                at = one.end
            after = "".join([*parts, text[at:]])
            if after == text:
                return text
            if time.monotonic() - began > SECONDS:
                break
            text = after
    except MaskingFailed:
        raise
    except Exception as error:
        raise MaskingFailed(type(error).__name__) from None
    raise MaskingFailed("not settled in time")


def is_clear(text: str, names: Iterable[str] | Names = ()) -> bool:
    """Whether `text` may be public as far as patterns can tell: `propose` would change nothing.

    False also when masking fails; the log says so, without the text.
    """
    try:
        return propose(text, names) == text
    except MaskingFailed as error:
        log.error("masking failed (%s); the text stays private", error)
        return False


def draft(text: str, names: Iterable[str] | Names = ()) -> str:
    """The wording that an officer begins with; empty, to be written anew, when masking fails."""
    try:
        return propose(text, names)
    except MaskingFailed as error:
        log.error("masking failed (%s); the text stays private", error)
        return ""
