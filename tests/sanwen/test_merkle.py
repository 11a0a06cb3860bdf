"""The tree: RFC 6962's vectors, and every proof of every small tree."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanwen import merkle

# The leaves and roots of Certificate Transparency's reference implementation (RFC 6962).
LEAVES = [
    bytes.fromhex(h)
    for h in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]


def nodes_of(hashes: list[bytes]) -> merkle.Nodes:
    return lambda level, index: merkle.full_root(
        b"".join(hashes[index << level : (index + 1) << level])
    )


def leaves(count: int) -> list[bytes]:
    return [merkle.leaf_hash(str(n).encode()) for n in range(count)]


@pytest.mark.parametrize("size", range(9))
def test_roots_of_the_reference_trees(size):
    hashes = [merkle.leaf_hash(leaf) for leaf in LEAVES]
    assert merkle.root(nodes_of(hashes), size).hex() == ROOTS[size]


def test_the_reference_proofs():
    """RFC 6962, 2.1.3: the tree of seven leaves."""
    hashes = leaves(7)
    nodes = nodes_of(hashes)
    a, b, c, d, e, f, j = hashes
    g, h, i = (merkle.node_hash(*pair) for pair in ((a, b), (c, d), (e, f)))
    k, last = merkle.node_hash(g, h), merkle.node_hash(i, j)
    assert merkle.inclusion(nodes, 0, 7) == [b, h, last]
    assert merkle.inclusion(nodes, 3, 7) == [c, g, last]
    assert merkle.inclusion(nodes, 4, 7) == [f, j, k]
    assert merkle.inclusion(nodes, 6, 7) == [i, k]
    assert merkle.consistency(nodes, 3, 7) == [c, d, g, last]
    assert merkle.consistency(nodes, 4, 7) == [last]
    assert merkle.consistency(nodes, 6, 7) == [i, j, k]


def test_every_proof_of_every_tree_up_to_forty_holds():
    hashes = leaves(40)
    nodes = nodes_of(hashes)
    roots = [merkle.root(nodes, size) for size in range(41)]
    for size in range(1, 41):
        for index in range(size):
            path = merkle.inclusion(nodes, index, size)
            merkle.check_inclusion(hashes[index], index, size, path, roots[size])
        for old in range(size + 1):
            path = merkle.consistency(nodes, old, size)
            merkle.check_consistency(old, size, roots[old], roots[size], path)


@given(st.data())
def test_a_changed_inclusion_proof_holds_nowhere(data):
    size = data.draw(st.integers(1, 64))
    index = data.draw(st.integers(0, size - 1))
    hashes = leaves(size)
    nodes = nodes_of(hashes)
    root = merkle.root(nodes, size)
    path = merkle.inclusion(nodes, index, size)
    other = data.draw(st.integers(0, size - 1).filter(lambda n: n != index or size == 1))
    changes = [
        (merkle.leaf_hash(b"other"), index, path),
        (hashes[index], size, path),
        (hashes[index], index, [*path, b"\0" * 32]),
    ]
    if size > 1:
        at = data.draw(st.integers(0, len(path) - 1))
        changes += [
            (hashes[index], other, path),
            (hashes[index], index, path[:at] + path[at + 1 :]),
            (hashes[index], index, [*path[:at], b"\1" * 32, *path[at + 1 :]]),
        ]
    for leaf, place, steps in changes:
        with pytest.raises(merkle.ProofError):
            merkle.check_inclusion(leaf, place, size, steps, root)


@given(st.data())
def test_a_tree_that_does_not_begin_with_the_old_one_is_caught(data):
    new = data.draw(st.integers(2, 64))
    old = data.draw(st.integers(1, new - 1))
    changed = data.draw(st.integers(0, old - 1))
    hashes = leaves(new)
    old_root = merkle.root(nodes_of(hashes), old)
    forged = [*hashes]
    forged[changed] = merkle.leaf_hash(b"forged")
    path = merkle.consistency(nodes_of(forged), old, new)
    with pytest.raises(merkle.ProofError):
        merkle.check_consistency(old, new, old_root, merkle.root(nodes_of(forged), new), path)


def test_a_log_that_shrinks_is_caught():
    nodes = nodes_of(leaves(8))
    with pytest.raises(merkle.ProofError, match="shrank"):
        merkle.check_consistency(8, 5, merkle.root(nodes, 8), merkle.root(nodes, 5), [])


def test_two_trees_of_one_size_are_a_fork():
    with pytest.raises(merkle.ProofError, match="two different"):
        merkle.check_consistency(3, 3, b"\1" * 32, b"\2" * 32, [])


@given(st.integers(0, 10**12))
def test_addresses_of_tiles_are_read_as_they_are_written(number):
    for level, width in ((0, 256), (3, 17), ("entries", 255), ("entries", 256)):
        assert merkle.parse_tile_path(merkle.tile_path(level, number, width)) == (
            level,
            number,
            width,
        )


def test_the_specification_s_address():
    assert merkle.tile_path(0, 1234067) == "tile/0/x001/x234/067"


@pytest.mark.parametrize(
    "path",
    [
        "tile/0/1", "tile/0/0001", "tile/0/x000/001", "tile/64/000", "tile/0/000.p/0",
        "tile/0/000.p/256", "tile/00/000", "tile/-1/000", "tile/0/x001/x234", "tile/0/000/",
        "tile/0/../../secret", "tile/entries/000.p/00", "tile/0/٠٠٠",
    ],
)  # fmt: skip
def test_other_addresses_are_none(path):
    with pytest.raises(ValueError):
        merkle.parse_tile_path(path)


@given(st.lists(st.binary(max_size=300), max_size=256))
def test_bundles_come_back(records):
    assert merkle.unbundle(merkle.bundle(records)) == records


def test_a_cut_bundle_is_seen():
    whole = merkle.bundle([b"abc", b"d"])
    for cut in (1, 4, 6, 7):  # the fifth byte ends a record
        with pytest.raises(ValueError):
            merkle.unbundle(whole[:cut])
    with pytest.raises(ValueError):
        merkle.bundle([b"x" * 65_536])
