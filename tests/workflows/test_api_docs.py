"""The examples of docs/api.md, as a reader would run them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
from django.core.cache import cache

from tests.processes.community.erasure_cases import Place
from tests.processes.community.erasure_cases import place as place
from tests.sandbox.opinion_procedures import Needs, photo
from workflows import acts
from workflows.models import Opinion, Record, Reply, StepRun
from workflows.portal.api import tokens

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.city]
PAGE = Path(__file__).resolve().parents[2] / "docs" / "api.md"


def test_the_examples_do_what_the_page_says(place: Place, live_server: Any, tmp_path: Path) -> None:
    cache.clear()
    blocks = re.findall(r"^```sh\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    me, offered, paper, waiting, reply, own, mine, receipt, files, fetch, wrong = blocks
    case = acts.open_case(Needs, place.community, place.staff("office"), title="问需")
    (tmp_path / "photo.png").write_bytes(photo(9).read())
    known = {"SITE": live_server.url, "CASE": case.number}
    known["RUN"] = str(StepRun.objects.get(process=case, name="ask").pk)

    def shell(block: str) -> str:
        return subprocess.run(
            ["bash", "-c", block],
            env={"PATH": os.environ["PATH"], "NO_PROXY": "*", **known},
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=120,
            check=True,
        ).stdout

    def run(block: str) -> Any:
        return json.loads(shell(block))

    assert place.units[2].label in paper, "the roll of the tests has that household"
    scopes = [tokens.READ_STAFF, tokens.ACT_STAFF]
    known["TOKEN"] = tokens.give(place.committee, "窗口", scopes, 30, confirmed=True)
    assert run(me)["scopes"] == ["act.staff", "read.staff"]
    assert any(each["paper"] for each in run(offered)["items"])
    filed = run(paper)
    assert filed["receipt"]
    assert run(paper) == filed, "the same key: once"
    (opinion,) = run(waiting)["items"]
    known["OPINION"] = str(opinion["id"])
    assert run(reply)["act"] == "opinion.replied"
    assert Reply.objects.get().outcome == "adopted"
    assert Record.objects.get(case=case, seq=filed["seq"]).content["party"]["via"] == "paper"

    scopes = [tokens.READ, tokens.ACT]
    known["TOKEN"] = tokens.give(place.others[0], "助手", scopes, 30, confirmed=False)
    known["SEQ"] = str(run(own)["seq"])
    assert Opinion.objects.count() == 2
    assert run(mine)["items"][0]["seq"] == int(known["SEQ"])
    assert run(receipt)["copy_to_keep"]["record"]
    (file,) = run(files)["items"]
    known["FILE"] = file["url"].rpartition("/")[2]
    assert shell(fetch) == ""
    brought = (tmp_path / "file.png").read_bytes()
    assert hashlib.sha256(brought).hexdigest() == file["sha256"]
    told = run(wrong)
    assert (told["status"], list(told["errors"])) == (422, ["text"])
