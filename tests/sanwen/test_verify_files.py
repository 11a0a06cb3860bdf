"""What people keep: exports and receipts, by themselves and against the log; the command."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from pathlib import Path

import pytest

from sanwen import __main__ as command
from sanwen import disclosure, merkle, note
from sanwen.verify import Line, Trust, verify
from tests.sanwen.made import Maker

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def maker():
    """Two cases of forty records, mixed, under one checkpoint."""
    made = Maker(11)
    cases = [made.case(), made.case()]
    for at in range(80):
        made.add(cases[at % 2], words=at % 3)
    made.sign()
    return made


@pytest.fixture
def case(maker):
    return next(iter(maker.cases.values()))


@pytest.fixture
def trust(maker):
    return Trust([maker.key.verifier])


@pytest.fixture
def place(maker, tmp_path):
    return str(maker.write(tmp_path / "log"))


def codes(result) -> list[str]:
    return [line.code for line in result.lines]


def lines(path: Path, rows: list[bytes]) -> Path:
    path.write_bytes(b"".join(row + b"\n" for row in rows))
    return path


def proofs(maker, folder: Path, case) -> None:
    size = len(maker.records)
    rows = []
    for seq, line in enumerate(case):
        index = maker.records.index(line)
        path = merkle.inclusion(maker.tree.node, index, size)
        rows.append(
            {"seq": seq, "index": index, "path": [base64.b64encode(h).decode() for h in path]}
        )
    (folder / "proofs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "checkpoint").write_text(maker.checkpoints[-1])


# --- exports -----------------------------------------------------------------------------------


def test_an_export_holds_by_itself_and_says_what_it_cannot_show(maker, case, tmp_path):
    result = verify(str(maker.export(tmp_path, case)))
    assert codes(result) == ["chain_holds", "disclosures_hold", "withdrawn", "needs_log"]
    assert result.status == 0


def test_an_export_against_the_log_is_whole(maker, case, tmp_path, place, trust):
    result = verify(str(maker.export(tmp_path / "e", case)), trust, place=place)
    assert codes(result)[-1] == "complete"
    assert result.status == 0


def first(result) -> Line:
    assert result.first_fault is not None
    return result.first_fault


def test_a_case_cut_short_is_seen_in_the_log(case, tmp_path, place, trust):
    found = first(verify(str(lines(tmp_path / "r.jsonl", case[:-1])), trust, place=place))
    assert (found.code, found.about["seq"], found.about["index"]) == ("cut_short", 39, 78)


def test_a_changed_last_record_is_seen_in_the_log(case, tmp_path, place, trust):
    changed = [*case[:-1], case[-1].replace(b'"role":"household"', b'"role":"officer"')]
    found = first(verify(str(lines(tmp_path / "r.jsonl", changed)), trust, place=place))
    assert (found.code, found.about) == ("differs_from_log", {"seq": 39, "index": 78})


def test_an_invented_record_is_not_in_the_log(tmp_path, maker, place, trust):
    case = list(next(iter(maker.cases.values())))
    other = Maker(11)
    mine = [other.case(), other.case()]
    for at in range(80):
        other.add(mine[at % 2], words=at % 3)
    extra = other.add(mine[0])
    found = first(verify(str(lines(tmp_path / "r.jsonl", [*case, extra])), trust, place=place))
    assert (found.code, found.about) == ("not_in_log", {"seq": 40})


def test_a_swapped_word_in_an_export(maker, case, tmp_path):
    path = maker.export(tmp_path, case)
    beside = tmp_path / "disclosures.jsonl"
    rows = [json.loads(row) for row in beside.read_text().splitlines()]
    rows[5]["disclosure"] = disclosure.made("text0", "换掉的话")
    beside.write_text("".join(json.dumps(row) + "\n" for row in rows))
    found = first(verify(str(path)))
    assert (found.code, found.about["seq"]) == ("disclosure_unknown", rows[5]["seq"])


def test_an_export_with_its_proofs(maker, case, tmp_path, trust):
    maker.export(tmp_path, case)
    proofs(maker, tmp_path, case)
    result = verify(str(tmp_path), trust)
    assert "included" in codes(result)
    assert result.status == 0
    assert verify(str(tmp_path)).status == 2  # nobody said whose signature to believe
    changed = [*case[:-1], case[-1].replace(b'"role":"household"', b'"role":"officer"')]
    lines(tmp_path / "records.jsonl", changed)
    assert first(verify(str(tmp_path), trust)).about["seq"] == 39
    stranger = Trust([note.Signer("log.example", b"\5" * 32).verifier])
    assert first(verify(str(tmp_path), stranger)).code == "bad_checkpoint"


# --- receipts ----------------------------------------------------------------------------------


def receipt(tmp_path: Path, held: dict) -> str:
    path = tmp_path / "receipt.json"
    path.write_text(json.dumps(held, ensure_ascii=False))
    return str(path)


def test_every_receipt_holds_alone_and_against_the_log(maker, tmp_path, place, trust):
    for case in maker.cases.values():
        for seq in range(0, 40, 5):
            path = receipt(tmp_path, maker.receipt(case, seq))
            assert verify(path, trust).status == 0
            assert verify(path, trust, place=place).status == 0
    assert verify(path).status == 2


def test_a_receipt_for_a_record_that_is_not_in_the_log(maker, case, tmp_path, place, trust):
    held = maker.receipt(case, 7)
    held["record"] = held["record"].replace('"role":"household"', '"role":"officer"')
    found = first(verify(receipt(tmp_path, held), trust))
    assert (found.code, found.about["seq"]) == ("not_included", 7)
    assert first(verify(receipt(tmp_path, held), trust, place=place)).code == "not_included"


def test_a_receipt_of_another_log(maker, case, tmp_path, place, trust):
    other = Maker(12, origin="log.example")
    elsewhere = other.case()
    for _ in range(5):
        other.add(elsewhere)
    other.sign()
    path = receipt(tmp_path, other.receipt(elsewhere, 2))
    assert first(verify(path, trust)).code == "bad_checkpoint"
    assert first(verify(path, trust, place=place)).code == "not_included"


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda r: r.update(v=2), "not_a_receipt"),
        (lambda r: r.pop("record"), "not_a_receipt"),
        (lambda r: r.update(record="{}"), "malformed"),
        (lambda r: r.update(disclosures=[disclosure.made("text0", "x")]), "disclosure_unknown"),
        (lambda r: r.update(proof="nonsense"), "not_included"),
        (lambda r: r.update(proof=r["proof"].replace("index ", "index 1")), "not_included"),
        (lambda r: r.update(record='{"seq":99999999999999}'), "malformed"),
    ],
)
def test_a_spoilt_receipt(maker, case, tmp_path, trust, spoil, code):
    held = maker.receipt(case, 8)
    spoil(held)
    assert first(verify(receipt(tmp_path, held), trust)).code == code


def test_a_receipt_from_before_its_record_had_a_place(maker, case, tmp_path, trust):
    held = {**maker.receipt(case, 8), "proof": None}
    result = verify(receipt(tmp_path, held), trust)
    assert (codes(result)[-1], result.status) == ("no_proof", 2)


def test_no_untouched_receipt_or_export_of_a_thousand_is_accused(tmp_path):
    for seed in range(250):
        made = Maker(seed)
        cases = [made.case() for _ in range(1 + seed % 3)]
        for at in range(3 + seed % 20):
            made.add(cases[at % len(cases)])
        made.sign()
        trust = Trust([made.key.verifier])
        folder = tmp_path / str(seed)
        place = str(made.write(folder / "log"))
        assert verify(place, trust).status == 0
        assert verify(str(made.export(folder / "e", cases[0])), trust, place=place).status == 0
        assert verify(str(folder / "e"), trust).status == 0
        path = receipt(folder, made.receipt(cases[0], len(cases[0]) - 1))
        assert verify(path, trust).status == 0


# --- the command -------------------------------------------------------------------------------


def test_the_command_says_one_line_each_and_the_shell_hears(maker, case, tmp_path, place, capsys):
    key = str(maker.key.verifier)
    assert command.main(["verify", place, "--key", key, "--lang", "zh"]) == 0
    said = capsys.readouterr().out.splitlines()
    assert [line[0] for line in said] == ["✓", "✓", "✓", "·"]
    cut = str(lines(tmp_path / "r.jsonl", case[:-1]))
    assert command.main(["verify", cut, "--log", place, "--key", key, "--lang", "en"]) == 1
    assert "✗ the case is cut short: the log holds record 39" in capsys.readouterr().out
    assert command.main(["verify", place, "--key", "nonsense"]) == 2


ALONE = """
import sys
class Forbidden:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in ("django", "workflows", "processes", "config", "notifications"):
            raise ImportError("the verifier asked for " + name)
