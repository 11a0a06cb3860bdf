"""docs/licences.md lists what is locked, and nothing that does not go with the AGPL."""

from __future__ import annotations

import pytest

from tools import licences


def test_the_page_is_up_to_date_with_the_lock_and_every_licence_is_judged() -> None:
    made, unknown = licences.page()
    assert not unknown
    assert not licences.differences(licences.PAGE.read_text(encoding="utf-8"), made)
    assert made.count("\n| ") > 100


@pytest.mark.parametrize("said", ["", "Proprietary", "SSPL-1.0", "BUSL-1.1", "CC-BY-NC-4.0"])
def test_a_licence_that_nobody_judged_is_none(said: str) -> None:
    assert licences.kind(said) == ""
