"""How long `sanwen verify` takes for a log, against hashing the same records.

    .venv/bin/python benchmarks/verify.py [--records 1000000] [--home FOLDER]

Makes a log of that many records in a folder (tiles, bundles, checkpoints), then in one run hashes
every record as a leaf on one processor, and verifies the log on all; the best of `ROUNDS` each.
Prints both and their ratio; the last line is JSON.
"""

from __future__ import annotations

import argparse
import datetime as dt
import hashlib
import json
import os
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from sanwen import client, merkle, note  # noqa: E402
from sanwen.verify import Trust, verify  # noqa: E402
from tests.sanwen.made import Maker  # noqa: E402

BATCH = 20_000
ROUNDS = 3


def make(folder: Path, records: int) -> note.Verifier:
    """A log in a folder: cases of some 200 records each, fifty of them at a time."""
    maker = Maker()
    cases = [maker.case() for _ in range(50)]
    made = 0
    while made < records:
        for _ in range(min(BATCH, records - made)):
            at = maker.random.randrange(len(cases))
            if len(cases[at]) >= 200:
                cases[at] = maker.case()
            maker.add(cases[at])
            made += 1
        maker.sign()
    maker.write(folder)
    return maker.key.verifier


def hash_records(folder: Path, size: int) -> float:
    """Seconds to read all records and hash each as a leaf (RFC 6962), on one processor."""
    began = time.perf_counter()
    for record in client.records(client.fetch_from(str(folder)), size):
        merkle.leaf_hash(record)
    return time.perf_counter() - began


def hash_stream(folder: Path) -> float:
    """Seconds for one SHA-256 over the bytes of all bundles."""
    began = time.perf_counter()
    running = hashlib.sha256()
    for path in files(folder):
        running.update(path.read_bytes())
    return time.perf_counter() - began


def files(folder: Path) -> Iterator[Path]:
    """The entry bundles."""
    return (path for path in sorted((folder / "tile/entries").rglob("*")) if path.is_file())


def main() -> None:
    """Make, hash, verify, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--home", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = given.home or Path(scratch)
        key = make(folder, given.records)
        size = sum(path.stat().st_size for path in files(folder))
        stream = min(hash_stream(folder) for _ in range(ROUNDS))
        leaves = took = worked = float("inf")
        for _ in range(ROUNDS):
            leaves = min(leaves, hash_records(folder, given.records))
            before = os.times()
            result = verify(str(folder), Trust([key]))
            after = os.times()
            took = min(took, after.elapsed - before.elapsed)
            worked = min(worked, sum(after[:4]) - sum(before[:4]))
    for line in result.lines:
        print(line.text("en"))
    assert result.status == 0
    figures = {
        "at": dt.date.today().isoformat(),
        "records": given.records,
        "bytes": size,
        "hash_stream_s": round(stream, 2),
        "hash_records_s": round(leaves, 2),
        "verify_s": round(took, 2),
        "verify_processor_s": round(worked, 2),
        "verify_to_hash_records": round(took / leaves, 2),
        "verify_to_hash_stream": round(took / stream, 2),
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
