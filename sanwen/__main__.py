"""The command ``sanwen``: verify the public record, or stand witness to a log."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import client, note, witness
from .verify import Trust, verify


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; 0 when all holds, 1 when something does not, 2 when not all was seen."""
    given = _parser().parse_args(argv)
    try:
        return _witness(given) if given.command == "witness" else _verify(given)
    except (note.NoteError, ValueError) as error:
        print(f"sanwen: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="sanwen", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    check = commands.add_parser("verify", help="核验日志、回执、记录或案卷 / check a public record")
    check.add_argument("thing", help="log address or folder, receipt, records.jsonl, trail PDF")
    check.add_argument("--key", action="append", default=[], metavar="VKEY", help="the log's key")
    check.add_argument("--log", metavar="ADDRESS", help="the log to hold a file against")
    check.add_argument("--disclosures", type=Path, metavar="FILE", help="disclosures.jsonl")
    check.add_argument("--state", type=Path, metavar="FILE", help="remember logs here")
    check.add_argument("--witness", action="append", default=[], metavar="VKEY")
    check.add_argument("--lang", choices=("zh", "en"), default=_language())
    stand = commands.add_parser("witness", help="为日志见证 / cosign a log that only grows")
    stand.add_argument("--log", required=True, metavar="ADDRESS")
    stand.add_argument("--log-key", required=True, metavar="VKEY")
    stand.add_argument("--key", required=True, type=Path, metavar="FILE", help="made if missing")
    stand.add_argument("--name", required=True, help="the witness's name")
    stand.add_argument("--every", type=float, metavar="SECONDS", help="go on; else once")
    return parser


def _language() -> str:
    spoken = os.environ.get("LC_ALL") or os.environ.get("LC_MESSAGES") or os.environ.get("LANG", "")
    return "zh" if spoken.startswith("zh") else "en"


def _verify(given: argparse.Namespace) -> int:
    keys = [note.Verifier.parse(line) for line in given.key]
    witnesses = [note.Verifier.parse(line) for line in given.witness]
    trust = Trust(keys, witnesses, given.state)
    result = verify(given.thing, trust, place=given.log, disclosures=given.disclosures)
    for line in result.lines:
        print(line.text(given.lang))
    return result.status


def _witness(given: argparse.Namespace) -> int:
    log_key = note.Verifier.parse(given.log_key)
    while True:
        status = 0
        try:
            print(witness.run_once(given.log, log_key, given.key, given.name), flush=True)
        except witness.Refuses as refusal:
            print(f"not signed: {refusal}", file=sys.stderr, flush=True)
            status = 1
        except client.LogUnreadable as error:
            print(error, file=sys.stderr, flush=True)
            status = 2
        if given.every is None:
            return status
        time.sleep(given.every)


if __name__ == "__main__":
    sys.exit(main())
