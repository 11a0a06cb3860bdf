"""Disclosures as RFC 9901 has them; the digest is that of its own example."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sanwen import disclosure

# RFC 9901, 4.2.1 and 4.2.3.
EXAMPLE = "WyJfMjZiYzRMVC1hYzZxMktJNmNCVzVlcyIsICJmYW1pbHlfbmFtZSIsICJNw7ZiaXVzIl0"


def test_the_example_of_the_standard():
    assert disclosure.read(EXAMPLE) == ("family_name", "Möbius")
    assert disclosure.digest(EXAMPLE) == "X9yH0Ajrdm1Oij4tWso9UzzKJvPoDxwmuEcO3XAdRC0"


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.text(min_size=1), values)
def test_what_is_made_can_be_read_and_never_looks_the_same_twice(name, value):
    encoded = disclosure.made(name, value)
    assert disclosure.read(encoded) == (name, value)
    assert disclosure.made(name, value) != encoded


@pytest.mark.parametrize("wrong", ["", "x", "WyJhIl0", "e30", "WzEsMiwzXQ", "~~~~", "鲁"])
def test_what_is_no_disclosure_is_refused(wrong):
    with pytest.raises(disclosure.NotADisclosure):
        disclosure.read(wrong)


def test_a_body_is_opened_only_with_disclosures_that_it_names():
    mine, other = disclosure.made("text", "甲"), disclosure.made("text", "乙")
    content = {"body": {"n": 1, "_sd": [disclosure.digest(mine)]}}
    assert disclosure.opened(content, [other, mine]) == {"n": 1, "text": "甲"}
    assert disclosure.opened(content, [other]) == {"n": 1}
    assert disclosure.withdrawn(content, [other]) == 1
    assert disclosure.withdrawn(content, [mine]) == 0
