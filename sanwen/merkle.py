"""The Merkle tree of the log (RFC 6962, section 2) and its tiles (C2SP tlog-tiles).

A tree of `size` records has the hashes of its complete subtrees at `(level, index)`: the subtree
over the records from ``index << level`` up to ``(index + 1) << level``. Whoever can name those
hashes (a `Nodes` function) can build every proof.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Sequence

HASH_BYTES = 32
TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT

Nodes = Callable[[int, int], bytes]
"""The hash of a complete subtree by level and index."""


class ProofError(ValueError):
    """A proof does not hold; the message says at what."""


def leaf_hash(record: bytes) -> bytes:
    """The hash of a record as a leaf (RFC 6962, 2.1): 32 bytes."""
    return hashlib.sha256(b"\x00" + record).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash over two subtrees (RFC 6962, 2.1): 32 bytes."""
    return hashlib.sha256(b"\x01" + left + right).digest()


EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of the tree without records."""


def _split(count: int) -> int:
    """The largest power of two below `count` (RFC 6962, 2.1)."""
    return 1 << ((count - 1).bit_length() - 1)


def subtree(nodes: Nodes, start: int, end: int) -> bytes:
    """The hash over the records from `start` up to `end`, a range as RFC 6962 splits the tree."""
    count = end - start
    if count & (count - 1) == 0:
        level = count.bit_length() - 1
        return nodes(level, start >> level)
    middle = start + _split(count)
    return node_hash(subtree(nodes, start, middle), subtree(nodes, middle, end))


def root(nodes: Nodes, size: int) -> bytes:
    """The root of the tree over the first `size` records."""
    return subtree(nodes, 0, size) if size else EMPTY_ROOT


def inclusion(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """The proof that record `index` is in the tree of `size` (RFC 6962, 2.1.1).

    Raises `ValueError` unless ``0 <= index < size``.
    """
    if not 0 <= index < size:
        raise ValueError(f"record {index} is not in a tree of {size}")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(subtree(nodes, middle, end))
            end = middle
        else:
            path.append(subtree(nodes, start, middle))
            start = middle
    path.reverse()
    return path


def consistency(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """The proof that the tree of `new` begins with that of `old` (RFC 6962, 2.1.2).

    Empty for ``old in (0, new)``. Raises `ValueError` unless ``0 <= old <= new``.
    """
    if not 0 <= old <= new:
        raise ValueError(f"a tree of {new} cannot begin with one of {old}")
    if old in (0, new):
        return []
    path: list[bytes] = []
    start, end, whole = 0, new, True
    left = old
    while left != end - start:
        middle = start + _split(end - start)
        if left <= middle - start:
            path.append(subtree(nodes, middle, end))
            end = middle
        else:
            path.append(subtree(nodes, start, middle))
            left -= middle - start
            start, whole = middle, False
    if not whole:
        path.append(subtree(nodes, start, end))
    path.reverse()
    return path


def root_from_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes:
    """The root that an inclusion proof leads to (RFC 9162, 2.1.3.2). Raises `ProofError`."""
    if not 0 <= index < size:
        raise ProofError(f"record {index} is not in a tree of {size}")
    at, last, found = index, size - 1, leaf
    for step in path:
        if last == 0:
            raise ProofError("the inclusion proof is too long")
        if at & 1 or at == last:
            found = node_hash(step, found)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            found = node_hash(found, step)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofError("the inclusion proof is too short")
    return found


def check_inclusion(
    leaf: bytes, index: int, size: int, path: Sequence[bytes], tree_root: bytes
) -> None:
    """Raise `ProofError` unless the proof shows `leaf` at `index` of the tree with that root."""
    if root_from_inclusion(leaf, index, size, path) != tree_root:
        raise ProofError("the inclusion proof leads to another root")


def check_consistency(
    old: int, new: int, old_root: bytes, new_root: bytes, path: Sequence[bytes]
) -> None:
    """Raise `ProofError` unless the tree of `new` begins with that of `old` (RFC 9162, 2.1.4.2)."""
    if not 0 <= old <= new:
        raise ProofError(f"the log shrank from {old} to {new} records")
    if old == new or old == 0:
        if path:
            raise ProofError("the consistency proof should be empty")
        if old == new and old_root != new_root:
            raise ProofError(f"two different trees of {new} records")
        if old == 0 and old_root != EMPTY_ROOT:
            raise ProofError("the root of the empty tree is wrong")
        return
    steps = list(path)
    if old & (old - 1) == 0:
        steps.insert(0, old_root)
    if not steps:
        raise ProofError("the consistency proof is empty")
    at, last = old - 1, new - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    first = second = steps[0]
    for step in steps[1:]:
        if last == 0:
            raise ProofError("the consistency proof is too long")
        if at & 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not at & 1 and at:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, step)
        at, last = at >> 1, last >> 1
    if last:
        raise ProofError("the consistency proof is too short")
    if first != old_root:
        raise ProofError(f"the first {old} records are no longer what they were")
    if second != new_root:
        raise ProofError("the consistency proof leads to another root")


# --- tiles (C2SP tlog-tiles) -------------------------------------------------------------------


def full_root(hashes: bytes) -> bytes:
    """The root over a power of two of hashes that follow one another in `hashes`."""
    row = [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]


def nodes_of_tiles(tile: Callable[[int, int], bytes]) -> Nodes:
    """Hashes of complete subtrees out of tiles, which `tile(level, number)` returns as bytes.

    A tile may hold more hashes than the tree at hand has; what lies beyond is not looked at.
    """

    def nodes(level: int, index: int) -> bytes:
        tile_level, height = divmod(level, TILE_HEIGHT)
        number, offset = divmod(index << height, TILE_WIDTH)
        data = tile(tile_level, number)
        part = data[offset * HASH_BYTES : (offset + (1 << height)) * HASH_BYTES]
        if len(part) != HASH_BYTES << height:
            raise ProofError(f"tile {tile_level}/{number} is too short")
        return full_root(part)

    return nodes


def tile_width(level: int, number: int, size: int) -> int:
    """How many hashes the tile has in a tree of `size` records: 0 to 256."""
    return max(0, min(TILE_WIDTH, (size >> (level * TILE_HEIGHT)) - number * TILE_WIDTH))


def tile_number_path(number: int) -> str:
    """The number of a tile as its address has it: 1234067 is ``x001/x234/067``."""
    groups = [f"{number % 1000:03d}"]
    while number := number // 1000:
        groups.insert(0, f"x{number % 1000:03d}")
    return "/".join(groups)


def tile_path(level: int | str, number: int, width: int = TILE_WIDTH) -> str:
    """The address of a tile below the log's: level (or ``entries``), number, ``.p/`` width."""
    partial = f".p/{width}" if width != TILE_WIDTH else ""
    return f"tile/{level}/{tile_number_path(number)}{partial}"


