"""Every component of the pages with plainly made-up content, for those who write templates.

Served at ``/gallery/`` under DEBUG only; docs/pages.md documents the components.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from django import forms
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.safestring import SafeString, mark_safe
from django.utils.timezone import make_aware

DAY = dt.date(2026, 3, 2)
AT = make_aware(dt.datetime(2026, 3, 2, 9, 30))
HASH = "Q2n0u1YF0m9b3zVQm0sX7mVv1wq2xO4u8zq3n0c5b6E="


class _Opinion(forms.Form):
    item = forms.ChoiceField(
        label="针对哪一项",
        choices=[("", "请选择"), ("roof", "屋面防水"), ("lift", "加装电梯"), ("park", "停车位")],
    )
    text = forms.CharField(
        label="您的意见",
        help_text="写清楚地点和希望怎么改。请不要写姓名、电话和门牌号。",
        widget=forms.Textarea(attrs={"rows": 4}),
    )
    area = forms.CharField(label="房屋面积", help_text="以不动产权证为准，单位：平方米。")
    on = forms.DateField(
        label="发现的日期", required=False, widget=forms.DateInput(attrs={"type": "date"})
    )
    photos = forms.FileField(
        label="照片", required=False, help_text="最多 5 张，每张不超过 20 MB。"
    )
    ways = forms.MultipleChoiceField(
        label="怎样告诉您答复",
        choices=[("sms", "短信"), ("paper", "纸质送达"), ("page", "我自己来查")],
        widget=forms.CheckboxSelectMultiple,
        required=False,
    )
    pledge = forms.BooleanField(label="以上内容属实")


class _Vote(forms.Form):
    choice = forms.ChoiceField(
        label="您对《示范小区改造方案》的表决",
        choices=[("for", "同意"), ("against", "不同意"), ("abstain", "弃权")],
        widget=forms.RadioSelect,
        help_text="截止前可以改，以最后一次有效表决为准。",
    )


class _Filter(forms.Form):
    q = forms.CharField(label="名称或编号", required=False)
    state = forms.ChoiceField(
        label="状态", required=False, choices=[("", "全部"), ("open", "进行中")]
    )
    estate = forms.ChoiceField(label="小区", required=False, choices=[("", "全部小区")])


def _squares(size: int) -> SafeString:
    """A pattern in the place of a QR code; it encodes nothing."""
    dark = "".join(
        f"M{x} {y}h1v1h-1z" for y in range(size) for x in range(size) if (x * 7 + y * 5 + x * y) % 3
    )
    return mark_safe(  # noqa: S308  numbers only
        f'<svg viewBox="0 0 {size} {size}" width="120" height="120" aria-hidden="true">'
        f'<path fill="#000" d="{dark}"/></svg>'
    )


def _diagram() -> SafeString:
    titles = [("摸底", "done"), ("申请", "done"), ("问需", "open"), ("业主表决", "waiting")]
    cells = [
        {
            "x": 20 + 210 * at,
            "y": 20,
            "width": 150,
            "height": 70,
            "kind": "step",
            "state": state,
            "title": title,
            "lines": [(title, 40)],
            "middle": 75,
        }
        for at, (title, state) in enumerate(titles)
    ]
    edges = [{"points": f"{170 + 210 * at},55 {228 + 210 * at},55"} for at in range(3)]
    context = {"cells": cells, "edges": edges, "width": 840, "height": 110}
    return render_to_string("portal/chart.svg", context)


def _steps() -> list[dict[str, Any]]:
    records = [
        {
            "seq": 14,
            "at": AT,
            "title": "提交意见",
            "party": "住户（示范）",
            "url": "#r14",
            "text": "希望在 3 号楼门口加装扶手。",
            "hash": HASH,
        },
        {"seq": 15, "at": AT, "title": "答复意见", "party": "街道办事处", "url": "#r15"},
    ]
    documents = [
        {"title": "意见反馈册（不含姓名）", "url": "#d1", "kind": "PDF", "size": 482_133},
        {"title": "致全体居民的一封信", "url": "#d2", "kind": "PDF", "size": 91_204},
    ]
    return [
        {
            "state": "done",
            "title": "联合审查入围",
            "outcome": "入围",
            "url": "#s3",
            "starts": dt.date(2026, 1, 12),
            "ends": dt.date(2026, 1, 23),
            "records": records[:1],
        },
        {
            "state": "done",
            "title": "设计方案公示",
            "url": "#s8",
            "starts": dt.date(2026, 1, 26),
            "ends": dt.date(2026, 2, 24),
            "documents": documents[1:],
        },
        {
            "state": "open",
            "current": True,
            "title": "问需",
            "url": "#s4",
            "starts": DAY,
            "ends": dt.date(2026, 3, 17),
            "text": "已登记 268 户，还有 36 户没有见到面。",
            "documents": documents,
            "records": records,
        },
        {"state": "overdue", "title": "居民出资", "starts": DAY, "text": "公示晚了 2 天。"},
        {"state": "suspended", "title": "公开招标", "text": "收到异议，答复前暂停。"},
        {"state": "stopped", "title": "联合验收", "outcome": "退回整改"},
        {"state": "waiting", "title": "业主表决", "state_label": "未开始"},
    ]


def _opinions() -> list[dict[str, Any]]:
    said = {"at": AT, "by": "住户（示范）"}
    replied = {"at": AT, "by": "示范街道办事处"}
    return [
        said
        | {
            "number": 12,
            "item": "完善类 · 无障碍设施",
            "text": "3 号楼门口台阶高，老人上下不方便，希望加装扶手和坡道。",
            "likes": 6,
            "url": "#o12",
            "reply": replied
            | {"outcome": "adopted", "reason": "已列入改造内容，扶手和坡道与入口雨棚一并施工。"},
        },
        said
        | {
            "number": 13,
            "item": "提升类 · 停车",
            "text": "把中心花园改成停车场。",
            "reply": replied
            | {
                "outcome": "not_adopted",
                "reason": "中心花园是小区唯一的公共绿地，多数住户要求保留。"
                "北侧围墙边可以新划 14 个车位，见方案第 6 页。",
            },
        },
        said
        | {
            "number": 14,
            "item": "基础类 · 屋面防水",
            "text": "顶楼漏水，请连女儿墙一起做。",
            "reply": replied
            | {"outcome": "partly", "reason": "屋面全部重做；女儿墙只修裂缝的部分。"},
        },
        said | {"number": 15, "text": "晾衣架能不能统一？"},
    ]


def _tally() -> dict[str, Any]:
    return {
        "title": "使用维修资金（须四分之三以上同意）",
        "rows": [
            {
                "label": "同意的人数",
                "value": "310 / 403 人",
                "permille": 769,
                "needed_permille": 750,
                "needed": "需要至少 303 人（四分之三以上，含本数）",
                "met": True,
            },
            {
                "label": "同意的面积",
                "value": "49,112.40 / 66,783.97 ㎡",
                "permille": 735,
                "needed_permille": 750,
                "needed": "需要至少 50,087.98 ㎡（四分之三以上，含本数）",
                "met": False,
            },
        ],
        "counts": [("同意", "310 人"), ("不同意", "61 人"), ("弃权", "32 人")],
    }


def _plot() -> dict[str, Any]:
    values = [0, 90, 210, 380, 520, 610, 705]
    points = [
        {
            "x": at * 1000 // 6,
            "y": value,
            "label": f"第 {at} 周",
            "value": f"{value * 200:,} 元",
        }
        for at, value in enumerate(values)
    ]
    return {
        "id": "contributions",
        "title": "居民出资累计",
        "caption": "单位：元。数据截至 2026 年 3 月 2 日，未交款的住户不列名。",
        "points": points,
        "line": " ".join(f"{point['x']},{point['y']}" for point in points),
        "target_y": 850,
        "target_label": "承诺出资 170,000 元",
        "y_ticks": ["200,000", "150,000", "100,000", "50,000", "0"],
        "x_ticks": ["1 月", "2 月", "3 月"],
    }


def _inbox() -> list[dict[str, Any]]:
    case = {"case_title": "示范小区改造", "case_number": "RENO-2026-0007", "url": "#t"}
    return [
        case
        | {
            "title": "答复异议",
            "state": "overdue",
            "ends": dt.date(2026, 2, 27),
            "days_left": -3,
            "note": "1 条异议没有答复",
        },
        case | {"title": "联合审查评分", "state": "open", "ends": DAY, "days_left": 0},
        case
        | {
            "title": "答复意见",
            "state": "open",
            "ends": dt.date(2026, 3, 17),
            "days_left": 15,
            "note": "12 条意见没有答复",
            "provisional": True,
        },
        case | {"title": "登记施工进度", "state": "waiting"},
    ]


def _scores() -> dict[str, Any]:
    items = ["居民意愿", "出资承诺", "房屋状况"]
    marks = [(36, 24, 18), (34, 22, 20), (38, 25, 17)]
    rows = [
        {
            "label": f"审查员{sign}",
            "cells": [*zip(items, row, strict=True), ("合计", sum(row))],
        }
        for sign, row in zip("甲乙丙", marks, strict=True)
    ]
    foot = {"label": "平均", "cells": [(item, "") for item in items] + [("合计", "78.00")]}
    return {
        "columns": ["审查员", *items, "合计"],
        "rows": rows,
        "foot": foot,
        "state": "done",
        "result": "入围",
        "rule": "平均分 70 分以上（含本数）入围，3 人到会。",
    }


def samples(request: HttpRequest) -> dict[str, Any]:
    """What gallery.html shows."""
    wrong = _Opinion({"item": "", "text": "", "area": "八十九"})
    wrong.add_error("area", "请填数字，例如 89.50。")
    case = {
        "title": "示范小区改造",
        "number": "RENO-2026-0007",
        "url": "#case",
        "procedure": "老旧小区改造",
        "estate": "示范街道 · 示范小区",
    }
    return {
        "nav": "cases",
        "demo": True,
        "crumbs": [("首页", "/"), ("事项", "/cases/"), ("示范小区改造", "")],
        "states": ["open", "waiting", "overdue", "done", "suspended", "stopped"],
        "outcomes": ["adopted", "partly", "not_adopted"],
        "day": DAY,
        "ends": dt.date(2026, 3, 22),
        "facts": [
            ("小区", "示范街道 示范小区"),
            ("规模", "12 栋，403 人，66,783.97 ㎡"),
            ("程序版本", "renovation@2026.1"),
        ],
        "cases": [
            case | {"step": "问需", "state": "open", "ends": dt.date(2026, 3, 17), "days_left": 15},
            case
            | {
                "title": "示范二村改造",
                "number": "RENO-2026-0003",
                "step": "居民出资",
                "state": "overdue",
                "ends": dt.date(2026, 2, 27),
                "days_left": -3,
            },
            case
            | {
                "title": "示范里改造",
                "number": "RENO-2025-0011",
                "step": "长效管理",
                "state": "done",
            },
        ],
        "steps": _steps(),
        "svg": _diagram(),
        "opinions": _opinions(),
        "form": _Opinion(auto_id="id_a_%s"),
        "wrong": wrong,
        "vote": _Vote(),
        "descriptions": {
            "for": "按方案改造，并按方案出资",
            "against": "不改造，或者不同意出资办法",
            "abstain": "参加表决，不表示同意或不同意",
        },
        "filter": _Filter(request.GET or None, auto_id="id_f_%s"),
        "page": Paginator(range(10_000), 20).page(37),
        "tabs": [
            {"label": "全部", "url": "#all", "count": 268, "current": True},
            {"label": "已采纳", "url": "#adopted", "count": 171},
            {"label": "未采纳", "url": "#not", "count": 22},
        ],
        "owners": [
            ("1 号楼 1 单元", "12", "1,068.48"),
            ("1 号楼 2 单元", "12", "1,071.12"),
            ("2 号楼 1 单元", "10", "902.30"),
        ],
        "tally": _tally(),
        "sheet": _scores(),
        "plot": _plot(),
        "receipt": {
            "code": "7KQ4-M2XP-9HTD-3WZR",
            "url": "#receipt",
            "qr": _squares(25),
            "what": "提交意见",
            "at": AT,
            "case_title": "示范小区改造",
            "case_number": "RENO-2026-0007",
            "hash": HASH,
        },
        "rows": _inbox(),
        "lines": [
            "全体 403 人，四分之三是 302.25 人；以上含本数，至少 303 人。",
            "同意 310 人，310 ≥ 303，人数达到。",
            "全体 66,783.97 ㎡，四分之三是 50,087.9775 ㎡。",
            "同意 49,112.40 ㎡，不足 50,087.9775 ㎡，面积未达到。",
        ],
        "signatures": [
            {
                "capacity": "监理单位",
                "by": "王*（示范）",
                "state": "done",
                "state_label": "通过",
                "at": AT,
                "score": "86 分",
            },
            {
                "capacity": "居民代表",
                "by": "李*（示范）",
                "state": "stopped",
                "state_label": "不通过",
                "at": AT,
                "opinion": "2 号楼屋面仍有渗漏，见照片。",
                "scan_url": "#scan",
            },
            {"capacity": "业主委员会", "state": "waiting", "state_label": "未签"},
        ],
    }


def gallery(request: HttpRequest) -> HttpResponse:
    """The gallery page; `config.urls` has it under DEBUG only."""
    return render(request, "gallery.html", samples(request))
