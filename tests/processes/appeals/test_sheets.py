"""The supervision sheet: why, until when, for whom; without the author."""

from __future__ import annotations

import subprocess

from django.test import Client
from django.utils import translation

from processes.appeals import sheets
from workflows import acts

from .conftest import ANSWER, ASSIGNED

AGAIN = {name: value for name, value in ANSWER.items() if name != "decision"}


def text(content: bytes) -> str:
    """What a sheet says, without blanks."""
    done = subprocess.run(
        ["pdftotext", "-raw", "-", "-"], input=content, capture_output=True, check=True
    )
    return "".join(done.stdout.decode().split())


def sheet(case, round_: int) -> str:
    run = sheets.runs(case)[round_ - 1]
    assert run.round == round_
    return text(sheets.sheet(run))


def test_overdue_and_supervised_again(town):
    case, _author, _receipt = town.submit(name="李测试", phone="13812345678", spot="东门外")
    town.do(case, "classify", "office", {**ASSIGNED, "joint": ["city"]})
    town.day("2026-03-11", 9)
    with translation.override("en"):
        said = sheet(case, 1)
    for part in (
        f"编号：{case.number}-1",
        "住建部门（协办：城市管理部门）：",
        "未在期限内答复，现予督办",
        "2026年3月3日交办，应于2026年3月10日前答复",
        "请于2026年3月16日前办理到位",
        "督办期限2026年3月11日至2026年3月16日",
        "3号楼楼道灯坏了",
        "东门外",
        "第1页共1页",
    ):
        assert part in said, part
    for private in ("李测试", "13812345678"):
        assert private not in said
    town.do(case, "supervised", "first", AGAIN)
    town.do(case, "inspect", "overseer", {"decision": "again", "finding": "现场仍有两层不亮。"})
    said = sheet(case, 2)
    assert "督办核查没有办到位" in said
    assert "核查意见：现场仍有两层不亮。" in said


def test_twice_unsatisfied(town):
    case, author = town.assigned()
    town.do(case, "handle", "first", ANSWER)
    acts.perform(case, "rate", "task.done", author, {"rating": "unsatisfied"})
    town.do(case, "rework", "second", AGAIN)
    acts.perform(case, "rate_again", "task.done", author, {"rating": "unsatisfied"})
    assert "诉求人两次评价不满意" in sheet(case, 1)


def test_for_those_who_handle_it(town):
    case, _author = town.assigned()
    address = f"/appeals/{case.number}/sheet-1.pdf"
    clients = {who: Client() for who in town.people}
    for who, client in clients.items():
        client.force_login(town.people[who])
        assert client.get(address).status_code == 404
    town.day("2026-03-11", 9)
    answers = {who: client.get(address) for who, client in clients.items()}
    assert {who: answer.status_code for who, answer in answers.items()} == {
        "office": 200,
        "first": 200,
        "second": 200,
        "city": 403,
        "overseer": 200,
    }
    assert answers["office"]["Cache-Control"] == "private, no-store"
    assert text(answers["first"].content).count("督办单") >= 1
    assert Client().get(address).status_code == 302
    for who, client in clients.items():
        page = client.get(case.get_absolute_url()).content.decode()
        assert (address in page) == (who != "city")
    assert clients["office"].get(address.replace("sheet-1", "sheet-2")).status_code == 404