_TILE = re.compile(
    r"tile/(?P<level>entries|0|[1-9]|[1-5][0-9]|6[0-3])/(?P<number>(?:x[0-9]{3}/){0,5}[0-9]{3})"
    r"(?:\.p/(?P<width>[1-9]|[1-9][0-9]|1[0-9]{2}|2[0-4][0-9]|25[0-5]))?"
)


def parse_tile_path(path: str) -> tuple[int | str, int, int]:
    """Level (``"entries"`` for bundles), number and width of a tile's address; or `ValueError`."""
    match = _TILE.fullmatch(path)
    if match is None:
        raise ValueError("no address of a tile")
    number = int(match["number"].replace("x", "").replace("/", ""))
    if tile_number_path(number) != match["number"]:
        raise ValueError("a tile's number has no leading zeros")
    level = match["level"]
    width = int(match["width"]) if match["width"] else TILE_WIDTH
    return (level if level == "entries" else int(level)), number, width


def bundle(records: Sequence[bytes]) -> bytes:
    """An entry bundle: each record after its length in two bytes. Raises `ValueError`."""
    if any(len(record) > 0xFFFF for record in records):
        raise ValueError("a record is longer than 65,535 bytes")
    return b"".join(len(record).to_bytes(2, "big") + record for record in records)


def unbundle(data: bytes) -> list[bytes]:
    """The records of an entry bundle. Raises `ValueError` where it is cut or too long."""
    found: list[bytes] = []
    at = 0
    while at < len(data):
        end = at + 2 + int.from_bytes(data[at : at + 2], "big")
        if at + 2 > len(data) or end > len(data):
            raise ValueError("an entry bundle is cut short")
        found.append(data[at + 2 : end])
        at = end
    if len(found) > TILE_WIDTH:
        raise ValueError("an entry bundle holds more than 256 records")
    return found
