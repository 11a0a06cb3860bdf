"""The page that checks a file in the browser: it judges as the command does, and sends nothing."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from sanwen import disclosure, merkle
from sanwen.verify import Trust, verify
from tests.sanwen.made import Maker
from tests.sanwen.test_chain import rechained

from .walker import Walker

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

Files = dict[str, bytes]


@pytest.fixture(scope="module")
def maker():
    made = Maker(11)
    cases = [made.case(), made.case()]
    for at in range(40):
        made.add(cases[at % 2], words=at % 3)
    made.sign()
    return made


@pytest.fixture
def walker(browser, live_server):
    found = Walker(browser, live_server.url)
    found.go("/verify/")
    yield found
    found.close()


def choose(walker: Walker, files: Files, key: str = "") -> list[dict[str, Any]]:
    """Choose files and read the lines; no request may leave the browser meanwhile."""
    page = walker.page
    page.wait_for_load_state("networkidle")
    walker.context.set_offline(True)
    sent: list[str] = []
    page.on("request", lambda request: sent.append(f"{request.method} {request.url}"))
    page.locator("#v-keys").fill(key)
    page.locator("#v-files").set_input_files(
        [
            {"name": name, "mimeType": "application/octet-stream", "buffer": data}
            for name, data in files.items()
        ]
    )
    page.locator("#verify-lines:not([aria-busy]) li").first.wait_for()
    page.wait_for_timeout(100)
    # The page's own icon may come late; it carries nothing.
    assert [request for request in sent if not request.endswith("/favicon.svg")] == []
    walker.context.set_offline(False)
    lines = page.locator("#verify-lines li")
    return [
        {
            "kind": line.get_attribute("data-kind"),
            "code": line.get_attribute("data-code"),
            "seq": line.get_attribute("data-seq"),
            "text": line.text_content(),
        }
        for line in lines.all()
    ]


def command(tmp_path: Path, files: Files, trust: Trust) -> list[tuple[str, str, str | None]]:
    """What the command says of the same files."""
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    first = next(name for name in files if "receipt" in name or name == "records.jsonl")
    return [
        (line.kind, line.code, str(line.about["seq"]) if "seq" in line.about else None)
        for line in verify(str(tmp_path / first), trust).lines
    ]


def export(maker: Maker, change: Callable[[list[bytes]], list[bytes]] = lambda rows: rows) -> Files:
    case = change(list(next(iter(maker.cases.values()))))
    number = next(iter(maker.cases))
    size = len(maker.records)
    proofs = [
        {
            "seq": seq,
            "index": maker.records.index(line),
            "path": [
                base64.b64encode(step).decode()
                for step in merkle.inclusion(maker.tree.node, maker.records.index(line), size)
            ],
        }
        for seq, line in enumerate(maker.cases[number])
    ]
    words = [{"seq": seq, "disclosure": text} for seq, text in maker.disclosures[number]]
    return {
        "records.jsonl": b"".join(line + b"\n" for line in case),
        "disclosures.jsonl": "".join(json.dumps(row) + "\n" for row in words).encode(),
        "proofs.jsonl": "".join(json.dumps(row) + "\n" for row in proofs).encode(),
        "checkpoint": maker.checkpoints[-1].encode(),
    }


def receipt(maker: Maker, **more: Any) -> Files:
    case = next(iter(maker.cases.values()))
    held = {**maker.receipt(case, 5), **more}
    return {"receipt.json": json.dumps(held, ensure_ascii=False).encode()}


def all_files(maker: Maker) -> dict[str, Files]:
    """Untouched files and every way of touching them that the page can see."""
    case = next(iter(maker.cases.values()))
    officer = case[4].replace(b'"role":"household"', b'"role":"officer"')
    last = case[-1].replace(b'"role":"household"', b'"role":"officer"')
    spaced = case[4].replace(b'"v":1', b'"v": 1')
    earlier = json.loads(case[4]) | {"at": "2026-01-01T00:00:00+08:00"}
    back = json.dumps(earlier, sort_keys=True, separators=(",", ":")).encode()
    swapped = export(maker)
    swapped["disclosures.jsonl"] = (
        json.dumps({"seq": 2, "disclosure": disclosure.made("text0", "换掉的话")}).encode() + b"\n"
    )
    moved = export(maker)
    moved["proofs.jsonl"] = moved["proofs.jsonl"].replace(b'"index": 0,', b'"index": 1,')
    record = case[5].decode()
    other = Maker(99)
    elsewhere = other.case()
    for _ in range(9):
        other.add(elsewhere)
    other.sign()
    return {
        "untouched export": export(maker),
        "untouched receipt": receipt(maker),
        "changed": export(maker, lambda c: [*c[:4], officer, *c[5:]]),
        "changed last": export(maker, lambda c: [*c[:-1], last]),
        "not canonical": export(maker, lambda c: [*c[:4], spaced, *c[5:]]),
        "left out": export(maker, lambda c: [*c[:4], *c[5:]]),
        "repeated": export(maker, lambda c: [*c[:4], c[3], *c[4:]]),
        "reordered": export(maker, lambda c: [*c[:4], c[5], c[4], *c[6:]]),
        "back-dated": export(maker, lambda c: rechained([*c[:4], back, *c[5:]], 4)),
        "no JSON": export(maker, lambda c: [*c[:4], b"{", *c[5:]]),
        "swapped word": swapped,
        "moved proof": moved,
        "receipt of another log": {
            "receipt.json": json.dumps(other.receipt(elsewhere, 3)).encode()
        },
        "receipt not in the log": receipt(
            maker, record=record.replace('"role":"household"', '"role":"officer"')
        ),
        "receipt with a foreign word": receipt(maker, disclosures=[disclosure.made("name", "x")]),
        "receipt without proof": receipt(maker, proof=None),
        "receipt of nonsense": receipt(maker, proof="nonsense"),
        "receipt of another form": receipt(maker, v=2),
    }


def test_the_page_judges_as_the_command_does_and_nothing_is_sent(maker, walker, tmp_path):
    trust = Trust([maker.key.verifier])
    for name, files in all_files(maker).items():
        folder = tmp_path / name
        folder.mkdir()
        walker.go("/verify/")
        seen = choose(walker, files, str(maker.key.verifier))
        ours = command(folder, files, trust)
        assert [(row["kind"], row["code"], row["seq"]) for row in seen] == ours, name
        assert any(row["kind"] == "fault" for row in seen) is (
            name not in ("untouched export", "untouched receipt", "receipt without proof")
        )


def test_without_a_key_it_is_said_that_the_signature_is_still_to_be_seen(maker, walker):
    kinds = {row["code"]: row["kind"] for row in choose(walker, receipt(maker))}
    assert kinds["proof_key_unknown"] == "open"


def test_a_trail_is_left_to_the_command(walker):
    [line] = choose(walker, {"trail.pdf": b"%PDF-1.7\n"})
    assert line["kind"] == "open"
    assert "sanwen verify" in line["text"]


def test_the_page_fits_a_phone_and_axe_finds_nothing(maker, walker):
    choose(walker, receipt(maker), str(maker.key.verifier))
    walker.fits()
    found = Axe().run(walker.page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


def test_english_readers_get_english_lines(maker, browser, live_server):
    walker = Walker(browser, live_server.url, language="en-GB")
    walker.go("/verify/")
    lines = choose(walker, receipt(maker), str(maker.key.verifier))
    assert "all 1 records are in the signed log" in lines[-1]["text"]
    walker.close()


def test_without_javascript_the_site_works_it_out_itself(browser, live_server):
    walker = Walker(browser, live_server.url, javascript=False)
    page = walker.go("/verify/")
    assert not page.locator("#verify-here").is_visible()
    assert page.locator("#v-case").is_visible()
    walker.close()
