"""The lines of a record in a trail: plain, exact, and the same for whoever makes them."""

from __future__ import annotations

import json

from sanwen import disclosure, trailtext

WORDS = {
    "labels": {
        "head": "第{seq}号　{act}",
        "gap": "　",
        "pair": "{name}：{value}",
        "list": "、",
        "and": "；",
        "area": "{area}平方米",
        "yes": "是",
        "no": "否",
        "happened": "发生时间",
        "corrects": "更正第{seq}号记录",
        "round": "第{n}轮",
        "private": "{name}（不公开）",
        "hidden": "不公开{n}项",
        "withdrawn": "撤回{n}处",
        "file": "附件：{name}（{type}，{size}字节）SHA-256 {sha256}",
        "hash": "记录哈希",
    },
    "acts": {"case.opened": "立项"},
    "roles": {"owner": "业主"},
    "fields": {"text": "内容", "amount": "金额", "area": "面积", "entry.added/area": "方面"},
    "values": {"want": "需要", "paper": "纸质", "quorum": "参与"},
    "terms": {"15d": "15日", "roll": "顺延"},
    "steps": {
        "ask": {
            "title": "问需",
            "acts": {"opinion.submitted": "提交意见"},
            "fields": {"stance": "态度", "item": "项目"},
            "codes": {"roof": "屋面"},
            "outcomes": {"done": "办完"},
        }
    },
}


def record(body, **more):
    return json.dumps(
        {
            "seq": 3,
            "step": "ask",
            "act": "opinion.submitted",
            "at": "2026-03-03T10:00:05+08:00",
            "party": {"role": "owner", "id": "ABC", "via": "paper"},
            "body": body,
            **more,
        }
    )


def said(body, *given, **more):
    return trailtext.lines(record(body, **more), given, WORDS)


def test_head_party_and_hash():
    canonical = record({})
    assert trailtext.lines(canonical, (), WORDS) == [
        "第3号　提交意见",
        "2026-03-03 10:00:05　业主 ABC　纸质",
        f"记录哈希：{trailtext.leaf_hash(canonical).hex()}",
    ]


def test_fields_stand_in_the_order_of_the_form_and_codes_in_words():
    lines = said({"amount": 123450, "item": "roof", "stance": "want", "unheard_of": "x"})
    assert lines[2:-1] == ["态度：需要", "项目：屋面", "金额：1,234.50", "unheard_of：x"]


def test_a_steps_own_words_for_fields_go_first():
    step = {**WORDS["steps"]["ask"], "labels": {"area": "方面", "text": "说明"}}
    words = {**WORDS, "steps": {"ask": step}}
    body = {"area": "roof", "rows": [{"area": "roof"}]}
    lines = trailtext.lines(record(body), (), words)
    assert lines[2:-1] == ["方面：屋面", "rows：方面：屋面"]
    assert said({"area": "roof"})[2] == "面积：屋面"


def test_numbers_keep_their_unit():
    line = {"code": "quorum", "unit": "area", "part": 100, "met": True}
    assert said({"area": 198400})[2] == "面积：1,984.00平方米"
    assert said({"area": {"for": 5}})[2] == "面积：for：0.05平方米"
    assert said({"lines": [line]})[2] == "lines：code：参与；met：是；part：1.00平方米；unit：area"


def test_terms_rules_and_parameters():
    assert said({"term": "15d"})[2] == "term：15日"
    assert said({"rule": "15d;roll;other"})[2] == "rule：15日、顺延、other"
    assert said({"params": {"ask.term": "15d"}})[2] == "params：问需 term：15日"


def test_published_words_appear_and_withdrawn_ones_are_counted():
    words, lost = disclosure.made("text", "第一行\n第二行"), disclosure.made("text", "没了")
    body = {"_sd": sorted([disclosure.digest(words), disclosure.digest(lost)])}
    assert said(body, words)[2:-1] == ["内容：第一行", "第二行", "撤回1处"]


def test_private_values_are_counted_or_shown_and_strangers_passed_over():
    own, foreign = disclosure.made("text", "张三"), disclosure.made("text", "别人")
    sealed = {"_sd": [disclosure.digest(own)]}
    assert said({}, foreign, **sealed)[2:-1] == ["不公开1项"]
    assert said({}, own, foreign, **sealed)[2:-1] == ["内容（不公开）：张三"]


def test_what_else_a_record_may_say():
    file = {"name": "a.pdf", "type": "application/pdf", "size": 9, "sha256": "00ff"}
    lines = said({}, happened_at="2026-03-01T08:00:00+08:00", corrects=1, round=2, files=[file])
    assert lines[1].endswith("　第2轮")
    assert lines[2:-1] == [
        "发生时间：2026-03-01 08:00:00",
        "更正第1号记录",
        "附件：a.pdf（application/pdf，9字节）SHA-256 00ff",
    ]
