"""Reading a log over HTTP or from a folder (C2SP tlog-tiles): checkpoint, tiles, records."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path

from . import merkle

TIMEOUT = 30.0
LONGEST = 20 * 2**20

Fetch = Callable[[str], bytes]
"""The bytes at an address below the log's, or `LogUnreadable`."""


class LogUnreadable(OSError):
    """The log, or a part of it, could not be fetched; the message says what and why."""


def fetch_from(place: str) -> Fetch:
    """How to read the log at an address (``https://…/log``) or in a folder."""
    if "://" not in place:
        return _from_folder(Path(place))
    if not place.startswith(("https://", "http://")):
        raise LogUnreadable(f"{place}: only http and https are read")
    base = place.rstrip("/")
    if not base.endswith("/log"):
        base += "/log"

    def fetch(path: str) -> bytes:
        request = urllib.request.Request(  # noqa: S310 - http or https, see above
            f"{base}/{path}", headers={"User-Agent": "sanwen-verify"}
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT) as reply:  # noqa: S310
                data: bytes = reply.read(LONGEST + 1)
        except (urllib.error.URLError, TimeoutError, OSError) as error:
            raise LogUnreadable(f"{base}/{path}: {error}") from error
        if len(data) > LONGEST:
            raise LogUnreadable(f"{base}/{path} is longer than {LONGEST} bytes")
        return data

    return fetch


def _from_folder(folder: Path) -> Fetch:
    def fetch(path: str) -> bytes:
        try:
            return (folder / path).read_bytes()
        except OSError as error:
            raise LogUnreadable(f"{folder / path}: {error.strerror}") from error

    return fetch


def nodes(fetch: Fetch, size: int) -> merkle.Nodes:
    """Hashes of complete subtrees of the tree of `size`, from its tiles."""

    @lru_cache(maxsize=512)
    def tile(level: int, number: int) -> bytes:
        width = merkle.tile_width(level, number, size)
        data = fetch(merkle.tile_path(level, number, width))
        if len(data) != width * merkle.HASH_BYTES:
            raise LogUnreadable(f"tile {level}/{number} has not {width} hashes")
        return data

    return merkle.nodes_of_tiles(tile)


def records(fetch: Fetch, size: int, start: int = 0) -> Iterator[bytes]:
    """The records from place `start` up to `size`, in order."""
    for number in range(start // merkle.TILE_WIDTH, -(-size // merkle.TILE_WIDTH)):
        width = merkle.tile_width(0, number, size)
        try:
            found = merkle.unbundle(fetch(merkle.tile_path("entries", number, width)))
        except ValueError as error:
            raise LogUnreadable(f"entry bundle {number}: {error}") from error
        if len(found) != width:
            raise LogUnreadable(f"entry bundle {number} has not {width} records")
        yield from found[max(0, start - number * merkle.TILE_WIDTH) :]