sys.meta_path.insert(0, Forbidden())
sys.path[:] = [p for p in sys.path if "site-packages" not in p] + [sys.argv.pop(1)]
from sanwen.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


def alone(tmp_path: Path) -> Path:
    """A folder that holds the verifier and what it declares to need, nothing else."""
    import cffi
    import cryptography
    import rfc8785

    folder = tmp_path / "alone"
    folder.mkdir()
    (folder / "sanwen").symlink_to(ROOT / "sanwen")
    for module in (cryptography, rfc8785, cffi):
        home = Path(module.__file__).parent
        (folder / home.name).symlink_to(home)
    for extra in Path(cffi.__file__).parents[1].glob("_cffi_backend*"):
        (folder / extra.name).symlink_to(extra)
    return folder


def test_it_runs_without_django_or_database(maker, case, tmp_path, place):
    """With ``-I -S``: no packages but those that it names."""
    folder = alone(tmp_path)
    path = receipt(tmp_path, maker.receipt(case, 3))
    start = [sys.executable, "-I", "-S", "-c", ALONE, str(folder)]
    for thing in (place, path):
        asked = ["verify", thing, "--key", str(maker.key.verifier), "--lang", "en"]
        done = subprocess.run([*start, *asked], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        assert "✓" in done.stdout
